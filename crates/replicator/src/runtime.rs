//! The thread that owns the core and the log.
//!
//! Each turn takes all events that wait, feeds them to the core, and does what it asks for (`effects`). Records of one turn are
//! synced once. A commit record is not worth a sync of its own: it shares that of the next prepare, or is synced a moment later.

use crate::ReplicatorError;
use crate::checkpoints::Checkpoints;
use crate::effects::Effects;
use crate::event::Event;
use crate::file_worker::FileWorker;
use crate::peers::Peers;
use crate::recovery::{Recovered, RecoveryError, key_path, recover};
use crate::scrubber::{self, Scrubber};
use crate::settings::Settings;
use crate::status::StatusBoard;
use catalogue::BookPath;
use faults::{CrashPoint, crash_point};
use holder::{Holder, HolderSettings};
use protocol::{DiskSpace, FromCoordinator, Standing, ToReplicator};
use service::health::Readiness;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use storage::book_files::{BookFilesError, ScanEntry};
use storage::directory::Room;
use storage::file_writer::FileWriterEvent;
use storage::log::NextSegment;
use storage::{BookFiles, DataDirectory, FileWriter, Quarantine, SecretKey, secret_file};
use two_phase::Now;
use two_phase::replicator::{Capacity, Replicator, ReplicatorEffect};

/// Most events that are taken in before their effects are done.
const TURN_EVENTS_MAX: usize = 1_024;

/// Threads that read the files at the start.
const SCAN_THREADS: usize = 2;

/// How often the machine is measured, and the longest wait for an event.
const MEASURE_EVERY: Duration = Duration::from_millis(500);

/// The thread's state.
pub(crate) struct Runtime {
    core: Replicator,
    effects: Effects,
    checkpoints: Checkpoints,
    holder: Arc<Holder>,
    directory: DataDirectory,
    events: Sender<Event>,
    readiness: Readiness,
    status: StatusBoard,
    started: Instant,
    not_reached: Option<String>,
    settings: Settings,
    unsynced_since: Option<Instant>,
    last_record: Instant,
    measured: Option<Instant>,
    disk_free_bytes: u64,
    scrubber: Scrubber,
    /// What the scrub wants to know, until all that is committed is handed to the file writer.
    scrub_question: Option<scrubber::Question>,
}

impl Runtime {
    /// Reads the log. When this returns, the files of committed rounds are on their way to the disk.
    pub(crate) fn start(
        settings: &Settings,
        readiness: Readiness,
        status: StatusBoard,
        peers: Peers,
        events: Sender<Event>,
    ) -> Result<Self, ReplicatorError> {
        let member = settings.member_id()?;
        let Recovered { directory, log, first_append, mut core, key } = recover(settings, &member)?;
        let files = BookFiles::open(&directory).map_err(RecoveryError::from)?;
        core.distrust(files_without_record(&files, &core).map_err(RecoveryError::from)?);
        let writer = FileWriter::start(files.clone(), settings.backlog_bytes_max, on_writer_event(events.clone()))
            .map_err(RecoveryError::from)?;
        let quarantine = Quarantine::open(&directory).map_err(RecoveryError::from)?;
        let holder = Arc::new(Holder::new(files, writer, quarantine, HolderSettings::default()));
        let worker = FileWorker::start(Arc::clone(&holder), log.reader(), events.clone())
            .map_err(|error| ReplicatorError::Disk(error.to_string()))?;
        let scrubber = Scrubber::start(Arc::clone(&holder), log.reader(), &directory, settings, events.clone())
            .map_err(|error| ReplicatorError::Disk(error.to_string()))?;
        let version = core.state().version;
        let in_doubt = core.state().prepared.as_ref().map(|prepare| prepare.round.to_string());
        tracing::info!(%member, %version, files = core.state().manifest.files(), in_doubt, standing = ?core.state().standing, "read the log");
        readiness.block("coordinator", "not connected");
        let mut runtime = Self {
            core,
            effects: Effects::new(log, first_append, peers, Arc::clone(&holder), worker, version),
            checkpoints: Checkpoints::new(&directory, key, Arc::clone(&holder)),
            holder,
            directory,
            events,
            readiness,
            status,
            started: Instant::now(),
            not_reached: None,
            settings: settings.clone(),
            unsynced_since: None,
            last_record: Instant::now(),
            measured: None,
            disk_free_bytes: 0,
            scrubber,
            scrub_question: None,
        };
        runtime.measure();
        runtime.do_effects()?;
        Ok(runtime)
    }

