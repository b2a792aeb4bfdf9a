//! What must hold whenever the log's process or its machine stops, and whatever happens to its files behind its back.
//!
//! Goal: every record that was reported durable is there afterwards, nothing is invented, and damage is never taken
//! for a record nor for a torn tail if the log can tell. Method: a fixed workload on small segments is run once to
//! count its disk operations, then once for every operation at which the disk can stop; each time the next process
//! opens what may be left, goes on, and a third one reads everything. Then single bits, sectors and files are changed.

use crate::log::crashing_disk::{Crash, CrashingDisk, Numbers};
use crate::log::disk::Disk;
use crate::log::frame::RecordHeader;
use crate::log::recovery::{Recovery, recover};
use crate::log::segment::SECTOR_BYTES;
use crate::log::{Damage, Log, LogEnd, LogError, LogOptions, LogSequence, NextSegment, Recovered};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const SEGMENT_BYTES: u64 = 4096;

type Records = BTreeMap<LogSequence, Vec<u8>>;

fn open(disk: &CrashingDisk, from: LogSequence) -> Result<(Log, Recovered, Records), LogError> {
    let mut records = Records::new();
    let options = LogOptions { segment_bytes: SEGMENT_BYTES };
    let (log, recovered) = Log::open_on(Arc::new(disk.clone()), options, from, &mut |sequence, payload| {
        records.insert(sequence, payload.to_vec());
    })?;
    Ok((log, recovered, records))
}

fn read(disk: &CrashingDisk) -> (Recovery, Records) {
    let mut records = Records::new();
    let recovery = recover(disk, LogSequence::FIRST, &mut |sequence, payload| {
        records.insert(sequence, payload.to_vec());
    });
    (recovery.unwrap(), records)
}

/// Mostly short; some longer than several sectors; spaces, of which one changed bit makes a zero byte.
fn payload(numbers: &mut Numbers) -> Vec<u8> {
    let longest = [20, 200, 1500][numbers.below(3)];
    let length = numbers.below(longest);
    (0..length).map(|_| b" {}abc@019"[numbers.below(10)]).collect()
}

/// What one process did before it stopped.
struct Life {
    appended: Records,
    durable: LogSequence,
    trimmed_below: LogSequence,
}

impl Life {
    /// Appends, writes, syncs and trims until the disk stops or enough was done.
    fn work(&mut self, log: &mut Log, numbers: &mut Numbers) -> Result<(), LogError> {
        for _ in 0..60 {
            match numbers.below(10) {
                0..6 => {
                    let payload = payload(numbers);
                    // Known before it is tried: an append that goes on in the next segment may fail after a part.
                    self.appended.insert(log.next_sequence(), payload.clone());
                    log.append(&payload)?;
                }
                6 => log.write()?,
                7 if self.durable > LogSequence::new(4) => {
                    let below = LogSequence::new(self.durable.value() - 3);
                    self.trimmed_below = below;
                    log.trim(below)?;
                }
                _ => {
                    self.durable = log.sync()?;
                    assert_eq!(self.durable, log.durable());
                }
            }
            self.durable = log.durable();
        }
        Ok(())
    }

    fn check(&self, recovered: &Recovered, records: &Records, context: &str) {
        assert!(!matches!(recovered.end, LogEnd::Damaged(_)), "{context}: {recovered:?}");
        assert!(recovered.last >= self.durable, "{context}: {recovered:?}, durable {}", self.durable);
        assert!(recovered.first <= self.trimmed_below, "{context}: {recovered:?}");
        let expected: Vec<_> = self.appended.range(self.trimmed_below..).collect();
        let kept = (recovered.last.value() + 1 - self.trimmed_below.value()) as usize;
        assert!(records.iter().eq(expected.into_iter().take(kept)), "{context}: not what was appended");
        assert_eq!(records.len(), kept, "{context}: {recovered:?}");
        if let LogEnd::TornTail { at, .. } = recovered.end {
            assert_eq!(at, recovered.last.next(), "{context}");
        }
    }
}

