//! Goal: the protocol core upholds every rule whatever breaks. Method: whole clusters run in virtual time, each fixed by a seed.

use simulator::{TraceMode, run, run_all};
use std::ops::Range;

/// The seeds that every change must pass.
const SEEDS: Range<u64> = 0..1_000;
/// Seeds that are run twice.
const SEEDS_TWICE: Range<u64> = 0..100;

#[test]
fn a_thousand_seeds_hold_every_rule() {
    let figures = run_all(SEEDS, 2, &|_| {}).unwrap_or_else(|failure| panic!("{failure}"));
    let seeds = figures.of("seed");
    assert_eq!(seeds, SEEDS.end - SEEDS.start);
    assert!(figures.of("round begun") >= 200 * seeds, "{figures}");
    assert!(figures.faults() >= 20 * seeds, "{figures}");
    for name in [
        "round committed",
        "round aborted",
        "round in doubt committed",
        "round in doubt aborted",
        "answer of a peer: committed",
        "answer of a peer: refused",
        "round ended by the word of a peer",
        "member asked to be added",
        "member asked to be promoted",
        "member asked to be demoted",
        "member sent away",
        "catch-up installed by a replicator",
        "catch-up installed by an app-server",
        "old change sent again",
        "change id used for another request",
        "fault: crash between two effects",
        "fault: crash of the coordinator",
        "fault: crash of a replicator",
        "fault: crash of an app-server",
        "fault: crash of all processes at once",
        "fault: broken connection",
        "fault: message lost",
        "fault: unsynced records of a replicator lost",
        "fault: unsynced records of the coordinator lost",
        "fault: torn tail of a replicator",
        "fault: unsynced files lost or torn",
        "fault: failed sync",
        "fault: disk lost",
        "fault: log of a replicator damaged",
        "fault: replicator on an old copy of its disk",
        "fault: full disk",
        "fault: synced record lost to a torn tail",
        "fault: coordinator on an old copy of its log",
        "fault: coordinator hangs beside its successor",
        "fault: disk of the coordinator lost",
        "fault: log of the coordinator damaged",
        "fault: connection cut one way",
        "fault: files damaged",
        "coordinator recovered from a replicator",
        "coordinator recovered from its own log",
        "scrub of a replicator",
        "restore asked for",
        "file healed",
    ] {
        // Not in every run, but often enough that every seed range has met it.
        assert!(figures.of(name) >= seeds / 20, "{name} happened too seldom:\n{figures}");
    }
}

#[test]
fn same_seed_gives_the_same_run() {
    for seed in SEEDS_TWICE {
        let (one, other) = (run(seed, TraceMode::Hash, None), run(seed, TraceMode::Hash, None));
        assert_eq!(one.hash, other.hash, "seed {seed}");
        assert_eq!(one.figures, other.figures, "seed {seed}");
    }
    assert_ne!(run(0, TraceMode::Hash, None).hash, run(1, TraceMode::Hash, None).hash);
}
