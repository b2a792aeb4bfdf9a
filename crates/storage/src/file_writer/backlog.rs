//! What waits to be written, in order, and how far the batches are through. No IO, no threads.

use crate::file_writer::FileWrite;
use catalogue::BookPath;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Charged per waiting file beside its bytes, so that deletions and small files are bounded too.
const FILE_BYTES: u64 = 256;

/// One file that waits, or is being written.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) path: BookPath,
    pub(crate) content: Option<Arc<[u8]>>,
    /// The newest token of which the batches would all be through if only this file were left.
    token_before: u64,
}

impl Waiting {
    fn bytes(&self) -> u64 {
        FILE_BYTES + self.content.as_ref().map_or(0, |content| content.len() as u64)
    }
}

/// Invariant: the tokens of `in_work` and then along `queue` never fall, so the first one tells how far all are.
#[derive(Debug)]
pub(crate) struct Backlog {
    bytes_max: u64,
    bytes: u64,
    /// Whether the maximum was passed and the mark was not yet reached again.
    was_full: bool,
    token: u64,
    token_before: u64,
    queue: VecDeque<BookPath>,
    waiting: HashMap<BookPath, Waiting>,
    in_work: Option<Waiting>,
}

impl Backlog {
    pub(crate) fn new(bytes_max: u64) -> Backlog {
        Backlog {
            bytes_max,
            bytes: 0,
            was_full: false,
            token: 0,
            token_before: 0,
            queue: VecDeque::new(),
            waiting: HashMap::new(),
            in_work: None,
        }
    }

    pub(crate) fn push(&mut self, batch: Vec<FileWrite>, token: u64) {
        if token > self.token {
            self.token_before = self.token;
            self.token = token;
        }
        for FileWrite { path, content } in batch {
            let mut new = Waiting { path, content, token_before: self.token_before };
            self.bytes += new.bytes();
            match self.waiting.get_mut(&path) {
                // It keeps its place, and with it the token of the batch that waits longest for it.
                Some(old) => {
                    self.bytes -= old.bytes();
                    new.token_before = old.token_before;
                    *old = new;
                }
                None => {
                    self.queue.push_back(path);
                    self.waiting.insert(path, new);
                }
            }
        }
        self.was_full |= self.is_full();
    }

    /// The file to write now. It counts as waiting until [`Backlog::finish`].
    pub(crate) fn take(&mut self) -> Option<Waiting> {
        let path = self.queue.pop_front()?;
        self.in_work = self.waiting.remove(&path);
        self.in_work.clone()
    }

    /// The file that was taken is written. Answers whether a backlog that was full is now half empty.
    pub(crate) fn finish(&mut self) -> bool {
        if let Some(written) = self.in_work.take() {
            self.bytes -= written.bytes();
        }
        let fell_below_mark = self.was_full && self.bytes <= self.bytes_max / 2;
        self.was_full &= !fell_below_mark;
        fell_below_mark
    }

    pub(crate) fn content_of(&self, path: BookPath) -> Option<Option<Arc<[u8]>>> {
        let in_work = self.in_work.as_ref().filter(|file| file.path == path);
        self.waiting.get(&path).or(in_work).map(|file| file.content.clone())
    }

    pub(crate) fn applied_through(&self) -> u64 {
        let first = self.queue.front().and_then(|path| self.waiting.get(path));
        self.in_work.as_ref().or(first).map_or(self.token, |file| file.token_before)
    }

    pub(crate) fn newest_token(&self) -> u64 {
        self.token
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes > self.bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(number: u8) -> BookPath {
        let id = format!("01900000-0000-7000-8000-0000000000{number:02x}");
        BookPath::parse(&format!("books/{number:02x}/{id}.xml")).unwrap()
    }

    fn put(number: u8, text: &str) -> FileWrite {
        FileWrite { path: path(number), content: Some(text.as_bytes().into()) }
    }

    #[test]
    fn several_writes_to_one_path_are_one_with_the_newest_bytes() {
        let mut backlog = Backlog::new(10_000);
        backlog.push(vec![put(1, "old"), put(2, "two")], 10);
        backlog.push(vec![put(1, "newer")], 11);
        assert_eq!(backlog.bytes(), 2 * FILE_BYTES + 8);
        assert_eq!(backlog.applied_through(), 0);
        let first = backlog.take().unwrap();
        assert_eq!((first.path, first.content.as_deref()), (path(1), Some(&b"newer"[..])));
        assert_eq!(backlog.applied_through(), 0);
        backlog.finish();
        assert_eq!(backlog.applied_through(), 0, "file 2 of the first batch is not written");
        assert_eq!(backlog.take().unwrap().path, path(2));
        backlog.finish();
        assert_eq!((backlog.applied_through(), backlog.bytes()), (11, 0));
        assert!(backlog.take().is_none());
    }

    #[test]
    fn a_file_that_changes_while_it_is_written_is_written_again() {
        let mut backlog = Backlog::new(10_000);
        backlog.push(vec![put(1, "old")], 10);
        backlog.take().unwrap();
        backlog.push(vec![put(2, "two")], 11);
        backlog.push(vec![FileWrite { path: path(1), content: None }], 12);
        assert_eq!(backlog.content_of(path(1)), Some(None), "the newest state is the deletion");
        backlog.finish();
        assert_eq!(backlog.applied_through(), 10);
        assert_eq!(backlog.take().unwrap().path, path(2));
        backlog.finish();
        assert_eq!(backlog.applied_through(), 11);
        assert_eq!(backlog.take().unwrap().content, None);
        assert_eq!(backlog.content_of(path(1)), Some(None), "also while it is in work");
        backlog.finish();
        assert_eq!(backlog.applied_through(), 12);
        assert_eq!(backlog.content_of(path(1)), None);
    }

    #[test]
    fn batches_that_share_a_token_are_through_together() {
        let mut backlog = Backlog::new(10_000);
        backlog.push(vec![put(1, "one")], 10);
        backlog.push(vec![put(2, "two")], 10);
        backlog.push(vec![], 11);
        backlog.take();
        backlog.finish();
        assert_eq!(backlog.applied_through(), 0);
        backlog.take();
        backlog.finish();
        assert_eq!(backlog.applied_through(), 11);
    }

    #[test]
    fn credit_is_gone_above_the_maximum_and_told_once_at_half_of_it() {
        let mut backlog = Backlog::new(4 * FILE_BYTES);
        for number in 0..4 {
            backlog.push(vec![FileWrite { path: path(number), content: None }], 1);
        }
        assert!(!backlog.is_full());
        backlog.push(vec![FileWrite { path: path(4), content: None }], 2);
        assert!(backlog.is_full());
        let told: Vec<_> = (0..5).map(|_| backlog.take().map(|_| backlog.finish())).collect();
        assert_eq!(told, [false, false, true, false, false].map(Some));
    }
}