/// One process stops at the given operation, the next one goes on and ends well, a third one reads. Returns how many
/// operations the first one made and whether the log was torn.
fn run(seed: u64, stop_at: usize, crash: Crash) -> (usize, bool) {
    let context = format!("seed {seed}, {crash:?} at operation {stop_at}");
    let mut numbers = Numbers(seed);
    let disk = CrashingDisk::default();
    let (durable, trimmed_below) = (LogSequence::ZERO, LogSequence::FIRST);
    let mut life = Life { appended: Records::new(), durable, trimmed_below };
    disk.stopping_at(stop_at, numbers.below(2) == 0);
    // An error is the crash: what matters is what the next process finds.
    if let Ok((mut log, ..)) = open(&disk, LogSequence::FIRST) {
        let worked = life.work(&mut log, &mut numbers);
        if worked.is_err() && disk.operations() > stop_at {
            assert!(log.append(b"{}").is_err(), "{context}: it goes on after a failure");
        }
    }
    let operations = disk.operations();

    let disk = disk.after(crash, &mut Numbers(seed ^ stop_at as u64));
    let (mut log, recovered, records) = open(&disk, life.trimmed_below).unwrap();
    life.check(&recovered, &records, &context);
    life.appended = records;
    life.durable = recovered.last;
    let torn = matches!(recovered.end, LogEnd::TornTail { .. });
    if torn {
        assert!(matches!(log.append(b"{}"), Err(LogError::TornTail { .. })), "{context}");
        // Nobody noted it, so it is still there.
        assert_eq!(open(&disk, life.trimmed_below).unwrap().1, recovered, "{context}");
        let at = log.resume_after_torn_tail(b"torn").unwrap();
        life.appended.insert(at, b"torn".to_vec());
    }
    life.work(&mut log, &mut numbers).unwrap();
    life.durable = log.close().unwrap();

    let disk = disk.after(Crash::PowerLoss, &mut numbers);
    let (_, recovered, records) = open(&disk, life.trimmed_below).unwrap();
    life.check(&recovered, &records, &context);
    assert_eq!(recovered.end, LogEnd::Clean, "{context}");
    (operations, torn)
}

#[test]
fn every_durable_record_survives_a_stop_at_every_operation() {
    let mut torn = 0;
    for seed in 0..6 {
        let (operations, _) = run(seed, usize::MAX, Crash::PowerLoss);
        assert!(operations > 20, "the workload of seed {seed} tries next to nothing");
        for stop_at in 0..operations {
            for crash in [Crash::PowerLoss, Crash::Kill] {
                torn += usize::from(run(seed, stop_at, crash).1);
            }
        }
    }
    assert!(torn > 20, "only {torn} runs left a torn tail");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_durable_record_survives_a_stop_at_any_moment(
        seed: u64, stop_at in 0usize..80, power_loss: bool,
    ) {
        run(seed, stop_at, if power_loss { Crash::PowerLoss } else { Crash::Kill });
    }
}

/// A log with several segments, all of it durable.
fn written_log(seed: u64) -> (CrashingDisk, Records) {
    let disk = CrashingDisk::default();
    let mut numbers = Numbers(seed);
    let (mut log, ..) = open(&disk, LogSequence::FIRST).unwrap();
    let mut records = Records::new();
    while log.segment_count() < 3 || records.len() < 40 {
        let payload = payload(&mut numbers);
        records.insert(log.append(&payload).unwrap(), payload);
        if numbers.below(3) == 0 {
            log.sync().unwrap();
        }
    }
    log.close().unwrap();
    (disk, records)
}

fn is_beginning(some: &Records, all: &Records) -> bool {
    some.iter().eq(all.iter().take(some.len()))
}

