//! The thread that owns the core and the decision log.
//!
//! Each turn takes all events that wait, feeds them to the core, and does what it asks for (`effects`). Records of one turn are
//! synced once; while that sync runs, new events wait in the channel and go into the next turn. That is the batching.

use crate::checkpoints::Checkpoints;
use crate::effects::Effects;
use crate::event::Event;
use crate::recovery::{Recovered, recover};
use crate::report_files::ReportFiles;
use crate::room::Room;
use crate::round_history::RoundHistory;
use crate::settings::Settings;
use crate::steps::Waiting;
use crate::{CoordinatorError, recovery::RecoveryError};
use faults::{CrashPoint, crash_point};
use protocol::{CoordinatorId, FromAppServer, LabAction, Query, RecoveryPlan, RequestId, View};
use service::health::Readiness;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use storage::{DataDirectory, report_folder};
use two_phase::Now;
use two_phase::coordinator::{Coordinator, CoordinatorIdentity, CoordinatorState, SessionId};

/// Most events that are taken in before their effects are done.
const TURN_EVENTS_MAX: usize = 4_096;

/// How often the core is woken when nothing happens.
const IDLE_WAKE_UP: Duration = Duration::from_millis(500);

/// The thread's state.
pub(crate) struct Runtime {
    core: Coordinator,
    effects: Effects,
    checkpoints: Checkpoints,
    events: Sender<Event>,
    clock: Clock,
    readiness: Readiness,
    why_not: Option<String>,
    checkpoint_log_bytes: u64,
    checkpoint_idle: Duration,
    last_record: Instant,
    directory: DataDirectory,
    /// The log cannot be gone on with, should an operator have the coordinator recovered.
    log_is_damaged: bool,
    /// Where the plans are kept that an operator has said yes to.
    recoveries: PathBuf,
    rebuild: Option<(Box<CoordinatorState>, Box<RecoveryPlan>)>,
    room: Room,
    /// What app-servers want to know in this turn of what only the driver knows.
    questions: Vec<(SessionId, RequestId, Query)>,
}

/// Why the thread has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was told to.
    Stopped,
    /// It starts anew on what a recovery has left on the disk.
    Rebuilt,
}

/// The core's time. It stands still while messages are held in the lab, so that nobody's patience ends meanwhile.
struct Clock {
    started: Instant,
    stood_still: Duration,
    still_since: Option<Instant>,
}

impl Clock {
    fn new() -> Self {
        Self { started: Instant::now(), stood_still: Duration::ZERO, still_since: None }
    }

    fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let moment = self.still_since.unwrap_or_else(Instant::now);
        let elapsed = moment.duration_since(self.started).saturating_sub(self.stood_still);
        Now { monotonic_ms: milliseconds(elapsed), unix_ms: milliseconds(unix) }
    }

    fn stand_still(&mut self, still: bool) {
        match (still, self.still_since) {
            (true, None) => self.still_since = Some(Instant::now()),
            (false, Some(since)) => {
                self.stood_still += since.elapsed();
                self.still_since = None;
            }
            _ => {}
        }
    }
}

impl Runtime {
    /// Reads the log and takes the next epoch. When this returns, the epoch is durable. A log that must not be believed is only read.
    pub(crate) fn start(
        settings: &Settings,
        coordinator: CoordinatorId,
        readiness: Readiness,
        events: Sender<Event>,
    ) -> Result<Self, CoordinatorError> {
        let view = View::first(settings.member_ids()?, settings.commit_policy);
        let Recovered { directory, key, log, torn, state, last, doubt } = recover(settings, &view)?;
        let identity = CoordinatorIdentity { coordinator, data_key: key.to_hex() };
        let clock = Clock::new();
        let log_is_damaged = doubt.as_ref().is_some_and(|doubt| doubt.is_damaged);
        let core = match doubt {
            None => Coordinator::start(identity, settings.core(), state, last, clock.now()),
            Some(doubt) => Coordinator::start_unsure(identity, settings.core(), state, last, doubt, clock.now()),
        };
        let (epoch, version) = (core.epoch(), core.state().version);
        tracing::info!(%epoch, %version, files = core.state().manifest.files(), torn, "read the decision log");
        let reports = ReportFiles::open(&directory).map_err(RecoveryError::Directory)?;
        let history = RoundHistory::new(clock.started);
        let recoveries = directory.path().join("recoveries");
        let mut runtime = Self {
            core,
            effects: Effects::new(log, torn, history, reports, settings.process.lab),
            checkpoints: Checkpoints::new(&directory, key),
            events,
            clock,
            readiness,
            why_not: None,
            checkpoint_log_bytes: settings.checkpoint_log_bytes,
            checkpoint_idle: Duration::from_millis(settings.checkpoint_idle_ms),
            last_record: Instant::now(),
            directory,
            log_is_damaged,
            recoveries,
            rebuild: None,
            room: Room::new(settings.disk_reserve_bytes),
            questions: Vec::new(),
        };
        runtime.do_effects()?;
        Ok(runtime)
    }

