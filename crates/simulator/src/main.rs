//! Runs seeds of the simulator from the command line.

use clap::Parser;
use simulator::{Failure, TraceMode, run, run_all};
use std::ops::Range;
use std::process::ExitCode;

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
    #[arg(long)]
    keep_going: bool,
}

fn parse_range(text: &str) -> Result<Range<u64>, String> {
    let form = || format!("a range of seeds is written 0..500, but {text:?} is not");
    let (start, end) = text.split_once("..").ok_or_else(form)?;
    let range = start.parse().map_err(|_| form())?..end.parse().map_err(|_| form())?;
    if range.is_empty() { Err(format!("{text} has no seeds")) } else { Ok(range) }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.seed {
        Some(seed) => {
            let mode = if arguments.trace { TraceMode::Print } else { TraceMode::Keep };
            let run = run(seed, mode, None);
            println!("{}seed {seed}: trace hash {:016x}", run.figures, run.hash);
            finish(run.violation.is_none().then_some(()).ok_or(Failure(run)))
        }
        None if arguments.keep_going => list_failures(arguments.seeds),
        None => {
            let began = std::time::Instant::now();
            let result = run_all(arguments.seeds, arguments.threads, &|seed| {
                if seed % 500 == 499 {
                    eprintln!("… seed {seed}, after {} s", began.elapsed().as_secs());
                }
            });
            finish(result.map(|figures| print!("{figures}")).map_err(|failure| *failure))
        }
    }
}

fn list_failures(seeds: Range<u64>) -> ExitCode {
    let mut failures = 0;
    for seed in seeds {
        if let Some(violation) = run(seed, TraceMode::Hash, None).violation {
            println!("seed {seed} breaks {violation}");
            failures += 1;
        }
    }
    println!("{failures} seeds failed");
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn finish(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprint!("{failure}");
            ExitCode::FAILURE
        }
    }
}
