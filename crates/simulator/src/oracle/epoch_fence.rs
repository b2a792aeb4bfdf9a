//! EpochFence: each start of a coordinator has an epoch of its own, durable before use and open once a majority has it;
//! whoever has accepted an epoch never goes back.

use super::Oracle;
use crate::violation::{Held, Rule, ensure};
use protocol::{CoordinatorId, Epoch, Prepare, RoundId};
use two_phase::Fence;
use two_phase::replicator::ReplicatorState;

impl Oracle {
    pub(super) fn epoch_taken(&mut self, epoch: Epoch, coordinator: CoordinatorId) -> Held {
        let highest = self.epochs.last_key_value().map_or(Epoch::ZERO, |(epoch, _)| *epoch);
        ensure(epoch > highest, Rule::EpochFence, || {
            format!("coordinator {coordinator} takes epoch {epoch}, but epoch {highest} was taken before")
        })?;
        self.epochs.insert(epoch, coordinator);
        Ok(())
    }

    pub(super) fn speaks_with_its_epoch(&self, epoch: Epoch, coordinator: CoordinatorId) -> Held {
        ensure(self.epochs.get(&epoch) == Some(&coordinator), Rule::EpochFence, || {
            format!("coordinator {coordinator} speaks with epoch {epoch}, which it has not made durable")
        })
    }

    pub(super) fn epoch_accepted(&mut self, index: usize, epoch: Epoch, coordinator: CoordinatorId) -> Held {
        let highest = self.disks[index].epoch;
        ensure(epoch >= highest, Rule::EpochFence, || {
            format!("{} accepts epoch {epoch} after epoch {highest}", self.names[index])
        })?;
        self.disks[index].epoch = epoch;
        self.accepted.entry((epoch, coordinator)).or_default().insert(index);
        Ok(())
    }

    pub(super) fn epoch_survives_restart(&self, index: usize, state: &ReplicatorState) -> Held {
        let highest = self.disks[index].epoch;
        ensure(state.fence.epoch >= highest, Rule::EpochFence, || {
            format!("{} had accepted epoch {highest}, and restarts with epoch {}", self.names[index], state.fence.epoch)
        })
    }

    pub(super) fn votes_within_its_epoch(&self, index: usize, round: RoundId) -> Held {
        let highest = self.disks[index].epoch;
        ensure(round.epoch >= highest, Rule::EpochFence, || {
            format!("{} votes on round {round} although it has accepted epoch {highest}", self.names[index])
        })
    }

    pub(super) fn prepares_in_an_open_epoch(&self, prepare: &Prepare, coordinator: CoordinatorId) -> Held {
        let accepted = self.accepted.get(&(prepare.epoch(), coordinator));
        let has = |index: &usize| accepted.is_some_and(|members| members.contains(index));
        let count = self.voters().iter().filter(|index| has(index)).count();
        ensure(count > self.voters().len() / 2, Rule::EpochFence, || {
            format!("round {} begins when only {count} voters have accepted its epoch", prepare.round)
        })
    }

    /// An app-server's disk has lost what it held.
    pub(crate) fn app_server_lost_copy(&mut self, index: usize) {
        self.follower_epochs.remove(&index);
    }

    /// An app-server listens to the coordinator of this epoch from now on, or has started again.
    ///
    /// # Errors
    /// If it goes back.
    pub(crate) fn app_server_fence(&mut self, index: usize, fence: Fence) -> Held {
        let highest = self.follower_epochs.entry(index).or_default();
        let before = *highest;
        *highest = fence.epoch.max(before);
        ensure(fence.epoch >= before, Rule::EpochFence, || {
            format!("app-server {} goes back from epoch {before} to {}", index + 1, fence.epoch)
        })
    }
}
