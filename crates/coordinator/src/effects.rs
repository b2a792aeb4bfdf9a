//! Does what the core asks for, in order. The only place that appends to the decision log and that speaks to links.

use crate::report_files::ReportFiles;
use crate::round_history::RoundHistory;
use crate::steps::Steps;
use faults::{CrashPoint, crash_point};
use protocol::{
    ClusterEvent, CoordinatorId, Epoch, EventKind, FromCoordinator, Query, QueryAnswer, RecoveryPlan, TimedEvent,
    ToAppServer, ToReplicator,
};
use serde::Serialize;
use service::websocket::{Outbox, Utf8Bytes};
use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};
use storage::log::{Log, LogError, NextSegment};
use two_phase::LogSequence;
use two_phase::coordinator::{Coordinator, CoordinatorEffect, CoordinatorRecord, CoordinatorState, SessionId};

/// The log, the links, and what is kept for people.
pub(crate) struct Effects {
    log: Log,
    torn: bool,
    outboxes: HashMap<SessionId, Outbox>,
    history: RoundHistory,
    reports: ReportFiles,
    lab: bool,
    steps: Steps,
}

/// What came of a list of effects.
#[derive(Default)]
pub(crate) struct Done {
    /// The last record that is durable now; none if nothing was appended.
    pub durable: Option<LogSequence>,
    /// Bytes that were appended.
    pub bytes: usize,
    /// A state to start anew on, and the plan that led to it.
    pub rebuild: Option<(Box<CoordinatorState>, Box<RecoveryPlan>)>,
}

impl Effects {
    pub(crate) fn new(log: Log, torn: bool, history: RoundHistory, reports: ReportFiles, lab: bool) -> Self {
        Self { log, torn, outboxes: HashMap::new(), history, reports, lab, steps: Steps::default() }
    }

    pub(crate) fn connect(&mut self, session: SessionId, outbox: Outbox) {
        self.outboxes.insert(session, outbox);
    }

    pub(crate) fn disconnect(&mut self, session: SessionId) {
        self.outboxes.remove(&session);
        self.steps.forget(session);
    }

    /// Ends all links: those at their other ends dial again, and meet the coordinator that starts anew.
    pub(crate) fn close_all(&self, reason: &str) {
        for outbox in self.outboxes.values() {
            outbox.close(reason);
        }
    }

    /// Whether the log can go on in another segment.
    pub(crate) fn next_segment(&self) -> NextSegment {
        self.log.next_segment()
    }

    pub(crate) fn trim(&mut self, below: LogSequence) {
        if let Err(error) = self.log.trim(storage::LogSequence::new(below.0)) {
            tracing::warn!(%error, "the log could not be trimmed");
        }
    }

    /// Puts a damaged log aside and begins another one, on this state.
    pub(crate) fn begin_log_anew(&mut self, next: LogSequence, state: &CoordinatorState) -> Result<(), LogError> {
        let reason = "recovered by an operator's order; the damaged log is put aside.".to_owned();
        let record = CoordinatorRecord::ViewChanged { view: state.view.clone(), reason };
        let payload = serde_json::to_vec(&record).expect("a record has only text keys and plain values");
        self.log.reset(storage::LogSequence::new(next.0), &payload)
    }

    /// Does all of it, then syncs once if anything was appended.
    pub(crate) fn do_all(
        &mut self,
        effects: Vec<CoordinatorEffect>,
        listeners: &[SessionId],
        epoch: Epoch,
        coordinator: CoordinatorId,
    ) -> Result<Done, LogError> {
        let mut done = Done::default();
        let mut durable_next = Vec::new();
        for effect in effects {
            match effect {
                CoordinatorEffect::Append { sequence, record, .. } => {
                    done.bytes += self.append(sequence, &record)?;
                    durable_next.push(durable(&record));
                }
                CoordinatorEffect::ToReplicators { sessions, message } => self.say(&sessions, &message),
                CoordinatorEffect::ToAppServers { sessions, message } => self.tell(&sessions, &message),
                CoordinatorEffect::Close { session, reason } => {
                    if let Some(outbox) = self.outboxes.get(&session) {
                        outbox.close(reason);
                    }
                }
                CoordinatorEffect::Happened(event) => self.note(event, listeners, epoch, coordinator),
                CoordinatorEffect::KeepReport(report) => self.reports.keep(*report),
                CoordinatorEffect::Rebuild { state, plan } => done.rebuild = Some((state, plan)),
            }
        }
        if !durable_next.is_empty() {
            done.durable = Some(LogSequence(self.log.sync()?.value()));
            durable_next.into_iter().for_each(crash_point::reach);
        }
        Ok(done)
    }

    fn append(&mut self, sequence: LogSequence, record: &CoordinatorRecord) -> Result<usize, LogError> {
        if let CoordinatorRecord::Decided(_) = record {
            crash_point::reach(CrashPoint::VotesReceived);
        }
        let payload = serde_json::to_vec(record).expect("a record has only text keys and plain values");
        let appended = if std::mem::take(&mut self.torn) {
            self.log.resume_after_torn_tail(&payload)?
        } else {
            self.log.append(&payload)?
        };
        assert_eq!(appended.value(), sequence.0, "the core and the log count the same records");
        crash_point::reach(match record {
            CoordinatorRecord::EpochTaken { .. } => CrashPoint::EpochAppended,
            CoordinatorRecord::ViewChanged { .. } => CrashPoint::ViewAppended,
            CoordinatorRecord::Decided(_) => CrashPoint::DecisionAppended,
        });
        Ok(payload.len())
    }

