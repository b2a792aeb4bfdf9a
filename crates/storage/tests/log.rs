//! The log as its owners use it, on real files.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use storage::log::{Damage, LogEnd, LogError, LogOptions, NextSegment, Recovered};
use storage::{DataDirectory, Log, LogSequence};

const SEGMENT_BYTES: u64 = 4096;

fn open_from(home: &Path, from: LogSequence) -> (Log, Recovered, Vec<(u64, String)>) {
    let data = DataDirectory::open(home, "replicator").unwrap();
    let mut records = Vec::new();
    let options = LogOptions { segment_bytes: SEGMENT_BYTES };
    let (log, recovered) = Log::open(&data, options, from, &mut |sequence, payload| {
        records.push((sequence.value(), String::from_utf8(payload.to_vec()).unwrap()));
    })
    .unwrap();
    (log, recovered, records)
}

fn open(home: &Path) -> (Log, Recovered, Vec<(u64, String)>) {
    open_from(home, LogSequence::FIRST)
}

fn record(number: u64) -> String {
    format!("{{\"record\":{number},\"padding\":\"{}\"}}", "x".repeat(200))
}

fn fill(log: &mut Log, count: u64) {
    for _ in 0..count {
        let number = log.next_sequence().value();
        assert_eq!(log.append(record(number).as_bytes()).unwrap().value(), number);
    }
    log.sync().unwrap();
}