    /// Runs until it is told to stop, or must start anew on what a recovery has left on the disk.
    pub(crate) fn run(mut self, received: &Receiver<Event>) -> Result<Ended, CoordinatorError> {
        loop {
            match received.recv_timeout(self.patience()) {
                Ok(event) => {
                    if self.take_turn(event, received) {
                        break;
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.core.handle_timer(self.clock.now()),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.core.next_timer_ms().is_some_and(|due_ms| due_ms <= self.clock.now().monotonic_ms) {
                self.core.handle_timer(self.clock.now());
            }
            if let Some(lack) = self.room.look(&self.directory, &self.effects) {
                self.core.handle_room(lack, self.clock.now());
            }
            self.do_effects()?;
            self.tell_steps();
            self.answer_questions();
            if let Some((state, plan)) = self.rebuild.take() {
                self.keep_rebuilt(&state, &plan)?;
                return Ok(Ended::Rebuilt);
            }
            self.save_checkpoint_if_due();
            self.tell_readiness();
        }
        self.checkpoints.save_now(&self.core);
        Ok(Ended::Stopped)
    }

    /// First what was agreed to, for the records; then the state that counts from the next start on; then a log that goes with it. A
    /// crash in between leaves a coordinator that is as unsure as before.
    fn keep_rebuilt(&mut self, state: &CoordinatorState, plan: &RecoveryPlan) -> Result<(), CoordinatorError> {
        let disk = |error: &dyn std::fmt::Display| CoordinatorError::Disk(error.to_string());
        let at_ms = self.clock.now().unix_ms;
        let text = serde_json::to_vec_pretty(plan).expect("a plan has only text keys and plain values");
        std::fs::create_dir_all(&self.recoveries).map_err(|error| disk(&error))?;
        report_folder::write(&self.recoveries, &at_ms.to_string(), &text).map_err(|error| disk(&error))?;
        crash_point::reach(CrashPoint::RecoveryPlanKept);
        let last = self.core.last_durable();
        let stays = plan.source.is_none() && !self.log_is_damaged;
        let oldest = if stays { self.core.oldest_record_needed() } else { None };
        let log_from = oldest.unwrap_or(last.next());
        self.checkpoints.save_rebuilt(state, last, log_from).map_err(|error| disk(&error))?;
        crash_point::reach(CrashPoint::RebuiltStateSaved);
        if self.log_is_damaged {
            self.effects.begin_log_anew(last.next(), state).map_err(|error| disk(&error))?;
        }
        self.directory.make_own().map_err(|error| disk(&error))?;
        let version = state.version;
        tracing::warn!(%version, epoch = %state.epoch, "recovered by an operator's order; starting anew");
        self.effects.close_all("the coordinator was recovered and starts anew");
        Ok(())
    }

    /// Feeds one event and all others that wait. Returns whether it is time to stop.
    fn take_turn(&mut self, first: Event, received: &Receiver<Event>) -> bool {
        let mut next = Some(first);
        for _ in 0..TURN_EVENTS_MAX {
            match next {
                Some(Event::Stop) => return true,
                Some(event) => self.feed(event),
                None => break,
            }
            next = received.try_recv().ok();
        }
        match next {
            Some(Event::Stop) => true,
            Some(event) => {
                self.feed(event);
                false
            }
            None => false,
        }
    }

    fn feed(&mut self, event: Event) {
        let now = self.clock.now();
        match event {
            Event::Connected { session, peer, outbox } => {
                tracing::debug!(session = session.0, peer, "a link was accepted");
                self.effects.connect(session, outbox);
            }
            Event::Replicator { session, message } => {
                if let Some(message) = self.effects.steps().hear(session, message) {
                    self.core.handle_replicator(session, *message, now);
                }
            }
            Event::AppServer { session, message } => self.feed_app_server(session, *message, now),
            Event::Disconnected { session, reason } => {
                self.effects.disconnect(session);
                self.core.handle_disconnected(session, &reason, now);
            }
            Event::CheckpointSaved { log_from } => {
                self.checkpoints.saved();
                self.effects.trim(log_from);
            }
            Event::CheckpointFailed { reason } => {
                self.checkpoints.saved();
                tracing::warn!(reason, "no checkpoint was saved; the log keeps growing until one is");
            }
            // Whoever asked and does not wait any longer needs no answer.
            Event::RecoveryAsked { accept_loss, reply } => drop(reply.send(self.core.recovery_plan(accept_loss, now))),
            Event::RecoveryOrdered { order, reply } => drop(reply.send(self.core.recover(&order, now))),
            Event::Stop => {}
        }
    }

    /// What only the driver knows is answered here; all else is the core's.
    fn feed_app_server(&mut self, session: SessionId, message: FromAppServer, now: Now) {
        match message {
            FromAppServer::Ask { request, query } if Effects::knows_about(&query) => {
                self.questions.push((session, request, query));
            }
            FromAppServer::Lab { request, action } if !matches!(action, LabAction::VoteAbort { .. }) => {
                let refused = self.effects.why_no_lab().or_else(|| self.lab(action, now).err());
                self.tell(session, protocol::ToAppServer::Done { request, refused });
            }
            other => self.core.handle_app_server(session, other, now),
        }
    }

    /// Does what of the lab is the driver's: points to die at are in its code, and the links are its own.
    fn lab(&mut self, action: LabAction, now: Now) -> Result<(), String> {
        let released = match action {
            LabAction::VoteAbort { .. } => return Ok(()),
            LabAction::CrashAt { point } => return self.effects.arm(point.as_deref()),
            LabAction::Step { on } => self.effects.steps().turn(on),
            LabAction::Release { message } => self.effects.steps().release(message)?,
        };
        for (session, waiting) in released {
            match waiting {
                Waiting::Out(text) => self.effects.pass_on(session, text),
                Waiting::In(message) => self.core.handle_replicator(session, *message, now),
            }
        }
        Ok(())
    }

    fn tell_steps(&mut self) {
        self.clock.stand_still(self.effects.steps().holds_any());
        let listeners = self.core.event_listeners();
        self.effects.tell_steps(&listeners, self.core.epoch(), self.core.coordinator());
    }

    /// Only when all that was asked for is done: what has ended in this turn is neither under way nor kept before.
    fn answer_questions(&mut self) {
        for (session, request, query) in std::mem::take(&mut self.questions) {
            if let Some(answer) = self.effects.answer(&query, &self.core) {
                self.tell(session, protocol::ToAppServer::Told { request, answer });
            }
        }
    }

    fn tell(&self, session: SessionId, message: protocol::ToAppServer) {
        let (epoch, coordinator) = (self.core.epoch(), self.core.coordinator());
        self.effects.tell(&[session], &protocol::FromCoordinator { epoch, coordinator, message });
    }

    fn do_effects(&mut self) -> Result<(), CoordinatorError> {
        loop {
            let effects = self.core.take_effects();
            if effects.is_empty() {
                return Ok(());
            }
            let listeners = self.core.event_listeners();
            let done = self.effects.do_all(effects, &listeners, self.core.epoch(), self.core.coordinator());
            let done = done.map_err(|error| CoordinatorError::Disk(error.to_string()))?;
            self.rebuild = self.rebuild.take().or(done.rebuild);
            if let Some(durable) = done.durable {
                self.checkpoints.appended(done.bytes);
                self.last_record = Instant::now();
                self.core.handle_durable(durable, self.clock.now());
            }
        }
    }

    fn patience(&self) -> Duration {
        let now_ms = self.clock.now().monotonic_ms;
        let due = self.core.next_timer_ms().map(|due_ms| Duration::from_millis(due_ms.saturating_sub(now_ms)));
        due.unwrap_or(IDLE_WAKE_UP).min(IDLE_WAKE_UP)
    }

    fn save_checkpoint_if_due(&mut self) {
        let grown = self.checkpoints.bytes_since();
        let idle = grown > 0 && self.last_record.elapsed() >= self.checkpoint_idle;
        if idle || grown >= self.checkpoint_log_bytes {
            self.checkpoints.save_in_background(&self.core, &self.events);
        }
    }

    fn tell_readiness(&mut self) {
        metrics::gauge!("concordance_changes_waiting").set(self.core.changes_waiting() as f64);
        let why_not = self.core.why_no_round();
        if why_not != self.why_not {
            match &why_not {
                Some(reason) => self.readiness.block("rounds", reason.clone()),
                None => self.readiness.clear("rounds"),
            }
            self.why_not = why_not;
        }
    }
}
