//! From a data directory to a core: checkpoint, log, keys.
//!
//! A decision log that is damaged is not repaired by guessing (rule NoStaleCoordinator): the coordinator does not start. A torn
//! tail is what a crash leaves of a record that was never synced; nothing was said on its strength, and it is given up.

use crate::settings::Settings;
use protocol::{ClusterId, View};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use storage::checkpoint::{self, CheckpointError};
use storage::directory::DirectoryError;
use storage::log::{Log, LogEnd, LogError, LogOptions};
use storage::secret_file::{self, SecretFileError};
use storage::{DataDirectory, SecretKey};
use two_phase::coordinator::{CoordinatorHeader, CoordinatorRecord, CoordinatorState, ImpossibleRecord};
use two_phase::{InvalidCheckpoint, LogSequence, read_checkpoint};

/// Why a data directory cannot be used or believed.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The log cannot be opened.
    #[error("the decision log cannot be opened: {0}")]
    Log(#[from] LogError),
    /// The data key.
    #[error(transparent)]
    Key(#[from] SecretFileError),
    /// The checkpoint cannot be read.
    #[error("the checkpoint cannot be used: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is not one.
    #[error("the checkpoint cannot be used: {0}")]
    CheckpointText(#[from] InvalidCheckpoint),
    /// The log is damaged.
    #[error(
        "the decision log cannot be believed: {0}. This coordinator presumes nothing and runs no rounds. Put back an intact \
         copy of the directory if there is one; the replicators keep what they have prepared and committed"
    )]
    Damaged(String),
    /// A record cannot follow those before it.
    #[error("the decision log cannot be believed: {0}")]
    Impossible(#[from] ImpossibleRecord),
}

/// What a coordinator starts from.
pub(crate) struct Recovered {
    pub directory: DataDirectory,
    pub key: SecretKey,
    pub log: Log,
    /// The log ended in a torn record: the first record of this start replaces it.
    pub torn: bool,
    pub state: CoordinatorState,
    pub last: LogSequence,
}

/// The first line of a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckpointHeader {
    /// All records up to this one are in the checkpoint.
    pub sequence: LogSequence,
    /// The oldest record that a start needs beside it: older decisions have answers that clients may still ask for.
    pub log_from: LogSequence,
    /// The state.
    pub state: CoordinatorHeader,
}

/// The checkpoint's file.
pub(crate) fn checkpoint_path(directory: &DataDirectory) -> PathBuf {
    directory.path().join("checkpoint")
}

/// Opens the data directory and reads what it holds.
pub(crate) fn recover(settings: &Settings, first: View) -> Result<Recovered, RecoveryError> {
    let directory = DataDirectory::open(&settings.process.data, "coordinator")?;
    let key = secret_file::load_or_create(&directory.path().join("data.key"))?;
    let (mut state, log_from, covered) = match load_checkpoint(&directory, &key)? {
        Some((header, state)) => (state, header.log_from, header.sequence),
        None => {
            let cluster = ClusterId(uuid::Uuid::new_v4());
            (CoordinatorState::new(cluster, first.clone()), LogSequence(1), LogSequence::ZERO)
        }
    };
    let mut problem = None;
    let options = LogOptions { segment_bytes: settings.log_segment_bytes };
    let from = storage::LogSequence::new(log_from.0);
    let (log, recovered) = Log::open(&directory, options, from, &mut |sequence, payload| {
        if problem.is_none() {
            problem = apply(&mut state, LogSequence(sequence.value()), payload).err();
        }
    })?;
    if let Some(problem) = problem {
        return Err(problem);
    }
    let last = LogSequence(recovered.last.value());
    match recovered.end {
        LogEnd::Damaged(damage) => return Err(RecoveryError::Damaged(damage.to_string())),
        _ if last < covered => return Err(RecoveryError::Damaged("it ends before its checkpoint".to_owned())),
        LogEnd::Clean | LogEnd::TornTail { .. } => {}
    }
    let torn = matches!(recovered.end, LogEnd::TornTail { .. });
    Ok(Recovered { directory, key, log, torn, state, last })
}

fn load_checkpoint(
    directory: &DataDirectory,
    key: &SecretKey,
) -> Result<Option<(CheckpointHeader, CoordinatorState)>, RecoveryError> {
    let Some(bytes) = checkpoint::load(&checkpoint_path(directory), key)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|error| InvalidCheckpoint { line: 1, reason: error.to_string() })?;
    let (header, manifest) = read_checkpoint::<CheckpointHeader>(&text)?;
    let state = CoordinatorState::from_checkpoint(header.state.clone(), manifest);
    Ok(Some((header, state)))
}

fn apply(state: &mut CoordinatorState, sequence: LogSequence, payload: &[u8]) -> Result<(), RecoveryError> {
    let record: CoordinatorRecord = serde_json::from_slice(payload)
        .map_err(|error| RecoveryError::Damaged(format!("record {} is not one: {error}", sequence.0)))?;
    Ok(state.apply(record, sequence, 0)?)
}
