//! Every entry of the corpus holds, and so do the same changed versions of it in every run. What the long run finds joins the corpus.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the finding")]

use fuzz::{TARGETS, Target, target};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// Texts at which readers stumble, put somewhere.
const WORDS: [&[u8]; 16] = [
    b"18446744073709551615",
    b"9223372036854775808",
    b"-1",
    b"null",
    b"\"\"",
    b"[]",
    b"{}",
    b"&#0;",
    b"<!DOCTYPE a>",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\"\"\"",
    b"\r\n",
    b"\0\0\0\0",
    b"]]>",
    b"\\ud800",
];

fn folder(target: Target) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

/// The entries in the order of their names.
fn corpus(target: Target) -> Vec<(String, Vec<u8>)> {
    let mut entries: Vec<_> = fs::read_dir(folder(target))
        .unwrap_or_else(|error| panic!("{}: {error}", folder(target).display()))
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    entries.sort();
    entries
}

fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut fastrand::Rng) {
    let at = random.usize(0..=bytes.len());
    let some = random.usize(0..=(bytes.len() - at).min(64));
    match random.u8(0..8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(0..8),
        1 if at < bytes.len() => bytes[at] = random.u8(..),
        2 => drop(bytes.drain(at..at + some)),
        3 => {
            let piece = bytes[at..at + some].to_vec();
            bytes.splice(at..at, piece);
        }
        4 => {
            bytes.splice(at..at + some, WORDS[random.usize(0..WORDS.len())].iter().copied());
        }
        5 => bytes.truncate(at),
        6 => {
            let from = random.usize(0..=other.len());
            bytes.splice(at..at, other[from..].iter().copied().take(256));
        }
        _ => bytes.push(random.u8(..)),
    }
}

/// Checks the corpus and changed versions of it. What does not hold is kept as a file, to be looked at.
fn holds(name: &str) {
    let target = target(name).unwrap();
    let entries = corpus(target);
    assert!(!entries.is_empty(), "there is a corpus of {name}");
    for (file, bytes) in &entries {
        check(target, file, bytes);
    }
    let mut random = fastrand::Rng::with_seed(1);
    for (file, bytes) in &entries {
        for number in 0..target.changes_in_test_run {
            let mut changed = bytes.clone();
            for _ in 0..=random.u8(0..4) {
                let (_, other) = &entries[random.usize(0..entries.len())];
                change(&mut changed, other, &mut random);
            }
            check(target, &format!("{file}-{number}"), &changed);
        }
    }
}

fn check(target: Target, file: &str, bytes: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| (target.check)(bytes))).is_err() {
        let kept = std::env::temp_dir().join(format!("concordance-{}-{file}", target.name));
        fs::write(&kept, bytes).unwrap();
        panic!("{} does not hold for {}: {}", target.name, kept.display(), String::from_utf8_lossy(bytes));
    }
}

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            holds(stringify!($name));
        })*

        #[test]
        fn each_target_has_its_test_and_its_corpus() {
            let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

targets!(wire, book_xml, book_json, import, log_segment, decision_log, replicator_log, checkpoint);
