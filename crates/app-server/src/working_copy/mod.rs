//! The app-server's own copy of the catalogue: the committed books in memory, their files, and the link to the coordinator.
//!
//! ```text
//!   REST handlers --submit, ask--> copy thread (owns the follower core) --Send--> link --> coordinator
//!        ^                            |        |
//!        '------ Index snapshot ------'        '--> file worker (scans, repairs, catch-ups, checkpoints)
//! ```
//!
//! [`WorkingCopy`] is the handle that everybody else holds. All decisions of the protocol are the follower's, in
//! `two-phase`; all file work is the holder's. What is here feeds the one and does the effects.

mod app_servers;
mod committed_books;
mod edits;
mod edits_search;
mod effects;
mod file_worker;
mod identity;
mod link;
mod listing;
mod opening;
mod status;
mod submissions;
mod thread;

pub(crate) use app_servers::AppServers;
pub(crate) use edits::{Edit, EditState, Edits, book_of};
pub(crate) use status::{LinkStage, LinkStatus};
pub(crate) use submissions::{LocalOutcome, WriteOutcome, refusal_sentence};

use crate::event_hub::EventHub;
use crate::index::Index;
use crate::settings::Settings;
use edits_search::EditsSearcher;
use holder::Holder;
use protocol::{
    AppServerStatus, ChangeId, LabAction, MembershipChange, Query, QueryAnswer, RestorationId, Submission, Version,
};
use service::access_token::AccessToken;
use service::health::Readiness;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;
use thread::CopyEvent;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

pub use opening::OpeningError;

/// What the copy thread shows to everybody else. Locks are held only to copy a pointer.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    index: RwLock<Index>,
    /// The version of the index, for those who wait for one.
    shown: watch::Sender<Version>,
    app_servers: RwLock<Arc<AppServers>>,
    link: RwLock<LinkStatus>,
    edits: RwLock<Arc<Edits>>,
    /// Whether files and index show the same version, so that a difference is somebody's edit.
    settled: AtomicBool,
}

