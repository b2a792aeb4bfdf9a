//! The decision on a round: what the coordinator's log keeps of it, and what a replicator remembers for the case that the log is lost.

use crate::{
    Change, ChangeId, CommitRule, CommittedAnswer, Digest, MemberId, Parent, Prepare, Record, RoundId, SetDigest,
    Version, ViewNumber,
};
use catalogue::BookPath;
use serde::{Deserialize, Serialize};

/// The decision to commit a round. There is no record of an abort: no record means aborted (presumed abort).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The round.
    pub round: RoundId,
    /// The round before it and how it ended.
    pub parent: Option<Parent>,
    /// The version that it makes.
    pub version: Version,
    /// The root of that version.
    pub root: SetDigest,
    /// The view that it ran in.
    pub view: ViewNumber,
    /// Who took part.
    pub participants: Vec<MemberId>,
    /// What commits it.
    pub rule: CommitRule,
    /// What it changes.
    pub changes: Vec<DecidedChange>,
    /// When it was decided, in milliseconds of Unix time: for people.
    pub decided_at_ms: u64,
}

impl Decision {
    /// The decision to commit a round as it was prepared.
    #[must_use]
    pub fn of(prepare: &Prepare, unix_ms: u64) -> Self {
        Self {
            round: prepare.round,
            parent: prepare.parent,
            version: prepare.version(),
            root: prepare.expected_root,
            view: prepare.view,
            participants: prepare.participants.iter().map(|participant| participant.id.clone()).collect(),
            rule: prepare.rule,
            changes: prepare.changes.iter().map(DecidedChange::of).collect(),
            decided_at_ms: unix_ms,
        }
    }
}

/// A change of a committed round, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecidedChange {
    /// The file.
    pub path: BookPath,
    /// Its digest after the round; none after a delete.
    pub digest: Option<Digest>,
    /// Its size in bytes after the round.
    pub size: u64,
    /// The change.
    pub id: ChangeId,
    /// The digest of the client's request.
    pub fingerprint: Digest,
    /// What the app-server wants back with the answer.
    pub answer: String,
}

impl DecidedChange {
    /// What a decision says of a change.
    #[must_use]
    pub fn of(change: &Change) -> Self {
        Self {
            path: change.path,
            digest: change.action.digest(),
            size: change.action.size(),
            id: change.id.clone(),
            fingerprint: change.fingerprint,
            answer: change.answer.clone(),
        }
    }

    /// The file's record after the round; none after a delete.
    #[must_use]
    pub fn record(&self, version: Version) -> Option<Record> {
        self.digest.map(|digest| Record { digest, size: self.size, version })
    }

    /// The answer to this change.
    #[must_use]
    pub fn answer(&self, decision: &Decision) -> CommittedAnswer {
        CommittedAnswer {
            change: self.id.clone(),
            round: decision.round,
            version: decision.version,
            path: self.path,
            digest: self.digest,
            answer: self.answer.clone(),
        }
    }
}
