//! `quarantine/`: bytes that were about to be replaced or removed, kept until a person decides about them.
//!
//! Restores and rounds put here what they replace, before they replace it; a restore also looks here for bytes that
//! are nowhere else. Nothing in it is ever overwritten or removed by this program.

use crate::book_files::{BOOKS, open_file, open_folder};
use crate::directory::{DataDirectory, DirectoryError};
use crate::hexadecimal;
use crate::replaced_file;
use catalogue::BookPath;
use rustix::fs::{RenameFlags, fsync, renameat_with};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

const QUARANTINE: &str = "quarantine";
const FOREIGN: &str = "foreign";

/// Why something could not be kept or looked for.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// The folder cannot be made or is a link.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The name is not one that a scan reports as foreign.
    #[error("{} is not a foreign file directly in `books/` or one of its folders", name.display())]
    NotForeign {
        /// The name.
        name: PathBuf,
    },
    /// The system refused.
    #[error("cannot keep or find {} in quarantine: {source}", name.display())]
    Io {
        /// What was to be kept or looked for.
        name: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl QuarantineError {
    /// Whether the disk, or this user's share of it, is full: trying again later can help.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Self::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded))
    }
}

/// The folder `quarantine/` of a data directory. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Quarantine {
    data: DataDirectory,
}

impl Quarantine {
    /// Opens the folder, and creates it if it is missing.
    pub fn open(data: &DataDirectory) -> Result<Quarantine, QuarantineError> {
        data.folder(QUARANTINE)?;
        Ok(Quarantine { data: data.clone() })
    }

    /// Keeps bytes that were found at `path`, and returns their name relative to the data directory:
    /// `quarantine/<id>.<first 16 digits of their SHA-256>.xml`. The same bytes of the same book are kept once. They are
    /// durable when this returns.
    pub fn keep(&self, path: BookPath, bytes: &[u8]) -> Result<String, QuarantineError> {
        let folder = self.data.folder(QUARANTINE)?;
        let start = digest_start(&Sha256::digest(bytes).into());
        for number in 1u32.. {
            let name = match number {
                1 => format!("{}.{start}.xml", path.id()),
                _ => format!("{}.{start}.{number}.xml", path.id()),
            };
            let file = folder.join(&name);
            let at = |source| QuarantineError::Io { name: PathBuf::from(&name), source };
            match self.read(OsStr::new(&name)).map_err(at)? {
                None => replaced_file::replace(&file, |file| file.write_all(bytes)).map_err(at)?,
                // Somebody changed what was kept, or other bytes begin with the same digits.
                Some(kept) if kept != bytes => continue,
                Some(_) => {}
            }
            return Ok(format!("{QUARANTINE}/{name}"));
        }
        unreachable!("a folder holds fewer than 2^32 files of one book")
    }

    /// Durably moves a foreign file or folder, named as a scan of the book files names it, to `quarantine/foreign/`;
    /// returns its new name relative to the data directory.
    pub fn keep_foreign(&self, name: &Path) -> Result<PathBuf, QuarantineError> {
        let parts = foreign_parts(name).ok_or_else(|| QuarantineError::NotForeign { name: name.to_owned() })?;
        let at = |source| QuarantineError::Io { name: name.to_owned(), source };
        let target = Path::new(QUARANTINE).join(FOREIGN);
        self.data.folder(QUARANTINE)?;
        self.data.folder(&format!("{QUARANTINE}/{FOREIGN}"))?;
        let quarantine = self.open_folders(&[QUARANTINE.as_ref(), FOREIGN.as_ref()]).map_err(at)?;
        let (last, folders) = parts.split_last().expect("a foreign name has two or three parts");
        let from = self.open_folders(folders).map_err(at)?;
        for number in 1u32.. {
            let mut new_name: OsString = parts[1..].join(OsStr::new("-"));
            if number > 1 {
                new_name.push(format!(".{number}"));
            }
            match renameat_with(&from, *last, &quarantine, &new_name, RenameFlags::NOREPLACE) {
                Ok(()) => {
                    // Where it went first: a crash in between leaves it in both places rather than in none.
                    fsync(&quarantine).and_then(|()| fsync(&from)).map_err(|error| at(error.into()))?;
                    return Ok(target.join(new_name));
                }
                Err(Errno::EXIST) => {}
                Err(error) => return Err(at(error.into())),
            }
        }
        unreachable!("a folder holds fewer than 2^32 files of one name")
    }

