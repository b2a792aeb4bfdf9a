//! Lower-case hexadecimal text of fixed width, as it stands in log frames, key files and file names.

/// Appends `bytes` to `out`, two digits each.
pub(crate) fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// `bytes` as text, two digits each.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len() * 2);
    push_bytes(&mut out, bytes);
    String::from_utf8(out).expect("hexadecimal digits are ASCII")
}

/// Reads a number that was written with [`push_bytes`] from its big-endian bytes. Upper case is refused: what this
/// crate writes has one form only. At most 16 digits.
pub(crate) fn parse_number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 16 {
        return None;
    }
    text.iter().try_fold(0u64, |number, byte| Some(number << 4 | u64::from(digit(*byte)?)))
}

/// Reads exactly `N` bytes from twice as many digits.
pub(crate) fn parse_bytes<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_anything_else_is_refused() {
        assert_eq!(text(&[0, 0x9f, 0xff]), "009fff");
        assert_eq!(parse_number(b"009fff"), Some(0x9fff));
        assert_eq!(parse_bytes(b"009fff"), Some([0, 0x9f, 0xff]));
        for bad in [&b""[..], b"0G", b"00000000000000001", b"9F", b"+1", b" 1"] {
            assert_eq!(parse_number(bad), None, "{bad:?}");
        }
        assert_eq!(parse_bytes::<1>(b"abc"), None);
    }
}
