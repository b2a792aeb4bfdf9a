//! The files of somebody who holds a copy of the catalogue: what is really on the disk, and how it is mended.
//!
//! Used by replicators and app-servers alike, for restores ([`Holder::answer`], [`Holder::heal`]), for scrubs ([`Holder::read_for_scrub`]) and for catch-ups
//! ([`Holder::find_missing`], [`Holder::store_fetched`], [`Holder::remove`]). It decides nothing about rounds, ballots or
//! records: what a file must hold is told by the caller.
//!
//! # Why no newer write is ever overwritten (rules NoRollback and NoResurrection)
//!
//! Committed writes go through [`Holder::apply`], in the order of their rounds, and reach the files in the background.
//! Mending goes past that queue. Whoever is about to mend takes a [`Claim`] on the paths **on the thread that applies
//! rounds**, where it is known that the record is the newest; the slow work may then be done on any thread. A round that
//! touches a claimed path before it was mended takes it out of the claim, and the mending of that path is left alone. One
//! that comes later is written later.

mod catch_up;
mod claim;
mod error;
mod heal;
mod inspection;
mod scrub;
#[cfg(test)]
mod tests;

pub use catch_up::Expected;
pub use claim::Claim;
pub use error::HolderError;
pub use inspection::Elsewhere;
pub use scrub::{Look, Reading, Shelf};

use catalogue::BookPath;
use claim::Claims;
use faults::{CrashPoint, crash_point};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use storage::file_writer::FileWrite;
use storage::{BookFiles, FileWriter, Quarantine};

/// How much of the machine and of the caller's time the file work may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HolderSettings {
    /// Threads that read files during a scan.
    pub scan_threads: usize,
    /// How long to wait for the backlog of committed writes before a scan. Longer than a full backlog takes on a slow disk.
    pub flush_timeout: Duration,
}

impl Default for HolderSettings {
    fn default() -> Self {
        // Reading is bound by the disk or, from the page cache, by hashing: two threads leave room for the service itself.
        Self { scan_threads: 2, flush_timeout: Duration::from_secs(60) }
    }
}

/// The book files of one data directory, their writer, and the quarantine for bytes that are replaced.
pub struct Holder {
    files: BookFiles,
    writer: FileWriter,
    quarantine: Quarantine,
    settings: HolderSettings,
    claims: Arc<Mutex<Claims>>,
    /// The paths that the last scan found, by bucket, so that listing a few buckets does not read all files again.
    scanned: Mutex<Option<Vec<Vec<BookPath>>>>,
}

impl Holder {
    /// Takes over the files. From now on every committed write must come through [`Holder::apply`].
    #[must_use]
    pub fn new(files: BookFiles, writer: FileWriter, quarantine: Quarantine, settings: HolderSettings) -> Self {
        Self { files, writer, quarantine, settings, claims: Arc::default(), scanned: Mutex::new(None) }
    }

    /// Puts committed writes into the backlog, in the order of the calls; `token` as [`FileWriter::apply`] has it.
    pub fn apply(&self, batch: Vec<FileWrite>, token: u64) {
        // Under the lock, so that no mending slips in between the look at its claim and its write.
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        claims.touch(batch.iter().map(|write| write.path));
        self.writer.apply(batch, token);
    }

    /// Claims paths for mending. To be called on the thread that calls [`Holder::apply`].
    #[must_use]
    pub fn claim(&self, paths: impl IntoIterator<Item = BookPath>) -> Claim {
        Claim::new(&self.claims, paths)
    }

    /// Waits until every write that was applied so far is in the files.
    ///
    /// # Errors
    /// If the writer has failed or needs longer than the settings allow.
    pub fn flush(&self) -> Result<(), HolderError> {
        Ok(self.writer.flush(self.settings.flush_timeout)?)
    }

    /// Makes durable what the files show now, after a flush.
    ///
    /// # Errors
    /// If the writer or the disk failed. After a failed sync nothing on the disk can be believed.
    pub fn sync(&self) -> Result<(), HolderError> {
        self.flush()?;
        crash_point::reach(CrashPoint::FilesFlushed);
        self.files.sync()?;
        crash_point::reach(CrashPoint::FilesSynced);
        Ok(())
    }

    /// The files.
    #[must_use]
    pub fn files(&self) -> &BookFiles {
        &self.files
    }

    /// The backlog of committed writes.
    #[must_use]
    pub fn writer(&self) -> &FileWriter {
        &self.writer
    }

    /// The quarantine.
    #[must_use]
    pub fn quarantine(&self) -> &Quarantine {
        &self.quarantine
    }
}

impl std::fmt::Debug for Holder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Holder").field("files", &self.files).finish_non_exhaustive()
    }
}
