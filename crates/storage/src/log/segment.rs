//! Reading one segment: where its records are and how it ends. Pure; the reasoning is in the head of [`crate::log`].

use crate::log::LogSequence;
use crate::log::frame::{
    RECORD_HEADER_BYTES, RECORD_OVERHEAD_BYTES, RECORD_SEPARATOR, RecordHeader, SEGMENT_HEADER_BYTES, SegmentHeader,
};
use std::fmt;
use std::ops::ControlFlow;

/// The unit in which a disk writes or leaves alone. Larger physical sectors are made of these.
pub(crate) const SECTOR_BYTES: usize = 512;

/// A segment's file name: `<generation>-<first sequence>.log`, in decimal, so that names sort as their segments do.
/// [`crate::log::Log::reset`] starts a new generation; only the highest one is the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SegmentName {
    pub(crate) generation: u32,
    pub(crate) first: LogSequence,
}

impl SegmentName {
    pub(crate) fn parse(name: &str) -> Option<SegmentName> {
        let (generation, first) = name.strip_suffix(".log")?.split_once('-')?;
        let parsed = SegmentName { generation: generation.parse().ok()?, first: LogSequence::new(first.parse().ok()?) };
        (parsed.to_string() == name).then_some(parsed)
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:020}.log", self.generation, self.first.value())
    }
}

/// How the records of a segment end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SegmentEnd {
    /// At `until`, or with nothing but zeroes.
    Clean,
    /// With records that were never synced and of which sectors are missing.
    Torn { dropped_bytes: u64 },
    /// With something that was changed after it was written, or lost after it was synced.
    Damaged { why: String },
    /// `on_record` asked to stop.
    Stopped,
}

/// What reading a segment found.
#[derive(Debug)]
pub(crate) struct SegmentScan {
    /// The record after the last intact one.
    pub(crate) next: LogSequence,
    /// Where the last intact record ends; 0 if the segment has no header yet.
    pub(crate) offset: usize,
    pub(crate) end: SegmentEnd,
}

/// Reads the records of the segment `name` from its whole content, up to the record `until`: with which the next
/// segment begins, or the first that a reader must not see. Without it this is the last segment, which ends anywhere.
pub(crate) fn scan_segment(
    bytes: &[u8],
    name: SegmentName,
    until: Option<LogSequence>,
    on_record: &mut dyn FnMut(LogSequence, &[u8]) -> ControlFlow<()>,
) -> SegmentScan {
    let mut scan = SegmentScan { next: name.first, offset: 0, end: SegmentEnd::Clean };
    let header = match SegmentHeader::parse(bytes) {
        Some(header) => header,
        None => {
            scan.end = end_without_record(bytes, 0, SEGMENT_HEADER_BYTES, name.first, until);
            return scan;
        }
    };
    if (header.generation, header.first) != (name.generation, name.first) {
        scan.end = SegmentEnd::Damaged { why: format!("its header says that it begins with record {}", header.first) };
        return scan;
    }
    scan.offset = SEGMENT_HEADER_BYTES;
    scan.end = scan_records(bytes, &mut scan.next, &mut scan.offset, until, on_record);
    if header.segment_bytes != bytes.len() as u64 && !matches!(scan.end, SegmentEnd::Damaged { .. }) {
        scan.end =
            SegmentEnd::Damaged { why: format!("it has {} bytes and not {}", bytes.len(), header.segment_bytes) };
    }
    scan
}

