//! The directory of a local cluster: one `concordance up` at a time, and always with the same replicators.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::UpError;

/// A claimed directory; free again when this is dropped, or the process ends.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    logs: PathBuf,
    _lock: File,
}

impl DataDirectory {
    /// Makes the directory if it is missing and claims it for a cluster of so many replicators.
    pub(crate) fn claim(path: &Path, replicators: u16) -> Result<Self, UpError> {
        let failed = |source| UpError::Directory { path: path.to_owned(), source };
        let logs = path.join("logs");
        std::fs::create_dir_all(&logs).map_err(failed)?;
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(path.join("up.lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(UpError::DirectoryInUse { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // The directories of the replicators are the record of how many there are.
        let found = count_replicators(path).map_err(failed)?;
        if found != 0 && found != replicators {
            return Err(UpError::OtherReplicators { path: path.to_owned(), found, asked: replicators });
        }
        for number in 1..=replicators {
            std::fs::create_dir_all(path.join(format!("replicator-{number}"))).map_err(failed)?;
        }
        Ok(DataDirectory { logs, _lock: lock })
    }

    /// The log of a service.
    pub(crate) fn log(&self, service: &str) -> PathBuf {
        self.logs.join(format!("{service}.log"))
    }
}

fn count_replicators(path: &Path) -> std::io::Result<u16> {
    let mut highest = 0;
    for entry in std::fs::read_dir(path)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("replicator-")).and_then(|rest| rest.parse().ok());
        // The highest, not how many: a directory that somebody deleted is a replicator that lost its disk.
        highest = highest.max(number.unwrap_or(0));
    }
    Ok(highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_claim_is_refused_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDirectory::claim(folder.path(), 3).unwrap();
        let message = DataDirectory::claim(folder.path(), 3).unwrap_err().to_string();
        assert!(message.contains("in use") && message.contains("--data"), "{message}");
        drop(first);
        DataDirectory::claim(folder.path(), 3).unwrap();
    }

    #[test]
    fn other_number_of_replicators_is_refused_naming_the_right_one() {
        let folder = tempfile::tempdir().unwrap();
        drop(DataDirectory::claim(folder.path(), 3).unwrap());
        let message = DataDirectory::claim(folder.path(), 5).unwrap_err().to_string();
        assert!(message.contains("--replicators 3") && !folder.path().join("replicator-5").exists(), "{message}");
        // A replicator that lost its disk is still one of three.
        std::fs::remove_dir(folder.path().join("replicator-2")).unwrap();
        DataDirectory::claim(folder.path(), 3).unwrap();
    }

    #[test]
    fn file_in_the_place_of_the_directory_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        std::fs::write(&path, "").unwrap();
        assert!(DataDirectory::claim(&path, 3).unwrap_err().to_string().contains("data"));
    }
}
