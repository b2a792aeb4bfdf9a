//! A folder of JSON documents that are kept for people: written whole, read back at the start.
//!
//! The callers name documents by ids that they made (UUIDs), never by text that came from outside.

use crate::replaced_file;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Writes or replaces the document `id`, durably.
///
/// # Errors
/// What the system said; the document is then as it was before.
pub fn write(folder: &Path, id: &str, payload: &[u8]) -> io::Result<()> {
    replaced_file::replace(&document_path(folder, id), |file| file.write_all(payload))
}

/// Removes the document `id`, if it is there.
pub fn remove(folder: &Path, id: &str) {
    // One document too many harms nobody.
    let _ = fs::remove_file(document_path(folder, id));
}

/// The payloads of all documents that can be read, in no particular order.
#[must_use]
pub fn read_all(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let documents =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "json"));
    documents.filter_map(|path| fs::read(path).ok()).collect()
}

fn document_path(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("{id}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_replaced_read_back_and_removed() {
        let home = tempfile::tempdir().unwrap();
        write(home.path(), "one", b"1").unwrap();
        write(home.path(), "one", b"2").unwrap();
        write(home.path(), "two", b"3").unwrap();
        let mut payloads = read_all(home.path());
        payloads.sort();
        assert_eq!(payloads, [b"2", b"3"]);
        remove(home.path(), "one");
        remove(home.path(), "one");
        assert_eq!(read_all(home.path()), [b"3"]);
    }
}
