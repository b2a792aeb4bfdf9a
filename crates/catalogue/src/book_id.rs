//! [`BookId`], the name of a book for ever.
//!
//! Made here only from bytes that the caller gives; whoever creates books brings the clock and the randomness.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use crate::invalid_book::excerpt;

/// The id of a book: a UUID of version 7 (RFC 9562), so that ids sort by the time of their making.
///
/// Its only text form is lower-case and hyphenated. One id has one text, and so one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BookId(Uuid);

impl BookId {
    /// An id from the milliseconds since the Unix epoch (the low 48 bits count) and ten random bytes.
    ///
    /// Six of the random bits are overwritten by the version and the variant.
    pub fn from_parts(unix_millis: u64, random: [u8; 10]) -> Self {
        Self(Builder::from_unix_timestamp_millis(unix_millis, &random).into_uuid())
    }

    /// The id for one row of an import: the same key, row and time always give the same id, so that an import
    /// that is sent again finds the books that it has already made.
    ///
    /// The random part is the beginning of the SHA-256 of key and row.
    pub fn derived(key: &str, row: u64, unix_millis: u64) -> Self {
        // The length keeps ("a1", row 2) and ("a", row …) apart whatever the key holds.
        let hash = Sha256::new()
            .chain_update((key.len() as u64).to_be_bytes())
            .chain_update(key)
            .chain_update(row.to_be_bytes())
            .finalize();
        let mut random = [0; 10];
        random.copy_from_slice(&hash[..10]);
        Self::from_parts(unix_millis, random)
    }

    /// Reads the canonical text of an id.
    ///
    /// # Errors
    /// Any other text, also another spelling of a valid id: upper case, braces, no hyphens, another version.
    pub fn parse(text: &str) -> Result<Self, InvalidBookId> {
        Uuid::try_parse(text)
            .ok()
            .filter(|uuid| uuid.get_version_num() == 7 && uuid.get_variant() == uuid::Variant::RFC4122)
            .map(Self)
            .filter(|id| id.to_string() == text)
            .ok_or_else(|| InvalidBookId { text: excerpt(text) })
    }

    /// The fan-out bucket, 0 to 255: the last byte of the id, which is random in every id.
    ///
    /// It names the folder of the book's file. The first bytes would not do: they are the time, and books that
    /// are added together would all share one folder.
    pub fn bucket(self) -> u8 {
        self.0.as_bytes()[15]
    }

    /// The sixteen bytes of the id, most significant first.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for BookId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(formatter)
    }
}

impl FromStr for BookId {
    type Err = InvalidBookId;

    fn from_str(text: &str) -> Result<Self, InvalidBookId> {
        Self::parse(text)
    }
}

impl TryFrom<String> for BookId {
    type Error = InvalidBookId;

    fn try_from(text: String) -> Result<Self, InvalidBookId> {
        Self::parse(&text)
    }
}

impl From<BookId> for String {
    fn from(id: BookId) -> Self {
        id.to_string()
    }
}

/// A text that is not the id of a book.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text} is not a book id: give a UUID of version 7 in lower case with hyphens, \
     such as 018f2b6e-5c1d-7a40-9b1e-0242ac120002"
)]
pub struct InvalidBookId {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "018f2b6e-5c1d-7a40-9b1e-0242ac120002";

    #[test]
    fn canonical_text_survives_reading_and_writing() {
        assert_eq!(BookId::parse(TEXT).unwrap().to_string(), TEXT);
    }

    #[test]
    fn every_other_form_is_refused() {
        for text in [
            "",
            "018F2B6E-5C1D-7A40-9B1E-0242AC120002",
            "018f2b6e5c1d7a409b1e0242ac120002",
            "{018f2b6e-5c1d-7a40-9b1e-0242ac120002}",
            "urn:uuid:018f2b6e-5c1d-7a40-9b1e-0242ac120002",
            " 018f2b6e-5c1d-7a40-9b1e-0242ac120002",
            "018f2b6e-5c1d-4a40-9b1e-0242ac120002", // version 4
            "018f2b6e-5c1d-7a40-1b1e-0242ac120002", // another variant
            "00000000-0000-0000-0000-000000000000",
            "../../../../../../../../etc/password",
        ] {
            assert!(BookId::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn id_from_parts_is_a_version_7_uuid_that_sorts_by_time() {
        let earlier = BookId::from_parts(1_000, [0xff; 10]);
        let later = BookId::from_parts(1_001, [0; 10]);
        assert!(earlier < later);
        assert_eq!(BookId::parse(&later.to_string()), Ok(later));
        assert_eq!(earlier.to_string(), "00000000-03e8-7fff-bfff-ffffffffffff");
    }

    #[test]
    fn derived_id_depends_on_key_row_and_time_alone() {
        let id = BookId::derived("import-1", 7, 1_000);
        assert_eq!(id, BookId::derived("import-1", 7, 1_000));
        assert_ne!(id, BookId::derived("import-1", 8, 1_000));
        assert_ne!(id, BookId::derived("import-2", 7, 1_000));
        assert_ne!(id, BookId::derived("import-1", 7, 1_001));
        // Fixed for ever: an import that is sent again after an upgrade must find its books.
        assert_eq!(id.to_string(), "00000000-03e8-7e30-825c-ed8f49dccdd3");
    }

    #[test]
    fn json_is_the_text_and_is_read_strictly() {
        let id: BookId = serde_json::from_str(&format!("\"{TEXT}\"")).unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{TEXT}\""));
        assert!(serde_json::from_str::<BookId>("\"018F2B6E-5C1D-7A40-9B1E-0242AC120002\"").is_err());
    }
}
