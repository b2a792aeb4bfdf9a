//! The coordinator's process: its core, its log, its clock. A real driver does the same with a disk and sockets.

use crate::agenda::{Event, Node};
use crate::network::{End, Message};
use crate::planted::PlantedBug;
use crate::simulated_log::SimulatedLog;
use crate::violation::{Held, Rule, Violation};
use crate::world::{Fuse, World};
use protocol::{
    ClusterEvent, ClusterId, CoordinatorId, Epoch, FromAppServer, FromCoordinator, ToAppServer, ToCoordinator,
    ToReplicator, View,
};
use std::collections::BTreeSet;
use two_phase::coordinator::{
    Answers, Coordinator, CoordinatorEffect, CoordinatorHeader, CoordinatorIdentity, CoordinatorRecord,
    CoordinatorState, LogDoubt, SessionId,
};
use two_phase::{LogSequence, Now, SyncWhen, read_checkpoint, write_checkpoint};

/// Why a coordinator must not believe what is on its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// The directory is a copy.
    Copied,
    /// The end of the log is damaged.
    Damaged,
    /// There is nothing: it takes itself for a new one, until it meets somebody who knows more.
    Lost,
}

/// The coordinator: what its disk holds, and its process while it runs.
pub(crate) struct CoordinatorNode {
    pub(crate) boot: u64,
    pub(crate) core: Option<Coordinator>,
    pub(crate) log: SimulatedLog<CoordinatorRecord>,
    pub(crate) fuse: Option<Fuse>,
    /// An old copy of the log, and the version that it ends at.
    pub(crate) old_copy: Option<(protocol::Version, Vec<usize>, SimulatedLog<CoordinatorRecord>)>,
    /// The newest log, while the process runs on the old copy.
    pub(crate) newest: Option<SimulatedLog<CoordinatorRecord>>,
    pub(crate) unix_offset_ms: u64,
    pub(crate) doubt: Option<Doubt>,
    /// An operator has said yes to a plan.
    pub(crate) recovers: bool,
    first_view: View,
    /// The cluster that a start on an empty disk makes.
    cluster: u128,
    started_us: u64,
    closed: BTreeSet<SessionId>,
    /// The replicator whose running process has just said hello.
    greeting: Option<usize>,
    timer_us: Option<u64>,
}

impl CoordinatorNode {
    pub(crate) fn new(first_view: View) -> Self {
        Self {
            boot: 0,
            core: None,
            log: SimulatedLog::new(),
            fuse: None,
            old_copy: None,
            newest: None,
            unix_offset_ms: 1_700_000_000_000,
            doubt: None,
            recovers: false,
            first_view,
            cluster: 77,
            started_us: 0,
            closed: BTreeSet::new(),
            greeting: None,
            timer_us: None,
        }
    }

    /// One that is going to start on a copy of its disk.
    pub(crate) fn successor(&self) -> Self {
        let (log, cluster) = (self.log.clone(), self.cluster);
        // No number of a start is ever that of another one.
        Self { log, cluster, boot: self.boot + 1_000_000, ..Self::new(self.first_view.clone()) }
    }

    /// Its disk is replaced by an empty one.
    pub(crate) fn lose_disk(&mut self) {
        (self.log, self.cluster, self.doubt) = (SimulatedLog::new(), self.cluster + 1, Some(Doubt::Lost));
    }

    pub(crate) fn now(&self, now_us: u64) -> Now {
        // A monotonic clock begins somewhere, not at zero.
        let monotonic_ms = 5_000 + (now_us - self.started_us) / 1_000;
        Now { monotonic_ms, unix_ms: self.unix_offset_ms + now_us / 1_000 }
    }

    fn recover(&self, now: Now) -> Result<CoordinatorState, Violation> {
        let broken = |reason: String| Violation { rule: Rule::Contract, sentence: reason };
        let mut state = match self.log.checkpoint() {
            None => CoordinatorState::new(ClusterId(uuid::Uuid::from_u128(self.cluster)), self.first_view.clone()),
            Some((_, text)) => {
                let (header, manifest) =
                    read_checkpoint::<CoordinatorHeader>(text).map_err(|error| broken(error.to_string()))?;
                CoordinatorState::from_checkpoint(header, manifest, now.monotonic_ms)
            }
        };
        for (sequence, record) in self.log.records() {
            state.apply(record.clone(), *sequence, now.monotonic_ms).map_err(|error| broken(error.to_string()))?;
        }
        Ok(state)
    }
}

