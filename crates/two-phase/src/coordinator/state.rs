//! What the coordinator knows: a fold over the records of its decision log, and nothing else.

use super::answers::Answers;
use super::decision::{LoggedDecision, RetainedDecisions};
use super::{CoordinatorRecord, Decision};
use crate::{LogSequence, Manifest};
use protocol::{ClusterId, CoordinatorId, Epoch, RoundId, SetDigest, Version, View};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The state of a coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CoordinatorState {
    /// The cluster.
    pub cluster: ClusterId,
    /// The highest epoch that this log has taken.
    pub epoch: Epoch,
    /// Who took it.
    pub coordinator: Option<CoordinatorId>,
    /// The view in force.
    pub view: View,
    /// The committed version.
    pub version: Version,
    /// The committed files.
    pub manifest: Manifest,
    /// The newest committed round.
    pub last_decision: RoundId,
    /// Decisions that somebody may still ask for.
    pub retained: RetainedDecisions,
    /// Answers that clients may still ask for.
    pub answers: Answers,
    /// Decisions that a recovery found at the members, and the log does not have.
    pub(crate) recovered: Vec<Decision>,
    /// Roots of versions that the log no longer knows, and an operator has said yes to.
    pub(crate) believed: BTreeMap<Version, SetDigest>,
}

/// The state without manifest, decisions and answers, as a checkpoint keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoordinatorHeader {
    /// The cluster.
    pub cluster: ClusterId,
    /// The highest epoch taken.
    pub epoch: Epoch,
    /// Who took it.
    pub coordinator: Option<CoordinatorId>,
    /// The view in force.
    pub view: View,
    /// The committed version.
    pub version: Version,
    /// The root of the manifest.
    pub root: SetDigest,
    /// The newest committed round.
    pub last_decision: RoundId,
    /// Decisions that somebody may still ask for.
    pub retained: RetainedDecisions,
    /// Decisions that a recovery found at the members, and the log does not have: their answers are kept here.
    #[serde(default)]
    pub recovered: Vec<Decision>,
    /// Roots of versions that the log no longer knows, and an operator has said yes to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub believed: BTreeMap<Version, SetDigest>,
}

/// A record that cannot follow the state: the log is not one that this program wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImpossibleRecord {
    /// Rule Order: versions have no gaps.
    #[error("record {sequence:?} decides version {version}, but the version before it is {before}")]
    VersionGap {
        /// The record.
        sequence: LogSequence,
        /// The version that it makes.
        version: Version,
        /// The version before it.
        before: Version,
    },
    /// The decisions do not lead to the root that they name.
    #[error("record {sequence:?} decides root {logged}, but its changes lead to {computed}")]
    RootDiffers {
        /// The record.
        sequence: LogSequence,
        /// The root in the record.
        logged: SetDigest,
        /// The root that its changes lead to.
        computed: SetDigest,
    },
}

impl CoordinatorState {
    /// The state of a new cluster.
    #[must_use]
    pub fn new(cluster: ClusterId, view: View) -> Self {
        Self {
            cluster,
            epoch: Epoch::ZERO,
            coordinator: None,
            view,
            version: Version::ZERO,
            manifest: Manifest::default(),
            last_decision: RoundId::ZERO,
            retained: RetainedDecisions::default(),
            answers: Answers::default(),
            recovered: Vec::new(),
            believed: BTreeMap::new(),
        }
    }

    /// The state that a checkpoint describes, read at this time of the monotonic clock.
    #[must_use]
    pub fn from_checkpoint(header: CoordinatorHeader, manifest: Manifest, monotonic_ms: u64) -> Self {
        let mut answers = Answers::default();
        for decision in &header.recovered {
            answers.remember(decision.clone(), LogSequence::ZERO, monotonic_ms);
        }
        Self {
            cluster: header.cluster,
            epoch: header.epoch,
            coordinator: header.coordinator,
            view: header.view,
            version: header.version,
            manifest,
            last_decision: header.last_decision,
            retained: header.retained,
            answers,
            recovered: header.recovered,
            believed: header.believed,
        }
    }