    /// Runs until it is told to stop.
    pub(crate) fn run(mut self, received: &Receiver<Event>) -> Result<(), ReplicatorError> {
        loop {
            match received.recv_timeout(self.patience()) {
                Ok(event) => {
                    if self.take_turn(event, received)? {
                        break;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.measure();
            self.core.handle_timer(self.now());
            self.do_effects()?;
            self.sync_if_due()?;
            self.status.show(&self.core, &self.readiness);
            self.answer_scrubber();
            self.save_checkpoint_if_due();
        }
        if self.effects.has_unsynced() {
            self.sync()?;
        }
        self.do_effects()?;
        self.checkpoints.save_now(&self.core);
        Ok(())
    }

    /// Feeds one event and all others that wait. Returns whether it is time to stop.
    fn take_turn(&mut self, first: Event, received: &Receiver<Event>) -> Result<bool, ReplicatorError> {
        let mut next = Some(first);
        for _ in 0..TURN_EVENTS_MAX {
            match next {
                Some(Event::Stop) => return Ok(true),
                Some(event) => self.feed(event)?,
                None => break,
            }
            next = received.try_recv().ok();
        }
        match next {
            Some(Event::Stop) => Ok(true),
            Some(event) => self.feed(event).map(|()| false),
            None => Ok(false),
        }
    }

    fn feed(&mut self, event: Event) -> Result<(), ReplicatorError> {
        match event {
            Event::Connected { peer, outbox } => {
                tracing::info!(peer, "connected to the coordinator");
                self.readiness.clear("coordinator");
                self.not_reached = None;
                self.effects.connect(Some(outbox));
                self.core.handle_connected();
            }
            Event::Message { message } => self.feed_message(*message),
            Event::Disconnected { reason } => {
                tracing::warn!(reason, "disconnected from the coordinator");
                self.readiness.block("coordinator", reason);
                self.effects.connect(None);
                self.core.handle_disconnected();
            }
            Event::NotReached { reason } => self.note_not_reached(reason),
            Event::PeerAsks { request, question, outbox } => {
                self.effects.is_asked(request, outbox);
                self.core.handle_peer_question(request, &question);
            }
            Event::PeerAnswered { asked, answer } => {
                self.core.handle_peer_answer(&asked, answer);
                crash_point::reach(CrashPoint::PeerHeard);
            }
            Event::PeerSilent { asked, round, reason } => self.core.handle_peer_silent(&asked, round, reason),
            Event::Answered { answer } => self.core.handle_answer(answer),
            Event::Missing { catch_up, missing } => self.core.handle_missing(catch_up, missing),
            Event::Stored { catch_up } => self.core.handle_stored(catch_up),
            Event::BacklogFell => {}
            Event::NoRoom { reason } => self.core.handle_no_room(reason),
            Event::FilesFailed { reason } => return Err(ReplicatorError::Disk(reason)),
            Event::CheckpointSaved { sequence } => {
                self.checkpoints.saved();
                self.effects.trim(sequence);
            }
            Event::CheckpointFailed { reason } => {
                self.checkpoints.saved();
                tracing::warn!(reason, "no checkpoint was saved; the log keeps growing until one is");
            }
            Event::ScrubAsks(question) => self.scrub_question = Some(question),
            Event::Scrubbed { report } => self.core.handle_scrubbed(report),
            Event::Stop => {}
        }
        Ok(())
    }

    /// Tried again and again: said once for each reason.
    fn note_not_reached(&mut self, reason: String) {
        if self.not_reached.as_ref() != Some(&reason) {
            tracing::warn!(reason, "the coordinator cannot be reached; trying again");
            self.readiness.block("coordinator", format!("the coordinator cannot be reached: {reason}"));
            self.not_reached = Some(reason);
        }
    }

    fn feed_message(&mut self, message: FromCoordinator<ToReplicator>) {
        if let ToReplicator::Welcome { data_key, .. } = &message.message {
            self.learn_key(data_key);
        }
        match &message.message {
            ToReplicator::Prepare(prepare) => {
                crash_point::reach(CrashPoint::PrepareReceived);
                self.effects.prepare_received(prepare.round);
            }
            ToReplicator::Commit { .. } => crash_point::reach(CrashPoint::CommitReceived),
            _ => {}
        }
        let is_welcome = matches!(message.message, ToReplicator::Welcome { .. });
        self.core.handle_message(message);
        if let Some(report) = self.scrubber.last_report().filter(|_| is_welcome) {
            self.core.handle_scrubbed(report);
        }
    }

    /// Tells what files must hold, at a moment when no commit record waits for its sync: every write that the records are about
    /// is with the file writer, or in the files.
    fn answer_scrubber(&mut self) {
        if !self.effects.has_unsynced()
            && let Some(question) = self.scrub_question.take()
        {
            // Whoever has asked may have begun anew.
            let _ = question.reply.send(self.core.expected_files(&question.shelf.buckets()));
        }
    }

    /// The data key is told once and kept: the manifest's MAC is made with it.
    fn learn_key(&mut self, text: &str) {
        if self.checkpoints.key().is_some() {
            return;
        }
        let Some(key) = SecretKey::from_hex(text) else {
            tracing::error!("the coordinator told a data key that is none");
            return;
        };
        match secret_file::save(&key_path(&self.directory), &key) {
            Ok(()) => self.checkpoints.set_key(key),
            Err(error) => tracing::error!(%error, "the data key could not be kept; no checkpoint can be saved"),
        }
    }

    fn do_effects(&mut self) -> Result<(), ReplicatorError> {
        let mut questions: Vec<ReplicatorEffect> = Vec::new();
        loop {
            let effects = self.core.take_effects();
            if effects.is_empty() {
                break;
            }
            let done = self.effects.do_all(effects, &self.core).map_err(disk)?;
            self.checkpoints.appended(done.bytes);
            if done.bytes > 0 {
                self.last_record = Instant::now();
                self.scrubber.note_round();
                self.unsynced_since.get_or_insert(self.last_record);
            }
            for (catch_up, removed) in done.to_install {
                let installed = self.effects.install(catch_up, &removed, &mut self.core, &mut self.checkpoints);
                installed.map_err(ReplicatorError::Disk)?;
            }
            questions.extend(done.questions);
            if done.scrub_now {
                self.scrubber.begin_now();
            }
            if let Some(reason) = done.stop {
                return Err(ReplicatorError::Removed(reason));
            }
            if done.sync_now || (!questions.is_empty() && self.effects.has_unsynced()) {
                self.sync()?;
            }
        }
        for question in questions {
            self.effects.ask(question);
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), ReplicatorError> {
        let durable = self.effects.sync().map_err(disk)?;
        self.unsynced_since = None;
        self.core.handle_durable(durable);
        Ok(())
    }

    fn sync_if_due(&mut self) -> Result<(), ReplicatorError> {
        let wait = Duration::from_millis(self.settings.sync_soon_ms);
        if self.effects.has_unsynced() && self.unsynced_since.is_none_or(|since| since.elapsed() >= wait) {
            self.sync()?;
            self.do_effects()?;
        }
        Ok(())
    }

    fn patience(&self) -> Duration {
        let wait = Duration::from_millis(self.settings.sync_soon_ms);
        match self.unsynced_since.filter(|_| self.effects.has_unsynced()) {
            Some(since) => wait.saturating_sub(since.elapsed()),
            None => self.until_timer().unwrap_or(MEASURE_EVERY).min(MEASURE_EVERY),
        }
    }

    fn until_timer(&self) -> Option<Duration> {
        let due_ms = self.core.next_timer_ms()?;
        Some(Duration::from_millis(due_ms.saturating_sub(self.now().monotonic_ms)))
    }

    fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Now { monotonic_ms: milliseconds(self.started.elapsed()), unix_ms: milliseconds(unix) }
    }

    /// Tells the core what the machine can take: room on the disk now and then, room in the backlog each turn.
    fn measure(&mut self) {
        if self.measured.is_none_or(|measured| measured.elapsed() >= MEASURE_EVERY) {
            self.measured = Some(Instant::now());
            let Room { free_bytes, total_bytes } = self.directory.room();
            self.disk_free_bytes = free_bytes.saturating_sub(self.settings.disk_reserve_bytes);
            self.core.handle_disk_space(DiskSpace { free_bytes, total_bytes });
            metrics::gauge!("concordance_version").set(self.core.state().version.0 as f64);
            metrics::gauge!("concordance_in_doubt").set(if self.core.state().prepared.is_some() { 1.0 } else { 0.0 });
            metrics::gauge!("concordance_in_doubt_seconds").set(self.status.in_doubt_seconds(self.now()));
            metrics::gauge!("concordance_backlog_bytes").set(self.holder.writer().backlog_bytes() as f64);
            let trusted = self.core.state().standing == Standing::Trusted;
            if trusted {
                self.readiness.clear("standing");
            } else {
                self.readiness.block("standing", "its memory is not confirmed yet; it takes no part in rounds");
            }
        }
        let credit_bytes = self.settings.backlog_bytes_max.saturating_sub(self.holder.writer().backlog_bytes());
        // Asked in each turn: what is left of this segment is for the records that settle what was promised.
        let has_next = !matches!(self.effects.next_segment(), NextSegment::Failed(_));
        let disk_free_bytes = if has_next { self.disk_free_bytes } else { 0 };
        self.core.handle_capacity(Capacity { disk_free_bytes, credit_bytes });
    }

    fn save_checkpoint_if_due(&mut self) {
        let grown = self.checkpoints.bytes_since();
        let idle = grown > 0 && self.last_record.elapsed() >= Duration::from_millis(self.settings.checkpoint_idle_ms);
        if idle || grown >= self.settings.checkpoint_log_bytes {
            self.checkpoints.save_in_background(&self.core, &self.events);
        }
    }
}

/// Files that are on the disk and not in the manifest: a catch-up that a crash ended may have left them.
fn files_without_record(files: &BookFiles, core: &Replicator) -> Result<Vec<BookPath>, BookFilesError> {
    let found = Mutex::new(Vec::new());
    files.scan(SCAN_THREADS, &|entry| {
        let (ScanEntry::Book { path, .. } | ScanEntry::Unreadable { path, .. }) = entry else {
            return ControlFlow::Continue(());
        };
        if core.state().manifest.record(&path).is_none() {
            found.lock().unwrap_or_else(PoisonError::into_inner).push(path);
        }
        ControlFlow::Continue(())
    })?;
    Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn on_writer_event(events: Sender<Event>) -> Box<dyn Fn(FileWriterEvent) + Send> {
    Box::new(move |event| {
        let _ = match event {
            FileWriterEvent::BacklogBelowMark { .. } | FileWriterEvent::DiskHasRoom => events.send(Event::BacklogFell),
            FileWriterEvent::DiskFull { path, error } => {
                tracing::error!(%path, %error, "the disk is full: committed files wait to be written");
                Ok(())
            }
            FileWriterEvent::Failed { path, error } => {
                events.send(Event::FilesFailed { reason: format!("{path} cannot be written: {error}") })
            }
        };
    })
}

fn disk(error: storage::log::LogError) -> ReplicatorError {
    ReplicatorError::Disk(error.to_string())
}
