//! The bounded backlog of book files that still have to follow the log, and the thread that writes them.
//!
//! A replicator or app-server hands over what a round committed, once the commit record is durable; the files follow
//! from memory. Several writes to one path that wait are written once, with the newest bytes. Nothing is synced here,
//! and nothing needs to be: after a crash the log does it again.
//!
//! Bounded by credit, not by blocking: what is committed must be taken. The owner asks [`FileWriter::is_full`] before
//! it promises more.

use crate::book_files::{BookFiles, BookFilesError};
use backlog::{Backlog, Waiting};
use catalogue::BookPath;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

mod backlog;

/// How long the writer waits before it tries a full disk again: doubled each time, up to the second value.
const RETRY_INTERVALS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// One file to write or to delete.
#[derive(Debug, Clone)]
pub struct FileWrite {
    /// Which file.
    pub path: BookPath,
    /// Its new bytes; none to delete it.
    pub content: Option<Arc<[u8]>>,
}

/// What the writer tells its owner, from its own thread.
#[derive(Debug)]
pub enum FileWriterEvent {
    /// A backlog that had passed its maximum is down to half of it: there is credit again.
    BacklogBelowMark {
        /// What still waits.
        backlog_bytes: u64,
    },
    /// The disk is full. Told once; the writer keeps trying, and nothing is lost meanwhile.
    DiskFull {
        /// The file that could not be written.
        path: BookPath,
        /// What the system said.
        error: Arc<BookFilesError>,
    },
    /// After [`FileWriterEvent::DiskFull`]: writing works again.
    DiskHasRoom,
    /// A file cannot be written and trying again would not help. The writer has stopped; the log still has everything.
    Failed {
        /// The file.
        path: BookPath,
        /// What the system said.
        error: Arc<BookFilesError>,
    },
}

/// Why the files are not level with what was handed over.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FileWriterError {
    /// The thread could not be started.
    #[error("cannot start the thread that writes book files: {source}")]
    Thread {
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// Not in that time.
    #[error("{backlog_bytes} bytes of book files are still to be written")]
    TimedOut {
        /// What still waits.
        backlog_bytes: u64,
    },
    /// The disk is full: what waits for it is not written before there is room.
    #[error("book files could not be written, the disk is full: {error}")]
    DiskFull {
        /// What the system said.
        error: Arc<BookFilesError>,
    },
    /// The writer has stopped, see [`FileWriterEvent::Failed`].
    #[error("book files are not written any more: {error}")]
    Failed {
        /// What the system said.
        error: Arc<BookFilesError>,
    },
}

/// How one file is written.
type Write = dyn Fn(&Waiting) -> Result<(), BookFilesError> + Send;

/// The backlog and its thread. Dropping it abandons what waits, as a crash would; [`FileWriter::stop`] does not.
pub struct FileWriter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    /// Work came, or the end.
    work: Condvar,
    /// Something was written, or never will be.
    progress: Condvar,
}