fn scan_records(
    bytes: &[u8],
    next: &mut LogSequence,
    offset: &mut usize,
    until: Option<LogSequence>,
    on_record: &mut dyn FnMut(LogSequence, &[u8]) -> ControlFlow<()>,
) -> SegmentEnd {
    while Some(*next) != until {
        let rest = &bytes[*offset..];
        let Some(header) = RecordHeader::parse(rest) else {
            return end_without_record(bytes, *offset, RECORD_HEADER_BYTES, *next, until);
        };
        if header.sequence != *next {
            let why = format!("record {} stands where record {next} belongs", header.sequence);
            return SegmentEnd::Damaged { why };
        }
        let Some(frame) = rest.get(..header.frame_bytes()) else {
            let why = format!("record {next} reaches beyond the end of the file");
            return SegmentEnd::Damaged { why };
        };
        let Some(payload) = header.payload(frame) else {
            if has_hole(bytes, *offset, frame.len()) {
                return torn_or_damaged(bytes, *offset, *next, until);
            }
            let why = format!("record {next} does not match its checksum");
            return SegmentEnd::Damaged { why };
        };
        if on_record(*next, payload).is_break() {
            return SegmentEnd::Stopped;
        }
        *next = next.next();
        *offset += header.frame_bytes();
    }
    SegmentEnd::Clean
}

/// What it means that no header can be read at `offset`, where record `next` belongs.
fn end_without_record(
    bytes: &[u8],
    offset: usize,
    header_bytes: usize,
    next: LogSequence,
    until: Option<LogSequence>,
) -> SegmentEnd {
    let rest = &bytes[offset..];
    if until.is_none() && is_zero(rest) && (offset > 0 || rest.len() > SEGMENT_HEADER_BYTES) {
        return SegmentEnd::Clean;
    }
    // Too little room for any record: whatever is there, nobody promised it.
    if (offset > 0 && rest.len() <= RECORD_OVERHEAD_BYTES)
        || (rest.len() > header_bytes && has_hole(bytes, offset, header_bytes))
    {
        return torn_or_damaged(bytes, offset, next, until);
    }
    SegmentEnd::Damaged { why: format!("the header before record {next} is damaged") }
}

/// Record `next` was not written whole. That is a torn tail only if nothing shows that it was once durable.
fn torn_or_damaged(bytes: &[u8], offset: usize, next: LogSequence, until: Option<LogSequence>) -> SegmentEnd {
    if until.is_some() {
        let why = format!("record {next} was durable and is missing");
        return SegmentEnd::Damaged { why };
    }
    let rest = &bytes[offset..];
    let witness = memchr::memchr_iter(RECORD_SEPARATOR, rest)
        .filter_map(|at| RecordHeader::parse(&rest[at..]))
        .find(|header| header.durable >= next);
    match witness {
        Some(header) => SegmentEnd::Damaged {
            why: format!("record {next} is missing, but record {} was written when it was durable", header.sequence),
        },
        None => {
            let dropped = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            SegmentEnd::Torn { dropped_bytes: dropped as u64 }
        }
    }
}

/// Whether a part of these `length` bytes was never written: one of the sectors that they lie in shows none of them,
/// or they break off and nothing follows.
fn has_hole(bytes: &[u8], offset: usize, length: usize) -> bool {
    let end = offset + length;
    let mut start = offset;
    while start < end {
        let sector_end = (start / SECTOR_BYTES + 1) * SECTOR_BYTES;
        if is_zero(&bytes[start..sector_end.min(end)]) {
            return true;
        }
        start = sector_end;
    }
    is_zero(&bytes[end - 1..])
}

fn is_zero(bytes: &[u8]) -> bool {
    // In blocks without an early exit, because that is what compilers turn into wide instructions.
    bytes.chunks(256).all(|block| block.iter().fold(0, |any, byte| any | byte) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form_and_sort_like_their_segments() {
        let name = SegmentName { generation: 2, first: LogSequence::new(77) };
        assert_eq!(name.to_string(), "0002-00000000000000000077.log");
        assert_eq!(SegmentName::parse("0002-00000000000000000077.log"), Some(name));
        for bad in ["2-77.log", "0002-77.log", "0002-00000000000000000077", "+002-00000000000000000077.log"] {
            assert_eq!(SegmentName::parse(bad), None, "{bad}");
        }
    }
}