    /// Bytes with this SHA-256 that were kept, if there are any.
    pub fn find(&self, sha256: [u8; 32]) -> Result<Option<Vec<u8>>, QuarantineError> {
        let folder = self.data.folder(QUARANTINE)?;
        let at = |source| QuarantineError::Io { name: PathBuf::from(QUARANTINE), source };
        let part = format!(".{}.", digest_start(&sha256));
        for entry in fs::read_dir(folder).map_err(at)? {
            let name = entry.map_err(at)?.file_name();
            if !name.to_string_lossy().contains(&part) {
                continue;
            }
            // What cannot be read is not what is looked for; other copies may be.
            if let Ok(Some(bytes)) = self.read(&name)
                && <[u8; 32]>::from(Sha256::digest(&bytes)) == sha256
            {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    fn read(&self, name: &OsStr) -> io::Result<Option<Vec<u8>>> {
        let folder = self.open_folders(&[QUARANTINE.as_ref()])?;
        let Some(mut file) = open_file(&folder, name)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// The folder below the data directory that these names lead to, without following links.
    fn open_folders(&self, names: &[&OsStr]) -> io::Result<OwnedFd> {
        let mut folder = self.data.directory().as_fd().try_clone_to_owned()?;
        for name in names {
            folder = open_folder(&folder, *name, false)?.ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(folder)
    }
}

/// The parts of a name that a scan may have reported as foreign; a book's own path is not one.
fn foreign_parts(name: &Path) -> Option<Vec<&OsStr>> {
    let parts: Option<Vec<_>> = name
        .components()
        .map(|component| match component {
            Component::Normal(part) => Some(part),
            _ => None,
        })
        .collect();
    let is_book = name.to_str().is_some_and(|text| BookPath::parse(text).is_ok());
    parts.filter(|parts| !is_book && (2..=3).contains(&parts.len()) && parts[0] == BOOKS)
}

fn digest_start(sha256: &[u8; 32]) -> String {
    hexadecimal::text(&sha256[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    fn quarantine() -> (TempDir, Quarantine) {
        let home = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(&home.path().join("data"), "replicator").unwrap();
        let quarantine = Quarantine::open(&data).unwrap();
        data.folder(BOOKS).unwrap();
        (home, quarantine)
    }

    fn path() -> BookPath {
        BookPath::parse("books/0f/01900000-0000-7000-8000-00000000000f.xml").unwrap()
    }

    #[test]
    fn bytes_are_kept_once_under_the_start_of_their_digest_and_found_by_it() {
        let (_home, quarantine) = quarantine();
        let name = quarantine.keep(path(), b"<book/>").unwrap();
        let sha256: [u8; 32] = Sha256::digest(b"<book/>").into();
        assert_eq!(name, format!("quarantine/{}.{}.xml", path().id(), &hexadecimal::text(&sha256)[..16]));
        assert_eq!(quarantine.keep(path(), b"<book/>").unwrap(), name);
        assert_ne!(quarantine.keep(path(), b"<book />").unwrap(), name);
        assert_eq!(fs::read_dir(quarantine.data.path().join("quarantine")).unwrap().count(), 2);
        assert_eq!(quarantine.find(sha256).unwrap().unwrap(), b"<book/>");
        assert_eq!(quarantine.find([0; 32]).unwrap(), None);
    }

    #[test]
    fn what_was_changed_in_quarantine_is_neither_overwritten_nor_found() {
        let (_home, quarantine) = quarantine();
        let name = quarantine.keep(path(), b"<book/>").unwrap();
        fs::write(quarantine.data.path().join(&name), "edited").unwrap();
        let sha256 = Sha256::digest(b"<book/>").into();
        assert_eq!(quarantine.find(sha256).unwrap(), None);
        let second = quarantine.keep(path(), b"<book/>").unwrap();
        assert_eq!(second, name.replace(".xml", ".2.xml"));
        assert_eq!(fs::read(quarantine.data.path().join(&name)).unwrap(), b"edited");
        assert_eq!(quarantine.find(sha256).unwrap().unwrap(), b"<book/>");
    }

    #[test]
    fn foreign_files_are_moved_and_never_over_each_other() {
        let (_home, quarantine) = quarantine();
        let books = quarantine.data.path().join("books");
        fs::create_dir(books.join("0f")).unwrap();
        for content in ["one", "two"] {
            fs::write(books.join("0f/notes.txt"), content).unwrap();
            quarantine.keep_foreign(Path::new("books/0f/notes.txt")).unwrap();
        }
        fs::create_dir(books.join("old")).unwrap();
        let name = quarantine.keep_foreign(Path::new("books/old")).unwrap();
        assert_eq!(name, Path::new("quarantine/foreign/old"));
        let foreign = quarantine.data.path().join("quarantine/foreign");
        assert_eq!(fs::read(foreign.join("0f-notes.txt")).unwrap(), b"one");
        assert_eq!(fs::read(foreign.join("0f-notes.txt.2")).unwrap(), b"two");
        assert_eq!(fs::read_dir(&books).unwrap().count(), 1);
    }

    #[test]
    fn nothing_but_a_foreign_name_below_books_is_moved() {
        let (home, quarantine) = quarantine();
        let outside = home.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("mine.txt"), "").unwrap();
        symlink(&outside, quarantine.data.path().join("books/zz")).unwrap();
        let book = path().to_string();
        for name in ["format", "books", "books/../format", "/etc/hosts", "books/a/b/c", &book] {
            let error = quarantine.keep_foreign(Path::new(name)).unwrap_err();
            assert!(matches!(error, QuarantineError::NotForeign { .. }), "{name}: {error}");
        }
        assert!(quarantine.keep_foreign(Path::new("books/zz/mine.txt")).is_err());
        assert!(outside.join("mine.txt").exists());
    }
}
