//! The committed books: shown by the index, and written behind to the files. The copy thread's own.

use super::Shared;
use super::edits::Edits;
use super::file_worker::StagedBooks;
use crate::index::{Index, IndexedBook};
use catalogue::{Book, BookId, BookPath};
use holder::Holder;
use protocol::{Action, CommittedRound, Digest, ManifestEntry, Record, ToAppServer, ToLearner, Version};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use storage::file_writer::FileWrite;
use two_phase::follower::FollowerState;

/// The committed books: shown by the index, written behind to the files.
pub(super) struct CommittedBooks {
    index: Index,
    pub(super) withheld: HashMap<BookPath, Record>,
    /// Withheld files that were changed by rounds since.
    superseded: HashSet<BookPath>,
    /// Books of a catch-up under way.
    staged: HashMap<BookPath, (Digest, Book)>,
    pub(super) holder: Arc<Holder>,
    shared: Arc<Shared>,
    /// What the files held before the round that is being applied.
    before: HashMap<BookId, Digest>,
}

impl CommittedBooks {
    pub(super) fn new(
        index: Index,
        withheld: HashMap<BookPath, Record>,
        holder: Arc<Holder>,
        shared: Arc<Shared>,
    ) -> Self {
        shared.publish(index.clone());
        Self {
            index,
            withheld,
            superseded: HashSet::new(),
            staged: HashMap::new(),
            holder,
            shared,
            before: HashMap::new(),
        }
    }

    pub(super) fn version(&self) -> Version {
        self.index.version()
    }

    pub(super) fn withholds_nothing(&self) -> bool {
        self.withheld.is_empty()
    }

    /// Whether a file that is fetched holds somebody's edit of what is committed still.
    pub(super) fn is_edit(&self, path: &BookPath) -> bool {
        self.withheld.contains_key(path) && !self.superseded.contains(path)
    }

    /// Hears what a catch-up leads to: a withheld file whose record is another one there is no edit of it.
    pub(super) fn hear_target(&mut self, message: &ToAppServer) {
        if let ToAppServer::CatchUp(ToLearner::Entries { buckets, .. }) = message {
            for ManifestEntry { path, record } in buckets.iter().flat_map(|bucket| &bucket.entries) {
                if self.withheld.get(path).is_some_and(|withheld| withheld != record) {
                    self.superseded.insert(*path);
                }
            }
        }
    }

    pub(super) fn stage(&mut self, books: StagedBooks) {
        self.staged.extend(books.into_iter().map(|(path, digest, book)| (path, (digest, book))));
    }

    pub(super) fn forget_staged(&mut self) {
        self.staged.clear();
    }

    /// Shows the round to readers.
    pub(super) fn show(&mut self, round: &CommittedRound) {
        self.before.clear();
        for change in &round.changes {
            let id = change.path.id();
            if let Some(book) = self.index.book(id) {
                self.before.insert(id, book.digest);
            }
            match &change.action {
                Action::Put { content, digest } => match Book::from_xml(content.bytes()) {
                    Ok(book) if book.path() == change.path => {
                        self.index.insert(IndexedBook::new(book, *digest, round.version));
                    }
                    // The replicators check what they prepare; still, an old version of a book must not stay on show.
                    _ => {
                        tracing::error!(path = %change.path, "a committed file is not the book of its path; it cannot be shown");
                        self.index.remove(id);
                    }
                },
                Action::Delete => self.index.remove(id),
            }
        }
        self.index.set_version(round.version);
        self.publish();
    }

    /// Hands the files of the round to the writer; what somebody has edited goes to the quarantine first.
    pub(super) fn write_behind(&mut self, round: CommittedRound) {
        let mut writes = Vec::with_capacity(round.changes.len());
        for change in round.changes {
            let content = match change.action {
                Action::Put { content, .. } => Some(content.shared()),
                Action::Delete => None,
            };
            if self.keep_edit(change.path, content.as_deref()) {
                writes.push(FileWrite { path: change.path, content });
            }
        }
        self.holder.apply(writes, round.version.0);
    }

    /// Whether the file may be overwritten now.
    fn keep_edit(&self, path: BookPath, coming: Option<&[u8]>) -> bool {
        // A file that still has to be written was looked at when that write was handed over.
        if self.holder.writer().content_of(path).is_some() {
            return true;
        }
        let expected = self.before.get(&path.id()).copied();
        match self.holder.keep_unexpected(path, expected, coming.map(Digest::of)) {
            Ok(None) => true,
            Ok(Some(name)) => {
                tracing::info!(%path, quarantined = name, "a round changed an edited file; the edit is in the quarantine");
                true
            }
            Err(error) => {
                tracing::warn!(%path, %error, "an edit could not be set aside; the file stays as it is and shows as modified");
                false
            }
        }
    }

    /// Makes the index that of a state whose files are all there. Gives the paths of which no bytes came: rounds that follow
    /// have touched them. Readers see it when the copy is level, after those rounds.
    pub(super) fn install(&mut self, state: &FollowerState) -> Vec<BookPath> {
        let mut staged = std::mem::take(&mut self.staged);
        let mut lacking = Vec::new();
        for (path, record) in state.manifest.entries() {
            let (id, digest, version) = (path.id(), record.digest, record.version);
            let shown = self.index.book(id).filter(|book| book.digest == digest);
            if shown.is_some_and(|book| book.version == version) {
                continue;
            }
            let shown = shown.map(|book| book.book.clone());
            let fetched = || staged.remove(path).filter(|(fetched, _)| *fetched == digest).map(|(_, book)| book);
            match shown.or_else(fetched) {
                Some(book) => self.index.insert(IndexedBook::new(book, digest, version)),
                None => {
                    self.index.remove(id);
                    lacking.push(*path);
                }
            }
        }
        let is_gone = |id: &BookId| state.manifest.record(&BookPath::from(*id)).is_none();
        let gone: Vec<_> = self.index.books().map(|book| book.book.id()).filter(is_gone).collect();
        gone.into_iter().for_each(|id| self.index.remove(id));
        self.index.set_version(state.version);
        self.withheld.clear();
        self.superseded.clear();
        lacking
    }

    /// Notes what was installed and cannot be shown, after the rounds that followed on it.
    pub(super) fn check_installed(&self, lacking: &[BookPath], state: &FollowerState) {
        for path in lacking {
            if state.manifest.record(path).is_some() && self.index.book(path.id()).is_none() {
                tracing::error!(%path, "a committed file is not the book of its path; it cannot be shown");
            }
        }
        self.shared.set_edits(Edits::new());
    }

    /// Shows readers the index as it is.
    pub(super) fn publish(&self) {
        self.shared.publish(self.index.clone());
        metrics::gauge!("app_server_copy_version").set(self.index.version().0 as f64);
        metrics::gauge!("app_server_books").set(self.index.len() as f64);
    }
}