    fn say(&mut self, sessions: &[SessionId], message: &FromCoordinator<ToReplicator>) {
        match &message.message {
            ToReplicator::Prepare(_) => {
                self.send_or_hold(sessions, message);
                crash_point::reach_after_sending(CrashPoint::PrepareSent);
            }
            ToReplicator::Commit { .. } => {
                let (first, others) = sessions.split_at(sessions.len().min(1));
                self.send_or_hold(first, message);
                crash_point::reach_after_sending(CrashPoint::FirstCommitSent);
                self.send_or_hold(others, message);
                crash_point::reach_after_sending(CrashPoint::LastCommitSent);
            }
            _ => self.send_or_hold(sessions, message),
        }
    }

    fn send_or_hold(&mut self, sessions: &[SessionId], message: &FromCoordinator<ToReplicator>) {
        if !self.steps.is_on() && !self.steps.holds_any() {
            return self.send(sessions, message);
        }
        let text =
            Utf8Bytes::from(serde_json::to_string(message).expect("a message has only text keys and plain values"));
        for session in sessions {
            if !self.steps.keep(*session, &message.message, &text) {
                self.pass_on(*session, text.clone());
            }
        }
    }

    /// Sends what is encoded already.
    pub(crate) fn pass_on(&self, session: SessionId, text: Utf8Bytes) {
        if let Some(outbox) = self.outboxes.get(&session) {
            outbox.send(text);
        }
    }

    /// What is held in the lab.
    pub(crate) fn steps(&mut self) -> &mut Steps {
        &mut self.steps
    }

    /// Tells what was held and released.
    pub(crate) fn tell_steps(&mut self, listeners: &[SessionId], epoch: Epoch, coordinator: CoordinatorId) {
        for event in self.steps.take_news() {
            self.note(event, listeners, epoch, coordinator);
        }
    }

    pub(crate) fn tell(&self, sessions: &[SessionId], message: &FromCoordinator<ToAppServer>) {
        self.send(sessions, message);
        if let ToAppServer::Committed(_) = message.message {
            crash_point::reach_after_sending(CrashPoint::AppServersTold);
        }
    }

    /// Encodes once for all.
    fn send(&self, sessions: &[SessionId], message: &impl Serialize) {
        let outboxes: Vec<_> = sessions.iter().filter_map(|session| self.outboxes.get(session)).collect();
        if !outboxes.is_empty() {
            let text = serde_json::to_string(message).expect("a message has only text keys and plain values");
            let text = Utf8Bytes::from(text);
            for outbox in outboxes {
                outbox.send(text.clone());
            }
        }
    }

    fn note(&mut self, event: ClusterEvent, listeners: &[SessionId], epoch: Epoch, coordinator: CoordinatorId) {
        self.history.note(&event);
        match &event {
            ClusterEvent::RoundCommitted { .. } => metrics::counter!("concordance_rounds_committed_total").increment(1),
            ClusterEvent::RoundAborted { .. } => metrics::counter!("concordance_rounds_aborted_total").increment(1),
            _ => {}
        }
        let round = event.round().map(|round| round.to_string()).unwrap_or_default();
        match event.kind() {
            EventKind::Round | EventKind::Lab => tracing::debug!(%epoch, round, "{}", event.sentence()),
            _ => tracing::info!(%epoch, round, "{}", event.sentence()),
        }
        if !listeners.is_empty() {
            let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let at_ms = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX);
            let message = ToAppServer::Event(TimedEvent { at_ms, epoch, event });
            self.send(listeners, &FromCoordinator { epoch, coordinator, message });
        }
    }

    /// Whether the driver answers this, and not the core.
    pub(crate) fn knows_about(query: &Query) -> bool {
        !matches!(query, Query::Change { .. } | Query::Cluster | Query::Copy { .. })
    }

    /// Answers a question about what is kept here; none if it is the core's to answer.
    pub(crate) fn answer(&self, query: &Query, core: &Coordinator) -> Option<QueryAnswer> {
        match query {
            Query::Rounds { before, limit, outcome } => Some(self.history.list(*before, *limit, *outcome)),
            Query::Round { round } => Some(QueryAnswer::Round { round: self.history.round(*round).map(Box::new) }),
            Query::Restorations => {
                let running = core.running_report();
                Some(QueryAnswer::Restorations { reports: self.reports.list(running.as_ref()) })
            }
            Query::Restoration { restoration } => {
                let running = core.running_report().filter(|report| report.id == *restoration);
                let report = running.or_else(|| self.reports.report(*restoration));
                Some(QueryAnswer::Restoration { report: report.map(Box::new) })
            }
            Query::Held => Some(QueryAnswer::Held {
                on: self.steps.is_on(),
                messages: self.steps.shown(),
                crash_at: crash_point::first_armed().map(|point| point.name().to_owned()),
            }),
            Query::Change { .. } | Query::Cluster | Query::Copy { .. } => None,
        }
    }

    /// Why nothing of the lab is done here, if so.
    pub(crate) fn why_no_lab(&self) -> Option<String> {
        let reason = "the cluster does not run with the lab; start it with --lab";
        (!self.lab).then(|| reason.to_owned())
    }

    /// Arms a crash point, and no other. Fails with why not.
    pub(crate) fn arm(&self, point: Option<&str>) -> Result<(), String> {
        let point = point.map(str::parse::<CrashPoint>).transpose().map_err(|error| error.to_string())?;
        crash_point::arm_only(point);
        Ok(())
    }
}

/// What has been done when this record is on the disk.
fn durable(record: &CoordinatorRecord) -> CrashPoint {
    match record {
        CoordinatorRecord::EpochTaken { .. } => CrashPoint::EpochDurable,
        CoordinatorRecord::ViewChanged { .. } => CrashPoint::ViewDurable,
        CoordinatorRecord::Decided(_) => CrashPoint::DecisionDurable,
    }
}
