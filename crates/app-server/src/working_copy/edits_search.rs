//! Looks for files that are not what is committed, on a thread of its own: all the time by size and time of change, and on
//! request by reading every file.
//!
//! A file that the writer has still to write must not be taken for an edit. So what looks like one is looked at again after
//! the writer was flushed, and counts only if what is committed for it was the same before and after.

use super::Shared;
use super::edits::{Edit, Edits};
use super::listing::book_paths;
use super::thread::CopyEvent;
use crate::index::Index;
use crate::settings::Settings;
use catalogue::BookPath;
use catalogue::limits::BOOK_BYTES_MAX;
use holder::Holder;
use protocol::Digest;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::oneshot;

/// A file that was changed so shortly before it was read may be changed again without its time showing it.
const TIME_IS_COARSE: Duration = Duration::from_secs(2);

/// A search takes at most this share of the time.
const REST_FACTOR: u32 = 20;

/// What the thread is asked for.
#[derive(Debug)]
enum SearchRequest {
    Search(oneshot::Sender<Result<Arc<Edits>, String>>),
    Stop,
}

/// Where searches are asked for.
#[derive(Debug, Clone)]
pub(super) struct EditsSearcher(Sender<SearchRequest>);

impl EditsSearcher {
    /// Reads all files.
    pub(super) async fn search(&self) -> Result<Arc<Edits>, String> {
        let (reply, found) = oneshot::channel();
        let stopped = || "this server is stopping".to_owned();
        self.0.send(SearchRequest::Search(reply)).map_err(|_| stopped())?;
        found.await.map_err(|_| stopped())?
    }

    /// Ends the thread after the search that it is at.
    pub(super) fn stop(&self) {
        // A thread that has ended need not be told to.
        let _ = self.0.send(SearchRequest::Stop);
    }
}

/// Starts the thread.
pub(super) fn start(
    settings: &Settings,
    books_folder: PathBuf,
    shared: Arc<Shared>,
    holder: Arc<Holder>,
    events: Sender<CopyEvent>,
) -> (EditsSearcher, JoinHandle<()>) {
    let (requests, queue) = channel();
    let every = Duration::from_millis(settings.edits_search_every_ms);
    let search = EditsSearch { books_folder, shared, holder, events, seen: HashMap::new() };
    let thread = std::thread::Builder::new()
        .name("edits-search".to_owned())
        .spawn(move || search.run(&queue, every))
        .expect("the system starts the few threads of a process");
    (EditsSearcher(requests), thread)
}

struct EditsSearch {
    books_folder: PathBuf,
    shared: Arc<Shared>,
    holder: Arc<Holder>,
    events: Sender<CopyEvent>,
    seen: HashMap<BookPath, Seen>,
}

/// What a file held when it was read last, and how to tell that it may hold something else now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    changed: SystemTime,
    bytes: u64,
    digest: Digest,
}

impl EditsSearch {
    fn run(mut self, queue: &Receiver<SearchRequest>, every: Duration) {
        let mut pause = every;
        loop {
            let request = match queue.recv_timeout(pause) {
                Ok(SearchRequest::Search(reply)) => Some(reply),
                Err(RecvTimeoutError::Timeout) => None,
                Ok(SearchRequest::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            };
            let began = Instant::now();
            if request.is_some() {
                self.seen.clear();
            }
            let found = self.search();
            if let Some(reply) = request {
                // Whoever asked may have lost patience.
                let _ = reply.send(found);
            } else if let Err(reason) = found {
                tracing::debug!(reason, "the files were not searched for edits");
            }
            pause = every.max(began.elapsed() * REST_FACTOR);
        }
    }

    fn search(&mut self) -> Result<Arc<Edits>, String> {
        if !self.shared.settled.load(Ordering::Relaxed) {
            return Err("this server's copy is being brought level; its files cannot be judged before".to_owned());
        }
        let suspects = self.suspects(&self.shared.index());
        let edits = self.judge(suspects)?;
        metrics::gauge!("app_server_edited_files").set(edits.len() as f64);
        self.shared.set_edits(edits);
        Ok(self.shared.edits())
    }

    /// Files that do not look like what is committed at first sight.
    fn suspects(&mut self, index: &Index) -> BTreeSet<BookPath> {
        let mut seen = HashMap::with_capacity(index.len());
        let mut suspects = BTreeSet::new();
        for path in book_paths(&self.books_folder) {
            let Some(file) = self.look_at(path) else { continue };
            seen.insert(path, file);
            if index.book(path.id()).map(|book| book.digest) != Some(file.digest) {
                suspects.insert(path);
            }
        }
        suspects.extend(index.books().map(|book| book.book.path()).filter(|path| !seen.contains_key(path)));
        // What was only just changed is read again next time.
        let trusted = SystemTime::now() - TIME_IS_COARSE;
        seen.retain(|_, file| file.changed < trusted);
        self.seen = seen;
        suspects
    }

    /// What a file holds: from memory if it looks the same as when it was read. None if it cannot be read as a file.
    fn look_at(&self, path: BookPath) -> Option<Seen> {
        let (folder, name) = (format!("{:02x}", path.id().bucket()), format!("{}.xml", path.id()));
        let metadata = std::fs::symlink_metadata(self.books_folder.join(folder).join(name)).ok()?;
        let (changed, bytes) = (metadata.modified().ok()?, metadata.len());
        if let Some(seen) = self.seen.get(&path).filter(|seen| seen.changed == changed && seen.bytes == bytes) {
            return Some(*seen);
        }
        let digest = self.holder.files().digest(path).ok().flatten()?;
        Some(Seen { changed, bytes, digest: Digest(digest.sha256) })
    }

    /// Looks again at the suspects, after everything that is committed has reached the files.
    fn judge(&self, suspects: BTreeSet<BookPath>) -> Result<Edits, String> {
        if suspects.is_empty() {
            return Ok(Edits::new());
        }
        let before = self.shared.index();
        // The index shows a round before its files are handed to the writer.
        let (reply, done) = channel();
        self.events.send(CopyEvent::Barrier { reply }).map_err(|error| error.to_string())?;
        done.recv().map_err(|_| "this server is stopping".to_owned())?;
        self.holder.flush().map_err(|error| error.to_string())?;
        let found: Vec<_> = suspects
            .into_iter()
            .map(|path| (path, self.holder.files().read(path, BOOK_BYTES_MAX).unwrap_or_default()))
            .collect();
        let after = self.shared.index();
        let committed = |index: &Index, path: BookPath| index.book(path.id()).map(|book| (book.digest, book.version));
        let mut edits = Edits::new();
        for (path, bytes) in found {
            let record = committed(&after, path);
            let found = bytes.as_ref().map(|bytes| (self.digest_of(path, bytes), bytes.as_slice()));
            let is_as_committed = record.map(|(digest, _)| digest) == found.map(|(digest, _)| digest);
            if !is_as_committed && committed(&before, path) == record {
                edits.insert(path, Edit::judge(path, &after, found));
            }
        }
        Ok(edits)
    }
}

impl EditsSearch {
    /// The digest of a file of which these bytes were read: of one that is larger than any book, not all of it.
    fn digest_of(&self, path: BookPath, bytes: &[u8]) -> Digest {
        let whole = (bytes.len() > BOOK_BYTES_MAX).then(|| self.holder.files().digest(path).ok().flatten()).flatten();
        whole.map_or_else(|| Digest::of(bytes), |whole| Digest(whole.sha256))
    }
}

impl std::fmt::Debug for EditsSearch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EditsSearch").field("books_folder", &self.books_folder).finish_non_exhaustive()
    }
}
