//! The copy thread: takes one event after the other, feeds the follower core, and does its effects in order.
//!
//! It waits for a disk only to make a fence durable and, after those who wait were answered, to look whether a file that a
//! round overwrites was edited. `effects` has what it does; here is what it hears.

use super::committed_books::CommittedBooks;
use super::file_worker::{FileJob, FileWorker, StagedBooks};
use super::identity::IdentityFile;
use super::link::DecodedLinkEvent;
use super::opening::{CHECKPOINT_NAME, Opened};
use super::submissions::{LocalOutcome, SubmissionBounds, Submissions, WriteOutcome};
use super::{Failure, LinkStage, LinkStatus, Order, Shared};
use crate::clock;
use crate::event_hub::EventHub;
use crate::settings::Settings;
use faults::{CrashPoint, crash_point};
use protocol::{
    CatchUpId, ChangeId, FromAppServer, HolderAnswer, Query, QueryAnswer, RequestId, Submission, Version, WantedFile,
};
use service::health::Readiness;
use service::websocket::Outbox;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use storage::DataDirectory;
use tokio::sync::oneshot;
use two_phase::follower::{Follower, FollowerState};

/// The longest time that the thread sleeps: metrics and checkpoints are looked at that often.
const TICK: Duration = Duration::from_millis(500);

/// Everything that wakes the copy thread.
pub(super) enum CopyEvent {
    /// Something happened on the link.
    Link { event: DecodedLinkEvent },
    /// Somebody hands in changes.
    Submit { submission: Submission, wait: Duration, reply: oneshot::Sender<WriteOutcome> },
    /// Somebody asks for a change that was handed in here.
    OutcomeOf { change: ChangeId, reply: oneshot::Sender<Option<LocalOutcome>> },
    /// Somebody asks the coordinator.
    Ask { query: Query, reply: oneshot::Sender<QueryAnswer> },
    /// Somebody orders something of the coordinator.
    Order { order: Order, reply: oneshot::Sender<Result<(), String>> },
    /// Somebody listens to events, or nobody any more.
    FollowEvents { follow: bool },
    /// The disk was searched for the files of a catch-up: these are missing, those were found.
    Searched { catch_up: CatchUpId, result: Result<(Vec<WantedFile>, StagedBooks), String> },
    /// Fetched files were written.
    Stored { catch_up: CatchUpId, result: Result<StagedBooks, String> },
    /// The state of a catch-up is durable.
    Installed { catch_up: CatchUpId, state: Box<FollowerState>, result: Result<(), String> },
    /// A question about files was answered.
    HolderAnswered { answer: HolderAnswer },
    /// A checkpoint was saved.
    CheckpointSaved { version: Version, result: Result<(), String> },
    /// Tells when everything that came before was done.
    Barrier { reply: Sender<()> },
    /// The process ends.
    Stop,
}

/// A backlog of this many times the size that counts as full is left to grow: it may be that of one slow moment.
const BACKLOG_FACTOR: u64 = 4;

/// Who waits for an answer of the coordinator.
pub(super) enum Waiting {
    Answer(oneshot::Sender<QueryAnswer>),
    Done(oneshot::Sender<Result<(), String>>),
}

/// The thread's own things.
pub(super) struct CopyThread {
    pub(super) follower: Follower,
    pub(super) books: CommittedBooks,
    pub(super) submissions: Submissions,
    pub(super) questions: HashMap<RequestId, Waiting>,
    pub(super) outbox: Option<Outbox>,
    pub(super) link: LinkStatus,
    pub(super) identity: IdentityFile,
    pub(super) files: FileWorker,
    pub(super) shared: Arc<Shared>,
    pub(super) hub: EventHub,
    pub(super) readiness: Readiness,
    pub(super) failure: Failure,
    follows_events: bool,
    last_request: RequestId,
    /// So much may wait for a disk that is full or slow before no more is taken in.
    backlog_bytes_max: u64,
    checkpoint_every: Duration,
    checkpoint_due: Instant,
    checkpoint_version: Version,
    /// Whether every file is what it should be, or somebody's edit: what a clean end may claim.
    pub(super) is_accounted_for: bool,
    /// Held to the end: the lock of the data directory goes with it.
    _directory: DataDirectory,
}

