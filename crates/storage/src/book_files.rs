//! The files below `books/`, one per book: reading, writing and hashing one of them. [`scan`](BookFiles::scan) reads
//! all.
//!
//! A replicator and an app-server own one each. What lies on the disk is looked up anew each time, never through a
//! folder that was opened earlier: somebody may have moved it, and a scrub must see what is really there. No link is
//! followed, neither for the file nor for the folders above it.
//!
//! Writing is fast and promises nothing: a file is created directly or overwritten in place and not synced, because
//! the log can do it again. Nobody may trim the log behind a write before [`BookFiles::sync`].

use crate::directory::{DataDirectory, DirectoryError};
use catalogue::BookPath;
use faults::disk_fault::{self, DiskOperation};
use faults::{CrashPoint, crash_point};
use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, openat, syncfs, unlinkat};
use rustix::io::Errno;
use rustix::path::Arg;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

mod scan;

pub use scan::{Listing, ScanEntry};

pub(crate) const BOOKS: &str = "books";

/// What a file holds, without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileDigest {
    /// SHA-256 of its bytes, as `sha256sum` shows it.
    pub sha256: [u8; 32],
    /// How many bytes it has.
    pub bytes: u64,
}

/// Why book files cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BookFilesError {
    /// The folder `books/` cannot be made or is a link.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A link, a folder or a device stands where a book's file or its folder belongs.
    #[error("{place} is not a plain file in plain folders; move away what stands there")]
    NotAFile {
        /// What was looked for, relative to the data directory.
        place: String,
    },
    /// The system refused.
    #[error("{place}: {source}")]
    Io {
        /// What was to be read or written, relative to the data directory.
        place: String,
        /// What the system said.
        source: io::Error,
    },
}

impl BookFilesError {
    fn new(place: &str, source: io::Error) -> BookFilesError {
        let place = place.to_owned();
        let links = [Errno::LOOP, Errno::NOTDIR, Errno::ISDIR, Errno::NXIO];
        match source.raw_os_error() {
            Some(code) if links.iter().any(|link| link.raw_os_error() == code) => BookFilesError::NotAFile { place },
            _ => BookFilesError::Io { place, source },
        }
    }

    /// Whether the disk, or this user's share of it, is full: trying again later can help.
    pub fn is_disk_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, BookFilesError::Io { source, .. }
            if matches!(source.kind(), StorageFull | QuotaExceeded))
    }

    /// Whether this says that the bytes cannot be had any more, and not merely that they could not be read now.
    pub fn is_damage(&self) -> bool {
        let damage = [Errno::IO, Errno::BADMSG, Errno::UCLEAN];
        match self {
            BookFilesError::NotAFile { .. } => true,
            BookFilesError::Io { source, .. } => {
                source.raw_os_error().is_some_and(|code| damage.iter().any(|errno| errno.raw_os_error() == code))
            }
            BookFilesError::Directory(_) => false,
        }
    }
}

/// The files below `books/` of a data directory. Cheap to clone; usable from several threads.
#[derive(Debug, Clone)]
pub struct BookFiles {
    data: DataDirectory,
    /// Shared by all clones: who is told of a failed write first must not be the only one who knows.
    sync_failed: Arc<AtomicBool>,
}

impl BookFiles {
    /// Opens the files, and creates `books/` if it is missing.
    pub fn open(data: &DataDirectory) -> Result<BookFiles, BookFilesError> {
        data.folder(BOOKS)?;
        Ok(BookFiles { data: data.clone(), sync_failed: Arc::default() })
    }

    /// The bytes of a book's file, or nothing if there is none. At most `bytes_max + 1` bytes are read: an answer of
    /// that length means that the file is larger than a book may be.
    pub fn read(&self, path: BookPath, bytes_max: usize) -> Result<Option<Vec<u8>>, BookFilesError> {
        self.with_file(path, |file| {
            let mut content = Vec::new();
            file.take(bytes_max as u64 + 1).read_to_end(&mut content)?;
            Ok(content)
        })
    }

    /// What a book's file really holds, or nothing if there is none. Of any size; it is not kept in memory.
    pub fn digest(&self, path: BookPath) -> Result<Option<FileDigest>, BookFilesError> {
        self.with_file(path, digest)
    }

    /// Creates a book's file or overwrites it in place, unsynced. A link, a device or a file with a second name that
    /// stands there is removed first, so that nothing outside is written to.
    pub fn write(&self, path: BookPath, content: &[u8]) -> Result<(), BookFilesError> {
        let place = Place::new(path);
        self.write_at(&place, content).map_err(|source| BookFilesError::new(&place.text, source))
    }

    /// Removes a book's file, unsynced; says whether there was one.
    pub fn remove(&self, path: BookPath) -> Result<bool, BookFilesError> {
        let place = Place::new(path);
        let allowed = disk_fault::check(DiskOperation::FileWrite);
        let removed = allowed.and_then(|()| self.folder(&place, false)).and_then(|folder| match folder {
            Some(folder) => match unlinkat(&folder, place.name(), AtFlags::empty()) {
                Ok(()) => Ok(true),
                Err(Errno::NOENT) => Ok(false),
                Err(error) => Err(error.into()),
            },
            None => Ok(false),
        });
        removed.map_err(|source| BookFilesError::new(&place.text, source))
    }

