//! What can go wrong with a log, for whoever has to act on it.

use crate::directory::DirectoryError;
use crate::log::{LogSequence, SEGMENT_BYTES_RANGE};
use std::io;

/// Where a log is damaged, and how that was seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("log segment {segment:?} is damaged at byte {offset}: {why}")]
pub struct Damage {
    /// The first record that cannot be had.
    pub at: LogSequence,
    /// The segment's file name in `log/`; empty if there is no segment.
    pub segment: String,
    /// The byte in it from which on nothing can be read.
    pub offset: u64,
    /// A clause that says what is wrong.
    pub why: String,
}

/// Why a log cannot be opened, read or appended to.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The folder `log/` cannot be made or is a link.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The folder cannot be read.
    #[error("cannot read the log folder: {source}")]
    Folder {
        /// What the system said.
        source: io::Error,
    },
    /// A segment cannot be read, moved or removed.
    #[error("log segment {name}: {source}")]
    Segment {
        /// Its file name in `log/`.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// [`LogOptions::segment_bytes`](crate::log::LogOptions::segment_bytes) is out of range.
    #[error("a log segment of {segment_bytes} bytes is not possible; choose from {} to {}",
        SEGMENT_BYTES_RANGE.start(), SEGMENT_BYTES_RANGE.end())]
    SegmentSize {
        /// What was asked for.
        segment_bytes: u64,
    },
    /// The record needs a new segment and there is none, usually because the disk is full. Nothing was appended and
    /// nothing is broken: free space and append again.
    #[error("no room for the next log segment, nothing was appended: {source}")]
    NoNextSegment {
        /// What the system said.
        source: io::Error,
    },
    /// The record is larger than [`Log::record_bytes_max`](crate::log::Log::record_bytes_max). Nothing was appended.
    #[error("a record of {bytes} bytes is too large for the log; the most is {bytes_max}")]
    RecordTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The record is not text as this log needs it. Nothing was appended.
    #[error("a log record may hold neither NUL nor RS (0x1e) bytes")]
    RecordNotText,
    /// A write or sync failed, now or earlier: what the file holds is not known any more. Stop the process.
    #[error("the log cannot be trusted any more, because {why}; the process must stop and read it anew")]
    Poisoned {
        /// What failed first.
        why: String,
    },
    /// The log was opened with a torn tail.
    #[error("the log has a torn tail at record {at}; it must be resumed before anything is appended")]
    TornTail {
        /// The first record that was dropped.
        at: LogSequence,
    },
    /// [`Log::resume_after_torn_tail`](crate::log::Log::resume_after_torn_tail) was called on a log that has none.
    #[error("the log has no torn tail to resume after")]
    NotTorn,
    /// The log was opened with damage, or [`LogReader`](crate::log::LogReader) met some.
    #[error(transparent)]
    Damaged(Damage),
}
