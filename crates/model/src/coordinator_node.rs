//! A coordinator's process and its log. Owns which records are durable; loses the others when it crashes.

use protocol::{ClusterId, CommitPolicy, CoordinatorId, MemberId, View};
use two_phase::coordinator::{
    Coordinator, CoordinatorEffect, CoordinatorIdentity, CoordinatorRecord, CoordinatorSettings, CoordinatorState,
};
use two_phase::{LogSequence, Now};
use uuid::Uuid;

/// The time, which stands still until somebody's is up.
pub(crate) const NOW: Now = Now { monotonic_ms: 1_000_000, unix_ms: 1_700_000_000_000 };

pub(crate) fn member(index: usize) -> MemberId {
    format!("replicator-{}", index + 1).parse().expect("it is a name")
}

pub(crate) fn cluster_id() -> ClusterId {
    ClusterId(Uuid::from_u128(7))
}

pub(crate) fn coordinator_id(start: u64) -> CoordinatorId {
    CoordinatorId(Uuid::from_u128(1_000 + u128::from(start)))
}

/// A process, and what it has written.
#[derive(Debug, Clone, Hash)]
pub(crate) struct CoordinatorNode {
    pub core: Coordinator,
    pub log: Vec<(LogSequence, CoordinatorRecord)>,
    /// How many records of the log are durable.
    pub durable: usize,
    policy: CommitPolicy,
    now: Now,
}

impl CoordinatorNode {
    /// The first one of a cluster of three.
    pub(crate) fn first(policy: CommitPolicy) -> Self {
        Self::on_log(Vec::new(), policy, NOW, 1)
    }

    /// One that is started on these durable records.
    fn on_log(log: Vec<(LogSequence, CoordinatorRecord)>, policy: CommitPolicy, now: Now, start: u64) -> Self {
        let mut state = CoordinatorState::new(cluster_id(), View::first((0..3).map(member), policy));
        for (sequence, record) in &log {
            state.apply(record.clone(), *sequence, now.monotonic_ms).expect("a coordinator wrote it");
        }
        let last = log.last().map_or(LogSequence::ZERO, |(sequence, _)| *sequence);
        let identity = CoordinatorIdentity { coordinator: coordinator_id(start), data_key: "0".repeat(64) };
        let settings = CoordinatorSettings { policy, round_changes_max: 1, ..CoordinatorSettings::default() };
        let core = Coordinator::start(identity, settings, state, last, now);
        let durable = log.len();
        Self { core, log, durable, policy, now }
    }

    /// The process that is started on what this one has made durable.
    pub(crate) fn successor(&self, start: u64) -> Self {
        Self::on_log(self.log[..self.durable].to_vec(), self.policy, self.now, start)
    }

    /// What it asks for; what it writes is in the log from then on.
    pub(crate) fn take_effects(&mut self) -> Vec<CoordinatorEffect> {
        let effects = self.core.take_effects();
        for effect in &effects {
            if let CoordinatorEffect::Append { sequence, record, .. } = effect {
                self.log.push((*sequence, record.clone()));
            }
        }
        effects
    }

    pub(crate) fn now(&self) -> Now {
        self.now
    }

    /// As much time passes as a vote may take.
    pub(crate) fn time_is_up(&mut self) {
        self.now.monotonic_ms += CoordinatorSettings::default().vote_timeout_ms;
        self.core.handle_timer(self.now);
    }

    /// Whether it has written what is not durable yet.
    pub(crate) fn has_unsynced(&self) -> bool {
        self.durable < self.log.len()
    }

    /// Everything is durable. Gives the records that are so only now.
    pub(crate) fn sync(&mut self) -> Vec<CoordinatorRecord> {
        let newly = self.log[self.durable..].iter().map(|(_, record)| record.clone()).collect();
        self.durable = self.log.len();
        newly
    }

    /// Tells the core what is durable.
    pub(crate) fn tell_durable(&mut self) {
        if let Some((sequence, _)) = self.log.last() {
            self.core.handle_durable(*sequence, self.now);
        }
    }
}