struct State {
    backlog: Backlog,
    /// Set while the disk is full.
    disk_full: Option<Arc<BookFilesError>>,
    failed: Option<Arc<BookFilesError>>,
    ending: Ending,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    No,
    /// Once nothing waits.
    WhenDone,
    Now,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock in a half-done state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FileWriter {
    /// Starts the thread. `on_event` is called on it and should only pass the event on. `backlog_bytes_max` is where
    /// [`FileWriter::is_full`] begins.
    pub fn start(
        files: BookFiles,
        backlog_bytes_max: u64,
        on_event: Box<dyn Fn(FileWriterEvent) + Send>,
    ) -> Result<FileWriter, FileWriterError> {
        let write = move |waiting: &Waiting| match &waiting.content {
            Some(content) => files.write(waiting.path, content),
            None => files.remove(waiting.path).map(|_| ()),
        };
        FileWriter::start_with(Box::new(write), backlog_bytes_max, on_event)
    }

    /// Tests put a disk that is full in place of the files.
    fn start_with(
        write: Box<Write>,
        backlog_bytes_max: u64,
        on_event: Box<dyn Fn(FileWriterEvent) + Send>,
    ) -> Result<FileWriter, FileWriterError> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                backlog: Backlog::new(backlog_bytes_max),
                disk_full: None,
                failed: None,
                ending: Ending::No,
            }),
            work: Condvar::new(),
            progress: Condvar::new(),
        });
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("file-writer".into())
            .spawn(move || run(&for_thread, &*write, &*on_event))
            .map_err(|source| FileWriterError::Thread { source: Arc::new(source) })?;
        Ok(FileWriter { shared, thread: Some(thread) })
    }

    /// Takes a batch. It never blocks and never refuses. `token` names the batch for [`FileWriter::applied_through`]
    /// (the log record that committed it); it must not fall from one call to the next.
    pub fn apply(&self, batch: Vec<FileWrite>, token: u64) {
        let mut state = self.shared.lock();
        state.backlog.push(batch, token);
        self.shared.work.notify_one();
    }

    /// Bytes that wait, with a flat charge per file.
    pub fn backlog_bytes(&self) -> u64 {
        self.shared.lock().backlog.bytes()
    }

    /// Whether more waits than should: promise nothing more until [`FileWriterEvent::BacklogBelowMark`].
    pub fn is_full(&self) -> bool {
        self.shared.lock().backlog.is_full()
    }

    /// All batches with tokens up to this one are in the files (not synced). 0 before the first.
    pub fn applied_through(&self) -> u64 {
        self.shared.lock().backlog.applied_through()
    }

    /// Waits until everything that was handed over before is in the files (not synced).
    ///
    /// # Errors
    /// [`FileWriterError::TimedOut`], [`FileWriterError::Failed`], and at once [`FileWriterError::DiskFull`].
    pub fn flush(&self, timeout: Duration) -> Result<(), FileWriterError> {
        let deadline = Instant::now() + timeout;
        let mut state = self.shared.lock();
        let token = state.backlog.newest_token();
        loop {
            if let Some(error) = &state.failed {
                return Err(FileWriterError::Failed { error: Arc::clone(error) });
            }
            if state.backlog.applied_through() >= token {
                return Ok(());
            }
            if let Some(error) = &state.disk_full {
                return Err(FileWriterError::DiskFull { error: Arc::clone(error) });
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(FileWriterError::TimedOut { backlog_bytes: state.backlog.bytes() });
            }
            let woken = self.shared.progress.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What a file will hold: `None` if nothing waits for it and the disk is right, `Some(None)` if it waits to be
    /// deleted, else its bytes.
    pub fn content_of(&self, path: BookPath) -> Option<Option<Arc<[u8]>>> {
        self.shared.lock().backlog.content_of(path)
    }

    /// Writes what waits and ends the thread. A full disk is tried once more.
    ///
    /// # Errors
    /// [`FileWriterError::DiskFull`] and [`FileWriterError::Failed`]: then the log has to do it again.
    pub fn stop(mut self) -> Result<(), FileWriterError> {
        self.end(Ending::WhenDone);
        let state = self.shared.lock();
        match (&state.failed, &state.disk_full) {
            (Some(error), _) => Err(FileWriterError::Failed { error: Arc::clone(error) }),
            (None, Some(error)) => Err(FileWriterError::DiskFull { error: Arc::clone(error) }),
            (None, None) => Ok(()),
        }
    }

    fn end(&mut self, ending: Ending) {
        self.shared.lock().ending = ending;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic in the thread was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end(Ending::Now);
        }
    }
}

fn run(shared: &Shared, write: &Write, on_event: &dyn Fn(FileWriterEvent)) {
    while let Some(waiting) = wait_for_work(shared) {
        let mut retry_interval = RETRY_INTERVALS.0;
        while let Err(error) = write(&waiting) {
            let (path, error) = (waiting.path, Arc::new(error));
            if !error.is_disk_full() {
                shared.lock().failed = Some(Arc::clone(&error));
                shared.progress.notify_all();
                return on_event(FileWriterEvent::Failed { path, error });
            }
            let is_news = shared.lock().disk_full.replace(Arc::clone(&error)).is_none();
            shared.progress.notify_all();
            if is_news {
                on_event(FileWriterEvent::DiskFull { path, error });
            }
            if !wait_to_retry(shared, retry_interval) {
                return;
            }
            retry_interval = (retry_interval * 2).min(RETRY_INTERVALS.1);
        }
        note_written(shared, on_event);
    }
}

/// The next file to write, or nothing at the end.
fn wait_for_work(shared: &Shared) -> Option<Waiting> {
    let mut state = shared.lock();
    loop {
        if state.ending == Ending::Now {
            return None;
        }
        if let Some(waiting) = state.backlog.take() {
            return Some(waiting);
        }
        if state.ending == Ending::WhenDone {
            return None;
        }
        state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

/// Waits before a full disk is tried again; whether it is to be tried at all. When the end is asked for during the
/// wait there is one more try.
fn wait_to_retry(shared: &Shared, interval: Duration) -> bool {
    let state = shared.lock();
    if state.ending != Ending::No {
        return false;
    }
    let waited = shared.work.wait_timeout_while(state, interval, |state| state.ending == Ending::No);
    waited.unwrap_or_else(PoisonError::into_inner).0.ending != Ending::Now
}

fn note_written(shared: &Shared, on_event: &dyn Fn(FileWriterEvent)) {
    let mut state = shared.lock();
    let has_room_again = state.disk_full.take().is_some();
    let fell_below_mark = state.backlog.finish();
    let backlog_bytes = state.backlog.bytes();
    drop(state);
    shared.progress.notify_all();
    if has_room_again {
        on_event(FileWriterEvent::DiskHasRoom);
    }
    if fell_below_mark {
        on_event(FileWriterEvent::BacklogBelowMark { backlog_bytes });
    }
}

#[cfg(test)]
mod tests;
