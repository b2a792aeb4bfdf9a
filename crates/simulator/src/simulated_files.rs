//! Book files on a simulated disk: a crash may lose or tear every file that was not synced.

use crate::random::Random;
use catalogue::BookPath;
use protocol::{Content, Digest};
use std::collections::BTreeMap;

/// The files of one process.
#[derive(Debug, Clone, Default)]
pub struct SimulatedFiles {
    current: BTreeMap<BookPath, Content>,
    /// What synced files held before they were written anew without a sync.
    unsynced: BTreeMap<BookPath, Option<Content>>,
    /// Bytes that repairs have replaced.
    quarantine: BTreeMap<Digest, Content>,
}

impl SimulatedFiles {
    /// Writes a file, or removes it, without a sync.
    pub fn write(&mut self, path: BookPath, content: Option<Content>) {
        let before = self.current.get(&path).cloned();
        self.unsynced.entry(path).or_insert(before);
        match content {
            Some(content) => self.current.insert(path, content),
            None => self.current.remove(&path),
        };
    }

    /// Somebody else writes or removes a file: the disk holds it so.
    pub fn damage(&mut self, path: BookPath, content: Option<Content>) {
        self.write(path, content);
        self.unsynced.remove(&path);
    }

    /// Mends a file, durably, and keeps what it held.
    pub fn replace_damaged(&mut self, path: BookPath, content: Option<Content>) {
        if let Some(replaced) = self.read(&path).cloned() {
            self.quarantine.insert(Digest::of(replaced.bytes()), replaced);
        }
        self.damage(path, content);
    }

    /// Bytes with this digest that a repair has replaced.
    pub fn quarantined(&self, digest: Digest) -> Option<&Content> {
        self.quarantine.get(&digest)
    }

    /// Makes all files durable as they are.
    pub fn sync(&mut self) {
        self.unsynced.clear();
    }

    /// The process stops: each file that was not synced is as it should be, as it was, torn, empty or missing. Returns how many
    /// are not as they should be.
    pub(crate) fn crash(&mut self, random: &mut Random) -> u64 {
        let mut damaged = 0;
        for (path, before) in std::mem::take(&mut self.unsynced) {
            let written = self.current.get(&path).cloned();
            let left = match random.below(5) {
                0 | 1 => written.clone(),
                2 => before,
                3 => written.as_ref().map(|content| {
                    let kept = random.index(content.bytes().len() + 1);
                    Content::from(content.bytes()[..kept].to_vec())
                }),
                _ => None,
            };
            damaged += u64::from(left != written);
            match left {
                Some(content) => self.current.insert(path, content),
                None => self.current.remove(&path),
            };
        }
        damaged
    }

    /// What a file holds.
    pub fn read(&self, path: &BookPath) -> Option<&Content> {
        self.current.get(path)
    }

    /// What a file holds, if it has this digest.
    pub fn matching(&self, path: &BookPath, digest: Digest) -> Option<&Content> {
        self.read(path).filter(|content| Digest::of(content.bytes()) == digest)
    }

    /// All files.
    pub fn all(&self) -> impl Iterator<Item = (&BookPath, &Content)> {
        self.current.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::Books;

    #[test]
    fn synced_files_survive_every_crash() {
        let books = Books::shared();
        for seed in 0..50 {
            let mut files = SimulatedFiles::default();
            let path = books.path(0);
            files.write(path, Some(books.content(0, 0)));
            files.sync();
            files.crash(&mut Random::new(seed));
            assert_eq!(files.read(&path), Some(&books.content(0, 0)));
        }
    }

    #[test]
    fn unsynced_files_are_lost_or_torn_in_some_crash() {
        let books = Books::shared();
        let damaged = |seed| {
            let mut files = SimulatedFiles::default();
            files.write(books.path(0), Some(books.content(0, 0)));
            files.crash(&mut Random::new(seed))
        };
        let damaged: u64 = (0..50).map(damaged).sum();
        assert!((10..50).contains(&damaged), "{damaged}");
    }
}
