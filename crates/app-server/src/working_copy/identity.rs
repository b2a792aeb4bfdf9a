//! What the copy must remember at once, apart from its catalogue: who it is, whom it obeys, and whether it ended well.

use protocol::{ClusterId, Incarnation};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use storage::SecretKey;
use storage::checkpoint::{self, CheckpointError};
use two_phase::Fence;
use uuid::Uuid;

const NAME: &str = "identity";

/// The small file beside the checkpoint. It is replaced as a whole, durably.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Identity {
    /// The memory that this directory is.
    pub(super) incarnation: Incarnation,
    /// The cluster; none while the copy is new.
    pub(super) cluster: Option<ClusterId>,
    /// Which coordinator is listened to (rule EpochFence).
    pub(super) fence: Fence,
    /// Whether everything was written out when the process ended. While one runs this is false.
    pub(super) ended_well: bool,
}

/// The identity and where it is kept.
#[derive(Debug)]
pub(super) struct IdentityFile {
    path: PathBuf,
    key: SecretKey,
    pub(super) identity: Identity,
}

impl IdentityFile {
    /// Reads the identity, or makes a new one. Gives also whether everything in the directory can be accounted for.
    pub(super) fn open(folder: &Path, key: SecretKey) -> Result<(Self, bool), CheckpointError> {
        let path = folder.join(NAME);
        let read = match checkpoint::load(&path, &key) {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(%error, "this app-server does not know any more who it is, and starts as a new one");
                None
            }
        };
        let identity: Option<Identity> = read.and_then(|text| serde_json::from_slice(&text).ok());
        let ended_well = identity.as_ref().is_some_and(|identity| identity.ended_well);
        let identity = identity.unwrap_or_else(|| Identity {
            incarnation: Incarnation(Uuid::new_v4()),
            cluster: None,
            fence: Fence::default(),
            ended_well: false,
        });
        let mut file = Self { path, key, identity };
        file.change(|identity| identity.ended_well = false)?;
        Ok((file, ended_well))
    }

    /// Changes the identity; durable when this returns.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Identity)) -> Result<(), CheckpointError> {
        change(&mut self.identity);
        let text = serde_json::to_vec(&self.identity).expect("an identity has only text keys and plain values");
        checkpoint::save(&self.path, &self.key, &text)
    }
}
