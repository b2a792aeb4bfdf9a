//! Runs seeds of the simulator from the command line.

mod totals;

use clap::Parser;
use simulator::{Failure, Figures, TraceMode, run, run_all, scenario_of};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use totals::TotalsFile;

/// So many seeds are run between two lines of progress, and between two states of the file of totals.
const SEEDS_AT_A_TIME: u64 = 500;

/// Runs clusters in virtual time while things break, and checks that every rule of the protocol holds.
#[derive(Debug, Parser)]
#[command(name = "simulator")]
struct Arguments {
    /// Run this seed.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Run these seeds, the last one not included: 0..500.
    #[arg(long, value_parser = parse_range, default_value = "0..500")]
    seeds: Range<u64>,
    /// Print every line of the trace; with --seed.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Number of threads for --seeds.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Go on after a failure, and list all seeds that fail.
    #[arg(long, conflicts_with_all = ["seed", "totals"])]
    keep_going: bool,
    /// Keep the figures in this file. A run that was stopped goes on behind the last seed that is in it.
    #[arg(long, conflicts_with = "seed")]
    totals: Option<PathBuf>,
}

fn parse_range(text: &str) -> Result<Range<u64>, String> {
    let form = || format!("a range of seeds is written 0..500, but {text:?} is not");
    let (start, end) = text.split_once("..").ok_or_else(form)?;
    let range = start.parse().map_err(|_| form())?..end.parse().map_err(|_| form())?;
    if range.is_empty() { Err(format!("{text} has no seeds")) } else { Ok(range) }
}

fn main() -> ExitCode {
    let Arguments { seed, seeds, trace, threads, keep_going, totals } = Arguments::parse();
    let result = match (seed, keep_going, totals) {
        (Some(seed), ..) => run_one(seed, trace),
        (None, true, _) => list_failures(seeds),
        (None, false, Some(path)) => run_and_keep(seeds, threads, &path),
        (None, false, None) => {
            let mut figures = Figures::default();
            let result = run_many(seeds, threads, &mut |_, more| {
                figures.merge(more);
                Ok(())
            });
            result.map(|()| print!("{figures}"))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{}", sentence.trim_end());
            ExitCode::FAILURE
        }
    }
}

fn run_one(seed: u64, trace: bool) -> Result<(), String> {
    println!("{}", scenario_of(seed));
    let run = run(seed, if trace { TraceMode::Print } else { TraceMode::Keep }, None);
    println!("{}seed {seed}: trace hash {:016x}", run.figures, run.hash);
    if run.violation.is_some() { Err(Failure(run).to_string()) } else { Ok(()) }
}

/// Runs seeds some at a time; hands on their figures with the seed that is next.
fn run_many(
    seeds: Range<u64>,
    threads: usize,
    keep: &mut dyn FnMut(u64, &Figures) -> Result<(), String>,
) -> Result<(), String> {
    let began = Instant::now();
    for from in seeds.clone().step_by(SEEDS_AT_A_TIME as usize) {
        let next = (from + SEEDS_AT_A_TIME).min(seeds.end);
        let figures = run_all(from..next, threads, &|_| {}).map_err(|failure| failure.to_string())?;
        keep(next, &figures)?;
        eprintln!("… up to seed {}, after {} s", next - 1, began.elapsed().as_secs());
    }
    Ok(())
}

fn run_and_keep(seeds: Range<u64>, threads: usize, path: &Path) -> Result<(), String> {
    let mut file = TotalsFile::open(path, &seeds)?;
    run_many(file.next_seed()..seeds.end, threads, &mut |next, figures| file.add(next, figures))?;
    file.print();
    Ok(())
}

fn list_failures(seeds: Range<u64>) -> Result<(), String> {
    let (mut failures, count) = (0, seeds.end - seeds.start);
    for seed in seeds {
        if let Some(violation) = run(seed, TraceMode::Hash, None).violation {
            println!("seed {seed} breaks {violation}");
            failures += 1;
        }
    }
    println!("{failures} of {count} seeds failed");
    if failures == 0 { Ok(()) } else { Err("see the seeds above: simulator --seed N --trace".to_owned()) }
}
