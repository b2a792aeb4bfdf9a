//! Saves checkpoints off the write path, so that a start redoes little and the log stays bounded.
//!
//! The order is the promise: first the files reach the disk, then the checkpoint that vouches for them, then the log may forget
//! (rule SafeTrim).

use crate::event::Event;
use crate::recovery::{CheckpointHeader, checkpoint_path};
use holder::{Holder, HolderError};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use storage::checkpoint::{self, CheckpointError};
use storage::{DataDirectory, SecretKey};
use two_phase::replicator::{Replicator, ReplicatorState};
use two_phase::{LogSequence, Manifest, write_checkpoint};

/// When the last checkpoint was taken, and how to save the next.
pub(crate) struct Checkpoints {
    saver: Arc<Saver>,
    key: Option<SecretKey>,
    covered: LogSequence,
    next_ticket: u64,
    bytes_since: u64,
    saving: bool,
}

/// Writes checkpoints, from any thread, and never an older one over a newer one.
struct Saver {
    path: PathBuf,
    holder: Arc<Holder>,
    /// The ticket of the newest checkpoint that was saved: tickets are drawn in the order in which states were taken.
    newest: Mutex<u64>,
}

/// A state on its way to the disk.
struct Draft {
    ticket: u64,
    key: SecretKey,
    header: CheckpointHeader,
    manifest: Manifest,
}

impl Checkpoints {
    pub(crate) fn new(directory: &DataDirectory, key: Option<SecretKey>, holder: Arc<Holder>) -> Self {
        let saver = Saver { path: checkpoint_path(directory), holder, newest: Mutex::new(0) };
        Self { saver: Arc::new(saver), key, covered: LogSequence::ZERO, next_ticket: 1, bytes_since: 0, saving: false }
    }

    pub(crate) fn key(&self) -> Option<&SecretKey> {
        self.key.as_ref()
    }

    pub(crate) fn set_key(&mut self, key: SecretKey) {
        self.key = Some(key);
    }

    pub(crate) fn appended(&mut self, bytes: usize) {
        self.bytes_since += bytes as u64;
    }

    pub(crate) fn bytes_since(&self) -> u64 {
        self.bytes_since
    }

    pub(crate) fn saved(&mut self) {
        self.saving = false;
    }

    /// Saves a checkpoint in the background, if there is something new and none is being saved.
    pub(crate) fn save_in_background(&mut self, core: &Replicator, events: &Sender<Event>) {
        let Some(draft) = self.snapshot(core) else { return };
        self.saving = true;
        let (saver, events) = (Arc::clone(&self.saver), events.clone());
        std::thread::spawn(move || {
            let event = match saver.save(&draft) {
                Ok(()) => Event::CheckpointSaved { sequence: draft.header.sequence },
                // Whatever was to be made durable may be lost, and the system will not say so a second time.
                Err(SaveError::Files(error @ HolderError::Files(_))) => {
                    Event::FilesFailed { reason: error.to_string() }
                }
                Err(error) => Event::CheckpointFailed { reason: error.to_string() },
            };
            let _ = events.send(event);
        });
    }

    /// Saves a checkpoint before the process ends.
    pub(crate) fn save_now(&mut self, core: &Replicator) {
        if let Some(Err(error)) = self.snapshot(core).map(|draft| self.saver.save(&draft)) {
            tracing::warn!(%error, "no checkpoint was saved at the end; the next start redoes more of the log");
        }
    }

    /// Saves the state that a catch-up has led to. All records so far are behind it.
    pub(crate) fn save_installed(&mut self, state: &ReplicatorState, sequence: LogSequence) -> Result<(), String> {
        let key = self.key.clone().ok_or("the coordinator has not told the data key")?;
        let header = CheckpointHeader { sequence, state: state.header() };
        let draft = Draft { ticket: self.draw_ticket(), key, header, manifest: state.manifest.clone() };
        self.saver.save(&draft).map_err(|error| error.to_string())?;
        (self.covered, self.bytes_since) = (sequence, 0);
        Ok(())
    }

    fn snapshot(&mut self, core: &Replicator) -> Option<Draft> {
        let sequence = core.checkpoint_sequence().filter(|sequence| *sequence > self.covered && !self.saving)?;
        let key = self.key.clone()?;
        (self.covered, self.bytes_since) = (sequence, 0);
        let header = CheckpointHeader { sequence, state: core.state().header() };
        Some(Draft { ticket: self.draw_ticket(), key, header, manifest: core.state().manifest.clone() })
    }

    fn draw_ticket(&mut self) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        ticket
    }
}

/// Why a checkpoint was not saved.
#[derive(Debug, thiserror::Error)]
enum SaveError {
    #[error(transparent)]
    Files(#[from] HolderError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl Saver {
    fn save(&self, draft: &Draft) -> Result<(), SaveError> {
        self.holder.sync()?;
        let text = write_checkpoint(&draft.header, &draft.manifest);
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if draft.ticket > *newest {
            checkpoint::save(&self.path, &draft.key, text.as_bytes())?;
            *newest = draft.ticket;
        }
        Ok(())
    }
}
