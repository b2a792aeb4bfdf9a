//! The thread that writes the next segment full of zeroes before it is needed.
//!
//! Appending to a file that already has its size and its blocks needs no file system metadata, so a sync costs about
//! half of what it costs on a growing file. Writing the zeroes takes far longer than a sync; therefore ahead of need.

use crate::log::disk::Disk;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The name of a segment that nothing has been written to.
pub(crate) const PREWRITTEN_NAME: &str = "next.prewritten";

const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Whether the segment after the current one is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextSegment {
    /// It is.
    Ready,
    /// It is being written.
    Preparing,
    /// It could not be written, for this reason; usually the disk is full. Nothing new should be promised: what is
    /// left of the current segment is for the records that settle old promises. It is tried again when asked for,
    /// at most once a second.
    Failed(String),
}

enum State {
    Wanted,
    Ready,
    Failed {
        error: io::Error,
        at: Instant,
    },
    /// It failed, and is tried again: until it is there it counts as failed.
    Retrying {
        error: String,
    },
    /// The segment was taken and no other is wanted yet.
    Taken,
    Stopping,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is one word that is always whole, whatever happened to a thread that held the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Owns the thread; dropping it waits for what is being written.
pub(crate) struct Prewriter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Prewriter {
    /// Starts the thread. Nothing is written until [`Prewriter::request`].
    pub(crate) fn start(disk: Arc<dyn Disk>, segment_bytes: u64) -> io::Result<Prewriter> {
        let shared = Arc::new(Shared { state: Mutex::new(State::Taken), changed: Condvar::new() });
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("log-prewriter".into())
            .spawn(move || run(&for_thread, &*disk, segment_bytes))?;
        Ok(Prewriter { shared, thread: Some(thread) })
    }

    /// Asks for a segment, if there is none and none is being written.
    pub(crate) fn request(&self) {
        let mut state = self.shared.lock();
        if matches!(*state, State::Taken | State::Failed { .. }) {
            *state = State::Wanted;
            self.shared.changed.notify_all();
        }
    }

    /// Waits until [`PREWRITTEN_NAME`] is there and durable; it is then the caller's. After an error the next call
    /// tries again.
    pub(crate) fn take(&self) -> io::Result<()> {
        self.request();
        let mut state = self.shared.lock();
        loop {
            match &*state {
                State::Ready => {
                    *state = State::Taken;
                    return Ok(());
                }
                State::Failed { error, .. } => return Err(same_error(error)),
                State::Wanted | State::Retrying { .. } | State::Taken | State::Stopping => {
                    state = self.shared.wait(state);
                }
            }
        }
    }

    /// Waits until it is known whether there is one, and says so.
    pub(crate) fn wait_until_known(&self) -> NextSegment {
        self.request_if_taken();
        let mut state = self.shared.lock();
        while matches!(*state, State::Wanted) {
            state = self.shared.wait(state);
        }
        drop(state);
        self.next_segment()
    }

    fn request_if_taken(&self) {
        let mut state = self.shared.lock();
        if matches!(*state, State::Taken) {
            *state = State::Wanted;
            self.shared.changed.notify_all();
        }
    }

    /// How far it is, and tries again what failed a while ago.
    pub(crate) fn next_segment(&self) -> NextSegment {
        let mut state = self.shared.lock();
        match &*state {
            State::Ready => NextSegment::Ready,
            State::Failed { error, at } => {
                let error = error.to_string();
                if at.elapsed() >= RETRY_INTERVAL {
                    *state = State::Retrying { error: error.clone() };
                    self.shared.changed.notify_all();
                }
                NextSegment::Failed(error)
            }
            State::Retrying { error } => NextSegment::Failed(error.clone()),
            State::Wanted | State::Taken | State::Stopping => NextSegment::Preparing,
        }
    }
}

impl Drop for Prewriter {
    fn drop(&mut self) {
        *self.shared.lock() = State::Stopping;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic in the thread was reported when it happened.
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared, disk: &dyn Disk, segment_bytes: u64) {
    let mut state = shared.lock();
    loop {
        match *state {
            State::Stopping => return,
            State::Wanted | State::Retrying { .. } => {
                drop(state);
                let written = disk.prewrite(PREWRITTEN_NAME, segment_bytes);
                state = shared.lock();
                if !matches!(*state, State::Stopping) {
                    *state = match written {
                        Ok(()) => State::Ready,
                        Err(error) => State::Failed { error, at: Instant::now() },
                    };
                    shared.changed.notify_all();
                }
            }
            _ => state = shared.wait(state),
        }
    }
}

/// The error keeps its kind and its text for everybody who asks, which [`io::Error`] cannot be cloned for.
fn same_error(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
