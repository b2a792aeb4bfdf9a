//! Agreement: no two parties ever hold different outcomes for one round; an outcome never changes.

use super::Oracle;
use crate::violation::{Held, Rule, ensure};
use protocol::{Outcome, PeerAnswer, PeerKnowledge, RoundId};
use two_phase::replicator::Ended;

impl Oracle {
    /// Somebody holds, or says, this outcome.
    pub(super) fn hold(&mut self, round: RoundId, outcome: Outcome, who: &str) -> Held {
        let (held, by) = self.outcomes.entry(round).or_insert_with(|| (outcome, who.to_owned()));
        ensure(*held == outcome, Rule::Agreement, || {
            format!("round {round} is {outcome:?} by {who}, but {held:?} by {by}")
        })
    }

    /// A replicator's abort record: of a round that it was told to abort, or that the next round's parent says is aborted.
    pub(super) fn hold_aborted(&mut self, index: usize, round: RoundId) -> Held {
        let who = self.names[index].clone();
        self.hold(round, Outcome::Aborted, who.as_str())
    }

    /// A replicator says to a peer how a round ended: what its disk holds, and nothing else.
    ///
    /// # Errors
    /// If its disk does not hold it, or somebody holds another outcome.
    pub(crate) fn said_to_peer(&mut self, index: usize, answer: &PeerAnswer) -> Held {
        let (known, outcome) = match answer.knowledge {
            PeerKnowledge::Committed => (Ended::Committed, Outcome::Committed),
            PeerKnowledge::Aborted => (Ended::Aborted, Outcome::Aborted),
            PeerKnowledge::Refused => (Ended::Refused, Outcome::Aborted),
            PeerKnowledge::InDoubt | PeerKnowledge::CannotTell { .. } => return Ok(()),
        };
        let (round, who) = (answer.round, self.names[index].clone());
        let outcomes = &self.disks[index].state.outcomes;
        // The disk may be a record ahead of who speaks, and that record may be the one with which the oldest end is forgotten.
        let is_forgotten = outcomes.oldest().is_some_and(|oldest| round < oldest);
        ensure(is_forgotten || outcomes.of(round) == Some(known), Rule::DurableVote, || {
            format!("{who} tells a peer that round {round} is {known:?}, which its disk does not hold")
        })?;
        self.hold(round, outcome, who.as_str())
    }

    /// An app-server shows a round: to it, the round is committed.
    ///
    /// # Errors
    /// If the round is not.
    pub(crate) fn shown_by_app_server(&mut self, name: &str, round: RoundId) -> Held {
        self.hold(round, Outcome::Committed, name)
    }
}
