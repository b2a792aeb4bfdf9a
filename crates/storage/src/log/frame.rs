//! The bytes of a segment: its header and the frame around each record. Pure; the log writes with it, recovery reads
//! with it. Why frames look as they do is argued in the head of [`crate::log`].
//!
//! Both headers are one line of ASCII of fixed width that starts with RS (0x1e), ends with LF and holds no NUL:
//!
//! ```text
//! RS "segment " format:4 " " generation:8 " " first:16 " " segment_bytes:16 " " header_crc:8 LF
//! RS "record " sequence:16 " " durable:16 " " payload_bytes:8 " " payload_crc:8 " " header_crc:8 LF payload LF
//! ```
//!
//! Numbers are lower-case hexadecimal. `durable` is the highest record that was durable when this one was framed.
//! Checksums are CRC-32 (IEEE); that of a header covers everything before its own field.

use crate::hexadecimal;
use crate::log::LogSequence;

/// RFC 7464 (JSON text sequences) starts records with this byte, because JSON text never contains it. So a header
/// can be looked for anywhere in a segment without mistaking a payload for one.
pub(crate) const RECORD_SEPARATOR: u8 = 0x1e;

const RECORD_NAME: &[u8] = b"\x1erecord ";
const RECORD_WIDTHS: [usize; 4] = [16, 16, 8, 8];
pub(crate) const RECORD_HEADER_BYTES: usize = RECORD_NAME.len() + 17 + 17 + 9 + 9 + CRC_BYTES;
/// What a record takes in a segment beyond its payload: the header and the closing LF.
pub(crate) const RECORD_OVERHEAD_BYTES: usize = RECORD_HEADER_BYTES + 1;

const SEGMENT_NAME: &[u8] = b"\x1esegment ";
const SEGMENT_WIDTHS: [usize; 4] = [4, 8, 16, 16];
pub(crate) const SEGMENT_HEADER_BYTES: usize = SEGMENT_NAME.len() + 5 + 9 + 17 + 17 + CRC_BYTES;

const FORMAT: u64 = 1;
/// Eight digits and LF.
const CRC_BYTES: usize = 9;

/// What a record's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub(crate) sequence: LogSequence,
    pub(crate) durable: LogSequence,
    pub(crate) payload_bytes: usize,
    payload_crc: u32,
}

impl RecordHeader {
    /// Reads the header at the start of `bytes`, if an undamaged one is there.
    pub(crate) fn parse(bytes: &[u8]) -> Option<RecordHeader> {
        let line = bytes.get(..RECORD_HEADER_BYTES)?;
        let [sequence, durable, payload_bytes, payload_crc] = parse_line(line, RECORD_NAME, RECORD_WIDTHS)?;
        (durable < sequence).then_some(RecordHeader {
            sequence: LogSequence::new(sequence),
            durable: LogSequence::new(durable),
            payload_bytes: payload_bytes as usize,
            payload_crc: payload_crc as u32,
        })
    }

    /// How many bytes the whole frame has.
    pub(crate) fn frame_bytes(&self) -> usize {
        RECORD_OVERHEAD_BYTES + self.payload_bytes
    }

    /// The payload of `frame` (header, payload, LF), if it is what was written.
    pub(crate) fn payload<'a>(&self, frame: &'a [u8]) -> Option<&'a [u8]> {
        let (end, rest) = frame.split_last()?;
        let payload = rest.get(RECORD_HEADER_BYTES..)?;
        (*end == b'\n' && crc32fast::hash(payload) == self.payload_crc).then_some(payload)
    }
}

/// Appends the frame of a record to `out`.
pub(crate) fn push_record(out: &mut Vec<u8>, sequence: LogSequence, durable: LogSequence, payload: &[u8]) {
    let start = out.len();
    out.extend_from_slice(RECORD_NAME);
    push_number(out, &sequence.value().to_be_bytes());
    push_number(out, &durable.value().to_be_bytes());
    let payload_bytes = u32::try_from(payload.len()).expect("a payload fits into a segment");
    push_number(out, &payload_bytes.to_be_bytes());
    push_number(out, &crc32fast::hash(payload).to_be_bytes());
    push_crc(out, start);
    out.extend_from_slice(payload);
    out.push(b'\n');
}

