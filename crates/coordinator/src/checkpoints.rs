//! Saves checkpoints off the write path, so that a start reads little and the log stays bounded.
//!
//! The runtime thread hands over a snapshot (cheap: the manifest's buckets are shared); a thread of its own writes it out; only
//! when it is durable is the log trimmed behind it (rule SafeTrim).

use crate::event::Event;
use crate::recovery::{CheckpointHeader, checkpoint_path};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use storage::checkpoint::{self, CheckpointError};
use storage::{DataDirectory, SecretKey};
use two_phase::coordinator::{Coordinator, CoordinatorState};
use two_phase::{LogSequence, Manifest, write_checkpoint};

/// When the last checkpoint was taken, and how to save the next.
pub(crate) struct Checkpoints {
    path: PathBuf,
    key: SecretKey,
    covered: LogSequence,
    bytes_since: u64,
    saving: bool,
}

impl Checkpoints {
    pub(crate) fn new(directory: &DataDirectory, key: SecretKey) -> Self {
        Self { path: checkpoint_path(directory), key, covered: LogSequence::ZERO, bytes_since: 0, saving: false }
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
    pub(crate) fn save_in_background(&mut self, core: &Coordinator, events: &Sender<Event>) {
        let Some((header, manifest)) = self.snapshot(core) else { return };
        self.saving = true;
        let (path, key, events) = (self.path.clone(), self.key.clone(), events.clone());
        std::thread::spawn(move || {
            let log_from = header.log_from;
            let text = write_checkpoint(&header, &manifest);
            let event = match checkpoint::save(&path, &key, text.as_bytes()) {
                Ok(()) => Event::CheckpointSaved { log_from },
                Err(error) => Event::CheckpointFailed { reason: error.to_string() },
            };
            let _ = events.send(event);
        });
    }

    /// Saves a checkpoint before the process ends.
    pub(crate) fn save_now(&mut self, core: &Coordinator) {
        if let Some((header, manifest)) = self.snapshot(core) {
            let text = write_checkpoint(&header, &manifest);
            if let Err(error) = checkpoint::save(&self.path, &self.key, text.as_bytes()) {
                tracing::warn!(%error, "no checkpoint was saved at the end; the next start reads more of the log");
            }
        }
    }

    /// Saves the state that a recovery has led to. A start reads it instead of everything that the log has said before.
    pub(crate) fn save_rebuilt(
        &self,
        state: &CoordinatorState,
        sequence: LogSequence,
        log_from: LogSequence,
    ) -> Result<(), CheckpointError> {
        let header = CheckpointHeader { sequence, log_from, state: state.header() };
        checkpoint::save(&self.path, &self.key, write_checkpoint(&header, &state.manifest).as_bytes())
    }

    fn snapshot(&mut self, core: &Coordinator) -> Option<(CheckpointHeader, Manifest)> {
        let sequence = core.checkpoint_sequence().filter(|sequence| *sequence > self.covered && !self.saving)?;
        (self.covered, self.bytes_since) = (sequence, 0);
        let log_from = core.oldest_record_needed().map_or(sequence.next(), |oldest| oldest.min(sequence.next()));
        let header = CheckpointHeader { sequence, log_from, state: core.state().header() };
        Some((header, core.state().manifest.clone()))
    }
}
