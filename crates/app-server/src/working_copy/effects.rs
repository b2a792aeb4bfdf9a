//! What the copy thread does: the effects of the follower core, and the catalogue that they change.

use super::edits::Edits;
use super::file_worker::{FileJob, StagedBooks, digests};
use super::thread::{CopyThread, Waiting};
use super::{LinkStage, Shared};
use crate::clock;
use crate::index::{Index, IndexedBook};
use catalogue::{Book, BookId, BookPath};
use holder::Holder;
use protocol::{
    Action, CatchUpId, CommittedRound, Digest, FetchedFile, HealResult, Record, Repair, RequestId, ToAppServer, Version,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use storage::file_writer::FileWrite;
use two_phase::follower::{FollowerEffect, FollowerState};

impl CopyThread {
    /// Does what the core wants done, until it wants nothing more.
    pub(super) fn do_effects(&mut self) {
        loop {
            let effects = self.follower.take_effects();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                self.do_effect(effect);
            }
        }
    }

    fn do_effect(&mut self, effect: FollowerEffect) {
        match effect {
            FollowerEffect::PersistFence { fence, cluster } => {
                let kept = self.identity.change(|identity| {
                    identity.fence = fence;
                    identity.cluster = Some(cluster);
                });
                if let Err(error) = kept {
                    self.failure.report(error.to_string());
                }
            }
            FollowerEffect::Send(message) => self.send(&message),
            FollowerEffect::Apply(round) => self.apply(round),
            FollowerEffect::Level { version } => self.become_level(version),
            FollowerEffect::Deliver(message) => self.deliver(message),
            FollowerEffect::Disconnect { reason } => self.disconnect(reason),
            FollowerEffect::FindMissing { catch_up, files } => {
                self.shared.settled.store(false, Ordering::Relaxed);
                self.files.hand_in(FileJob::FindMissing { catch_up, files });
            }
            FollowerEffect::StoreFetched { catch_up, files } => self.store(catch_up, files),
            FollowerEffect::Install { catch_up, removed } => self.install(catch_up, removed),
            FollowerEffect::Inspect(question) => {
                let version = self.follower.state().version;
                self.files.hand_in(FileJob::Inspect { question, version });
            }
            FollowerEffect::Heal { request, repairs, foreign, left } => self.heal(request, repairs, foreign, left),
        }
    }

    fn apply(&mut self, round: CommittedRound) {
        let (version, changed) = (round.version, round.changes.iter().map(|change| change.path.id()).collect());
        self.catalogue.show(&round);
        self.submissions.handle_shown(version);
        self.hub.catalogue_changed(version, changed);
        // After the answers: nobody waits for files.
        self.catalogue.write_behind(round);
    }

    fn become_level(&mut self, version: Version) {
        self.shared.settled.store(true, Ordering::Relaxed);
        self.is_accounted_for = true;
        let was_level = self.link.stage == LinkStage::Level;
        if !was_level {
            tracing::info!(version = version.0, "level with the coordinator");
            self.link.stage = LinkStage::Level;
            self.link.was_level = true;
            self.link.stale_since_ms = None;
            self.link.problem = None;
            self.readiness.clear("starting");
        }
        self.show_link();
        self.submissions.handle_shown(self.catalogue.version());
        if !was_level {
            for (request, submission) in self.submissions.mark_all_sent() {
                self.send(&protocol::FromAppServer::Submit { request, submission });
            }
        }
    }

    fn deliver(&mut self, message: ToAppServer) {
        match message {
            ToAppServer::Welcome { lab, .. } => {
                self.link.stage = LinkStage::Welcomed;
                self.link.since_ms = clock::unix_ms();
                self.link.lab = lab;
                self.show_link();
                self.follow_events_if_wanted();
            }
            ToAppServer::Answered { request, answer } => {
                self.submissions.handle_answer(request, answer, self.catalogue.version());
            }
            ToAppServer::Told { request, answer } => {
                if let Some(Waiting::Answer(reply)) = self.questions.remove(&request) {
                    // Whoever asked may have lost patience.
                    let _ = reply.send(answer);
                }
            }
            ToAppServer::Done { request, refused } => {
                if let Some(Waiting::Done(reply)) = self.questions.remove(&request) {
                    let _ = reply.send(refused.map_or(Ok(()), Err));
                }
            }
            ToAppServer::Event(event) => self.hub.cluster_event(&event),
            // The core keeps these to itself.
            ToAppServer::Confirm { .. }
            | ToAppServer::Committed(_)
            | ToAppServer::CatchUp(_)
            | ToAppServer::Files(_)
            | ToAppServer::Refuse { .. } => {}
        }
    }

    fn store(&mut self, catch_up: CatchUpId, files: Vec<FetchedFile>) {
        // Bytes that were committed all along are for the index: what the file holds instead is somebody's edit.
        let target = self.follower.state_to_install(catch_up);
        let is_edit = |file: &FetchedFile| {
            let withheld = self.catalogue.withheld.get(&file.wanted.path);
            withheld.is_some()
                && target.as_ref().and_then(|target| target.manifest.record(&file.wanted.path)) == withheld
        };
        let (untouched, files): (Vec<_>, Vec<_>) = files.into_iter().partition(is_edit);
        let paths: Vec<_> = files.iter().map(|file| file.wanted.path).collect();
        let expected = self.expected(&paths);
        let claim = self.catalogue.holder.claim(paths);
        self.files.hand_in(FileJob::Store { catch_up, claim, files, expected, untouched });
    }

    fn install(&mut self, catch_up: CatchUpId, mut removed: Vec<BookPath>) {
        let Some(state) = self.follower.state_to_install(catch_up) else { return };
        self.shared.settled.store(false, Ordering::Relaxed);
        // An edit of a book that is deleted by now must not look like a new book.
        removed.extend(self.catalogue.withheld.keys().filter(|path| state.manifest.record(path).is_none()));
        let expected = self.expected(&removed);
        let claim = self.catalogue.holder.claim(removed.iter().copied());
        self.files.hand_in(FileJob::Install { catch_up, claim, removed, expected, state: Box::new(state) });
    }

    fn heal(&mut self, request: RequestId, repairs: Vec<Repair>, foreign: Vec<String>, left: Vec<HealResult>) {
        let claim = self.catalogue.holder.claim(repairs.iter().map(|repair| repair.path));
        self.files.hand_in(FileJob::Heal { claim, request, repairs, foreign, left });
    }

    /// What files were last known to hold.
    fn expected(&self, paths: &[BookPath]) -> HashMap<BookPath, Digest> {
        let manifest = &self.follower.state().manifest;
        let record = |path| manifest.record(path).or_else(|| self.catalogue.withheld.get(path));
        digests(paths.iter().filter_map(|path| Some((path, record(path)?))))
    }
}