impl World {
    pub(crate) fn start_coordinator(&mut self) -> Held {
        let (now_us, coordinator) = (self.agenda.now_us(), CoordinatorId(self.unique()));
        let node = &mut self.coordinator;
        node.boot += 1;
        (node.started_us, node.timer_us, node.closed, node.recovers) = (now_us, None, BTreeSet::new(), false);
        let now = node.now(now_us);
        let mut state = node.recover(now)?;
        match self.planted {
            Some(PlantedBug::ForgetsEpochs) => state.epoch = Epoch::ZERO,
            Some(PlantedBug::ForgetsAnswers) => state.answers = Answers::default(),
            _ => {}
        }
        let (version, last) = (state.version, node.log.last());
        self.oracle.coordinator_recovered(&state)?;
        let identity = CoordinatorIdentity { coordinator, data_key: "00".repeat(32) };
        let settings = self.scenario.settings.clone();
        self.coordinator.core = Some(match self.coordinator.doubt {
            Some(doubt @ (Doubt::Copied | Doubt::Damaged)) => {
                let reason = format!("its log is {doubt:?}");
                let doubt = LogDoubt { reason, is_damaged: doubt == Doubt::Damaged };
                Coordinator::start_unsure(identity, settings, state, last, doubt, now)
            }
            None | Some(Doubt::Lost) => Coordinator::start(identity, settings, state, last, now),
        });
        self.note(&[10, last.0, version.0], || format!("coordinator starts at version {version}, record {}", last.0));
        self.figures.count("start of the coordinator");
        self.drain_coordinator()
    }

    pub(crate) fn crash_coordinator(&mut self) -> Held {
        self.coordinator.core = None;
        self.coordinator.boot += 1;
        let loss = self.coordinator.log.crash(&mut self.random);
        if self.planted == Some(PlantedBug::LosesSyncedRecords) {
            self.coordinator.log.rot();
        }
        self.figures.count("fault: crash of the coordinator");
        if loss.lost > 0 {
            self.figures.count("fault: unsynced records of the coordinator lost");
        }
        if loss.torn {
            self.figures.count("fault: torn tail of the coordinator");
        }
        let now_us = self.agenda.now_us();
        loss.survived.iter().try_for_each(|(_, record)| self.oracle.coordinator_durable(record, now_us))
    }

    pub(crate) fn coordinator_hears_replicator(&mut self, session: SessionId, message: ToCoordinator) -> Held {
        let now = self.coordinator.now(self.agenda.now_us());
        let closed = self.coordinator.closed.contains(&session);
        let Some(core) = self.coordinator.core.as_mut().filter(|_| !closed) else { return Ok(()) };
        self.trace
            .note(self.agenda.now_us(), &[11, session.0], || format!("coordinator <- {}: {message:?}", session.0));
        let hello = matches!(message, ToCoordinator::Hello(_));
        if let ToCoordinator::Vote { .. } = message
            && self.planted == Some(PlantedBug::CountsOneVoteForAll)
        {
            for session in self.replicators.iter().filter_map(|node| node.session) {
                core.handle_replicator(session, message.clone(), now);
            }
        }
        core.handle_replicator(session, message, now);
        self.coordinator.greeting = self.replicators.iter().position(|node| hello && node.session == Some(session));
        self.drain_coordinator()
    }

    pub(crate) fn coordinator_hears_app_server(&mut self, session: SessionId, message: FromAppServer) -> Held {
        let now = self.coordinator.now(self.agenda.now_us());
        let closed = self.coordinator.closed.contains(&session);
        let Some(core) = self.coordinator.core.as_mut().filter(|_| !closed) else { return Ok(()) };
        self.trace
            .note(self.agenda.now_us(), &[12, session.0], || format!("coordinator <- {}: {message:?}", session.0));
        core.handle_app_server(session, message, now);
        self.drain_coordinator()
    }

    pub(crate) fn coordinator_disconnected(&mut self, session: SessionId) -> Held {
        let now = self.coordinator.now(self.agenda.now_us());
        let Some(core) = self.coordinator.core.as_mut() else { return Ok(()) };
        self.trace.note(self.agenda.now_us(), &[13, session.0], || format!("coordinator: {} ended", session.0));
        core.handle_disconnected(session, "the connection broke", now);
        self.coordinator.closed.insert(session);
        self.drain_coordinator()
    }

