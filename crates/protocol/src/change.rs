//! A change of one file, as a client asked for it, and what is submitted together.

use crate::{ChangeId, Content, Digest};
use catalogue::BookPath;
use serde::{Deserialize, Serialize};

/// What a change does to its file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Write these exact bytes.
    Put {
        /// The bytes.
        content: Content,
        /// Their SHA-256, as the client's app-server computed it.
        digest: Digest,
    },
    /// Remove the file. It must exist.
    Delete,
}

impl Action {
    /// The digest of the file after this change; none after a delete.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        match self {
            Self::Put { digest, .. } => Some(*digest),
            Self::Delete => None,
        }
    }

    /// The bytes of the file after this change; none after a delete.
    #[must_use]
    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::Put { content, .. } => Some(content),
            Self::Delete => None,
        }
    }

    /// The size in bytes of the file after this change; 0 after a delete.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Put { content, .. } => content.size(),
            Self::Delete => 0,
        }
    }
}

/// What must hold of the file before the change, or the change is refused without touching any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precondition {
    /// Nothing.
    None,
    /// There is no such file.
    Absent,
    /// There is such a file, whatever it holds.
    Present,
    /// The file holds exactly these bytes.
    Digest(Digest),
}

/// A put or a delete of one file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Change {
    /// The client's key: applied at most once (rule Once).
    pub id: ChangeId,
    /// A digest of the client's request: the same key with another request is refused.
    pub fingerprint: Digest,
    /// The file.
    pub path: BookPath,
    /// What must hold before.
    pub precondition: Precondition,
    /// What the app-server wants back with the answer, also after a crash of the coordinator. Opaque to all others.
    pub answer: String,
    /// What is done.
    #[serde(flatten)]
    pub action: Action,
}

/// Changes that are committed together or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// The changes; no path twice.
    pub changes: Vec<Change>,
    /// Carry the round to the vote and then abort it: the older system's ABORT button.
    #[serde(default)]
    pub force_abort: bool,
}
