//! A service's data directory: who may use it, what it holds, and folders in it that are really folders.
//!
//! Opened once, first thing, by each service; everything else in this crate that keeps files takes it as an argument.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::place::Place;
use crate::replaced_file;

/// The layout of data directories that this program writes and reads.
pub const FORMAT: u32 = 2;

const FORMAT_NAME: &str = "format";
const LOCK_NAME: &str = "lock";

/// The room on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Room {
    /// Free for processes that are not root.
    pub free_bytes: u64,
    /// The whole of it.
    pub total_bytes: u64,
}

/// A data directory that is locked for this process. Cheap to clone; the lock is held until the last clone is gone.
#[derive(Debug, Clone)]
pub struct DataDirectory {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    is_new: bool,
    place: Place,
    is_copy: bool,
    /// Opened once and kept, because a sync of the whole file system through it reports what failed since then.
    directory: File,
    _lock: File,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another process has it open.
    #[error("the data directory {} is in use by another process{}; stop that one or choose another directory",
        path.display(), process_id.as_ref().map(|id| format!(" (process {id})")).unwrap_or_default())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The other process, as it wrote itself into the lock file.
        process_id: Option<u32>,
    },
    /// It holds files, but is no data directory.
    #[error("{} holds other files and is no data directory; choose an empty or a new one", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// It belongs to another kind of service.
    #[error("{} holds {found} data and not {expected} data; choose another directory", path.display())]
    OtherKind {
        /// The directory.
        path: PathBuf,
        /// The kind that it belongs to.
        found: String,
        /// The kind that was asked for.
        expected: String,
    },
    /// It was written by another version of the program.
    #[error("{} has data format {found}; this program knows format {FORMAT} only", path.display())]
    OtherFormat {
        /// The directory.
        path: PathBuf,
        /// Its format, as it stands in the file.
        found: String,
    },
    /// Something that is not a real folder stands where one is needed.
    #[error("{} is not a folder of its own (a link or a file); move it away", path.display())]
    NotAFolder {
        /// What stands there.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// What was to be used.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DirectoryError {
    fn io(path: &Path, source: io::Error) -> DirectoryError {
        DirectoryError::Io { path: path.to_owned(), source }
    }
}

impl DataDirectory {
    /// Opens the directory for a service of this kind (one word, `replicator`), and creates it with mode 0700 if it
    /// is missing. What is created is durable when this returns.
    pub fn open(path: &Path, kind: &str) -> Result<DataDirectory, DirectoryError> {
        let at = |source| DirectoryError::io(path, source);
        create_durably(path).map_err(at)?;
        // The whole path, so that messages and open handles mean the same place wherever the process goes.
        let path = path.canonicalize().map_err(at)?;
        let directory = File::open(&path).map_err(at)?;
        let lock = lock(&path)?;
        let is_new = check_format(&path, kind)?;
        remove_unfinished(&path).map_err(|source| DirectoryError::io(&path, source))?;
        let (place, is_copy) = check_place(&path).map_err(|source| DirectoryError::io(&path, source))?;
        let inner = Inner { path, is_new, place, is_copy, directory, _lock: lock };
        Ok(DataDirectory { inner: Arc::new(inner) })
    }

