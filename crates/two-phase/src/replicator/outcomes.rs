//! How the newest rounds ended, for peers that are in doubt about one of them.
//!
//! Each is a fact of the log and stays one for ever; only the newest are kept, and a round that is not among them is not known
//! to be anything.

use protocol::{Outcome, RoundId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many rounds are remembered. Rounds end one after the other, so that a peer can be in doubt only about one of the last.
const ROUNDS_MAX: usize = 64;

/// How a round ended, as far as this replicator knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The coordinator decided it.
    Committed,
    /// It was told to be aborted.
    Aborted,
    /// This replicator refused it: whatever it is told to be, it is not committed.
    Refused,
}

/// The newest rounds whose end is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecentOutcomes(BTreeMap<RoundId, Ended>);

impl From<Outcome> for Ended {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Committed => Self::Committed,
            Outcome::Aborted => Self::Aborted,
        }
    }
}

impl RecentOutcomes {
    /// How a round ended; none if it is not known or no longer remembered.
    #[must_use]
    pub fn of(&self, round: RoundId) -> Option<Ended> {
        self.0.get(&round).copied()
    }

    /// The oldest round whose end is remembered; older ones may be forgotten.
    #[must_use]
    pub fn oldest(&self) -> Option<RoundId> {
        self.0.keys().next().copied()
    }

    /// Notes an end. What is known already stays: a record that is read twice changes nothing.
    pub(super) fn note(&mut self, round: RoundId, ended: Ended) {
        self.0.entry(round).or_insert(ended);
        while self.0.len() > ROUNDS_MAX {
            self.0.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Epoch, RoundNumber};

    fn round(number: u64) -> RoundId {
        RoundId { epoch: Epoch(1), number: RoundNumber(number) }
    }

    #[test]
    fn only_the_newest_rounds_are_remembered() {
        let mut outcomes = RecentOutcomes::default();
        for number in 1..=ROUNDS_MAX as u64 + 1 {
            outcomes.note(round(number), Ended::Committed);
        }
        assert_eq!(outcomes.of(round(1)), None);
        assert_eq!(outcomes.of(round(2)), Some(Ended::Committed));
        outcomes.note(round(1), Ended::Aborted);
        assert_eq!(outcomes.of(round(1)), None, "an old record that is read again pushes out nothing newer");
    }

    #[test]
    fn what_is_known_stays_and_survives_being_written_and_read() {
        let mut outcomes = RecentOutcomes::default();
        outcomes.note(round(3), Ended::Refused);
        outcomes.note(round(3), Ended::Aborted);
        let text = serde_json::to_string(&outcomes).unwrap();
        assert_eq!(text, r#"{"1-3":"refused"}"#);
        assert_eq!(serde_json::from_str::<RecentOutcomes>(&text).unwrap(), outcomes);
    }
}
