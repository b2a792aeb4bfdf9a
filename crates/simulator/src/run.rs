//! One run, and many.

use crate::figures::Figures;
use crate::planted::PlantedBug;
use crate::random::Random;
use crate::scenario::Scenario;
use crate::trace::{Trace, TraceMode};
use crate::violation::{Rule, Violation};
use crate::world::World;
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    /// Its seed.
    pub seed: u64,
    /// The hash of all that happened.
    pub hash: u64,
    /// What happened, counted.
    pub figures: Figures,
    /// The rule that was broken; none if all held.
    pub violation: Option<Violation>,
    /// The last lines of its trace, if they were kept.
    pub lines: Vec<String>,
}

/// A run that broke a rule, with its trace.
#[derive(Debug)]
pub struct Failure(pub Run);

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Run { seed, violation, lines, .. } = &self.0;
        for line in lines {
            writeln!(formatter, "{line}")?;
        }
        match violation {
            Some(violation) => writeln!(formatter, "seed {seed} breaks {violation}"),
            None => writeln!(
                formatter,
                "seed {seed} breaks nothing when it is run again: it does not depend on the seed alone"
            ),
        }
    }
}

/// Runs one seed.
#[must_use]
pub fn run(seed: u64, mode: TraceMode, planted: Option<PlantedBug>) -> Run {
    let mut world = World::new(seed, Trace::new(mode), planted);
    let held = catch_unwind(AssertUnwindSafe(|| world.run()));
    let held = held.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Violation { rule: Rule::Contract, sentence: format!("panic: {}", text.unwrap_or_default()) })
    });
    let (figures, trace) = (world.figures, world.trace);
    Run { seed, hash: trace.hash(), figures, violation: held.err(), lines: trace.into_lines() }
}

/// What the cluster of a seed is like, for people.
#[must_use]
pub fn scenario_of(seed: u64) -> String {
    format!("seed {seed}: {:#?}", Scenario::draw(&mut Random::new(seed)))
}

/// Runs one seed with a bug in the core.
#[cfg(feature = "mutants")]
#[must_use]
pub fn run_mutant(seed: u64, mutant: two_phase::mutant::Mutant) -> Run {
    two_phase::mutant::switch_on(Some(mutant));
    let run = run(seed, TraceMode::Hash, None);
    two_phase::mutant::switch_on(None);
    run
}

/// Runs seeds on so many threads, up to the first failure, which is run again for its trace.
///
/// # Errors
/// The failure.
pub fn run_all(seeds: Range<u64>, threads: usize, progress: &(dyn Fn(u64) + Sync)) -> Result<Figures, Box<Failure>> {
    let (next, failed, total) = (AtomicU64::new(seeds.start), Mutex::new(None::<u64>), Mutex::new(Figures::default()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut figures = Figures::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || failed.lock().is_ok_and(|failed| failed.is_some()) {
                        break;
                    }
                    let run = run(seed, TraceMode::Hash, None);
                    figures.merge(&run.figures);
                    figures.count("seed");
                    progress(seed);
                    if run.violation.is_some() {
                        *failed.lock().expect("no thread panics with the lock") = Some(seed);
                    }
                }
                total.lock().expect("no thread panics with the lock").merge(&figures);
            });
        }
    });
    match failed.into_inner().expect("no thread panics with the lock") {
        Some(seed) => Err(Box::new(Failure(run(seed, TraceMode::Keep, None)))),
        None => Ok(total.into_inner().expect("no thread panics with the lock")),
    }
}