#[test]
fn no_single_changed_bit_is_taken_for_data_or_for_a_torn_tail() {
    let (disk, records) = written_log(1);
    for name in disk.segment_names() {
        for bit in 0..SEGMENT_BYTES as usize * 8 {
            let flip = |bytes: &mut Vec<u8>| bytes[bit / 8] ^= 1 << (bit % 8);
            disk.tamper(&name, flip);
            let (recovery, found) = read(&disk);
            disk.tamper(&name, flip);
            let harmless = found == records;
            assert!(matches!(recovery.end, LogEnd::Damaged(_)) || harmless, "{name}, bit {bit}: {:?}", recovery.end);
            assert!(is_beginning(&found, &records), "{name}, bit {bit}: something was invented");
        }
    }
    assert_eq!(read(&disk).1, records, "the bits were put back");
}

/// Where each record of a segment starts and what it calls durable.
fn headers(bytes: &[u8]) -> Vec<(usize, RecordHeader)> {
    (0..bytes.len()).filter_map(|at| Some((at, RecordHeader::parse(&bytes[at..])?))).collect()
}

#[test]
fn a_lost_sector_is_damage_wherever_a_later_record_proves_it() {
    let mut torn = 0;
    for seed in 0..40 {
        let (disk, records) = written_log(seed);
        let names = disk.segment_names();
        for name in &names {
            for sector in 0..SEGMENT_BYTES as usize / SECTOR_BYTES {
                let lost = sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES;
                let before = disk.read(name).unwrap();
                disk.tamper(name, |bytes| bytes[lost.clone()].fill(0));
                let (recovery, found) = read(&disk);
                disk.tamper(name, |bytes| bytes.copy_from_slice(&before));
                assert!(is_beginning(&found, &records));
                let Some(missing) = records.keys().nth(found.len()) else {
                    continue;
                };
                let proven = Some(name) != names.last()
                    || headers(&before).iter().any(|(at, header)| {
                        !lost.contains(at)
                            && header.durable >= *missing
                            && !lost.contains(&(at + crate::log::frame::RECORD_HEADER_BYTES - 1))
                    });
                let damaged = matches!(recovery.end, LogEnd::Damaged(_));
                assert!(damaged || !proven, "seed {seed}, {name}, sector {sector}: {:?}", recovery.end);
                torn += usize::from(matches!(recovery.end, LogEnd::TornTail { .. }));
            }
        }
    }
    assert!(torn > 20, "the last write should look torn when a sector of it is lost; only {torn} did");
}

fn damage(disk: &CrashingDisk, from: LogSequence) -> (Log, Damage, Records) {
    let (log, recovered, records) = open(disk, from).unwrap();
    match recovered.end {
        LogEnd::Damaged(damage) => (log, damage, records),
        end => panic!("not seen as damaged but as {end:?}"),
    }
}

#[test]
fn a_missing_swapped_or_shortened_segment_is_damage_at_its_first_record() {
    let (disk, records) = written_log(3);
    let names = disk.segment_names();
    let middle = disk.read(&names[1]).unwrap();
    let second = read(&disk).0.segments[1].name.first;

    disk.tamper(&names[1], |bytes| bytes.truncate(3000));
    let (_, found, _) = damage(&disk, LogSequence::FIRST);
    assert!(found.at > second && found.segment == names[1], "{found:?}");

    let first = disk.read(&names[0]).unwrap();
    disk.tamper(&names[1], |bytes| *bytes = first);
    let (_, found, before) = damage(&disk, LogSequence::FIRST);
    assert_eq!((found.at, found.offset), (second, 0));
    assert!(is_beginning(&before, &records) && before.len() as u64 == second.value() - 1);

    disk.tamper(&names[1], |bytes| *bytes = middle);
    disk.lose(&names[1]);
    let (_, found, before) = damage(&disk, LogSequence::FIRST);
    assert_eq!(found.at, second);
    assert!(is_beginning(&before, &records) && before.len() as u64 == second.value() - 1);
}

