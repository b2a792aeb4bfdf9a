//! Reading everything below `books/`, for a scrub, a restore or a start without a trusted manifest.

use super::{BOOKS, BookFiles, BookFilesError, FileDigest, digest, open_file, open_folder};
use catalogue::BookPath;
use rustix::fs::Dir;
use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// One thing that a scan found below `books/`.
#[derive(Debug)]
pub enum ScanEntry {
    /// A book's file and what it really holds.
    Book {
        /// Its path.
        path: BookPath,
        /// What was read.
        digest: FileDigest,
    },
    /// What stands where a book's file belongs could not be read as one: a link, a folder, a bad sector.
    Unreadable {
        /// The path.
        path: BookPath,
        /// Why not.
        error: BookFilesError,
    },
    /// Something whose name is no book's path. A folder is named, not entered.
    Foreign {
        /// Its name, relative to the data directory (`books/…`).
        name: PathBuf,
    },
}

/// The names in one folder of books, without hidden ones.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Books' files, or what stands in their places.
    pub books: Vec<BookPath>,
    /// Names that are no book's path, relative to the data directory (`books/…`).
    pub foreign: Vec<PathBuf>,
}

impl BookFiles {
    /// The names in the folder of the books whose ids end with this byte, in no order. Nothing is read.
    pub fn list(&self, fan_out: u8) -> Result<Listing, BookFilesError> {
        let folder_name = format!("{fan_out:02x}");
        let place = Path::new(BOOKS).join(&folder_name);
        let at = |source| BookFilesError::new(&place.to_string_lossy(), source);
        let books = open_folder(self.data.directory(), BOOKS, false).map_err(at)?;
        let folder = books.map(|books| open_folder(&books, folder_name.as_str(), false)).transpose().map_err(at)?;
        let Some(folder) = folder.flatten() else { return Ok(Listing::default()) };
        let mut listing = Listing::default();
        for name in names(&folder).map_err(at)? {
            match book_at(&place.join(&name)) {
                Some(path) => listing.books.push(path),
                None => listing.foreign.push(place.join(name)),
            }
        }
        Ok(listing)
    }

    /// The names directly in `books/` that are no folder of books, relative to the data directory.
    pub fn list_foreign(&self) -> Result<Vec<PathBuf>, BookFilesError> {
        let at = |source| BookFilesError::new(BOOKS, source);
        let Some(books) = open_folder(self.data.directory(), BOOKS, false).map_err(at)? else { return Ok(Vec::new()) };
        let names = names(&books).map_err(at)?.into_iter();
        Ok(names.filter(|name| fan_out(&books, name).is_none()).map(|name| Path::new(BOOKS).join(name)).collect())
    }

    /// Reads and hashes every file below `books/` on that many threads (at least one) and calls `on_entry`, in no
    /// order, until it answers `Break`. Names that begin with a dot are passed over.
    ///
    /// # Errors
    /// A folder that cannot be listed: what was found by then is not everything.
    pub fn scan(
        &self,
        threads: usize,
        on_entry: &(dyn Fn(ScanEntry) -> ControlFlow<()> + Sync),
    ) -> Result<(), BookFilesError> {
        let at = |source| BookFilesError::new(BOOKS, source);
        let Some(books) = open_folder(self.data.directory(), BOOKS, false).map_err(at)? else {
            return Ok(());
        };
        let mut fan_outs = Vec::new();
        for name in names(&books).map_err(at)? {
            match fan_out(&books, &name) {
                Some(fan_out) => fan_outs.push(fan_out),
                None => {
                    if on_entry(ScanEntry::Foreign { name: Path::new(BOOKS).join(name) }).is_break() {
                        return Ok(());
                    }
                }
            }
        }
        let scan = Scan {
            books: &books,
            fan_outs,
            taken: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
            error: Mutex::new(None),
            on_entry,
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|| scan.run());
            }
            scan.run();
        });
        match scan.error.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// The folders are shared out one at a time, because the threads are rarely equally fast.
struct Scan<'a> {
    books: &'a OwnedFd,
    fan_outs: Vec<String>,
    taken: AtomicUsize,
    is_over: AtomicBool,
    error: Mutex<Option<BookFilesError>>,
    on_entry: &'a (dyn Fn(ScanEntry) -> ControlFlow<()> + Sync),
}

impl Scan<'_> {
    fn run(&self) {
        while !self.is_over.load(Ordering::Relaxed) {
            let Some(fan_out) = self.fan_outs.get(self.taken.fetch_add(1, Ordering::Relaxed)) else {
                return;
            };
            if let Err(source) = self.read_folder(fan_out) {
                let error = BookFilesError::new(&format!("{BOOKS}/{fan_out}"), source);
                *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                self.is_over.store(true, Ordering::Relaxed);
            }
        }
    }

    fn read_folder(&self, fan_out: &str) -> io::Result<()> {
        // Removed since it was listed: then its files are missing.
        let Some(folder) = open_folder(self.books, fan_out, false)? else { return Ok(()) };
        for name in names(&folder)? {
            let place = Path::new(BOOKS).join(fan_out).join(&name);
            let entry = match (book_at(&place), name.to_str()) {
                (Some(path), Some(name)) => match read_book(&folder, name) {
                    Ok(Some(digest)) => ScanEntry::Book { path, digest },
                    Ok(None) => continue,
                    Err(source) => {
                        let error = BookFilesError::new(&path.to_string(), source);
                        ScanEntry::Unreadable { path, error }
                    }
                },
                _ => ScanEntry::Foreign { name: place },
            };
            if self.is_over.load(Ordering::Relaxed) {
                break;
            }
            if (self.on_entry)(entry).is_break() {
                self.is_over.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

/// The book whose file belongs here.
fn book_at(place: &Path) -> Option<BookPath> {
    place.to_str().and_then(|text| BookPath::parse(text).ok())
}

fn read_book(folder: &OwnedFd, name: &str) -> io::Result<Option<FileDigest>> {
    open_file(folder, name)?.map(|mut file| digest(&mut file)).transpose()
}

/// The name, if it is one that book paths use and a real folder has it.
fn fan_out(books: &OwnedFd, name: &OsStr) -> Option<String> {
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let name = name.to_str().filter(|name| name.len() == 2 && name.as_bytes().iter().all(is_digit))?;
    // A folder that exists and cannot be opened is an error of the scan, not something foreign.
    let error = open_folder(books, name, false).err().map(|error| BookFilesError::new(name, error));
    let is_folder = !matches!(error, Some(BookFilesError::NotAFile { .. }));
    is_folder.then(|| name.to_owned())
}

/// The names in a folder, without hidden ones.
fn names(folder: impl AsFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if !name.starts_with(b".") {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    Ok(names)
}
