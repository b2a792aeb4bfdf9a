//! Decisions that the log holds: the only thing from which "commit" can be said (rule DurableDecision).

use super::Decision;
use crate::mutant::Mutant;
use protocol::{MemberId, RoundId, ToReplicator, Version};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// A decision that is durable. Only the log makes one: by reporting the record durable, or by being read at the start.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedDecision {
    round: RoundId,
    version: Version,
    participants: Vec<MemberId>,
}

impl LoggedDecision {
    /// For the log alone: the record is durable.
    pub(super) fn from_log(decision: &Decision) -> Self {
        let Decision { round, version, ref participants, .. } = *decision;
        Self { round, version, participants: participants.clone() }
    }

    /// What its participants are told.
    pub(super) fn commit_message(&self) -> ToReplicator {
        ToReplicator::Commit { round: self.round }
    }

    /// The round.
    #[must_use]
    pub fn round(&self) -> RoundId {
        self.round
    }
}

/// What the coordinator knows of a round that somebody asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It is committed.
    Committed(&'a LoggedDecision),
    /// There is no decision, and none is forgotten: presumed abort.
    NoDecision,
    /// Its decision may have been forgotten: whoever asks must catch up (rule SafeTrim).
    MayBeForgotten,
}

/// The decisions that some participant has not acknowledged yet, ordered by round, and the mark below which others are
/// forgotten. A checkpoint keeps them: one participant that stays away does not hold up the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetainedDecisions {
    decisions: VecDeque<LoggedDecision>,
    forgotten_through: RoundId,
}

impl RetainedDecisions {
    /// The mark below which decisions may be forgotten.
    #[must_use]
    pub fn forgotten_through(&self) -> RoundId {
        self.forgotten_through
    }

    /// Nothing up to this round is presumed aborted any more.
    pub(crate) fn forget_through(&mut self, round: RoundId) {
        self.forgotten_through = self.forgotten_through.max(round);
    }

    /// Number of decisions retained.
    #[must_use]
    pub fn len(&self) -> usize {
        self.decisions.len()
    }

    /// Whether none is retained.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.decisions.is_empty()
    }

    /// Takes in a decision, unless it is one that a checkpoint covers.
    pub(super) fn push(&mut self, decision: LoggedDecision) {
        let newest =
            self.decisions.back().map_or(self.forgotten_through, |last| last.round.max(self.forgotten_through));
        if decision.round > newest {
            self.decisions.push_back(decision);
        }
    }

    /// What is known of a round that is not in flight.
    #[must_use]
    pub fn verdict(&self, round: RoundId) -> Verdict<'_> {
        match self.decisions.binary_search_by(|decision| decision.round.cmp(&round)) {
            Ok(index) => Verdict::Committed(&self.decisions[index]),
            Err(_) if Mutant::AbortsWhatIsForgotten.is_on() => Verdict::NoDecision,
            Err(_) if round <= self.forgotten_through => Verdict::MayBeForgotten,
            Err(_) => Verdict::NoDecision,
        }
    }

    /// Forgets decisions that every participant has acknowledged (rule SafeTrim). `acknowledged` tells the version that a
    /// participant is known to hold durably; none if it is no longer anybody's business. Returns the rounds that ended so.
    pub(super) fn forget(&mut self, acknowledged: impl Fn(&MemberId) -> Option<Version>) -> Vec<RoundId> {
        let everybody_has = |decision: &LoggedDecision| {
            decision
                .participants
                .iter()
                .all(|member| acknowledged(member).is_none_or(|version| version >= decision.version))
        };
        let mut ended = Vec::new();
        self.decisions.retain(|decision| {
            let forgets = everybody_has(decision);
            if forgets {
                ended.push(decision.round);
            }
            !forgets
        });
        if let Some(last) = ended.last() {
            self.forgotten_through = self.forgotten_through.max(*last);
        }
        ended
    }
}
