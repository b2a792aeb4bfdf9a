//! [`Isbn`], a checked International Standard Book Number in its one normal form.
//!
//! The check digits and the conversion are the `isbn` crate's; this module adds what a person needs to hear.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::invalid_book::excerpt;

/// An ISBN of 13 digits whose check digit is right. An ISBN-10 becomes the ISBN-13 of the same book.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Isbn([u8; 13]);

impl Isbn {
    /// Reads an ISBN-10 or ISBN-13; hyphens and spaces may stand anywhere.
    ///
    /// # Errors
    /// Says which rule the text breaks, and repeats the text.
    pub fn parse(text: &str) -> Result<Self, InvalidIsbn> {
        let refuse = |reason| InvalidIsbn { text: excerpt(text), reason };
        if let Some(other) = text.chars().find(|c| !matches!(c, '0'..='9' | 'X' | 'x' | '-' | ' ')) {
            return Err(refuse(format!("{other:?} cannot occur in an ISBN")));
        }
        let digits = text.chars().filter(|c| !matches!(c, '-' | ' ')).count();
        if digits != 10 && digits != 13 {
            return Err(refuse(format!("it has {digits} digits, an ISBN has 10 or 13")));
        }
        let isbn =
            text.parse().map_err(|_| refuse("its check digit does not match; look for a mistyped digit".to_owned()))?;
        let normal = match isbn {
            ::isbn::Isbn::_10(short) => ::isbn::Isbn13::from(short),
            ::isbn::Isbn::_13(long) => long,
        }
        .to_string();
        // The crate checks digits alone, so the bar code of a bottle of milk would pass it.
        if !normal.starts_with("978") && !normal.starts_with("979") {
            return Err(refuse("an ISBN of 13 digits begins with 978 or 979".to_owned()));
        }
        let digits = normal.as_bytes().try_into().expect("an ISBN-13 is written as 13 ASCII digits");
        Ok(Self(digits))
    }

    /// The 13 digits, without hyphens.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an ISBN-13 is written as 13 ASCII digits")
    }
}

impl fmt::Display for Isbn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for Isbn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Isbn({self})")
    }
}

impl Serialize for Isbn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A text that is not an ISBN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text} is not an ISBN: {reason}")]
pub struct InvalidIsbn {
    text: String,
    reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lengths_are_read_and_normalised_to_13_digits() {
        for text in ["0-306-40615-2", "0306406152", "978-0-306-40615-7", "978 0 306 40615 7"] {
            assert_eq!(Isbn::parse(text).unwrap().as_str(), "9780306406157", "{text}");
        }
        assert_eq!(Isbn::parse("0-8044-2957-x").unwrap().as_str(), "9780804429573");
        assert_eq!(Isbn::parse("979-10-90636-07-1").unwrap().as_str(), "9791090636071");
    }

    #[test]
    fn each_refusal_names_the_value_and_the_reason() {
        for (text, reason) in [
            ("", "0 digits"),
            ("030640615", "9 digits"),
            ("0306406153", "check digit"),
            ("9780306406158", "check digit"),
            ("97803064061X7", "check digit"),
            ("5901234123457", "978 or 979"),
            ("978‑0306406157", "cannot occur"),
            ("٩٧٨٠٣٠٦٤٠٦١٥٧", "cannot occur"),
        ] {
            let message = Isbn::parse(text).unwrap_err().to_string();
            assert!(message.contains(reason), "{message}");
            assert!(message.starts_with(&format!("{text:?}")), "{message}");
        }
    }
}
