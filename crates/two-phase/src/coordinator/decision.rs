//! Decisions that the log holds: the only thing from which "commit" can be said (rule DurableDecision).

use super::Decision;
use crate::LogSequence;
use protocol::{MemberId, RoundId, ToReplicator, Version};
use std::collections::VecDeque;

/// A decision that is durable. Only the log makes one: by reporting the record durable, or by being read at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedDecision {
    round: RoundId,
    version: Version,
    participants: Vec<MemberId>,
    sequence: LogSequence,
}

impl LoggedDecision {
    /// For the log alone: the record is durable.
    pub(super) fn from_log(decision: &Decision, sequence: LogSequence) -> Self {
        let Decision { round, version, ref participants, .. } = *decision;
        Self { round, version, participants: participants.clone(), sequence }
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

/// The decisions that some participant has not acknowledged yet, and the mark below which they are forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetainedDecisions {
    decisions: VecDeque<LoggedDecision>,
    forgotten_through: RoundId,
}

impl RetainedDecisions {
    /// Nothing retained; all up to that round forgotten.
    #[must_use]
    pub fn after(forgotten_through: RoundId) -> Self {
        Self { decisions: VecDeque::new(), forgotten_through }
    }

    /// The mark below which decisions are forgotten.
    #[must_use]
    pub fn forgotten_through(&self) -> RoundId {
        self.forgotten_through
    }

    /// The record of the oldest decision that is retained.
    #[must_use]
    pub fn oldest(&self) -> Option<LogSequence> {
        self.decisions.front().map(|decision| decision.sequence)
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

    pub(super) fn push(&mut self, decision: LoggedDecision) {
        if decision.round > self.forgotten_through {
            self.decisions.push_back(decision);
        }
    }

    /// What is known of a round that is not in flight.
    #[must_use]
    pub fn verdict(&self, round: RoundId) -> Verdict<'_> {
        match self.decisions.binary_search_by(|decision| decision.round.cmp(&round)) {
            Ok(index) => Verdict::Committed(&self.decisions[index]),
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
        while let Some(decision) = self.decisions.pop_front_if(|decision| everybody_has(decision)) {
            self.forgotten_through = decision.round;
            ended.push(decision.round);
        }
        ended
    }
}
