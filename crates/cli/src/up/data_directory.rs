//! The directory of a local cluster: one `concordance up` at a time; its folders say who is there.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::UpError;
use super::plan::replicator_number;

/// A claimed directory; free again when this is dropped, or the process ends.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    path: PathBuf,
    logs: PathBuf,
    _lock: File,
}

impl DataDirectory {
    /// Makes the directory if it is missing and claims it.
    pub(crate) fn claim(path: &Path) -> Result<Self, UpError> {
        let failed = |source| UpError::Directory { path: path.to_owned(), source };
        let logs = path.join("logs");
        std::fs::create_dir_all(&logs).map_err(failed)?;
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(path.join("up.lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(DataDirectory { path: path.to_owned(), logs, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(UpError::DirectoryInUse { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// The replicators that have a directory: those that have been members at some time.
    pub(crate) fn replicators(&self) -> Result<BTreeSet<u16>, UpError> {
        let failed = |source| UpError::Directory { path: self.path.clone(), source };
        let mut found = BTreeSet::new();
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let is_directory = entry.file_type().map_err(failed)?.is_dir();
            found.extend(entry.file_name().to_str().and_then(replicator_number).filter(|_| is_directory));
        }
        Ok(found)
    }

    /// The log of a service.
    pub(crate) fn log(&self, service: &str) -> PathBuf {
        self.logs.join(format!("{service}.log"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_claim_is_refused_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDirectory::claim(folder.path()).unwrap();
        let message = DataDirectory::claim(folder.path()).unwrap_err().to_string();
        assert!(message.contains("in use") && message.contains("--data"), "{message}");
        drop(first);
        DataDirectory::claim(folder.path()).unwrap();
    }

    #[test]
    fn replicators_are_those_with_a_directory() {
        let folder = tempfile::tempdir().unwrap();
        let claimed = DataDirectory::claim(folder.path()).unwrap();
        assert!(claimed.replicators().unwrap().is_empty());
        for name in ["replicator-1", "replicator-12", "replicator-x", "app-server"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("replicator-3"), "").unwrap();
        assert_eq!(claimed.replicators().unwrap(), BTreeSet::from([1, 12]));
    }

    #[test]
    fn file_in_the_place_of_the_directory_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        std::fs::write(&path, "").unwrap();
        assert!(DataDirectory::claim(&path).unwrap_err().to_string().contains("data"));
    }
}
