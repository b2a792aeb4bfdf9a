//! Opening a log: which files are its segments, what they hold, how they end. Changes nothing on the disk.

use crate::log::disk::Disk;
use crate::log::segment::{SegmentEnd, SegmentName, scan_segment};
use crate::log::{Damage, LogError, LogSequence};
use std::ops::ControlFlow;

/// What opening a log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The oldest record that is kept; in an empty log the one that will be first.
    pub first: LogSequence,
    /// The newest intact record; one below `first` if there is none.
    pub last: LogSequence,
    /// How the log ends.
    pub end: LogEnd,
}

/// How a log ends when it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEnd {
    /// With zeroes behind the last record.
    Clean,
    /// With records of which sectors were never written. They were not durable unless the disk lost them. Appends are
    /// refused until [`crate::Log::resume_after_torn_tail`].
    TornTail {
        /// The first record that is dropped.
        at: LogSequence,
        /// Bytes from there to the last one that is not zero.
        dropped_bytes: u64,
    },
    /// With something that was durable and was changed or lost. Appends are refused until [`crate::Log::reset`].
    Damaged(Damage),
}

/// A segment that belongs to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LiveSegment {
    pub(crate) name: SegmentName,
    /// Up to the end of its last record.
    pub(crate) bytes_used: u64,
}

/// What is on the disk.
#[derive(Debug)]
pub(crate) struct Recovery {
    /// 0 if there is no segment at all.
    pub(crate) generation: u32,
    /// In order.
    pub(crate) segments: Vec<LiveSegment>,
    /// Files of earlier generations, which a reset did not get to set aside.
    pub(crate) left_over: Vec<SegmentName>,
    /// The record after the last intact one.
    pub(crate) next: LogSequence,
    /// The size of the last segment's file.
    pub(crate) last_segment_bytes: u64,
    pub(crate) end: LogEnd,
}

/// Reads the whole log and gives `on_record` every intact record from `from` on.
pub(crate) fn recover(
    disk: &dyn Disk,
    from: LogSequence,
    on_record: &mut dyn FnMut(LogSequence, &[u8]),
) -> Result<Recovery, LogError> {
    let names = segment_names(disk)?;
    let generation = names.last().map_or(0, |name| name.generation);
    let (left_over, live): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| name.generation < generation);
    let mut recovery = Recovery {
        generation,
        segments: Vec::new(),
        left_over,
        next: live.first().map_or(LogSequence::FIRST, |name| name.first),
        last_segment_bytes: 0,
        end: LogEnd::Clean,
    };
    if let Some(damage) = missing_start(live.first(), from) {
        recovery.end = LogEnd::Damaged(damage);
    }
    for (index, name) in live.iter().enumerate() {
        let mut bytes_used = 0;
        if recovery.end == LogEnd::Clean {
            let after = live.get(index + 1).map(|name| name.first);
            bytes_used = recovery.read_segment(disk, *name, after, from, on_record)?;
        }
        recovery.segments.push(LiveSegment { name: *name, bytes_used });
    }
    recovery.check_reaches(from);
    Ok(recovery)
}

/// The log's files, ordered.
pub(crate) fn segment_names(disk: &dyn Disk) -> Result<Vec<SegmentName>, LogError> {
    let names = disk.names().map_err(|source| LogError::Folder { source })?;
    let mut names: Vec<_> = names.iter().filter_map(|name| SegmentName::parse(name)).collect();
    names.sort_unstable();
    Ok(names)
}

fn missing_start(first: Option<&SegmentName>, from: LogSequence) -> Option<Damage> {
    let (segment, why) = match first {
        None if from > LogSequence::FIRST => (String::new(), "there is no segment".to_owned()),
        Some(name) if name.first > from => {
            (name.to_string(), format!("the oldest segment begins with record {}", name.first))
        }
        _ => return None,
    };
    Some(Damage { at: from, segment, offset: 0, why })
}

impl Recovery {
    fn read_segment(
        &mut self,
        disk: &dyn Disk,
        name: SegmentName,
        after: Option<LogSequence>,
        from: LogSequence,
        on_record: &mut dyn FnMut(LogSequence, &[u8]),
    ) -> Result<u64, LogError> {
        let unreadable = |source| LogError::Segment { name: name.to_string(), source };
        disk.settle(&name.to_string()).map_err(unreadable)?;
        let bytes = disk.read(&name.to_string()).map_err(unreadable)?;
        let scan = scan_segment(&bytes, name, after, &mut |sequence, payload| {
            if sequence >= from {
                on_record(sequence, payload);
            }
            ControlFlow::Continue(())
        });
        self.next = scan.next;
        self.last_segment_bytes = bytes.len() as u64;
        self.end = match scan.end {
            SegmentEnd::Clean | SegmentEnd::Stopped => LogEnd::Clean,
            SegmentEnd::Torn { dropped_bytes } => LogEnd::TornTail { at: scan.next, dropped_bytes },
            SegmentEnd::Damaged { why } => {
                LogEnd::Damaged(Damage { at: scan.next, segment: name.to_string(), offset: scan.offset as u64, why })
            }
        };
        Ok(scan.offset as u64)
    }

    /// A checkpoint is saved only when what it covers is durable here, and the newest segment is never trimmed: so a
    /// log that ends before its checkpoint has lost something.
    fn check_reaches(&mut self, from: LogSequence) {
        if self.next < from && !matches!(self.end, LogEnd::Damaged(_)) {
            let last = self.segments.last().map(|segment| segment.name.to_string());
            self.end = LogEnd::Damaged(Damage {
                at: self.next,
                segment: last.unwrap_or_default(),
                offset: self.segments.last().map_or(0, |segment| segment.bytes_used),
                why: format!("the log ends before record {from}, which a checkpoint already follows"),
            });
        }
    }
}
