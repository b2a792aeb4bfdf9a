//! What a replicator knows: a fold over the records of its log, and nothing else.
//!
//! Live running and recovery both go through [`ReplicatorState::apply`], so that what is rebuilt after a crash is what was
//! there before it.

use super::{Ended, FileChange, RecentOutcomes, ReplicatorRecord};
use crate::{Fence, Manifest, committed_record};
use protocol::{CatchUpTarget, ClusterId, CommittedRound, Prepare, RoundId, SetDigest, Standing, Version, View};
use serde::{Deserialize, Serialize};

/// The state of a replicator.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReplicatorState {
    /// The cluster that it belongs to; none while it is new.
    pub cluster: Option<ClusterId>,
    /// Which coordinator it listens to.
    pub fence: Fence,
    /// Its committed version.
    pub version: Version,
    /// Its committed files.
    pub manifest: Manifest,
    /// The highest round that it knows to be decided or refused. It never prepares one at or below it.
    pub settled: RoundId,
    /// The round that it has prepared and not concluded (rule NoWayBack).
    pub prepared: Option<Prepare>,
    /// How the newest rounds ended, for peers that are in doubt.
    pub outcomes: RecentOutcomes,
    /// Whether it may speak about rounds.
    pub standing: Standing,
    /// The newest view that it was told: a coordinator that lost its log asks for it.
    pub view: Option<View>,
}

/// What a committed round did to files.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommittedFiles {
    /// The version that it made.
    pub version: Version,
    /// The files.
    pub files: Vec<FileChange>,
}

/// The state without its manifest and its prepared round, as a checkpoint keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicatorHeader {
    /// The cluster.
    pub cluster: Option<ClusterId>,
    /// The fence.
    pub fence: Fence,
    /// The version.
    pub version: Version,
    /// The root of the manifest.
    pub root: SetDigest,
    /// The highest round decided or refused.
    pub settled: RoundId,
    /// Whether it may speak about rounds.
    pub standing: Standing,
    /// The newest view that it was told.
    #[serde(default)]
    pub view: Option<View>,
    /// How the newest rounds ended; older checkpoints do not have it.
    #[serde(default)]
    pub outcomes: RecentOutcomes,
}

impl ReplicatorState {
    /// A memory that holds nothing: new, or lost.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            cluster: None,
            fence: Fence::default(),
            version: Version::ZERO,
            manifest: Manifest::default(),
            settled: RoundId::ZERO,
            prepared: None,
            outcomes: RecentOutcomes::default(),
            standing: Standing::Lost,
            view: None,
        }
    }

    /// The state that a checkpoint describes.
    #[must_use]
    pub fn from_checkpoint(header: ReplicatorHeader, manifest: Manifest) -> Self {
        Self {
            cluster: header.cluster,
            fence: header.fence,
            version: header.version,
            manifest,
            settled: header.settled,
            prepared: None,
            outcomes: header.outcomes,
            standing: header.standing,
            view: header.view,
        }
    }

    /// What a checkpoint of this state says beside the manifest.
    #[must_use]
    pub fn header(&self) -> ReplicatorHeader {
        ReplicatorHeader {
            cluster: self.cluster,
            fence: self.fence,
            version: self.version,
            root: self.manifest.root(),
            settled: self.settled,
            standing: self.standing,
            view: self.view.clone(),
            outcomes: self.outcomes.clone(),
        }
    }

    /// The state after one more record. Returns the files of a round that the record commits.
    pub fn apply(&mut self, record: &ReplicatorRecord) -> Option<CommittedFiles> {
        match record {
            ReplicatorRecord::EpochAccepted { epoch, coordinator, cluster } => {
                self.fence = Fence::raised_to(*epoch, *coordinator);
                self.cluster = Some(*cluster);
            }
            ReplicatorRecord::Prepared(prepare) => {
                // The coordinator has said how the round before ended, also to those who have never prepared that one.
                if let Some(parent) = prepare.parent {
                    self.outcomes.note(parent.round, parent.outcome.into());
                }
                self.prepared = Some(prepare.clone());
            }
            ReplicatorRecord::Refused { round, .. } => self.end(*round, Ended::Refused),
            ReplicatorRecord::Committed { round } => {
                let prepared = self.prepared.take_if(|prepare| prepare.round == *round);
                self.end(*round, Ended::Committed);
                return prepared.map(|prepare| self.commit(prepare));
            }
            ReplicatorRecord::Aborted { round } => {
                self.prepared.take_if(|prepare| prepare.round == *round);
                self.end(*round, Ended::Aborted);
            }
            // One that does not come next was read again behind a checkpoint that covers it.
            ReplicatorRecord::Followed(round) if round.version == self.version.next() => {
                return Some(self.follow(round));
            }
            ReplicatorRecord::Followed(_) => {}
            ReplicatorRecord::ViewLearned(view) => self.view = Some(view.clone()),
            ReplicatorRecord::Lost => {
                let (cluster, fence) = (self.cluster, self.fence);
                *self = Self { cluster, fence, ..Self::empty() };
            }
            ReplicatorRecord::Unconfirmed => self.standing = Standing::Unconfirmed,
            ReplicatorRecord::Confirmed { .. } => self.standing = Standing::Trusted,
        }
        None
    }

    /// The state after a catch-up has put everything in place.
    pub fn install(&mut self, target: CatchUpTarget, manifest: Manifest) {
        self.version = target.version;
        self.settled = self.settled.max(target.round);
        self.manifest = manifest;
        self.prepared = None;
        self.standing = Standing::Trusted;
    }

    fn end(&mut self, round: RoundId, ended: Ended) {
        self.settled = self.settled.max(round);
        self.outcomes.note(round, ended);
    }

    fn commit(&mut self, prepare: Prepare) -> CommittedFiles {
        let version = prepare.version();
        self.manifest.apply(&prepare.changes, version);
        self.version = version;
        let files = prepare.changes.iter().map(|change| FileChange::of(change.path, &change.action)).collect();
        CommittedFiles { version, files }
    }

    fn follow(&mut self, round: &CommittedRound) -> CommittedFiles {
        for change in &round.changes {
            self.manifest.set(change.path, committed_record(change, round.version));
        }
        self.version = round.version;
        self.end(round.round, Ended::Committed);
        let files = round.changes.iter().map(|change| FileChange::of(change.path, &change.action)).collect();
        CommittedFiles { version: round.version, files }
    }
}