    /// Free bytes on its file system, for processes that are not root; 0 if the system does not say.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        self.room().free_bytes
    }

    /// The room on its file system; nothing at all if the system does not say.
    #[must_use]
    pub fn room(&self) -> Room {
        rustix::fs::statvfs(self.path()).map_or_else(
            |_| Room::default(),
            |system| Room {
                free_bytes: system.f_bavail.saturating_mul(system.f_frsize),
                total_bytes: system.f_blocks.saturating_mul(system.f_frsize),
            },
        )
    }

    /// Where it is, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Whether this opening created it: the service remembers nothing at all.
    pub fn is_new(&self) -> bool {
        self.inner.is_new
    }

    /// Whether it is a copy of another directory, which [`DataDirectory::make_own`] has not been called for: what happened there since
    /// is not in it.
    pub fn is_copy(&self) -> bool {
        self.inner.is_copy
    }

    /// What it holds is right for this place from now on: at the next opening it is no copy. Durable when this returns.
    pub fn make_own(&self) -> Result<(), DirectoryError> {
        let path = &self.inner.path;
        self.inner.place.record(path).map_err(|source| DirectoryError::io(path, source))
    }

    /// The path of the folder `name` in it, which is created durably, mode 0700, if it is missing.
    ///
    /// # Errors
    /// [`DirectoryError::NotAFolder`] if a link or a file has that name.
    pub fn folder(&self, name: &str) -> Result<PathBuf, DirectoryError> {
        let path = self.inner.path.join(name);
        let at = |source| DirectoryError::io(&path, source);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(DirectoryError::NotAFolder { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => create_durably(&path).map_err(at)?,
            Err(error) => return Err(at(error)),
        }
        Ok(path)
    }

    /// The directory itself, open.
    pub(crate) fn directory(&self) -> &File {
        &self.inner.directory
    }
}

/// Creates a folder and the missing ones above it, and syncs each folder that got a new entry.
fn create_durably(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    create_durably(parent)?;
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(path)?.sync_all()?;
    File::open(parent)?.sync_all()
}

fn lock(directory: &Path) -> Result<File, DirectoryError> {
    let path = directory.join(LOCK_NAME);
    let at = |source| DirectoryError::io(&path, source);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
        .open(&path)
        .map_err(at)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // The number only helps the reader of the message; without it the message is still true.
            let _ = file.take(32).read_to_string(&mut text);
            let process_id = text.trim().parse().ok();
            return Err(DirectoryError::InUse { path: directory.to_owned(), process_id });
        }
        Err(TryLockError::Error(error)) => return Err(at(error)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(at)?;
    Ok(file)
}

/// Checks whose data this is and writes it down if it is nobody's yet; returns whether it was nobody's.
fn check_format(directory: &Path, kind: &str) -> Result<bool, DirectoryError> {
    let path = directory.join(FORMAT_NAME);
    let at = |source| DirectoryError::io(&path, source);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if !holds_nothing_yet(directory).map_err(at)? {
                return Err(DirectoryError::Foreign { path: directory.to_owned() });
            }
            let text = format!("concordance {kind} data, format {FORMAT}\n");
            replaced_file::replace(&path, |file| file.write_all(text.as_bytes())).map_err(at)?;
            return Ok(true);
        }
        Err(error) => return Err(at(error)),
    };
    let path = directory.to_owned();
    let parts = text.trim_end().strip_prefix("concordance ");
    let Some((found, format)) = parts.and_then(|rest| rest.split_once(" data, format ")) else {
        return Err(DirectoryError::Foreign { path });
    };
    if format != FORMAT.to_string() {
        return Err(DirectoryError::OtherFormat { path, found: format.to_owned() });
    }
    if found != kind {
        let (found, expected) = (found.to_owned(), kind.to_owned());
        return Err(DirectoryError::OtherKind { path, found, expected });
    }
    Ok(false)
}

/// Where it is, and whether it came here as a copy.
fn check_place(directory: &Path) -> io::Result<(Place, bool)> {
    let place = Place::of(directory)?;
    match Place::recorded(directory)? {
        Some(recorded) => Ok((place.clone(), recorded != place)),
        None => place.record(directory).map(|()| (place, false)),
    }
}