impl Shared {
    fn index(&self) -> Index {
        self.index.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn publish(&self, index: Index) {
        let version = index.version();
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = index;
        self.shown.send_replace(version);
    }

    fn app_servers(&self) -> Arc<AppServers> {
        Arc::clone(&self.app_servers.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn hear_app_servers(&self, told: Vec<AppServerStatus>) {
        Arc::make_mut(&mut self.app_servers.write().unwrap_or_else(PoisonError::into_inner)).hear(told);
    }

    fn edits(&self) -> Arc<Edits> {
        Arc::clone(&self.edits.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_edits(&self, edits: Edits) {
        *self.edits.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(edits);
    }

    fn link(&self) -> LinkStatus {
        self.link.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_link(&self, link: LinkStatus) {
        *self.link.write().unwrap_or_else(PoisonError::into_inner) = link;
    }
}

/// The coordinator cannot be asked at present.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the coordinator cannot be reached")]
pub(crate) struct Unreachable;

/// Something that the coordinator does on request.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    /// Start a restore.
    Restore { restoration: RestorationId, dry_run: bool },
    /// Change who is a member.
    ChangeMembers { change: MembershipChange },
    /// Have every replicator read all of its files.
    Scrub,
    /// For the lab.
    Lab { action: LabAction },
}

/// The handle to the copy. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct WorkingCopy {
    shared: Arc<Shared>,
    events: Sender<CopyEvent>,
    holder: Arc<Holder>,
    searcher: EditsSearcher,
    question_timeout: Duration,
}

/// The threads of a copy that was started; [`RunningCopy::stop`] ends them in order.
#[derive(Debug)]
pub(crate) struct RunningCopy {
    events: Sender<CopyEvent>,
    thread: JoinHandle<()>,
    searcher: EditsSearcher,
    search_thread: JoinHandle<()>,
    failure: Failure,
}

/// Why the copy cannot go on, if so. The first reason stays.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    reason: Arc<Mutex<Option<String>>>,
    shutdown: CancellationToken,
}

impl Failure {
    /// Stops the process: what is on the disk cannot be trusted any more.
    fn report(&self, reason: String) {
        tracing::error!(reason, "stopping: the copy cannot be kept");
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
        self.shutdown.cancel();
    }
}

impl WorkingCopy {
    /// Opens the copy in the data directory, starts its threads, and dials the coordinator until `shutdown`.
    ///
    /// Must be called inside a tokio runtime. Takes as long as reading all book files.
    ///
    /// # Errors
    /// If the data directory cannot be used.
    pub(crate) fn start(
        settings: &Settings,
        token: Option<AccessToken>,
        hub: EventHub,
        readiness: Readiness,
        shutdown: CancellationToken,
    ) -> Result<(Self, RunningCopy), OpeningError> {
        let failure = Failure { reason: Arc::default(), shutdown: shutdown.clone() };
        let opened = opening::open(settings, &readiness, &failure)?;
        let shared = Arc::new(Shared::default());
        let holder = Arc::clone(&opened.holder);
        let books_folder = opened.books_folder.clone();
        let (events, thread) = thread::start(settings, opened, Arc::clone(&shared), hub, readiness, failure.clone());
        let (searcher, search_thread) =
            edits_search::start(settings, books_folder, Arc::clone(&shared), Arc::clone(&holder), events.clone());
        link::dial(settings, token, events.clone(), shutdown);
        let question_timeout = settings.question_timeout();
        let copy = Self { shared, events: events.clone(), holder, searcher: searcher.clone(), question_timeout };
        Ok((copy, RunningCopy { events, thread, searcher, search_thread, failure }))
    }

    /// The committed books as they are now.
    pub(crate) fn index(&self) -> Index {
        self.shared.index()
    }

    /// Waits until the index shows this version. Gives whether it does.
    pub(crate) async fn wait_until_shown(&self, version: Version, wait: Duration) -> bool {
        let mut shown = self.shared.shown.subscribe();
        let reached = shown.wait_for(|shown| *shown >= version);
        matches!(tokio::time::timeout(wait, reached).await, Ok(Ok(_)))
    }

    /// The app-servers of the cluster.
    pub(crate) fn app_servers(&self) -> Arc<AppServers> {
        self.shared.app_servers()
    }

    /// How the link to the coordinator is.
    pub(crate) fn link(&self) -> LinkStatus {
        self.shared.link()
    }

    /// The files that somebody edited, as far as was noticed.
    pub(crate) fn edits(&self) -> Arc<Edits> {
        self.shared.edits()
    }

    /// Reads all files and tells which of them somebody edited.
    pub(crate) async fn search_edits(&self) -> Result<Arc<Edits>, String> {
        self.searcher.search().await
    }

    /// The bytes that a file holds now, edited or not.
    pub(crate) fn read_file(&self, path: catalogue::BookPath) -> Result<Option<Vec<u8>>, String> {
        let bytes = self.holder.files().read(path, catalogue::limits::BOOK_BYTES_MAX);
        bytes.map_err(|error| error.to_string())
    }

    /// Has changes committed together. Waits at most `wait` for the outcome; what is not known by then is followed up, and
    /// can be asked for with [`WorkingCopy::outcome_of`].
    pub(crate) async fn submit(&self, submission: Submission, wait: Duration) -> WriteOutcome {
        let (reply, outcome) = oneshot::channel();
        let sent = self.events.send(CopyEvent::Submit { submission, wait, reply });
        let stopping = || WriteOutcome::NotSent { reason: "this server is stopping".to_owned() };
        if sent.is_err() {
            return stopping();
        }
        // A thread that stopped before it looked at the submission has not sent it; one that had sent it answers first.
        outcome.await.unwrap_or_else(|_| stopping())
    }

    /// What became of a change that was submitted here, if that is remembered.
    pub(crate) async fn outcome_of(&self, change: ChangeId) -> Option<LocalOutcome> {
        let (reply, outcome) = oneshot::channel();
        self.events.send(CopyEvent::OutcomeOf { change, reply }).ok()?;
        outcome.await.ok().flatten()
    }

    /// Asks the coordinator.
    pub(crate) async fn ask(&self, query: Query) -> Result<QueryAnswer, Unreachable> {
        let (reply, answer) = oneshot::channel();
        self.events.send(CopyEvent::Ask { query, reply }).map_err(|_| Unreachable)?;
        self.in_time(answer).await
    }

    /// Orders something of the coordinator. Gives its reason where it refuses.
    pub(crate) async fn order(&self, order: Order) -> Result<Result<(), String>, Unreachable> {
        let (reply, answer) = oneshot::channel();
        self.events.send(CopyEvent::Order { order, reply }).map_err(|_| Unreachable)?;
        self.in_time(answer).await
    }

    async fn in_time<T>(&self, answer: oneshot::Receiver<T>) -> Result<T, Unreachable> {
        match tokio::time::timeout(self.question_timeout, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            _ => Err(Unreachable),
        }
    }

    /// Has the coordinator stream its events, or no longer.
    pub(crate) fn follow_events(&self, follow: bool) {
        // A copy that has stopped streams nothing anyway.
        let _ = self.events.send(CopyEvent::FollowEvents { follow });
    }
}

impl RunningCopy {
    /// Writes everything out, saves the state, and ends the threads. To be called after the last request was answered.
    ///
    /// # Errors
    /// The reason, if the copy could not be kept.
    pub(crate) fn stop(self) -> Result<(), String> {
        // The search first: it asks the copy thread.
        self.searcher.stop();
        let searched = self.search_thread.join();
        let _ = self.events.send(CopyEvent::Stop);
        if self.thread.join().is_err() || searched.is_err() {
            return Err("a thread of the working copy broke off".to_owned());
        }
        match self.failure.reason.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(reason) => Err(reason),
            None => Ok(()),
        }
    }
}
