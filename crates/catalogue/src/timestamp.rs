//! [`Timestamp`], a moment in UTC with milliseconds.
//!
//! The text form is RFC 3339 through the `jiff` crate; the current time comes from callers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::invalid_book::excerpt;

/// A moment in UTC, in whole milliseconds. Written as `2024-05-17T09:30:00.000Z`, always with three decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp {
    unix_millis: i64,
}

impl Timestamp {
    /// The earliest moment: the beginning of the year 0, before which RFC 3339 has no years.
    pub const MIN: Self = Self { unix_millis: -62_167_219_200_000 };
    /// The latest moment: 9999-12-30T22:00:00Z, the last that is in the year 9999 in every time zone.
    pub const MAX: Self = Self { unix_millis: 253_402_207_200_000 };

    /// The moment so many milliseconds after the Unix epoch; `None` outside of [`MIN`](Self::MIN) to
    /// [`MAX`](Self::MAX).
    pub fn from_unix_millis(unix_millis: i64) -> Option<Self> {
        let timestamp = Self { unix_millis };
        (Self::MIN..=Self::MAX).contains(&timestamp).then_some(timestamp)
    }

    /// The milliseconds since the Unix epoch.
    pub fn unix_millis(self) -> i64 {
        self.unix_millis
    }

    /// Reads RFC 3339 with any offset from UTC; what is finer than a millisecond is cut off.
    ///
    /// # Errors
    /// A text that is no such time, or one outside of the years 0000 to 9999.
    pub fn parse(text: &str) -> Result<Self, InvalidTimestamp> {
        text.parse::<jiff::Timestamp>()
            .ok()
            // Rounded towards the past also before 1970, as cutting off decimals does.
            .and_then(|time| i64::try_from(time.as_nanosecond().div_euclid(1_000_000)).ok())
            .and_then(Self::from_unix_millis)
            .ok_or_else(|| InvalidTimestamp { text: excerpt(text) })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_millisecond(self.unix_millis)
            .expect("every timestamp lies within MIN to MAX, which jiff covers");
        write!(formatter, "{time:.3}")
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTimestamp;

    fn try_from(text: String) -> Result<Self, InvalidTimestamp> {
        Self::parse(&text)
    }
}

impl From<Timestamp> for String {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.to_string()
    }
}

/// A text that is not a moment in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text} is not a time: give RFC 3339 such as 2024-05-17T09:30:00.000Z, in the years 0000 to 9999")]
pub struct InvalidTimestamp {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_utc_with_three_decimals() {
        for (text, canonical) in [
            ("2024-05-17T09:30:00Z", "2024-05-17T09:30:00.000Z"),
            ("2024-05-17T11:30:00.1+02:00", "2024-05-17T09:30:00.100Z"),
            ("2024-05-17T09:30:00.123999Z", "2024-05-17T09:30:00.123Z"),
            ("1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn bounds_survive_writing_and_reading() {
        for bound in [Timestamp::MIN, Timestamp::MAX] {
            assert_eq!(Timestamp::parse(&bound.to_string()), Ok(bound));
        }
        assert_eq!(Timestamp::from_unix_millis(Timestamp::MAX.unix_millis() + 1), None);
        assert_eq!(Timestamp::from_unix_millis(Timestamp::MIN.unix_millis() - 1), None);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "yesterday", "2024-05-17", "2024-13-01T00:00:00Z", "-000001-01-01T00:00:00Z"] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }
}
