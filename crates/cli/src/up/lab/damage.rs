//! Damages book files of replicators behind their backs, as editors, bad disks and old backups do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use catalogue::BookPath;
use protocol::FileDamage;

/// Who changes files; it remembers those that it was told to.
#[derive(Debug)]
pub(super) struct Damager {
    data: PathBuf,
    remembered: Mutex<BTreeMap<BookPath, Vec<u8>>>,
}

impl Damager {
    pub(super) fn new(data: &Path) -> Self {
        Damager { data: data.to_owned(), remembered: Mutex::default() }
    }

    /// Changes the file of a book at each of these replicators in the same way. `path` is as `BookPath` writes it.
    pub(super) fn damage(&self, replicators: &[&str], path: &str, how: FileDamage) -> Result<(), String> {
        let book = BookPath::parse(path).map_err(|error| error.to_string())?;
        let files: Vec<PathBuf> =
            replicators.iter().map(|replicator| self.data.join(replicator).join(book.to_string())).collect();
        let Some(first) = files.first() else { return Err("name at least one replicator".to_owned()) };
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if how == FileDamage::Remember {
            remembered.insert(book, read(first)?);
            return Ok(());
        }
        let replaced: Vec<Option<Vec<u8>>> = match how {
            FileDamage::PutBack => {
                let old = remembered.get(&book).ok_or("no earlier version of this file was remembered")?;
                vec![Some(old.clone()); files.len()]
            }
            FileDamage::Delete => vec![None; files.len()],
            _ => files.iter().map(|file| Ok(Some(damaged(&read(file)?, how)?))).collect::<Result<_, String>>()?,
        };
        files.iter().zip(replaced).try_for_each(|(file, bytes)| replace(file, bytes.as_deref()))
    }
}

fn damaged(bytes: &[u8], how: FileDamage) -> Result<Vec<u8>, String> {
    let mut bytes = bytes.to_vec();
    if how == FileDamage::Truncate {
        bytes.truncate(bytes.len() / 2);
        return Ok(bytes);
    }
    let place = letter_of_the_text(&bytes).ok_or("there is no letter in this file that could be flipped")?;
    // The next letter of the alphabet; `z` becomes `y`.
    bytes[place] = if bytes[place].eq_ignore_ascii_case(&b'z') { bytes[place] - 1 } else { bytes[place] + 1 };
    Ok(bytes)
}

/// A letter between two tags: the file stays well-formed, and says something else.
fn letter_of_the_text(bytes: &[u8]) -> Option<usize> {
    let mut is_in_tag = false;
    bytes.iter().position(|byte| {
        match byte {
            b'<' => is_in_tag = true,
            b'>' => is_in_tag = false,
            _ => {}
        }
        !is_in_tag && byte.is_ascii_alphabetic()
    })
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))
}

/// In place, as an editor would: whoever watches the copies has to find it.
fn replace(file: &Path, bytes: Option<&[u8]>) -> Result<(), String> {
    let done = match bytes {
        Some(bytes) => std::fs::write(file, bytes),
        None => std::fs::remove_file(file),
    };
    done.map_err(|error| format!("{} cannot be changed: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "books/3f/018f3c5e-7b3a-7c31-9e1a-8c6d5a0b2e3f.xml";
    const TEXT: &str = "<?xml version=\"1.0\"?>\n<book><title>Zen</title></book>\n";

    fn copies() -> (tempfile::TempDir, Damager) {
        let folder = tempfile::tempdir().unwrap();
        for replicator in ["replicator-1", "replicator-2"] {
            let file = folder.path().join(replicator).join(PATH);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, TEXT).unwrap();
        }
        let damager = Damager::new(folder.path());
        (folder, damager)
    }

    fn content(folder: &tempfile::TempDir, replicator: &str) -> Option<String> {
        std::fs::read_to_string(folder.path().join(replicator).join(PATH)).ok()
    }

    #[test]
    fn one_letter_of_the_text_becomes_another_and_the_file_stays_well_formed() {
        let (folder, damager) = copies();
        damager.damage(&["replicator-2"], PATH, FileDamage::FlipLetter).unwrap();
        assert_eq!(content(&folder, "replicator-2").unwrap(), TEXT.replace("Zen", "Yen"));
        assert_eq!(content(&folder, "replicator-1").unwrap(), TEXT);
    }

    #[test]
    fn files_are_cut_off_or_removed_at_each_replicator_that_is_named() {
        let (folder, damager) = copies();
        damager.damage(&["replicator-1"], PATH, FileDamage::Truncate).unwrap();
        assert_eq!(content(&folder, "replicator-1").unwrap().len(), TEXT.len() / 2);
        damager.damage(&["replicator-1", "replicator-2"], PATH, FileDamage::Delete).unwrap();
        assert_eq!((content(&folder, "replicator-1"), content(&folder, "replicator-2")), (None, None));
    }

    #[test]
    fn an_older_version_comes_back_only_if_it_was_remembered() {
        let (folder, damager) = copies();
        assert!(damager.damage(&["replicator-1"], PATH, FileDamage::PutBack).unwrap_err().contains("remembered"));
        damager.damage(&["replicator-1"], PATH, FileDamage::Remember).unwrap();
        std::fs::write(folder.path().join("replicator-2").join(PATH), "new").unwrap();
        damager.damage(&["replicator-2"], PATH, FileDamage::PutBack).unwrap();
        assert_eq!(content(&folder, "replicator-2").unwrap(), TEXT);
    }

    #[test]
    fn nothing_but_files_of_books_can_be_named() {
        let (_folder, damager) = copies();
        for path in ["manifest", "books/../log/1.log", "/etc/passwd"] {
            assert!(damager.damage(&["replicator-1"], path, FileDamage::Delete).is_err(), "{path}");
        }
        assert!(damager.damage(&[], PATH, FileDamage::Delete).is_err());
    }
}