/// A process that died while it made the directory leaves no more than the lock and an unfinished file.
fn holds_nothing_yet(directory: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if name != LOCK_NAME && name != "lost+found" && replaced_file::unfinished(&name) != Some(FORMAT_NAME) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes what a process left that died while it replaced one of the files here. Other hidden files stay.
fn remove_unfinished(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let replaced = replaced_file::unfinished(&name);
        if entry.file_type()?.is_file() && replaced.is_some_and(|name| directory.join(name).is_file()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, symlink};

    #[test]
    fn a_missing_directory_is_created_for_its_owner_alone_and_opened_again() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b");
        let data = DataDirectory::open(&path, "replicator").unwrap();
        assert!(data.is_new());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        drop(data);
        assert!(!DataDirectory::open(&path, "replicator").unwrap().is_new());
    }

    #[test]
    fn a_second_opening_is_refused_naming_path_and_process() {
        let home = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(home.path(), "replicator").unwrap();
        let message = DataDirectory::open(home.path(), "replicator").unwrap_err().to_string();
        assert!(message.contains(&data.path().display().to_string()), "{message}");
        assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
        let clone = data.clone();
        drop(data);
        assert!(DataDirectory::open(home.path(), "replicator").is_err());
        drop(clone);
        DataDirectory::open(home.path(), "replicator").unwrap();
    }

    #[test]
    fn a_copy_is_known_to_be_one_until_it_is_made_its_own_and_a_moved_directory_is_none() {
        let home = tempfile::tempdir().unwrap();
        let (original, copy, moved) =
            (home.path().join("original"), home.path().join("copy"), home.path().join("moved"));
        assert!(!DataDirectory::open(&original, "replicator").unwrap().is_copy());
        fs::create_dir(&copy).unwrap();
        for name in [FORMAT_NAME, "place"] {
            fs::copy(original.join(name), copy.join(name)).unwrap();
        }
        fs::rename(&original, &moved).unwrap();
        assert!(!DataDirectory::open(&moved, "replicator").unwrap().is_copy());
        assert!(DataDirectory::open(&copy, "replicator").unwrap().is_copy());
        let data = DataDirectory::open(&copy, "replicator").unwrap();
        assert!(data.is_copy(), "opening it changes nothing");
        data.make_own().unwrap();
        drop(data);
        assert!(!DataDirectory::open(&copy, "replicator").unwrap().is_copy());
    }

    #[test]
    fn another_kind_another_format_and_other_peoples_files_are_refused() {
        let home = tempfile::tempdir().unwrap();
        drop(DataDirectory::open(home.path(), "replicator").unwrap());
        let error = DataDirectory::open(home.path(), "coordinator").unwrap_err();
        assert!(matches!(error, DirectoryError::OtherKind { .. }), "{error}");
        fs::write(home.path().join("format"), "concordance replicator data, format 999\n").unwrap();
        let error = DataDirectory::open(home.path(), "replicator").unwrap_err();
        assert!(matches!(error, DirectoryError::OtherFormat { .. }), "{error}");
        fs::write(home.path().join("format"), "rust\n").unwrap();
        let error = DataDirectory::open(home.path(), "replicator").unwrap_err();
        assert!(matches!(error, DirectoryError::Foreign { .. }), "{error}");

        let other = tempfile::tempdir().unwrap();
        fs::write(other.path().join("thesis.tex"), "").unwrap();
        let error = DataDirectory::open(other.path(), "replicator").unwrap_err();
        assert!(matches!(error, DirectoryError::Foreign { .. }), "{error}");
        assert!(!other.path().join("format").exists());
    }

    #[test]
    fn a_creation_that_was_cut_short_is_taken_up_again() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("lock"), "1\n").unwrap();
        fs::write(home.path().join(".format.a1B2c3"), "conc").unwrap();
        assert!(DataDirectory::open(home.path(), "replicator").unwrap().is_new());
        assert!(!home.path().join(".format.a1B2c3").exists());
    }

    #[test]
    fn a_link_in_place_of_a_folder_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(home.path(), "replicator").unwrap();
        symlink(elsewhere.path(), home.path().join("books")).unwrap();
        let error = data.folder("books").unwrap_err();
        assert!(matches!(error, DirectoryError::NotAFolder { .. }), "{error}");
        assert!(data.folder("log").unwrap().is_dir());
    }
}
