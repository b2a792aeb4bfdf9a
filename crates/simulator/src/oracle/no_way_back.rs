//! NoWayBack: a replicator that voted commit keeps the prepared round, across restarts, until it learns the outcome.

use super::Oracle;
use crate::violation::{Held, Rule, ensure};
use protocol::{ReplicatorHello, RoundId, Vote};
use two_phase::replicator::ReplicatorState;

impl Oracle {
    pub(super) fn promises(&mut self, index: usize, round: RoundId, vote: &Vote) {
        let prepared = self.disks[index].state.prepared.as_ref().is_some_and(|prepare| prepare.round == round);
        if *vote == Vote::Commit && prepared {
            self.disks[index].promised = Some(round);
        }
    }

    pub(super) fn promise_ended(&mut self, index: usize, round: RoundId) {
        self.disks[index].promised.take_if(|promised| *promised == round);
    }

    pub(super) fn promise_survives_restart(&self, index: usize, state: &ReplicatorState) -> Held {
        self.still_promised(index, state.prepared.as_ref().map(|prepare| prepare.round))
    }

    pub(super) fn introduces_its_promise(&self, index: usize, hello: &ReplicatorHello) -> Held {
        self.still_promised(index, hello.prepared.map(|prepared| prepared.round))
    }

    fn still_promised(&self, index: usize, prepared: Option<RoundId>) -> Held {
        let Some(promised) = self.disks[index].promised else { return Ok(()) };
        ensure(prepared == Some(promised), Rule::NoWayBack, || {
            format!("{} voted commit on round {promised}, and has {prepared:?} prepared now", self.names[index])
        })
    }

    /// A catch-up may end a promise only by going past its round.
    pub(super) fn promise_survives_install(&mut self, index: usize, state: &ReplicatorState) -> Held {
        let Some(promised) = self.disks[index].promised.take() else { return Ok(()) };
        ensure(state.settled >= promised, Rule::NoWayBack, || {
            format!("{} gave up round {promised} for a catch-up to version {}", self.names[index], state.version)
        })
    }
}