    /// What a checkpoint of this state says beside the manifest.
    #[must_use]
    pub fn header(&self) -> CoordinatorHeader {
        CoordinatorHeader {
            cluster: self.cluster,
            epoch: self.epoch,
            coordinator: self.coordinator,
            view: self.view.clone(),
            version: self.version,
            root: self.manifest.root(),
            last_decision: self.last_decision,
            retained: self.retained.clone(),
            recovered: self.recovered.clone(),
            believed: self.believed.clone(),
        }
    }

    /// Decisions that a recovery found at the members, oldest first.
    #[must_use]
    pub fn recovered(&self) -> &[Decision] {
        &self.recovered
    }

    /// Keeps the answers of a decision that a recovery found, for clients that send its changes again.
    pub(crate) fn keep_answers_of(&mut self, decision: Decision) {
        self.answers.remember(decision.clone(), LogSequence::ZERO, 0);
        self.recovered.push(decision);
    }

    /// The same state without the log that it was read from: what it holds of answers is kept with the checkpoint.
    #[must_use]
    pub(crate) fn without_log(&self) -> Self {
        let mut state = Self { answers: Answers::default(), recovered: Vec::new(), ..self.clone() };
        let decisions: Vec<_> = self.answers.decisions().cloned().collect();
        decisions.into_iter().rev().for_each(|decision| state.keep_answers_of(decision));
        state
    }

    /// Forgets answers that are older than the retention time.
    pub(crate) fn expire_answers(&mut self, monotonic_ms: u64, retention_ms: u64) {
        self.answers.expire(monotonic_ms, retention_ms);
        let answers = &self.answers;
        self.recovered.retain(|decision| answers.root_of(decision.version).is_some());
    }

    /// All rounds up to this one have ended, one way or the other.
    #[must_use]
    pub fn settled_through(&self) -> RoundId {
        self.last_decision.max(self.retained.forgotten_through())
    }

    /// The root that a version had, as far as the log still says, or an operator.
    #[must_use]
    pub fn root_of(&self, version: Version) -> Option<SetDigest> {
        if version == self.version {
            return Some(self.manifest.root());
        }
        if version == Version::ZERO {
            return Some(SetDigest::EMPTY);
        }
        self.answers.root_of(version).or_else(|| self.believed.get(&version).copied())
    }

    /// From now on a member with a torn tail counts for this, by an operator's order.
    pub(crate) fn believe(&mut self, version: Version, root: SetDigest) {
        self.believed.insert(version, root);
    }

    /// Takes in a durable record. Records that a checkpoint already covers are read again for their answers and decisions.
    ///
    /// # Errors
    /// A decision that does not follow the state.
    pub fn apply(
        &mut self,
        record: CoordinatorRecord,
        sequence: LogSequence,
        monotonic_ms: u64,
    ) -> Result<(), ImpossibleRecord> {
        match record {
            CoordinatorRecord::EpochTaken { epoch, coordinator, cluster } => {
                if epoch > self.epoch {
                    (self.epoch, self.coordinator, self.cluster) = (epoch, Some(coordinator), cluster);
                }
            }
            CoordinatorRecord::ViewChanged { view, .. } => {
                if view.number > self.view.number {
                    self.view = view;
                }
            }
            CoordinatorRecord::Decided(decision) => {
                if decision.version > self.version {
                    self.advance(&decision, sequence)?;
                }
                self.retained.push(LoggedDecision::from_log(&decision));
                self.answers.remember(decision, sequence, monotonic_ms);
            }
        }
        Ok(())
    }

    fn advance(&mut self, decision: &Decision, sequence: LogSequence) -> Result<(), ImpossibleRecord> {
        if decision.version != self.version.next() {
            return Err(ImpossibleRecord::VersionGap { sequence, version: decision.version, before: self.version });
        }
        for change in &decision.changes {
            self.manifest.set(change.path, change.record(decision.version));
        }
        if self.manifest.root() != decision.root {
            let (logged, computed) = (decision.root, self.manifest.root());
            return Err(ImpossibleRecord::RootDiffers { sequence, logged, computed });
        }
        (self.version, self.last_decision) = (decision.version, decision.round);
        Ok(())
    }
}
