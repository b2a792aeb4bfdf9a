//! Everything breaks at random for as long as it is told to, under load, and all promises are checked again and again.
//!
//! One chapter after the other: a cluster of its own, some faults while clients write and read, then quiet, in which everything that
//! anybody was told must be so, and files that are damaged must be put right. Ends with one line of figures; a promise that does not
//! hold ends it at once, with exit code 1, and the cluster's directory is kept.

mod chapter;
mod faults;
mod figures;

use clap::Parser;
use figures::Figures;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(Debug, Parser)]
#[command(about = "Everything breaks at random, under load, and all promises are checked.")]
struct Arguments {
    /// How long it goes on; the chapter under way then is finished.
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    minutes: f64,
    /// Where the random numbers begin; another one each time, if it is left out.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many faults a chapter has.
    #[arg(long, value_name = "N", default_value_t = 12)]
    faults: usize,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    eprintln!("soak: seed {seed}; Ctrl-C ends it after the chapter under way");
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
    let mut figures = Figures::new(seed);
    // What does not hold panics in the middle of a chapter: the figures of those before are told all the same.
    let run = std::panic::AssertUnwindSafe(|| runtime.block_on(chapters(&arguments, &mut figures)));
    let held = std::panic::catch_unwind(run).is_ok();
    figures.violations = u64::from(!held);
    println!("{}", if arguments.json { figures.json().to_string() } else { figures.line() });
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn chapters(arguments: &Arguments, figures: &mut Figures) {
    let began = Instant::now();
    let length = Duration::from_secs_f64(arguments.minutes * 60.0);
    let mut random = fastrand::Rng::with_seed(figures.seed);
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    let mut is_interrupted = false;
    while !is_interrupted && (figures.chapters == 0 || began.elapsed() < length) {
        {
            let mut chapter = std::pin::pin!(chapter::play(&mut random, arguments.faults, figures));
            loop {
                tokio::select! {
                    () = &mut chapter => break,
                    _ = &mut interrupted, if !is_interrupted => is_interrupted = true,
                }
            }
        }
        figures.minutes = began.elapsed().as_secs_f64() / 60.0;
        eprintln!("{}", figures.line());
    }
}
