//! One replicator, and one app-server's copy, whose coordinator, disk and log are played by the test.

use crate::values::{cluster, coordinator, incarnation, member, round};
use protocol::{
    Change, CommitRule, CoordinatorId, Epoch, FromCoordinator, Outcome, Parent, Participant, Prepare, RoundId,
    Standing, ToAppServer, ToCoordinator, ToReplicator, Version, ViewNumber,
};
use two_phase::follower::{Follower, FollowerEffect, FollowerState};
use two_phase::replicator::{
    LogFound, Replicator, ReplicatorEffect, ReplicatorIdentity, ReplicatorRecord, ReplicatorState,
};
use two_phase::{Fence, LogSequence};

/// A replicator and its log.
pub(crate) struct Replica {
    pub core: Replicator,
    number: u8,
    checkpoint: ReplicatorState,
    log: Vec<(LogSequence, ReplicatorRecord)>,
    synced: LogSequence,
}

pub(crate) fn replicator_identity(number: u8) -> ReplicatorIdentity {
    let address = format!("10.0.0.{number}:7420");
    ReplicatorIdentity { member: member(number), incarnation: incarnation(number), address }
}

/// The state of a replicator that has accepted epoch 1 and committed nothing.
pub(crate) fn trusted_state() -> ReplicatorState {
    let fence = Fence::raised_to(Epoch(1), coordinator(1));
    ReplicatorState { cluster: Some(cluster()), fence, standing: Standing::Trusted, ..ReplicatorState::empty() }
}

impl Replica {
    /// Replicator 1: connected, with nothing committed.
    pub(crate) fn level() -> Self {
        let mut replica = Self::on(trusted_state());
        replica.connect();
        replica
    }

    /// Replicator 1 on this state, not connected.
    pub(crate) fn on(checkpoint: ReplicatorState) -> Self {
        Self::numbered(1, checkpoint)
    }

    /// A replicator on this state, not connected.
    pub(crate) fn numbered(number: u8, checkpoint: ReplicatorState) -> Self {
        let (identity, none) = (replicator_identity(number), LogSequence::ZERO);
        let core = Replicator::recover(identity, checkpoint.clone(), none, [], LogFound::Whole);
        Self { core, number, checkpoint, log: Vec::new(), synced: none }
    }

    pub(crate) fn take(&mut self) -> Vec<ReplicatorEffect> {
        let effects = self.core.take_effects();
        for effect in &effects {
            if let ReplicatorEffect::Append { sequence, record, .. } = effect {
                self.log.push((*sequence, record.clone()));
            }
        }
        effects
    }

    pub(crate) fn connect(&mut self) -> Vec<ReplicatorEffect> {
        self.core.handle_connected();
        self.take()
    }

    pub(crate) fn disconnect(&mut self) {
        self.core.handle_disconnected();
    }

    /// All that was written becomes durable.
    pub(crate) fn durable(&mut self) -> Vec<ReplicatorEffect> {
        self.synced = self.core.last_appended();
        self.core.handle_durable(self.synced);
        self.take()
    }

    /// The process dies and starts again; what was not synced is gone.
    pub(crate) fn restart(&mut self, found: LogFound) -> Vec<ReplicatorEffect> {
        self.log.retain(|(sequence, _)| *sequence <= self.synced);
        let (checkpoint, records) = (self.checkpoint.clone(), self.log.clone());
        let identity = replicator_identity(self.number);
        self.core = Replicator::recover(identity, checkpoint, LogSequence::ZERO, records, found);
        self.take()
    }

    /// The coordinator of epoch 1 says this.
    pub(crate) fn hear(&mut self, message: ToReplicator) -> Vec<ReplicatorEffect> {
        self.hear_from(Epoch(1), coordinator(1), message)
    }

    pub(crate) fn hear_from(
        &mut self,
        epoch: Epoch,
        coordinator: CoordinatorId,
        message: ToReplicator,
    ) -> Vec<ReplicatorEffect> {
        self.core.handle_message(FromCoordinator { epoch, coordinator, message });
        self.take()
    }

    /// A prepare that fits its state, in round 1-`number`.
    pub(crate) fn prepare(&self, number: u64, changes: Vec<Change>) -> Prepare {
        let state = self.core.state();
        let version = state.version.next();
        Prepare {
            round: round(1, number),
            parent: None,
            base_version: state.version,
            base_root: state.manifest.root(),
            expected_root: state.manifest.root_after(&changes, version),
            view: ViewNumber(4),
            participants: (1..=3).map(|one| Participant { id: member(one), address: String::new() }).collect(),
            rule: CommitRule::DecisionRecord,
            changes,
        }
    }

    /// Votes commit on a round of these changes, durably, and stays in doubt.
    pub(crate) fn in_doubt(&mut self, number: u64, changes: Vec<Change>) -> Prepare {
        let prepare = self.prepare(number, changes);
        self.hear(ToReplicator::Prepare(prepare.clone()));
        self.durable();
        prepare
    }

    pub(crate) fn commit(&mut self, number: u64, changes: Vec<Change>) {
        self.in_doubt(number, changes);
        self.hear(ToReplicator::Commit { round: round(1, number) });
        self.durable();
    }

    pub(crate) fn acknowledgement(&self) -> ReplicatorEffect {
        let state = self.core.state();
        let (version, root) = (state.version, state.manifest.root());
        ReplicatorEffect::Send(ToCoordinator::Acknowledge { settled: state.settled, version, root })
    }
}

pub(crate) fn parent(round: RoundId, outcome: Outcome) -> Option<Parent> {
    Some(Parent { round, outcome })
}

/// What a replicator says, in order.
pub(crate) fn said(effects: &[ReplicatorEffect]) -> Vec<&ToCoordinator> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            ReplicatorEffect::Send(message) => Some(message),
            _ => None,
        })
        .collect()
}

/// An app-server's copy that has accepted epoch 1, is connected, and shows nothing yet.
pub(crate) fn follower() -> Follower {
    let fence = Fence::raised_to(Epoch(1), coordinator(1));
    let state = FollowerState { cluster: Some(cluster()), fence, ..FollowerState::empty() };
    let mut follower = Follower::new("app-server".parse().unwrap(), incarnation(50), state);
    follower.handle_connected();
    follower.take_effects();
    follower
}

/// What the coordinator of epoch 1 says to an app-server's copy.
pub(crate) fn follower_hears(follower: &mut Follower, message: ToAppServer) -> Vec<FollowerEffect> {
    follower.handle_message(FromCoordinator { epoch: Epoch(1), coordinator: coordinator(1), message });
    follower.take_effects()
}

/// The committed version of an app-server's copy, and whether it may be shown.
pub(crate) fn shows(follower: &Follower) -> (Version, bool) {
    (follower.state().version, follower.is_level())
}
