//! The bytes of a file as text: UTF-8, or UTF-16 where a byte order mark says so.
//!
//! UTF-16 is here for spreadsheets and for LibraryThing, which have exported it. Other encodings cannot be told
//! apart from their bytes; guessing would import wrong letters silently, so they are refused.

use std::borrow::Cow;

use super::ImportError;

/// The text without its byte order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, ImportError> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf_16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf_16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => utf_8(rest, 3),
        _ => utf_8(bytes, 0),
    }
}

fn utf_8(bytes: &[u8], mark_bytes: usize) -> Result<Cow<'_, str>, ImportError> {
    std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| {
        let valid = error.valid_up_to();
        ImportError::NotUtf8 {
            line: 1 + bytes[..valid].iter().filter(|byte| **byte == b'\n').count(),
            offset: mark_bytes + valid,
        }
    })
}

fn utf_16(bytes: &[u8], unit: impl Fn([u8; 2]) -> u16) -> Result<Cow<'_, str>, ImportError> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(ImportError::DamagedUtf16);
    }
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .collect::<Result<String, _>>()
        .map(Cow::Owned)
        .map_err(|_| ImportError::DamagedUtf16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_order_marks_choose_the_encoding_and_vanish() {
        assert_eq!(decode(b"\xef\xbb\xbfa").unwrap(), "a");
        assert_eq!(decode(b"\xff\xfea\0\xe9\0").unwrap(), "aé");
        assert_eq!(decode(b"\xfe\xff\0a\xd8\x3d\xdc\xda").unwrap(), "a📚");
    }

    #[test]
    fn other_encodings_are_refused_naming_the_place() {
        let error = decode(b"title\nCaf\xe9\n").unwrap_err();
        assert_eq!(error, ImportError::NotUtf8 { line: 2, offset: 9 });
        assert_eq!(decode(b"\xff\xfea"), Err(ImportError::DamagedUtf16));
        assert_eq!(decode(b"\xff\xfe\x3d\xd8"), Err(ImportError::DamagedUtf16));
    }
}