/// Starts the thread, and gives where its events go.
pub(super) fn start(
    settings: &Settings,
    opened: Opened,
    shared: Arc<Shared>,
    hub: EventHub,
    readiness: Readiness,
    failure: Failure,
) -> (Sender<CopyEvent>, JoinHandle<()>) {
    let (events, queue) = channel();
    let Opened { directory, key, identity, holder, state, index, withheld, leftovers, is_accounted_for, .. } = opened;
    let checkpoint_path = directory.path().join(CHECKPOINT_NAME);
    let files = FileWorker::start(Arc::clone(&holder), checkpoint_path, key, events.clone(), failure.clone());
    let checkpoint_every = Duration::from_millis(settings.checkpoint_every_ms);
    let bounds = SubmissionBounds {
        changes_max: settings.pending_changes_max,
        bytes_max: settings.pending_bytes_max,
        outcomes_kept: settings.outcomes_kept,
    };
    let checkpoint_version = state.version;
    let mut follower = Follower::new(settings.id.clone(), identity.identity.incarnation, state);
    follower.advertise(settings.advertise.clone());
    follower.distrust(leftovers);
    let thread = CopyThread {
        follower,
        books: CommittedBooks::new(index, withheld, holder, Arc::clone(&shared)),
        submissions: Submissions::new(bounds),
        questions: HashMap::new(),
        outbox: None,
        link: LinkStatus::default(),
        identity,
        files,
        shared,
        hub,
        readiness,
        failure,
        follows_events: false,
        last_request: RequestId::ZERO,
        backlog_bytes_max: settings.file_backlog_bytes_max.saturating_mul(BACKLOG_FACTOR),
        checkpoint_every,
        checkpoint_due: Instant::now() + checkpoint_every,
        checkpoint_version,
        is_accounted_for,
        _directory: directory,
    };
    thread.readiness.block("coordinator", "the coordinator has not been reached yet");
    let builder = std::thread::Builder::new().name("working-copy".to_owned());
    let handle = builder.spawn(move || thread.run(&queue)).expect("the system starts the few threads of a process");
    (events, handle)
}