    pub(crate) fn coordinator_timer(&mut self, at_us: u64) -> Held {
        if self.coordinator.timer_us != Some(at_us) {
            return Ok(());
        }
        self.coordinator.timer_us = None;
        let now = self.coordinator.now(self.agenda.now_us());
        let Some(core) = self.coordinator.core.as_mut() else { return Ok(()) };
        self.trace.note(self.agenda.now_us(), &[14], || "coordinator: timer".to_owned());
        core.handle_timer(now);
        self.drain_coordinator()
    }

    pub(crate) fn coordinator_synced(&mut self) -> Held {
        match self.coordinator.log.end_sync() {
            Some(through) => {
                self.sync_coordinator(through)?;
                self.drain_coordinator()
            }
            None => Ok(()),
        }
    }

    pub(crate) fn sync_coordinator(&mut self, through: LogSequence) -> Held {
        let now_us = self.agenda.now_us();
        for (sequence, record) in self.coordinator.log.sync(through) {
            self.note(&[15, sequence.0], || format!("coordinator: record {} is durable: {record:?}", sequence.0));
            self.oracle.coordinator_durable(&record, now_us)?;
        }
        let now = self.coordinator.now(now_us);
        if let Some(core) = self.coordinator.core.as_mut() {
            core.handle_durable(through, now);
        }
        Ok(())
    }

    /// Does what the core asks for, one by one; the process may stop between any two.
    pub(crate) fn drain_coordinator(&mut self) -> Held {
        loop {
            let Some(core) = self.coordinator.core.as_mut() else { return Ok(()) };
            let effects = core.take_effects();
            if effects.is_empty() {
                break;
            }
            let mut sync_now = false;
            for effect in effects {
                if self.strikes(Node::Coordinator) {
                    return self.crash(Node::Coordinator);
                }
                sync_now |= matches!(effect, CoordinatorEffect::Append { .. });
                self.do_coordinator_effect(effect)?;
                if self.coordinator.core.is_none() {
                    return Ok(());
                }
            }
            if self.strikes(Node::Coordinator) {
                return self.crash(Node::Coordinator);
            }
            if sync_now && self.scenario.sync_at_once {
                self.sync_coordinator(self.coordinator.log.last())?;
            } else if sync_now {
                self.want_sync(Node::Coordinator, SyncWhen::Now);
            }
        }
        if self.coordinator.log.last() > self.coordinator.log.durable() {
            self.want_sync(Node::Coordinator, SyncWhen::Now);
        }
        self.set_timer();
        self.look_at_coordinator()
    }

    fn do_coordinator_effect(&mut self, effect: CoordinatorEffect) -> Held {
        match effect {
            CoordinatorEffect::Append { sequence, record, .. } => {
                self.note(&[16, sequence.0], || format!("coordinator: append {}: {record:?}", sequence.0));
                self.append_to_coordinator(sequence, record)
            }
            CoordinatorEffect::ToReplicators { sessions, message } => self.say_to_replicators(sessions, &message),
            CoordinatorEffect::ToAppServers { sessions, message } => self.say_to_app_servers(sessions, &message),
            CoordinatorEffect::Close { session, reason } => {
                self.note(&[17, session.0], || format!("coordinator closes {}: {reason}", session.0));
                if self.coordinator.closed.insert(session) {
                    self.close_connection(session, End::Coordinator);
                }
                Ok(())
            }
            CoordinatorEffect::Happened(event) => self.coordinator_event(&event),
            CoordinatorEffect::KeepReport(report) => self.restored(&report),
            CoordinatorEffect::Rebuild { state, plan } => self.rebuild_coordinator(&state, &plan),
        }
    }

    fn append_to_coordinator(&mut self, sequence: LogSequence, mut record: CoordinatorRecord) -> Held {
        if let Some(planted) = self.planted {
            planted.falsify_record(&mut record);
        }
        let early = match record {
            CoordinatorRecord::Decided(_) => PlantedBug::TellsCommitEarly,
            CoordinatorRecord::ViewChanged { .. } => PlantedBug::UsesViewEarly,
            CoordinatorRecord::EpochTaken { .. } => PlantedBug::UsesEpochEarly,
        };
        if self.planted == Some(early) {
            let now = self.coordinator.now(self.agenda.now_us());
            if let Some(core) = self.coordinator.core.as_mut() {
                core.handle_durable(sequence, now);
            }
        }
        self.appended(Node::Coordinator);
        self.coordinator.log.append(sequence, record)
    }

