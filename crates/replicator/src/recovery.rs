//! From a data directory to a core: identity, checkpoint, log.
//!
//! Rule NoAmnesia decides what a memory is worth: a whole one continues; one with a torn tail is used, but unconfirmed; one that is
//! damaged, edited, copied or missing is given up, with a new incarnation, and the replicator catches up. Book files on disk are kept in
//! any case: what is right among them need not be fetched.

use crate::settings::Settings;
use protocol::{Incarnation, MemberId};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use storage::book_files::BookFilesError;
use storage::checkpoint;
use storage::directory::DirectoryError;
use storage::file_writer::FileWriterError;
use storage::log::{Log, LogEnd, LogError, LogOptions};
use storage::quarantine::QuarantineError;
use storage::secret_file::{self, SecretFileError};
use storage::small_file::{self, SmallFileError};
use storage::{DataDirectory, SecretKey};
use two_phase::replicator::{
    LogFound, Replicator, ReplicatorHeader, ReplicatorIdentity, ReplicatorRecord, ReplicatorState,
};
use two_phase::{LogSequence, read_checkpoint};

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The log cannot be opened.
    #[error("the log cannot be opened: {0}")]
    Log(#[from] LogError),
    /// The data key.
    #[error(transparent)]
    Key(#[from] SecretFileError),
    /// The identity cannot be read or written.
    #[error(transparent)]
    Identity(#[from] SmallFileError),
    /// The book files.
    #[error(transparent)]
    Files(#[from] BookFilesError),
    /// Their writer.
    #[error(transparent)]
    Writer(#[from] FileWriterError),
    /// The quarantine.
    #[error(transparent)]
    Quarantine(#[from] QuarantineError),
    /// The directory is another member's.
    #[error("{} holds the data of {found}, not of {given}; give --data or --id of one and the same replicator", path.display())]
    OtherMember {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        found: MemberId,
        /// Who was started.
        given: MemberId,
    },
}

/// How the first record of this start goes into the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstAppend {
    /// Behind the last one.
    Plain,
    /// In the place of a torn one.
    AfterTornTail,
    /// Into a log that begins anew.
    Reset,
}

/// What a replicator starts from.
pub(crate) struct Recovered {
    pub directory: DataDirectory,
    pub log: Log,
    pub first_append: FirstAppend,
    pub core: Replicator,
    pub key: Option<SecretKey>,
}

/// Who this directory belongs to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityFile {
    member: MemberId,
    incarnation: Incarnation,
}

/// The first line of a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckpointHeader {
    /// All records up to this one are in the checkpoint.
    pub sequence: LogSequence,
    /// The state.
    pub state: ReplicatorHeader,
}

pub(crate) fn checkpoint_path(directory: &DataDirectory) -> PathBuf {
    directory.path().join("checkpoint")
}

pub(crate) fn key_path(directory: &DataDirectory) -> PathBuf {
    directory.path().join("data.key")
}

/// Opens the data directory and reads what it holds.
pub(crate) fn recover(settings: &Settings, member: &MemberId) -> Result<Recovered, RecoveryError> {
    let directory = DataDirectory::open(&settings.process.data, "replicator")?;
    let known = read_identity(&directory, member)?;
    let key = secret_file::load(&key_path(&directory))?;
    let checkpoint = load_checkpoint(&directory, key.as_ref());
    let covered = match &checkpoint {
        Ok(Some((header, _))) => header.sequence,
        Ok(None) | Err(_) => LogSequence::ZERO,
    };
    let mut records = Vec::new();
    let mut unreadable = None;
    let options = LogOptions { segment_bytes: settings.log_segment_bytes };
    let from = storage::LogSequence::new(covered.0 + 1);
    let (log, found) = Log::open(&directory, options, from, &mut |sequence, payload| match serde_json::from_slice::<
        ReplicatorRecord,
    >(payload)
    {
        Ok(record) => records.push((LogSequence(sequence.value()), record)),
        Err(error) => unreadable = Some(format!("record {} is not one: {error}", sequence.value())),
    })?;
    let last = LogSequence(found.last.value()).max(covered);
    let damage = match (&found.end, &checkpoint) {
        _ if directory.is_copy() => {
            Some("its data directory is a copy, and what happened since is not in it".to_owned())
        }
        (LogEnd::Damaged(damage), _) => Some(damage.to_string()),
        (_, Err(reason)) => Some(reason.clone()),
        _ => unreadable,
    };
    let address = settings.address_for_peers().expect("the address was read when the settings were loaded");
    let identity = |incarnation| ReplicatorIdentity { member: member.clone(), incarnation, address: address.clone() };
    let (core, first_append) = match (known, damage) {
        (Some(known), None) => {
            let torn = matches!(found.end, LogEnd::TornTail { .. });
            let state = checkpoint.ok().flatten().map_or_else(ReplicatorState::empty, |(_, state)| state);
            let (how, found) = if torn {
                (FirstAppend::AfterTornTail, LogFound::TornTail)
            } else {
                (FirstAppend::Plain, LogFound::Whole)
            };
            (Replicator::recover(identity(known.incarnation), state, covered, records, found), how)
        }
        (known, damage) => {
            // The identity goes first: from here on nobody counts on the old memory, wherever a crash strikes.
            let how = match (&damage, known.is_some() || last > LogSequence::ZERO) {
                (None, false) => FirstAppend::Plain,
                _ => FirstAppend::Reset,
            };
            if let Some(damage) = &damage {
                tracing::error!(damage, "this replicator's memory is given up; it will catch up from the others");
            }
            let new = write_new_identity(&directory, member)?;
            if directory.is_copy() {
                directory.make_own()?;
            }
            (Replicator::new(identity(new), last), how)
        }
    };
    let core = core.with_peer_pacing(settings.peer_pacing());
    Ok(Recovered { directory, log, first_append, core, key })
}

fn read_identity(directory: &DataDirectory, given: &MemberId) -> Result<Option<IdentityFile>, RecoveryError> {
    let path = directory.path().join("identity");
    let Some(text) = small_file::read(&path)? else { return Ok(None) };
    match serde_json::from_slice::<IdentityFile>(&text) {
        Ok(identity) if identity.member == *given => Ok(Some(identity)),
        Ok(IdentityFile { member: found, .. }) => {
            Err(RecoveryError::OtherMember { path: directory.path().to_owned(), found, given: given.clone() })
        }
        Err(_) => Ok(None),
    }
}

fn write_new_identity(directory: &DataDirectory, member: &MemberId) -> Result<Incarnation, RecoveryError> {
    let incarnation = Incarnation(uuid::Uuid::new_v4());
    let identity = IdentityFile { member: member.clone(), incarnation };
    let text = serde_json::to_vec(&identity).expect("an identity has only text");
    small_file::replace(&directory.path().join("identity"), &text)?;
    Ok(incarnation)
}

/// The checkpoint, if there is one. An error is a sentence: the memory cannot be trusted.
fn load_checkpoint(
    directory: &DataDirectory,
    key: Option<&SecretKey>,
) -> Result<Option<(CheckpointHeader, ReplicatorState)>, String> {
    let path = checkpoint_path(directory);
    let Some(key) = key else {
        let exists = path.exists();
        return if exists {
            Err("there is a checkpoint, but no data key to check it with".to_owned())
        } else {
            Ok(None)
        };
    };
    let Some(bytes) = checkpoint::load(&path, key).map_err(|error| error.to_string())? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|error| error.to_string())?;
    let (header, manifest) = read_checkpoint::<CheckpointHeader>(&text).map_err(|error| error.to_string())?;
    if manifest.root() != header.state.root {
        return Err("the checkpoint's manifest does not have the root that it names".to_owned());
    }
    let state = ReplicatorState::from_checkpoint(header.state.clone(), manifest);
    Ok(Some((header, state)))
}
