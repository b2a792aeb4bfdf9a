//! The segment that is being appended to.

use crate::log::LogSequence;
use crate::log::disk::DiskFile;
use crate::log::frame::{RECORD_OVERHEAD_BYTES, SegmentHeader, push_record};
use crate::log::recovery::LiveSegment;
use crate::log::segment::SegmentName;
use std::io;

/// A prewritten file, how far it is filled, and the frames that wait in memory. Positions are decided here alone: a
/// frame that was pushed always has room.
pub(crate) struct OpenSegment {
    name: SegmentName,
    file: Box<dyn DiskFile>,
    segment_bytes: u64,
    /// Where `buffer` belongs.
    offset: u64,
    buffer: Vec<u8>,
    unsynced: bool,
}

impl OpenSegment {
    /// A segment in a file full of zeroes.
    pub(crate) fn new(name: SegmentName, file: Box<dyn DiskFile>, segment_bytes: u64) -> OpenSegment {
        let mut buffer = Vec::new();
        let SegmentName { generation, first } = name;
        SegmentHeader { generation, first, segment_bytes }.push(&mut buffer);
        OpenSegment { name, file, segment_bytes, offset: 0, buffer, unsynced: false }
    }

    /// A segment that was read up to its last record, and is durable that far.
    pub(crate) fn reopened(live: LiveSegment, file: Box<dyn DiskFile>, segment_bytes: u64) -> OpenSegment {
        let mut segment = OpenSegment::new(live.name, file, segment_bytes);
        if live.bytes_used > 0 {
            segment.buffer.clear();
            segment.offset = live.bytes_used;
        }
        segment
    }

    pub(crate) fn has_room_for(&self, payload_bytes: usize) -> bool {
        let frame_bytes = RECORD_OVERHEAD_BYTES + payload_bytes;
        self.live().bytes_used + frame_bytes as u64 <= self.segment_bytes
    }

    pub(crate) fn push(&mut self, sequence: LogSequence, durable: LogSequence, payload: &[u8]) {
        push_record(&mut self.buffer, sequence, durable, payload);
    }

    /// Its name and the bytes that it takes, those in memory included.
    pub(crate) fn live(&self) -> LiveSegment {
        LiveSegment { name: self.name, bytes_used: self.offset + self.buffer.len() as u64 }
    }

    pub(crate) fn write(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            // Set first: after a failure, too, something may have been written.
            self.unsynced = true;
            self.file.write_at(&self.buffer, self.offset)?;
            self.offset += self.buffer.len() as u64;
            self.buffer.clear();
        }
        Ok(())
    }

    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.write()?;
        if self.unsynced {
            self.file.sync()?;
            self.unsynced = false;
        }
        Ok(())
    }
}
