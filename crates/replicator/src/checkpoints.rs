//! Saves checkpoints off the write path, so that a start redoes little and the log stays bounded.
//!
//! The order is the promise: first the files reach the disk, then the checkpoint that vouches for them, then the log may forget
//! (rule SafeTrim).

use crate::event::Event;
use crate::recovery::{CheckpointHeader, checkpoint_path};
use holder::Holder;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use storage::{DataDirectory, SecretKey, checkpoint};
use two_phase::replicator::{Replicator, ReplicatorState};
use two_phase::{LogSequence, Manifest, write_checkpoint};

/// When the last checkpoint was taken, and how to save the next.
pub(crate) struct Checkpoints {
    path: PathBuf,
    key: Option<SecretKey>,
    holder: Arc<Holder>,
    covered: LogSequence,
    bytes_since: u64,
    saving: bool,
}

impl Checkpoints {
    pub(crate) fn new(directory: &DataDirectory, key: Option<SecretKey>, holder: Arc<Holder>) -> Self {
        let path = checkpoint_path(directory);
        Self { path, key, holder, covered: LogSequence::ZERO, bytes_since: 0, saving: false }
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
        let Some((key, header, manifest)) = self.snapshot(core) else { return };
        self.saving = true;
        let (path, holder, events) = (self.path.clone(), Arc::clone(&self.holder), events.clone());
        std::thread::spawn(move || {
            let event = match save(&path, &key, &holder, &header, &manifest) {
                Ok(()) => Event::CheckpointSaved { sequence: header.sequence },
                Err(reason) => Event::CheckpointFailed { reason },
            };
            let _ = events.send(event);
        });
    }

    /// Saves a checkpoint before the process ends.
    pub(crate) fn save_now(&mut self, core: &Replicator) {
        let saved =
            self.snapshot(core).map(|(key, header, manifest)| save(&self.path, &key, &self.holder, &header, &manifest));
        if let Some(Err(reason)) = saved {
            tracing::warn!(reason, "no checkpoint was saved at the end; the next start redoes more of the log");
        }
    }

    /// Saves the state that a catch-up has led to. All records so far are behind it.
    pub(crate) fn save_installed(&mut self, state: &ReplicatorState, sequence: LogSequence) -> Result<(), String> {
        let key = self.key.clone().ok_or("the coordinator has not told the data key")?;
        let header = CheckpointHeader { sequence, state: state.header() };
        save(&self.path, &key, &self.holder, &header, &state.manifest)?;
        (self.covered, self.bytes_since) = (sequence, 0);
        Ok(())
    }

    fn snapshot(&mut self, core: &Replicator) -> Option<(SecretKey, CheckpointHeader, Manifest)> {
        let sequence = core.checkpoint_sequence().filter(|sequence| *sequence > self.covered && !self.saving)?;
        let key = self.key.clone()?;
        (self.covered, self.bytes_since) = (sequence, 0);
        let header = CheckpointHeader { sequence, state: core.state().header() };
        Some((key, header, core.state().manifest.clone()))
    }
}

fn save(
    path: &Path,
    key: &SecretKey,
    holder: &Holder,
    header: &CheckpointHeader,
    manifest: &Manifest,
) -> Result<(), String> {
    holder.sync().map_err(|error| error.to_string())?;
    let text = write_checkpoint(header, manifest);
    checkpoint::save(path, key, text.as_bytes()).map_err(|error| error.to_string())
}