    /// Makes everything durable that was written and removed so far. It syncs the whole file system and can take a
    /// while; it also reports what the system failed to write since the data directory was opened.
    ///
    /// # Errors
    /// The system reports a failed write only once. From then on nothing on these files can be believed, and every later sync
    /// fails too: the process must stop.
    pub fn sync(&self) -> Result<(), BookFilesError> {
        let failed_before = || BookFilesError::new(BOOKS, io::Error::other("an earlier sync of the book files failed"));
        if self.sync_failed.load(Ordering::Acquire) {
            return Err(failed_before());
        }
        let synced = disk_fault::check(DiskOperation::FileSync);
        synced.and_then(|()| Ok(syncfs(self.data.directory())?)).map_err(|error| {
            self.sync_failed.store(true, Ordering::Release);
            BookFilesError::new(BOOKS, error)
        })
    }

    fn with_file<T>(
        &self,
        path: BookPath,
        read: impl FnOnce(&mut File) -> io::Result<T>,
    ) -> Result<Option<T>, BookFilesError> {
        let place = Place::new(path);
        let file = self.folder(&place, false).and_then(|folder| match folder {
            Some(folder) => open_file(&folder, place.name()),
            None => Ok(None),
        });
        file.and_then(|file| file.map(|mut file| read(&mut file)).transpose())
            .map_err(|source| BookFilesError::new(&place.text, source))
    }

    fn write_at(&self, place: &Place, content: &[u8]) -> io::Result<()> {
        disk_fault::check(DiskOperation::FileWrite)?;
        let folder = self.folder(place, true)?.ok_or(io::ErrorKind::NotFound)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OPEN_FLAGS;
        let open = || openat(&folder, place.name(), flags, Mode::from_raw_mode(0o644)).map(File::from);
        let mut file = match open() {
            Ok(file) => file,
            Err(Errno::LOOP | Errno::NXIO) => {
                unlinkat(&folder, place.name(), AtFlags::empty())?;
                open()?
            }
            Err(error) => return Err(error.into()),
        };
        let mut found = file.metadata()?;
        if !found.is_file() || found.nlink() > 1 {
            unlinkat(&folder, place.name(), AtFlags::empty())?;
            file = open()?;
            found = file.metadata()?;
        }
        if crash_point::is_armed(CrashPoint::BookHalfWritten) {
            file.write_all_at(&content[..content.len() / 2], 0)?;
            crash_point::reach(CrashPoint::BookHalfWritten);
        }
        file.write_all_at(content, 0)?;
        if found.len() > content.len() as u64 {
            file.set_len(content.len() as u64)?;
        }
        crash_point::reach(CrashPoint::BookWritten);
        Ok(())
    }

    /// The folder in which a book's file belongs. Created if missing and asked for; else nothing.
    fn folder(&self, place: &Place, create: bool) -> io::Result<Option<OwnedFd>> {
        let Some(books) = open_folder(self.data.directory(), BOOKS, create)? else {
            return Ok(None);
        };
        open_folder(&books, place.fan_out(), create)
    }
}

/// Links are refused, a FIFO is not waited for, and child processes inherit nothing.
const OPEN_FLAGS: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// A folder in a folder that is open already; created if missing and asked for, else nothing.
pub(crate) fn open_folder(parent: impl AsFd, name: impl Arg + Copy, create: bool) -> io::Result<Option<OwnedFd>> {
    let open = || openat(&parent, name, OFlags::DIRECTORY | OPEN_FLAGS, Mode::empty());
    match open() {
        Ok(folder) => Ok(Some(folder)),
        Err(Errno::NOENT) if create => {
            match mkdirat(&parent, name, Mode::RWXU) {
                // Another thread may have been faster.
                Ok(()) | Err(Errno::EXIST) => Ok(Some(open()?)),
                Err(error) => Err(error.into()),
            }
        }
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A plain file in an open folder, for reading.
pub(crate) fn open_file(folder: impl AsFd, name: impl Arg) -> io::Result<Option<File>> {
    match openat(folder, name, OFlags::RDONLY | OPEN_FLAGS, Mode::empty()) {
        Ok(file) => {
            let file = File::from(file);
            match file.metadata()?.is_file() {
                true => Ok(Some(file)),
                // As if it were a link: neither is read.
                false => Err(Errno::LOOP.into()),
            }
        }
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn digest(file: &mut File) -> io::Result<FileDigest> {
    let mut hash = Sha256::new();
    let mut buffer = [0; 16 * 1024];
    let mut bytes = 0;
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(&buffer[..read]);
        bytes += read as u64;
    }
    Ok(FileDigest { sha256: hash.finalize().into(), bytes })
}

/// A book's path and its parts.
struct Place {
    text: String,
}

impl Place {
    fn new(path: BookPath) -> Place {
        Place { text: path.to_string() }
    }

    fn fan_out(&self) -> &str {
        self.text.split('/').nth(1).expect("a book path has three parts")
    }

    fn name(&self) -> &str {
        self.text.split('/').nth(2).expect("a book path has three parts")
    }
}

#[cfg(test)]
mod tests;