    fn say_to_replicators(&mut self, sessions: Vec<SessionId>, message: &FromCoordinator<ToReplicator>) -> Held {
        for (count, session) in sessions.into_iter().enumerate() {
            if count > 0 && self.strikes(Node::Coordinator) {
                return self.crash(Node::Coordinator);
            }
            self.note(&[18, session.0], || format!("coordinator -> {}: {:?}", session.0, message.message));
            self.oracle.said_to_replicator(message)?;
            if let ToReplicator::Removed { .. } = message.message
                && let Some(Node::Replicator(index)) =
                    self.network.connection(session).map(|connection| connection.node)
            {
                self.oracle.told_that_it_is_no_member(&self.replicators[index].name);
            }
            if !self.coordinator.closed.contains(&session) {
                self.send(session, End::Dialler, Message::ToReplicator(message.clone()));
            }
        }
        Ok(())
    }

    fn say_to_app_servers(&mut self, sessions: Vec<SessionId>, message: &FromCoordinator<ToAppServer>) -> Held {
        for (count, session) in sessions.into_iter().enumerate() {
            if count > 0 && self.strikes(Node::Coordinator) {
                return self.crash(Node::Coordinator);
            }
            self.note(&[19, session.0], || format!("coordinator -> {}: {:?}", session.0, message.message));
            self.oracle.said_to_app_server(message)?;
            if !self.coordinator.closed.contains(&session) {
                self.send(session, End::Dialler, Message::ToAppServer(message.clone()));
            }
        }
        Ok(())
    }

    fn coordinator_event(&mut self, event: &ClusterEvent) -> Held {
        self.note(&[20], || format!("coordinator: {event:?}"));
        match event {
            ClusterEvent::RoundStarted { .. } => self.figures.count("round begun"),
            ClusterEvent::RoundCommitted { .. } => self.figures.count("round committed"),
            ClusterEvent::RoundAborted { .. } => self.figures.count("round aborted"),
            ClusterEvent::InDoubtSettled { committed: true, .. } => self.figures.count("round in doubt committed"),
            ClusterEvent::InDoubtSettled { committed: false, .. } => self.figures.count("round in doubt aborted"),
            ClusterEvent::CatchUpStarted { .. } => self.figures.count("catch-up begun"),
            ClusterEvent::CatchUpEnded { .. } => self.figures.count("catch-up ended"),
            ClusterEvent::MemberConnected { .. } => {
                self.coordinator.greeting.take().into_iter().for_each(|index| self.oracle.introduced(index));
            }
            ClusterEvent::EpochOpened { members } => self.oracle.counted_as_evidence(members)?,
            ClusterEvent::RecoveryNeeded { reason } => {
                self.figures.count("recovery asked for");
                self.oracle.asks_for_recovery(reason)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn set_timer(&mut self) {
        let Some(due_ms) = self.coordinator.core.as_ref().and_then(Coordinator::next_timer_ms) else { return };
        let at_us = self.coordinator.started_us + due_ms.saturating_sub(5_000) * 1_000;
        let at_us = at_us.max(self.agenda.now_us());
        if self.coordinator.timer_us.is_none_or(|set| at_us < set) {
            self.coordinator.timer_us = Some(at_us);
            let boot = self.coordinator.boot;
            self.agenda.at(at_us, Event::Timer { boot, at_us });
        }
    }

    fn look_at_coordinator(&mut self) -> Held {
        let Some(core) = &self.coordinator.core else { return Ok(()) };
        self.oracle.forgets_only_what_all_hold(core.state())
    }

    /// Saves a checkpoint and trims the log behind it, as far as nobody needs it.
    pub(crate) fn coordinator_checkpoint(&mut self) -> Held {
        let now_us = self.agenda.now_us();
        let Some(core) = &self.coordinator.core else { return Ok(()) };
        let Some(after) = core.checkpoint_sequence() else { return Ok(()) };
        let text = write_checkpoint(&core.state().header(), &core.state().manifest);
        let needed = core.oldest_record_needed().unwrap_or(after.next());
        // The planted bug would be found here as a breach of SafeTrim, before its effect is.
        if self.planted != Some(PlantedBug::ForgetsAnswers) {
            self.oracle.keeps_answers(core.state(), now_us)?;
        }
        self.note(&[21, after.0, needed.0], || {
            format!("coordinator: checkpoint after {}, needs {}", after.0, needed.0)
        });
        self.figures.count("checkpoint of the coordinator");
        self.coordinator.log.save_checkpoint(after, text);
        if self.strikes(Node::Coordinator) {
            return self.crash(Node::Coordinator);
        }
        let below =
            if self.planted == Some(PlantedBug::TrimsTooMuch) { after.next() } else { needed.min(after.next()) };
        self.coordinator.log.trim(below);
        Ok(())
    }
}
