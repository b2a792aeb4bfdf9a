//! Reading durable records again while the log is in use, for a restore that looks for the bytes of a book.

use crate::log::disk::Disk;
use crate::log::recovery::segment_names;
use crate::log::segment::{SegmentEnd, SegmentName, scan_segment};
use crate::log::{Damage, LogError, LogSequence};
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Reads the durable records of a log that somebody else appends to and trims. Cheap to clone; usable on any thread.
#[derive(Clone)]
pub struct LogReader {
    disk: Arc<dyn Disk>,
    durable: Arc<AtomicU64>,
}

impl LogReader {
    pub(crate) fn new(disk: Arc<dyn Disk>, durable: Arc<AtomicU64>) -> LogReader {
        LogReader { disk, durable }
    }

    /// Calls `on_record` for every record from `from` on that is kept and was durable when this was called, oldest
    /// first, until it answers `Break`. It reads from the disk, a segment at a time: damage that came after the
    /// opening shows here as [`LogError::Damaged`], after all records before it.
    pub fn read_from(
        &self,
        from: LogSequence,
        on_record: &mut dyn FnMut(LogSequence, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), LogError> {
        let end = LogSequence::new(self.durable.load(Ordering::Acquire)).next();
        let mut names = segment_names(&*self.disk)?;
        let generation = names.last().map_or(0, |name| name.generation);
        names.retain(|name| name.generation == generation);
        for (index, name) in names.iter().enumerate() {
            let until = names.get(index + 1).map_or(end, |after| after.first.min(end));
            if until <= from.max(name.first) {
                continue;
            }
            let bytes = match self.disk.read(&name.to_string()) {
                Ok(bytes) => bytes,
                // Trimmed since the names were read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => {
                    return Err(LogError::Segment { name: name.to_string(), source });
                }
            };
            if read_segment(&bytes, *name, from, until, on_record)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn read_segment(
    bytes: &[u8],
    name: SegmentName,
    from: LogSequence,
    until: LogSequence,
    on_record: &mut dyn FnMut(LogSequence, &[u8]) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, LogError> {
    let scan = scan_segment(bytes, name, Some(until), &mut |sequence, payload| {
        if sequence < from { ControlFlow::Continue(()) } else { on_record(sequence, payload) }
    });
    match scan.end {
        SegmentEnd::Clean => Ok(ControlFlow::Continue(())),
        SegmentEnd::Stopped => Ok(ControlFlow::Break(())),
        SegmentEnd::Torn { .. } => unreachable!("a scan with an end takes a hole for damage"),
        SegmentEnd::Damaged { why } => {
            Err(LogError::Damaged(Damage { at: scan.next, segment: name.to_string(), offset: scan.offset as u64, why }))
        }
    }
}
