//! From a data directory to a core: checkpoint, log, keys.
//!
//! A decision log that is damaged, or is a copy, is not repaired by guessing (rule NoStaleCoordinator): the coordinator starts on what
//! can be read of it, unsure, and leaves the disk as it is until an operator has it recovered. A torn tail is what a crash leaves
//! of a record that was never synced; nothing was said on its strength, and it is given up.

use crate::settings::Settings;
use protocol::{ClusterId, View};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use storage::checkpoint;
use storage::directory::DirectoryError;
use storage::log::{Log, LogEnd, LogError, LogOptions};
use storage::secret_file::{self, SecretFileError};
use storage::{DataDirectory, SecretKey};
use two_phase::coordinator::{CoordinatorHeader, CoordinatorRecord, CoordinatorState, LogDoubt};
use two_phase::{LogSequence, read_checkpoint};

/// Why a data directory cannot be used.
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
    /// Why what is on the disk must not be believed; none if it is.
    pub doubt: Option<LogDoubt>,
}

fn damaged(reason: impl std::fmt::Display) -> LogDoubt {
    LogDoubt { reason: format!("its decision log cannot be believed: {reason}"), is_damaged: true }
}

fn copied() -> LogDoubt {
    let reason = "its data directory is a copy, and what was decided since it was made is not in it".to_owned();
    LogDoubt { reason, is_damaged: false }
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
pub(crate) fn recover(settings: &Settings, first: &View) -> Result<Recovered, RecoveryError> {
    let directory = DataDirectory::open(&settings.process.data, "coordinator")?;
    let key = secret_file::load_or_create(&directory.path().join("data.key"))?;
    let (checkpoint, mut doubt) = match load_checkpoint(&directory, &key) {
        Ok(checkpoint) => (checkpoint, None),
        Err(reason) => (None, Some(damaged(format!("the checkpoint cannot be used: {reason}")))),
    };
    let (mut state, log_from, covered) = match checkpoint {
        Some((header, state)) => (state, header.log_from, header.sequence),
        None => {
            let cluster = ClusterId(uuid::Uuid::new_v4());
            (CoordinatorState::new(cluster, first.clone()), LogSequence(1), LogSequence::ZERO)
        }
    };
    let options = LogOptions { segment_bytes: settings.log_segment_bytes };
    let from = storage::LogSequence::new(log_from.0);
    let (log, found) = Log::open(&directory, options, from, &mut |sequence, payload| {
        if doubt.is_none() {
            doubt = apply(&mut state, LogSequence(sequence.value()), payload).err().map(damaged);
        }
    })?;
    let last = LogSequence(found.last.value());
    let torn = matches!(found.end, LogEnd::TornTail { .. });
    let doubt = doubt.or_else(|| match found.end {
        LogEnd::Damaged(damage) => Some(damaged(damage)),
        _ if last < covered => Some(damaged("it ends before its checkpoint")),
        LogEnd::Clean | LogEnd::TornTail { .. } => directory.is_copy().then(copied),
    });
    Ok(Recovered { directory, key, log, torn, state, last: last.max(covered), doubt })
}

/// The checkpoint, if there is one. An error is a clause.
fn load_checkpoint(
    directory: &DataDirectory,
    key: &SecretKey,
) -> Result<Option<(CheckpointHeader, CoordinatorState)>, String> {
    let bytes = checkpoint::load(&checkpoint_path(directory), key).map_err(|error| error.to_string())?;
    let Some(bytes) = bytes else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|error| error.to_string())?;
    let (header, manifest) = read_checkpoint::<CheckpointHeader>(&text).map_err(|error| error.to_string())?;
    if manifest.root() != header.state.root {
        return Err("its manifest does not have the root that it names".to_owned());
    }
    let state = CoordinatorState::from_checkpoint(header.state.clone(), manifest, 0);
    Ok(Some((header, state)))
}

fn apply(state: &mut CoordinatorState, sequence: LogSequence, payload: &[u8]) -> Result<(), String> {
    let record: CoordinatorRecord =
        serde_json::from_slice(payload).map_err(|error| format!("record {} is not one: {error}", sequence.0))?;
    state.apply(record, sequence, 0).map_err(|error| error.to_string())
}