fn segments(home: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(home.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    names.sort();
    names
}

#[test]
fn records_are_read_back_in_order_over_several_segments() {
    let home = tempfile::tempdir().unwrap();
    let (mut log, recovered, _) = open(home.path());
    let (first, last) = (LogSequence::FIRST, LogSequence::ZERO);
    assert_eq!(recovered, Recovered { first, last, end: LogEnd::Clean });
    fill(&mut log, 100);
    let (count, bytes) = (log.segment_count(), log.bytes());
    assert!(count > 5 && bytes > 100 * 200, "{count} segments of {bytes} bytes");
    assert_eq!(log.close().unwrap(), LogSequence::new(100));

    let (log, recovered, records) = open(home.path());
    assert_eq!((recovered.last, recovered.end), (LogSequence::new(100), LogEnd::Clean));
    assert_eq!(records, (1..=100).map(|number| (number, record(number))).collect::<Vec<_>>());
    assert_eq!((log.segment_count(), log.bytes()), (count, bytes));
    assert_eq!(log.next_sequence(), LogSequence::new(101));
}

#[test]
fn what_was_not_synced_is_not_called_durable() {
    let home = tempfile::tempdir().unwrap();
    let (mut log, ..) = open(home.path());
    fill(&mut log, 3);
    log.append(b"{}").unwrap();
    log.write().unwrap();
    assert_eq!(log.durable(), LogSequence::new(3));
    assert_eq!(log.sync().unwrap(), LogSequence::new(4));
    assert_eq!(log.sync().unwrap(), LogSequence::new(4));
}

#[test]
fn a_checkpoint_skips_what_it_covers_and_trimming_removes_whole_segments_below() {
    let home = tempfile::tempdir().unwrap();
    let (mut log, ..) = open(home.path());
    fill(&mut log, 100);
    let before = log.segment_count();
    log.trim(LogSequence::new(60)).unwrap();
    assert!(log.segment_count() < before);
    assert_eq!(segments(home.path()).len(), log.segment_count());
    let first = log.first_sequence();
    assert!(first <= LogSequence::new(60) && first > LogSequence::new(40), "{first}");
    drop(log);

    let (mut log, recovered, records) = open_from(home.path(), LogSequence::new(60));
    assert_eq!(recovered.first, first);
    assert_eq!(records.first().unwrap().0, 60);
    log.trim(LogSequence::new(1000)).unwrap();
    assert_eq!(log.segment_count(), 1, "the newest segment stays");
    drop(log);

    let (_, recovered, _) = open_from(home.path(), LogSequence::new(60));
    assert!(matches!(recovered.end, LogEnd::Damaged(_)), "record 60 was needed and is trimmed");
}

#[test]
fn records_of_the_largest_size_fit_and_anything_else_is_refused_before_it_is_written() {
    let home = tempfile::tempdir().unwrap();
    let (mut log, ..) = open(home.path());
    let bytes_max = log.record_bytes_max();
    let largest = "x".repeat(bytes_max);
    let refused = log.append(format!("{largest}x").as_bytes()).unwrap_err();
    assert!(refused.to_string().contains(&bytes_max.to_string()), "{refused}");
    assert!(matches!(log.append(b"a\0b").unwrap_err(), LogError::RecordNotText));
    assert!(matches!(log.append(b"\x1erecord").unwrap_err(), LogError::RecordNotText));
    for _ in 0..3 {
        log.append(largest.as_bytes()).unwrap();
    }
    log.close().unwrap();
    let (_, _, records) = open(home.path());
    assert_eq!(records, [1, 2, 3].map(|number| (number, largest.clone())));
}

#[test]
fn segments_of_another_size_are_read_and_records_grow_with_the_option() {
    let home = tempfile::tempdir().unwrap();
    let (mut log, ..) = open(home.path());
    fill(&mut log, 20);
    drop(log);
    let data = DataDirectory::open(home.path(), "replicator").unwrap();
    let options = LogOptions { segment_bytes: 1 << 16 };
    let (mut log, recovered) = Log::open(&data, options, LogSequence::FIRST, &mut |_, _| {}).unwrap();
    assert_eq!(recovered.last, LogSequence::new(20));
    let large = "x".repeat(log.record_bytes_max());
    log.append(large.as_bytes()).unwrap();
    log.close().unwrap();
    let odd = LogOptions { segment_bytes: 100 };
    let refused = Log::open(&data, odd, LogSequence::FIRST, &mut |_, _| {});
    assert!(matches!(refused, Err(LogError::SegmentSize { segment_bytes: 100 })));
    drop(data);
    assert_eq!(open(home.path()).2.last().unwrap(), &(21, large));
}

#[test]
fn a_reader_sees_what_is_durable_and_no_more_while_the_log_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let (mut log, ..) = open(home.path());
    let reader = log.reader();
    let read = |from, up_to: usize| {
        let mut numbers = Vec::new();
        let result = reader.read_from(LogSequence::new(from), &mut |sequence, payload| {
            assert_eq!(payload, record(sequence.value()).as_bytes());
            numbers.push(sequence.value());
            if numbers.len() < up_to { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        result.map(|()| numbers)
    };
    assert_eq!(read(1, 99).unwrap(), [0; 0]);
    fill(&mut log, 50);
    log.append(record(51).as_bytes()).unwrap();
    log.write().unwrap();
    assert_eq!(read(1, 99).unwrap(), (1..=50).collect::<Vec<_>>());
    assert_eq!(read(30, 99).unwrap(), (30..=50).collect::<Vec<_>>());
    assert_eq!(read(10, 20).unwrap(), (10..=29).collect::<Vec<_>>());
    assert_eq!(read(51, 99).unwrap(), [0; 0]);
    log.sync().unwrap();
    assert_eq!(read(51, 99).unwrap(), [51]);
    log.trim(LogSequence::new(40)).unwrap();
    assert_eq!(read(1, 99).unwrap(), (log.first_sequence().value()..=51).collect::<Vec<_>>());

    let newest = segments(home.path()).pop().unwrap();
    let mut bytes = fs::read(&newest).unwrap();
    bytes[150] ^= 1;
    fs::write(&newest, bytes).unwrap();
    assert!(matches!(read(1, 99), Err(LogError::Damaged(_))));
}

#[test]
fn a_payload_that_looks_like_records_is_only_a_payload() {
    let home = tempfile::tempdir().unwrap();
    let (mut log, ..) = open(home.path());
    fill(&mut log, 1);
    let frames = fs::read(&segments(home.path())[0]).unwrap();
    let text: String = frames.iter().filter(|byte| **byte > 0x1e).map(|byte| *byte as char).collect();
    log.append(text.as_bytes()).unwrap();
    log.close().unwrap();
    assert_eq!(open(home.path()).2[1], (2, text));
}

#[test]
fn a_write_that_was_cut_short_is_a_torn_tail_until_it_was_noted() {
    let home = tempfile::tempdir().unwrap();
    let (mut log, ..) = open(home.path());
    fill(&mut log, 5);
    drop(log);
    let newest = segments(home.path()).pop().unwrap();
    let mut bytes = fs::read(&newest).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end - 30..].fill(0);
    fs::write(&newest, bytes).unwrap();

    for _ in 0..2 {
        let (mut log, recovered, records) = open(home.path());
        assert_eq!(records.len(), 4);
        let LogEnd::TornTail { at, dropped_bytes } = recovered.end else { panic!("{recovered:?}") };
        assert_eq!(at, LogSequence::new(5));
        assert!(dropped_bytes > 200, "{dropped_bytes}");
        assert!(matches!(log.append(b"{}"), Err(LogError::TornTail { .. })));
    }
    let (mut log, ..) = open(home.path());
    assert_eq!(log.resume_after_torn_tail(b"{\"torn\":true}").unwrap(), LogSequence::new(5));
    assert!(matches!(log.resume_after_torn_tail(b"{}"), Err(LogError::NotTorn)));
    fill(&mut log, 1);
    drop(log);
    let (_, recovered, records) = open(home.path());
    assert_eq!(recovered.end, LogEnd::Clean);
    assert_eq!(records[4], (5, "{\"torn\":true}".to_owned()));
    assert_eq!(records[5], (6, record(6)));
}

#[test]
fn damage_is_located_and_a_reset_keeps_the_evidence() {
    let home = tempfile::tempdir().unwrap();
    let (mut log, ..) = open(home.path());
    fill(&mut log, 40);
    drop(log);
    let second = segments(home.path())[1].clone();
    let mut bytes = fs::read(&second).unwrap();
    bytes[500] ^= 1;
    fs::write(&second, &bytes).unwrap();

    let (mut log, recovered, records) = open(home.path());
    let LogEnd::Damaged(Damage { at, segment, .. }) = recovered.end else { panic!("{recovered:?}") };
    assert_eq!(Some(segment.as_str()), second.file_name().unwrap().to_str());
    assert_eq!(records.len() as u64, at.value() - 1);
    log.reset(LogSequence::new(41), b"{\"incarnation\":2}").unwrap();
    fill(&mut log, 1);
    drop(log);
    let (_, recovered, records) = open_from(home.path(), LogSequence::new(41));
    assert_eq!((recovered.end, records.len()), (LogEnd::Clean, 2));
    let kept = home.path().join("log/damaged-0001").join(second.file_name().unwrap());
    assert_eq!(fs::read(kept).unwrap(), bytes);
}

#[test]
fn the_next_segment_is_written_ahead_of_need() {
    let home = tempfile::tempdir().unwrap();
    let (log, ..) = open(home.path());
    let deadline = Instant::now() + Duration::from_secs(30);
    while log.next_segment() != NextSegment::Ready {
        assert!(Instant::now() < deadline, "{:?}", log.next_segment());
        std::thread::yield_now();
    }
    let bytes = fs::metadata(home.path().join("log/next.prewritten")).unwrap().len();
    assert_eq!(bytes, SEGMENT_BYTES);
}