impl CopyThread {
    fn run(mut self, queue: &Receiver<CopyEvent>) {
        loop {
            let due =
                self.submissions.next_deadline().map_or(TICK, |due| due.saturating_duration_since(Instant::now()));
            match queue.recv_timeout(due.min(TICK)) {
                Ok(CopyEvent::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(event) => self.handle(event),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.do_effects();
            self.stop_following_without_room();
            self.handle_time();
        }
        self.end(queue);
    }

    fn handle(&mut self, event: CopyEvent) {
        match event {
            CopyEvent::Link { event } => self.handle_link(event),
            CopyEvent::Submit { submission, wait, reply } => self.handle_submission(submission, wait, reply),
            // Whoever asked and does not wait any longer needs no answer; so in all of these.
            CopyEvent::OutcomeOf { change, reply } => drop(reply.send(self.submissions.outcome_of(&change))),
            CopyEvent::Ask { query, reply } => {
                self.question(Waiting::Answer(reply), |request| FromAppServer::Ask { request, query });
            }
            CopyEvent::Order { order, reply } => self.question(Waiting::Done(reply), |request| match order {
                Order::Restore { restoration, dry_run } => FromAppServer::Restore { request, restoration, dry_run },
                Order::ChangeMembers { change } => FromAppServer::ChangeMembers { request, change },
                Order::Scrub => FromAppServer::Scrub { request },
                Order::Lab { action } => FromAppServer::Lab { request, action },
            }),
            CopyEvent::FollowEvents { follow } => {
                self.follows_events = follow;
                if self.link.is_connected() {
                    self.send(&FromAppServer::FollowEvents { follow });
                }
            }
            CopyEvent::Searched { catch_up, result } => {
                if let Some((missing, found)) = self.or_reconnect(result) {
                    self.books.stage(found);
                    self.follower.handle_missing(catch_up, missing);
                }
            }
            CopyEvent::Stored { catch_up, result } => {
                if let Some(stored) = self.or_reconnect(result) {
                    self.books.stage(stored);
                    self.follower.handle_stored(catch_up);
                }
            }
            CopyEvent::Installed { catch_up, state, result } => {
                if self.or_reconnect(result).is_some() {
                    self.handle_installed(catch_up, *state);
                }
            }
            CopyEvent::HolderAnswered { answer } => self.follower.handle_answer(answer),
            CopyEvent::CheckpointSaved { version, result } => match result {
                Ok(()) => self.checkpoint_version = version,
                Err(reason) => tracing::warn!(reason, "the checkpoint was not saved; it is tried again"),
            },
            CopyEvent::Barrier { reply } => drop(reply.send(())),
            CopyEvent::Stop => unreachable!("the loop ends with it"),
        }
    }

    fn handle_link(&mut self, event: DecodedLinkEvent) {
        match event {
            DecodedLinkEvent::Connected { peer, outbox } => {
                self.outbox = Some(outbox);
                self.link.address = Some(peer);
                if self.books.holder.writer().is_full() {
                    self.disconnect(self.no_room());
                } else {
                    self.follower.handle_connected();
                }
            }
            // What an ended session still had to say is of no interest: the next one says it again.
            DecodedLinkEvent::Message { message } if self.outbox.is_some() => {
                self.books.hear_target(&message.message);
                self.follower.handle_message(*message);
            }
            DecodedLinkEvent::Message { .. } => {}
            DecodedLinkEvent::Undecodable { problem } => {
                let reason = format!("the coordinator said something that this version does not understand: {problem}");
                self.disconnect(reason);
            }
            DecodedLinkEvent::Disconnected { reason } => self.handle_disconnected(reason),
            DecodedLinkEvent::DialFailed { address, problem } => {
                let problem = format!("{address}: {problem}");
                if self.link.problem.as_ref() != Some(&problem) {
                    tracing::warn!(problem, "the coordinator cannot be reached; trying again");
                }
                self.link.address = Some(address);
                self.link.problem = Some(problem);
                self.show_link();
            }
        }
    }

    fn handle_disconnected(&mut self, reason: String) {
        self.outbox = None;
        self.follower.handle_disconnected();
        self.books.forget_staged();
        // Whoever waits for an answer is told that there will be none.
        self.questions.clear();
        if self.link.is_connected() {
            if !self.failure.shutdown.is_cancelled() {
                tracing::warn!(reason, "the coordinator is gone; reads go on, writes wait");
            }
            let now = clock::unix_ms();
            self.link.stage = LinkStage::Down;
            self.link.since_ms = now;
            self.link.stale_since_ms.get_or_insert(now);
        } else if self.link.problem.as_ref() != Some(&reason) {
            tracing::warn!(reason, "the connection ended before the coordinator let this app-server in; trying again");
        }
        self.link.problem = Some(reason);
        self.show_link();
    }

    /// What waits for the disk is in memory: without an end to that, a disk that stays full would be the end of the process. The copy
    /// goes stale instead, and is brought level when there is room.
    fn stop_following_without_room(&mut self) {
        if self.books.holder.writer().backlog_bytes() > self.backlog_bytes_max {
            self.disconnect(self.no_room());
        }
    }

    fn no_room(&self) -> String {
        let bytes = self.books.holder.writer().backlog_bytes();
        format!(
            "this server's disk is full or slow: {bytes} bytes of committed books wait for it, and no more are taken in"
        )
    }

    fn handle_submission(&mut self, submission: Submission, wait: Duration, reply: oneshot::Sender<WriteOutcome>) {
        let request = self.next_request();
        let Some(submission) = self.submissions.take_in(request, submission, Instant::now() + wait, reply) else {
            return;
        };
        if self.link.stage == LinkStage::Level {
            let message = FromAppServer::Submit { request, submission: submission.clone() };
            self.send(&message);
            self.submissions.mark_sent(request);
            crash_point::reach_after_sending(CrashPoint::SubmissionSent);
        }
    }

    fn question(&mut self, waiting: Waiting, message: impl FnOnce(RequestId) -> FromAppServer) {
        if self.link.is_connected() {
            let request = self.next_request();
            self.questions.insert(request, waiting);
            self.send(&message(request));
        }
    }

    fn handle_installed(&mut self, catch_up: CatchUpId, state: FollowerState) {
        if self.follower.state_to_install(catch_up).is_none() {
            return;
        }
        let lacking = self.books.install(&state);
        self.checkpoint_version = state.version;
        self.follower.handle_installed(catch_up, state);
        // Rounds that were committed meanwhile follow on it at once.
        self.do_effects();
        self.books.check_installed(&lacking, self.follower.state());
        self.submissions.handle_shown(self.books.version());
        self.hub.catalogue_replaced(self.books.version());
    }

    fn handle_time(&mut self) {
        let why_not_sent = match &self.link.problem {
            Some(problem) => format!("the coordinator cannot be reached ({problem})"),
            None => "this server is not level with the coordinator yet".to_owned(),
        };
        self.submissions.handle_time(Instant::now(), &why_not_sent);
        metrics::gauge!("app_server_pending_changes").set(self.submissions.waiting_changes() as f64);
        if Instant::now() >= self.checkpoint_due {
            self.checkpoint_due = Instant::now() + self.checkpoint_every;
            let state = self.follower.state();
            if self.follower.is_level() && state.version != self.checkpoint_version {
                self.files.hand_in(FileJob::Checkpoint { state: Box::new(state.clone()) });
            }
        }
    }

    /// Gives the result, or begins anew with the coordinator where file work failed.
    fn or_reconnect<T>(&mut self, result: Result<T, String>) -> Option<T> {
        result.map_err(|reason| self.disconnect(format!("a catch-up broke off: {reason}"))).ok()
    }

    /// Ends the connection; the link dials again.
    pub(super) fn disconnect(&mut self, reason: String) {
        if let Some(outbox) = self.outbox.take() {
            outbox.close(reason.clone());
            self.handle_disconnected(reason);
        }
    }

    pub(super) fn send(&self, message: &FromAppServer) {
        if let Some(outbox) = &self.outbox {
            outbox.send(serde_json::to_string(message).expect("messages have only text keys and plain values"));
        }
    }

    /// The coordinator knows this connection now.
    pub(super) fn follow_events_if_wanted(&self) {
        if self.follows_events {
            self.send(&FromAppServer::FollowEvents { follow: true });
        }
    }

    /// Shows everybody how the link is.
    pub(super) fn show_link(&self) {
        metrics::gauge!("app_server_coordinator_connected").set(if self.link.is_connected() { 1.0 } else { 0.0 });
        match (&self.link.problem, self.link.stage) {
            (_, LinkStage::Level) => self.readiness.clear("coordinator"),
            (_, LinkStage::Welcomed) => self.readiness.block("coordinator", "the copy is being brought level"),
            (Some(problem), LinkStage::Down) => {
                self.readiness.block("coordinator", format!("the coordinator cannot be reached: {problem}"));
            }
            (None, LinkStage::Down) => self.readiness.block("coordinator", "the coordinator has not been reached yet"),
        }
        let shown = self.shared.link();
        self.shared.set_link(self.link.clone());
        if shown.stage != self.link.stage {
            self.hub.link_changed(&self.link);
        }
    }

    fn next_request(&mut self) -> RequestId {
        self.last_request = self.last_request.next();
        self.last_request
    }

    /// Everything is written out, so that the next start need not doubt any file.
    fn end(mut self, queue: &Receiver<CopyEvent>) {
        if let Some(outbox) = self.outbox.take() {
            outbox.close("the app-server is stopping");
        }
        let in_a_year = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365);
        self.submissions.handle_time(in_a_year, "this server is stopping");
        // While books are withheld the checkpoint from before is the better one: it knows what their files should hold.
        if self.books.withholds_nothing() {
            self.files.hand_in(FileJob::Checkpoint { state: Box::new(self.follower.state().clone()) });
        }
        self.files.stop();
        let results = queue.try_iter().filter_map(|event| match event {
            CopyEvent::CheckpointSaved { result, .. } => Some(result),
            _ => None,
        });
        let saved = results.last().unwrap_or(Ok(())).and_then(|()| {
            let is_accounted_for = self.is_accounted_for;
            self.identity.change(|identity| identity.ended_well = is_accounted_for).map_err(|error| error.to_string())
        });
        if let Err(reason) = saved {
            self.failure.report(reason);
        }
    }
}
