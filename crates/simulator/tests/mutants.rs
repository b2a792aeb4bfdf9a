//! Goal: no rule of the protocol can be broken without being found. Method: bugs are switched on in the core itself, one at a time,
//! and each must be found before the seeds are over, as the breach of some rule. Run with `--features mutants`. The guards that another
//! one covers in every run are in `crates/two-phase/tests/rules/mutants.rs`.
//!
//! `CONCORDANCE_MUTANT_RUNS=9` repeats it from other seeds on, and prints the median number of seeds that each needed.

#![cfg(feature = "mutants")]

use simulator::{Violation, run_mutant};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use two_phase::mutant::Mutant;

/// The rarest need some hundreds.
const SEEDS_MAX: u64 = 3_000;

/// Runs that begin so far from each other share no seed.
const SEEDS_APART: u64 = 100_000;

/// `CONCORDANCE_MUTANTS=OpensWithOne,TrustsTornTail` runs only those.
fn chosen() -> Vec<Mutant> {
    let names = std::env::var("CONCORDANCE_MUTANTS").unwrap_or_default();
    let is_chosen = |mutant: &Mutant| names.is_empty() || names.split(',').any(|name| name == format!("{mutant:?}"));
    Mutant::IN_RUNS.into_iter().filter(is_chosen).collect()
}

fn runs() -> u64 {
    std::env::var("CONCORDANCE_MUTANT_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// How many seeds were run until it was found, and as what.
fn find(mutant: Mutant, from: u64) -> Option<(u64, Violation)> {
    (0..SEEDS_MAX).find_map(|count| run_mutant(from + count, mutant).violation.map(|violation| (count + 1, violation)))
}

/// One line a mutant; an error where it survives.
fn judge(mutant: Mutant) -> Result<String, String> {
    let mut needed = Vec::new();
    let mut found_as = String::new();
    for run in 0..runs() {
        let (seeds, violation) =
            find(mutant, run * SEEDS_APART).ok_or_else(|| format!("{mutant:?} survives {SEEDS_MAX} seeds"))?;
        needed.push(seeds);
        found_as = violation.rule.to_string();
    }
    needed.sort_unstable();
    let (median, most) = (needed[needed.len() / 2], needed[needed.len() - 1]);
    Ok(format!("{:<28} found after {median:>5} seeds (at most {most}), last as {found_as}", format!("{mutant:?}")))
}

#[test]
fn every_mutant_of_the_core_is_found() {
    let (next, survivors, mutants) = (AtomicUsize::new(0), Mutex::new(Vec::new()), chosen());
    assert!(!mutants.is_empty(), "CONCORDANCE_MUTANTS names none that there is");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match judge(*mutant) {
                        Ok(line) => println!("{line}"),
                        Err(line) => survivors.lock().unwrap().push(line),
                    }
                }
            });
        }
    });
    let survivors = survivors.into_inner().unwrap();
    assert!(survivors.is_empty(), "{}", survivors.join("\n"));
}
