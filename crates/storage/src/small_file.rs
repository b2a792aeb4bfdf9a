//! Small files of a service's own that are read whole and replaced whole, durably: who it is, what it has accepted.

use crate::replaced_file;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A small file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {}: {source}", path.display())]
pub struct SmallFileError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// The content of the file, or nothing if there is none.
///
/// # Errors
/// If it is there and cannot be read.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, SmallFileError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SmallFileError { path: path.to_owned(), source }),
    }
}

/// Replaces or makes the file, mode 0600. It is durable when this returns; if it fails, nothing has changed.
///
/// # Errors
/// What the system said.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), SmallFileError> {
    replaced_file::replace(path, |file| file.write_all(content))
        .map_err(|source| SmallFileError { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_nothing_and_one_that_was_replaced_reads_back() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("identity");
        assert_eq!(read(&path).unwrap(), None);
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap(), Some(b"two".to_vec()));
        assert!(read(home.path()).is_err());
    }
}