#[test]
fn a_log_that_does_not_reach_from_the_checkpoint_on_is_damaged() {
    let (disk, records) = written_log(4);
    let last = *records.keys().last().unwrap();
    let (_, recovered, found) = open(&disk, last.next()).unwrap();
    assert_eq!((recovered.end, found.len()), (LogEnd::Clean, 0));
    let (_, found, _) = damage(&disk, last.next().next());
    assert_eq!(found.at, last.next());

    disk.lose(&disk.segment_names()[0]);
    let (_, found, before) = damage(&disk, LogSequence::FIRST);
    assert_eq!((found.at, before.len()), (LogSequence::FIRST, 0));

    for name in disk.segment_names() {
        disk.lose(&name);
    }
    let (_, found, _) = damage(&disk, last);
    assert_eq!(found.at, last);
}

#[test]
fn a_damaged_log_takes_nothing_until_it_is_reset_and_keeps_the_old_segments_aside() {
    let (disk, _) = written_log(5);
    let names = disk.segment_names();
    disk.tamper(&names[0], |bytes| bytes[300] ^= 0x40);
    let (mut log, ..) = damage(&disk, LogSequence::FIRST);
    assert!(matches!(log.append(b"{}"), Err(LogError::Damaged(_))));
    assert!(matches!(log.resume_after_torn_tail(b"{}"), Err(LogError::Damaged(_))));

    let next = LogSequence::new(1000);
    log.reset(next, b"new incarnation").unwrap();
    assert_eq!(log.durable(), next);
    log.append(b"and on").unwrap();
    log.close().unwrap();
    let aside = disk.segment_names().into_iter().filter(|name| name.starts_with("damaged-0001/"));
    assert_eq!(aside.count(), names.len());
    let (_, recovered, records) = open(&disk, next).unwrap();
    assert_eq!(recovered, Recovered { first: next, last: next.next(), end: LogEnd::Clean });
    assert_eq!(records[&next], b"new incarnation");
}

#[test]
fn a_reset_that_is_cut_short_has_happened_or_has_not() {
    let next = LogSequence::new(1000);
    let mut outcomes = [0, 0];
    for stop_at in 0..8 {
        for rename_survives in [false, true] {
            let (disk, _) = written_log(6);
            let names = disk.segment_names();
            disk.tamper(&names[0], |bytes| bytes[300] ^= 0x40);
            let (mut log, ..) = damage(&disk, LogSequence::FIRST);
            disk.stopping_at(stop_at, rename_survives);
            let reset = log.reset(next, b"new incarnation");
            let disk = disk.after(Crash::PowerLoss, &mut Numbers(stop_at as u64));
            let (_, recovered, records) = open(&disk, next).unwrap();
            let happened = records.contains_key(&next);
            outcomes[usize::from(happened)] += 1;
            assert!(happened || reset.is_err(), "a reset was reported and is gone");
            assert_eq!(matches!(recovered.end, LogEnd::Damaged(_)), !happened);
            if happened {
                let live: Vec<_> = disk.segment_names().into_iter().filter(|name| !name.contains('/')).collect();
                assert_eq!(live, ["0002-00000000000000001000.log"]);
            }
        }
    }
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}

#[test]
fn a_full_disk_refuses_the_record_that_needs_a_segment_and_breaks_nothing() {
    let disk = CrashingDisk::default();
    let (mut log, ..) = open(&disk, LogSequence::FIRST).unwrap();
    disk.set_full(true);
    let payload = [b'x'; 1000];
    let mut records = Records::new();
    let refused = loop {
        match log.append(&payload) {
            Ok(sequence) => assert_eq!(records.insert(sequence, payload.to_vec()), None),
            Err(error) => break error,
        }
        assert!(log.segment_count() < 3, "the one segment that may have been ready is used up");
    };
    assert!(matches!(refused, LogError::NoNextSegment { .. }), "{refused}");
    assert!(matches!(log.next_segment(), NextSegment::Failed(_)));
    let small = log.append(b"{}").unwrap();
    records.insert(small, b"{}".to_vec());
    assert_eq!(log.sync().unwrap(), small);

    disk.set_full(false);
    records.insert(log.append(&payload).unwrap(), payload.to_vec());
    log.close().unwrap();
    assert_eq!(open(&disk, LogSequence::FIRST).unwrap().2, records);
}
