//! Where a data directory was made. A copy of a directory holds everything but what happened to the original since: whoever opens one
//! must know that it is one.

use crate::replaced_file;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

const NAME: &str = "place";

/// A directory as its file system knows it: a copy has another number, and was created at another time. Moving a directory within its
/// file system changes neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place(String);

impl Place {
    /// Where this directory is.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn of(directory: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(directory)?;
        // Not every file system remembers it.
        let created = metadata.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let created = created.map(|at| format!(", created {}.{:09}", at.as_secs(), at.subsec_nanos()));
        Ok(Self(format!("inode {}{}\n", metadata.ino(), created.unwrap_or_default())))
    }

    /// Where it was when that was last written down; none if it never was.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn recorded(directory: &Path) -> io::Result<Option<Self>> {
        match fs::read_to_string(directory.join(NAME)) {
            Ok(text) => Ok(Some(Self(text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes it down, durably.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn record(&self, directory: &Path) -> io::Result<()> {
        replaced_file::replace(&directory.join(NAME), |file| file.write_all(self.0.as_bytes()))
    }
}