/// What a segment's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) generation: u32,
    pub(crate) first: LogSequence,
    pub(crate) segment_bytes: u64,
}

impl SegmentHeader {
    /// Reads the header at the start of `bytes`, if an undamaged one of this format is there.
    pub(crate) fn parse(bytes: &[u8]) -> Option<SegmentHeader> {
        let line = bytes.get(..SEGMENT_HEADER_BYTES)?;
        let [format, generation, first, segment_bytes] = parse_line(line, SEGMENT_NAME, SEGMENT_WIDTHS)?;
        (format == FORMAT).then_some(SegmentHeader {
            generation: generation as u32,
            first: LogSequence::new(first),
            segment_bytes,
        })
    }

    /// Appends it to `out`.
    pub(crate) fn push(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(SEGMENT_NAME);
        push_number(out, &(FORMAT as u16).to_be_bytes());
        push_number(out, &self.generation.to_be_bytes());
        push_number(out, &self.first.value().to_be_bytes());
        push_number(out, &self.segment_bytes.to_be_bytes());
        push_crc(out, start);
    }
}

fn push_number(out: &mut Vec<u8>, big_endian: &[u8]) {
    hexadecimal::push_bytes(out, big_endian);
    out.push(b' ');
}

fn push_crc(out: &mut Vec<u8>, start: usize) {
    let crc = crc32fast::hash(&out[start..]);
    hexadecimal::push_bytes(out, &crc.to_be_bytes());
    out.push(b'\n');
}

fn parse_line<const N: usize>(line: &[u8], name: &[u8], widths: [usize; N]) -> Option<[u64; N]> {
    let (fields, crc) = line.split_at(line.len() - CRC_BYTES);
    let crc = hexadecimal::parse_number(crc.strip_suffix(b"\n")?)?;
    if u64::from(crc32fast::hash(fields)) != crc {
        return None;
    }
    let mut rest = fields.strip_prefix(name)?;
    let mut numbers = [0; N];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let (digits, after) = rest.split_at_checked(width)?;
        *number = hexadecimal::parse_number(digits)?;
        rest = after.strip_prefix(b" ")?;
    }
    rest.is_empty().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_these_exact_bytes() {
        let mut out = Vec::new();
        push_record(&mut out, LogSequence::new(0x2a), LogSequence::new(0x29), b"{}");
        let text = "\x1erecord 000000000000002a 0000000000000029 00000002 a3a6bf43 62407ab9\n{}\n";
        assert_eq!(out.len(), text.len());
        assert_eq!(out.len(), RECORD_OVERHEAD_BYTES + 2);
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }

    #[test]
    fn a_segment_header_has_these_exact_bytes() {
        let header = SegmentHeader { generation: 1, first: LogSequence::FIRST, segment_bytes: 0x1000 };
        let mut out = Vec::new();
        header.push(&mut out);
        assert_eq!(out.len(), SEGMENT_HEADER_BYTES);
        assert_eq!(SegmentHeader::parse(&out), Some(header));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\x1esegment 0001 00000001 0000000000000001 0000000000001000 73afef68\n"
        );
    }

    #[test]
    fn a_header_with_any_bit_changed_is_not_read() {
        let mut out = Vec::new();
        push_record(&mut out, LogSequence::new(7), LogSequence::new(5), b"{\"book\":1}");
        assert_eq!(RecordHeader::parse(&out).unwrap().frame_bytes(), out.len());
        for bit in 0..RECORD_HEADER_BYTES * 8 {
            let mut changed = out.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHeader::parse(&changed), None, "bit {bit}");
        }
    }

    #[test]
    fn a_record_that_claims_to_be_durable_before_it_was_written_is_not_read() {
        let mut out = Vec::new();
        push_record(&mut out, LogSequence::new(7), LogSequence::new(7), b"{}");
        assert_eq!(RecordHeader::parse(&out), None);
    }
}
