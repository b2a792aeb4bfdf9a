//! FrozenParticipants: a round's participants never change.

use super::Oracle;
use crate::violation::{Held, Rule, ensure};
use protocol::Prepare;
use two_phase::coordinator::Decision;

impl Oracle {
    /// A prepare that is said, or found in a replicator's log.
    pub(super) fn same_participants(&mut self, prepare: &Prepare) -> Held {
        let named: Vec<_> = prepare.participants.iter().map(|participant| participant.id.clone()).collect();
        let frozen = self.participants.entry(prepare.round).or_insert_with(|| named.clone());
        ensure(*frozen == named, Rule::FrozenParticipants, || {
            format!("round {} was begun with {frozen:?}, and goes on with {named:?}", prepare.round)
        })
    }

    pub(super) fn decided_by_the_frozen(&self, decision: &Decision) -> Held {
        let frozen = self.participants.get(&decision.round);
        ensure(frozen == Some(&decision.participants), Rule::FrozenParticipants, || {
            format!("round {} was begun with {frozen:?}, decided with {:?}", decision.round, decision.participants)
        })
    }
}
