//! What a scrub does with files: names them, reads them, and compares what was read with what must be there.
//!
//! Files change while they are looked at. Nothing is called damaged on the strength of one look: [`Look`] says what must be known
//! from before and after a reading so that its outcome is certain. Pace, repetition and counting are the caller's.

use crate::{Holder, HolderError};
use catalogue::BookPath;
use protocol::{BucketNumber, Finding, Record, ScrubOutcome};
use std::path::PathBuf;
use std::sync::PoisonError;
use storage::book_files::Listing;

/// One of the folders that books are in. A pass goes from one to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shelf(u8);

impl Shelf {
    /// Every one of them, in order.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        (0..=u8::MAX).map(Self)
    }

    /// The buckets whose files are in this folder, and nowhere else: a bucket is ten bits of a book's id, the folder eight of them.
    #[must_use]
    pub fn buckets(self) -> Vec<BucketNumber> {
        BucketNumber::all().filter(|bucket| u16::from(*bucket) % 256 == u16::from(self.0)).collect()
    }
}

/// What is found where a book's file belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// A file with these bytes.
    Found(Finding),
    /// No file.
    Nothing,
    /// Something whose bytes cannot be had: a bad sector, a link, a folder.
    Unreadable {
        /// What the system said.
        reason: String,
    },
    /// It could not be read, which says nothing about its bytes.
    Failed {
        /// What the system said.
        reason: String,
    },
}

impl Reading {
    /// Whether this is what a record says.
    #[must_use]
    pub fn is(&self, record: &Record) -> bool {
        *self == Self::Found(Finding::of(record))
    }
}

/// A reading and what was known before and after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The record, at a moment before the reading when all writes of committed rounds had been handed over.
    pub before: Option<Record>,
    /// What was read.
    pub reading: Reading,
    /// Whether the file waited to be written, or was being mended, between the two moments.
    pub is_busy: bool,
    /// The record at such a moment after the reading.
    pub after: Option<Record>,
}

impl Look {
    /// What the file is. None if there is no such file and must not be one.
    #[must_use]
    pub fn outcome(&self) -> Option<ScrubOutcome> {
        if self.is_busy || self.before != self.after {
            return Some(ScrubOutcome::Changing);
        }
        match (&self.after, &self.reading) {
            (_, Reading::Failed { .. }) => Some(ScrubOutcome::Unknown),
            (None, Reading::Nothing) => None,
            (None, _) => Some(ScrubOutcome::Extra),
            (Some(record), reading) if reading.is(record) => Some(ScrubOutcome::Clean),
            (Some(_), _) => Some(ScrubOutcome::Damaged),
        }
    }
}

impl Holder {
    /// The names in a folder of books.
    ///
    /// # Errors
    /// If it cannot be listed.
    pub fn list(&self, shelf: Shelf) -> Result<Listing, HolderError> {
        Ok(self.files.list(shelf.0)?)
    }

    /// The names directly in `books/` that are no folder of books.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub fn list_foreign(&self) -> Result<Vec<PathBuf>, HolderError> {
        Ok(self.files.list_foreign()?)
    }

    /// Reads a file as it is on the disk now, whatever waits to be written.
    #[must_use]
    pub fn read_for_scrub(&self, path: BookPath) -> Reading {
        match self.files.digest(path) {
            Ok(Some(digest)) => Reading::Found(crate::inspection::finding_of(digest)),
            Ok(None) => Reading::Nothing,
            Err(error) if error.is_damage() => Reading::Unreadable { reason: error.to_string() },
            Err(error) => Reading::Failed { reason: error.to_string() },
        }
    }

    /// Whether a committed write waits to reach this file, or somebody may be mending it.
    #[must_use]
    pub fn is_busy(&self, path: BookPath) -> bool {
        let is_claimed = self.claims.lock().unwrap_or_else(PoisonError::into_inner).is_held(path);
        is_claimed || self.writer.content_of(path).is_some()
    }
}