/// The committed books: shown by the index, written behind to the files.
pub(super) struct Catalogue {
    index: Index,
    withheld: HashMap<BookPath, Record>,
    /// Books of a catch-up under way.
    staged: HashMap<BookPath, (Digest, Book)>,
    holder: Arc<Holder>,
    shared: Arc<Shared>,
    /// What the files held before the round that is being applied.
    before: HashMap<BookId, Digest>,
}

impl Catalogue {
    pub(super) fn new(
        index: Index,
        withheld: HashMap<BookPath, Record>,
        holder: Arc<Holder>,
        shared: Arc<Shared>,
    ) -> Self {
        shared.publish(index.clone());
        Self { index, withheld, staged: HashMap::new(), holder, shared, before: HashMap::new() }
    }

    pub(super) fn version(&self) -> Version {
        self.index.version()
    }

    pub(super) fn withholds_nothing(&self) -> bool {
        self.withheld.is_empty()
    }

    pub(super) fn stage(&mut self, books: StagedBooks) {
        self.staged.extend(books.into_iter().map(|(path, digest, book)| (path, (digest, book))));
    }

    pub(super) fn forget_staged(&mut self) {
        self.staged.clear();
    }

    /// Shows the round to readers.
    fn show(&mut self, round: &CommittedRound) {
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
        self.shared.publish(self.index.clone());
        metrics::gauge!("app_server_copy_version").set(round.version.0 as f64);
        metrics::gauge!("app_server_books").set(self.index.len() as f64);
    }

    /// Hands the files of the round to the writer; what somebody has edited goes to the quarantine first.
    fn write_behind(&mut self, round: CommittedRound) {
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

    /// Makes the index that of a state whose files are all there.
    ///
    /// # Errors
    /// The first book that is neither in the index nor staged.
    pub(super) fn install(&mut self, state: &FollowerState) -> Result<(), BookPath> {
        let mut staged = std::mem::take(&mut self.staged);
        let mut index = self.index.clone();
        for (path, record) in state.manifest.entries() {
            match index.book(path.id()) {
                Some(book) if book.digest == record.digest && book.version == record.version => {}
                Some(book) if book.digest == record.digest => {
                    let book = book.book.clone();
                    index.insert(IndexedBook::new(book, record.digest, record.version));
                }
                _ => match staged.remove(path) {
                    Some((digest, book)) if digest == record.digest => {
                        index.insert(IndexedBook::new(book, digest, record.version));
                    }
                    _ => return Err(*path),
                },
            }
        }
        let is_gone = |id: &BookId| state.manifest.record(&BookPath::from(*id)).is_none();
        let gone: Vec<_> = index.books().map(|book| book.book.id()).filter(is_gone).collect();
        gone.into_iter().for_each(|id| index.remove(id));
        index.set_version(state.version);
        self.index = index;
        self.withheld.clear();
        self.shared.publish(self.index.clone());
        self.shared.set_edits(Edits::new());
        metrics::gauge!("app_server_copy_version").set(state.version.0 as f64);
        metrics::gauge!("app_server_books").set(self.index.len() as f64);
        Ok(())
    }
}
