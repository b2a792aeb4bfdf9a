//! A replicator's process and its log. Owns which records are durable; loses the others when it crashes.

use crate::coordinator_node::{cluster_id, coordinator_id, member};
use protocol::{Epoch, Incarnation, Standing};
use two_phase::replicator::{
    LogFound, PeerPacing, Replicator, ReplicatorEffect, ReplicatorIdentity, ReplicatorRecord, ReplicatorState,
};
use two_phase::{Fence, LogSequence};
use uuid::Uuid;

/// A process, and what it has written since the run began.
#[derive(Debug, Clone, Hash)]
pub(crate) struct ReplicatorNode {
    pub core: Replicator,
    pub log: Vec<(LogSequence, ReplicatorRecord)>,
    /// How many records of the log are durable.
    pub durable: usize,
    index: usize,
}

/// Time stands still in the model: when it passes is an event.
const AT_ONCE: PeerPacing = PeerPacing { patience_ms: 0, ask_again_ms: 0 };

fn identity(index: usize) -> ReplicatorIdentity {
    let incarnation = Incarnation(Uuid::from_u128(1 + index as u128));
    ReplicatorIdentity { member: member(index), incarnation, address: String::new() }
}

/// One that belongs to the cluster, has listened to its first coordinator, and holds nothing.
fn beginning() -> ReplicatorState {
    let fence = Fence::raised_to(Epoch(1), coordinator_id(1));
    ReplicatorState { cluster: Some(cluster_id()), fence, standing: Standing::Trusted, ..ReplicatorState::empty() }
}

impl ReplicatorNode {
    pub(crate) fn new(index: usize) -> Self {
        let core = Replicator::recover(identity(index), beginning(), LogSequence::ZERO, [], LogFound::Whole);
        Self { core: core.with_peer_pacing(AT_ONCE), log: Vec::new(), durable: 0, index }
    }

    /// The process dies, and is started again on the records that are durable.
    pub(crate) fn crash(&mut self) {
        self.log.truncate(self.durable);
        let log = self.log.clone();
        let core = Replicator::recover(identity(self.index), beginning(), LogSequence::ZERO, log, LogFound::Whole);
        self.core = core.with_peer_pacing(AT_ONCE);
    }

    /// Whether it would ask its peers if time passed: it has voted, and does not know the outcome.
    pub(crate) fn may_ask(&self) -> bool {
        self.core.state().prepared.is_some() && !self.has_unsynced()
    }

    /// What it asks for; what it writes is in the log from then on.
    pub(crate) fn take_effects(&mut self) -> Vec<ReplicatorEffect> {
        let effects = self.core.take_effects();
        for effect in &effects {
            if let ReplicatorEffect::Append { sequence, record, .. } = effect {
                self.log.push((*sequence, record.clone()));
            }
        }
        effects
    }

    /// Whether it has written what is not durable yet.
    pub(crate) fn has_unsynced(&self) -> bool {
        self.durable < self.log.len()
    }

    /// Everything is durable. Gives the records that are so only now.
    pub(crate) fn sync(&mut self) -> Vec<ReplicatorRecord> {
        let newly = self.log[self.durable..].iter().map(|(_, record)| record.clone()).collect();
        self.durable = self.log.len();
        newly
    }

    /// Tells the core what is durable.
    pub(crate) fn tell_durable(&mut self) {
        if let Some((sequence, _)) = self.log.last() {
            self.core.handle_durable(*sequence);
        }
    }

    /// Whether this record is durable.
    pub(crate) fn holds(&self, is_it: impl Fn(&ReplicatorRecord) -> bool) -> bool {
        self.log[..self.durable].iter().any(|(_, record)| is_it(record))
    }
}
