//! Identifiers of rounds, views, members, processes and changes. Each is a type of its own, so that none can stand in
//! for another.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// A text that is not the identifier that it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {form}, but {given:?} is not")]
pub struct InvalidId {
    /// What was expected, such as "a round id".
    pub what: &'static str,
    /// The form that it has.
    pub form: &'static str,
    /// What was given instead, cut to a length that is fit to print.
    pub given: String,
}

impl InvalidId {
    fn new(what: &'static str, form: &'static str, given: &str) -> Self {
        Self { what, form, given: given.chars().take(80).collect() }
    }
}

/// No counter comes this far, not even those that carry an epoch in their upper half: whoever says that one did is wrong, and must
/// not make the next one overflow.
const COUNTER_MAX: u64 = 1 << 62;

fn read_counter<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if number < COUNTER_MAX {
        Ok(number)
    } else {
        Err(serde::de::Error::custom(format_args!("{number} is beyond every number that is counted to")))
    }
}

macro_rules! counter {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(#[serde(deserialize_with = "read_counter")] pub u64);

        impl $name {
            /// The one before the first.
            pub const ZERO: Self = Self(0);

            /// The one that follows.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

counter!(
    /// One start of a coordinator. Every start takes a higher one (rule EpochFence).
    Epoch
);
counter!(
    /// The number of a round within its epoch.
    RoundNumber
);
counter!(
    /// Counts committed rounds: the state after the n-th committed round is version n (rule Order).
    Version
);
counter!(
    /// The number of a view: who is a member, and who is in sync.
    ViewNumber
);
counter!(
    /// Pairs a question with its answer on one connection.
    RequestId
);
counter!(
    /// One catch-up of one learner, so that a late answer to an earlier one is seen to be late.
    CatchUpId
);

/// A round of two-phase commit: never used twice, ordered by epoch, then number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RoundId {
    /// The epoch of the coordinator that runs it.
    pub epoch: Epoch,
    /// Its number in that epoch.
    pub number: RoundNumber,
}

impl RoundId {
    /// Below every round.
    pub const ZERO: Self = Self { epoch: Epoch::ZERO, number: RoundNumber::ZERO };
}

impl fmt::Display for RoundId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.epoch, self.number)
    }
}

impl FromStr for RoundId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId::new("a round id", "<epoch>-<number>, such as 3-17", text);
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = plain.then(|| digits.parse().ok()).flatten();
            number.filter(|number| *number < COUNTER_MAX).ok_or_else(invalid)
        };
        let (epoch, round) = text.split_once('-').ok_or_else(invalid)?;
        Ok(Self { epoch: Epoch(number(epoch)?), number: RoundNumber(number(round)?) })
    }
}

macro_rules! serde_as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

serde_as_text!(RoundId);

macro_rules! name {
    ($(#[$documentation:meta])* $name:ident, $what:literal) => {
        $(#[$documentation])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
                let starts_well = text.bytes().next().is_some_and(|byte| byte != b'-');
                if text.len() <= 64 && starts_well && text.bytes().all(allowed) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidId::new(
                        $what,
                        "1 to 64 lower-case letters, digits and hyphens, such as replicator-1",
                        text,
                    ))
                }
            }
        }

        serde_as_text!($name);
    };
}

name!(
    /// The name of a member: a replicator that has a vote.
    MemberId,
    "a replicator's name"
);
name!(
    /// The name of an app-server.
    AppServerId,
    "an app-server's name"
);

macro_rules! unique {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::parse_str(text).map(Self).map_err(|_| InvalidId::new(stringify!($name), "a UUID", text))
            }
        }
    };
}

unique!(
    /// One start of one coordinator: tells apart two that took the same epoch.
    CoordinatorId
);
unique!(
    /// The memory of one replicator or app-server. A directory that lost its memory gets a new one (rule NoAmnesia).
    Incarnation
);
unique!(
    /// The cluster that a data directory belongs to.
    ClusterId
);
unique!(
    /// One run of restore.
    RestorationId
);

impl RestorationId {
    /// The id of a restore that a coordinator starts by itself: no two begin in one millisecond.
    #[must_use]
    pub fn started_by(coordinator: CoordinatorId, unix_ms: u64) -> Self {
        let mut rest = [0; 10];
        rest.copy_from_slice(&coordinator.0.as_bytes()[6..]);
        Self(uuid::Builder::from_unix_timestamp_millis(unix_ms, &rest).into_uuid())
    }
}

/// The client's Idempotency-Key, or one that the app-server made: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeId(std::sync::Arc<str>);

impl ChangeId {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChangeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for ChangeId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId::new("a change id", "1 to 255 visible ASCII characters", text))
        }
    }
}

serde_as_text!(ChangeId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_ids_are_ordered_by_epoch_then_number() {
        let round = |text: &str| text.parse::<RoundId>().unwrap();
        assert!(round("2-1") > round("1-900"));
        assert!(round("2-10") > round("2-9"));
        assert_eq!(round("2-10").to_string(), "2-10");
    }

    #[test]
    fn text_that_is_no_round_id_is_refused_with_the_form_named() {
        for text in ["", "-", "3", "3-", "-3", "3-x", "+3-1", "3-1-1", "99999999999999999999-1"] {
            let error = text.parse::<RoundId>().unwrap_err();
            assert!(error.to_string().contains("3-17"), "{text}: {error}");
        }
    }

    #[test]
    fn numbers_that_nobody_counts_to_are_not_read() {
        let largest = COUNTER_MAX - 1;
        assert_eq!(serde_json::from_str::<Version>(&largest.to_string()).unwrap(), Version(largest));
        let error = serde_json::from_str::<Version>(&COUNTER_MAX.to_string()).unwrap_err();
        assert!(error.to_string().contains("counted"), "{error}");
        assert!(format!("{COUNTER_MAX}-1").parse::<RoundId>().is_err());
        assert!(serde_json::from_str::<Epoch>(&u64::MAX.to_string()).is_err());
    }

    #[test]
    fn names_that_could_be_paths_are_refused() {
        for text in ["", "..", "a/b", "A", "a b", "-a", "é", &"a".repeat(65)] {
            assert!(text.parse::<MemberId>().is_err(), "{text}");
        }
        assert_eq!("replicator-1".parse::<MemberId>().unwrap().as_str(), "replicator-1");
    }
}
