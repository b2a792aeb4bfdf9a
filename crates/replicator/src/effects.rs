//! Does what the core asks for, in order. The only place that appends to the log and that speaks to the coordinator and to
//! peers.

use crate::checkpoints::Checkpoints;
use crate::file_worker::{FileWorker, Job};
use crate::peers::{self, Peers};
use crate::recovery::FirstAppend;
use faults::{CrashPoint, crash_point};
use holder::Holder;
use protocol::{CatchUpId, HolderRequest, RoundId, ToCoordinator, Version, VoteTook};
use service::websocket::Outbox;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use storage::file_writer::FileWrite;
use storage::log::{Log, LogError, NextSegment};
use two_phase::replicator::{FileChange, PeerRequest, Replicator, ReplicatorEffect, ReplicatorRecord};
use two_phase::{LogSequence, SyncWhen};

/// The log, the link and the files.
pub(crate) struct Effects {
    log: Log,
    first_append: FirstAppend,
    outbox: Option<Outbox>,
    peers: Peers,
    /// Peers whose questions are not answered yet.
    asking: HashMap<PeerRequest, Outbox>,
    holder: Arc<Holder>,
    worker: FileWorker,
    /// Records wait for the next sync.
    unsynced: bool,
    /// What has been done when they are durable.
    durable_next: Vec<CrashPoint>,
    applied: Version,
    preparing: Option<Preparing>,
}

/// The prepare that came last, for what is told of its times.
struct Preparing {
    round: RoundId,
    received: Instant,
    staged: Instant,
}

/// What came of a list of effects.
#[derive(Default)]
pub(crate) struct Done {
    /// Somebody waits for the sync.
    pub sync_now: bool,
    /// Bytes that were appended.
    pub bytes: usize,
    /// Catch-ups whose files are complete, to be installed.
    pub to_install: Vec<(CatchUpId, Vec<catalogue::BookPath>)>,
    /// Questions that are answered when everything so far is synced and handed to the file writer.
    pub questions: Vec<ReplicatorEffect>,
    /// A scrub is to begin.
    pub scrub_now: bool,
    /// Why the process must end.
    pub stop: Option<String>,
}

impl Preparing {
    /// Asked when the vote leaves, which is right after the sync.
    fn took(&self) -> VoteTook {
        let since = |moment: Instant| u64::try_from((moment - self.received).as_micros()).unwrap_or(u64::MAX);
        VoteTook { staged_us: since(self.staged), durable_us: since(Instant::now()) }
    }
}

impl Effects {
    pub(crate) fn new(
        log: Log,
        first_append: FirstAppend,
        peers: Peers,
        holder: Arc<Holder>,
        worker: FileWorker,
        applied: Version,
    ) -> Self {
        Self {
            log,
            first_append,
            outbox: None,
            peers,
            asking: HashMap::new(),
            holder,
            worker,
            unsynced: false,
            durable_next: Vec::new(),
            applied,
            preparing: None,
        }
    }

    /// A prepare has come.
    pub(crate) fn prepare_received(&mut self, round: RoundId) {
        let now = Instant::now();
        self.preparing = Some(Preparing { round, received: now, staged: now });
    }

    pub(crate) fn connect(&mut self, outbox: Option<Outbox>) {
        self.outbox = outbox;
    }

    /// A peer asks; the core will have it answered.
    pub(crate) fn is_asked(&mut self, request: PeerRequest, peer: Outbox) {
        self.asking.insert(request, peer);
    }

    pub(crate) fn has_unsynced(&self) -> bool {
        self.unsynced
    }

    /// Whether the log can go on in another segment.
    pub(crate) fn next_segment(&self) -> NextSegment {
        self.log.next_segment()
    }

    pub(crate) fn trim(&mut self, through: LogSequence) {
        if let Err(error) = self.log.trim(storage::LogSequence::new(through.0 + 1)) {
            tracing::warn!(%error, "the log could not be trimmed");
        }
    }

    /// One sync for everything that was appended.
    pub(crate) fn sync(&mut self) -> Result<LogSequence, LogError> {
        self.unsynced = false;
        let durable = LogSequence(self.log.sync()?.value());
        self.durable_next.drain(..).for_each(crash_point::reach);
        Ok(durable)
    }

    pub(crate) fn do_all(&mut self, effects: Vec<ReplicatorEffect>, core: &Replicator) -> Result<Done, LogError> {
        let mut done = Done::default();
        for effect in effects {
            match effect {
                ReplicatorEffect::Append { sequence, record, sync } => {
                    done.bytes += self.append(sequence, &record)?;
                    done.sync_now |= sync == SyncWhen::Now;
                }
                ReplicatorEffect::Send(message) => self.send(message),
                ReplicatorEffect::AskPeer { peer, question } => self.peers.ask(peer, &question),
                ReplicatorEffect::AnswerPeer { request, answer } => {
                    if let Some(outbox) = self.asking.remove(&request) {
                        peers::answer(&outbox, &answer);
                        crash_point::reach_after_sending(CrashPoint::PeerAnswered);
                    }
                }
                ReplicatorEffect::WriteFiles { version, files } => {
                    let write = |file: FileChange| FileWrite {
                        path: file.path,
                        content: file.content.map(|content| content.shared()),
                    };
                    self.holder.apply(files.into_iter().map(write).collect(), version.0);
                    self.applied = self.applied.max(version);
                }
                ReplicatorEffect::Disconnect { reason } => {
                    tracing::warn!(reason, "leaving the coordinator; will dial again");
                    if let Some(outbox) = self.outbox.take() {
                        outbox.close(reason);
                    }
                }
                ReplicatorEffect::Stop { reason } => done.stop = Some(reason),
                ReplicatorEffect::FindMissing { catch_up, files } => {
                    self.worker.give(Job::FindMissing { catch_up, files })
                }
                ReplicatorEffect::StoreFetched { catch_up, files } => {
                    let paths: Vec<_> = files.iter().map(|file| file.wanted.path).collect();
                    let record = |path: &catalogue::BookPath| {
                        core.state().manifest.record(path).map(|record| (*path, record.digest))
                    };
                    let expected = paths.iter().filter_map(record).collect();
                    let claim = self.holder.claim(paths);
                    self.worker.give(Job::Store { claim, catch_up, files, expected });
                }
                ReplicatorEffect::Install { catch_up, removed } => done.to_install.push((catch_up, removed)),
                ReplicatorEffect::Scrub => done.scrub_now = true,
                question @ (ReplicatorEffect::Inspect(_) | ReplicatorEffect::Heal { .. }) => {
                    done.questions.push(question)
                }
            }
        }
        Ok(done)
    }

    /// Hands a question to the file worker. Claims are taken here, on the thread that applies rounds.
    pub(crate) fn ask(&self, question: ReplicatorEffect) {
        match question {
            ReplicatorEffect::Inspect(request) => self.inspect(request),
            ReplicatorEffect::Heal { request, repairs, foreign, left } => {
                let claim = self.holder.claim(repairs.iter().map(|repair| repair.path));
                self.worker.give(Job::Heal { claim, request, repairs, foreign, left });
            }
            _ => {}
        }
    }

    fn inspect(&self, request: HolderRequest) {
        self.worker.give(Job::Inspect { request, version: self.applied });
    }

    /// Installs what a catch-up has led to: first the files, then the checkpoint that vouches for them.
    pub(crate) fn install(
        &mut self,
        catch_up: CatchUpId,
        removed: &[catalogue::BookPath],
        core: &mut Replicator,
        checkpoints: &mut Checkpoints,
    ) -> Result<(), String> {
        let Some(state) = core.state_to_install(catch_up) else { return Ok(()) };
        let claim = self.holder.claim(removed.iter().copied());
        let expected = |path: &catalogue::BookPath| core.state().manifest.record(path).map(|record| record.digest);
        crash_point::reach(CrashPoint::CatchUpComplete);
        self.holder.remove(&claim, removed, &expected).map_err(|error| error.to_string())?;
        let durable = self.sync().map_err(|error| error.to_string())?;
        core.handle_durable(durable);
        checkpoints.save_installed(&state, durable)?;
        crash_point::reach(CrashPoint::CatchUpInstalled);
        self.applied = state.version;
        core.handle_installed(catch_up, state);
        Ok(())
    }

    fn append(&mut self, sequence: LogSequence, record: &ReplicatorRecord) -> Result<usize, LogError> {
        let payload = serde_json::to_vec(record).expect("a record has only text keys and plain values");
        let appended = match std::mem::replace(&mut self.first_append, FirstAppend::Plain) {
            FirstAppend::Plain => self.log.append(&payload)?,
            FirstAppend::AfterTornTail => self.log.resume_after_torn_tail(&payload)?,
            FirstAppend::Reset => {
                let next = storage::LogSequence::new(sequence.0);
                self.log.reset(next, &payload)?;
                next
            }
        };
        assert_eq!(appended.value(), sequence.0, "the core and the log count the same records");
        self.unsynced = true;
        if let (ReplicatorRecord::Prepared(_) | ReplicatorRecord::Refused { .. }, Some(preparing)) =
            (record, &mut self.preparing)
        {
            preparing.staged = Instant::now();
        }
        if let Some((appended, durable)) = points(record) {
            crash_point::reach(appended);
            self.durable_next.push(durable);
        }
        Ok(payload.len())
    }

    fn send(&self, mut message: ToCoordinator) {
        let Some(outbox) = &self.outbox else { return };
        if let ToCoordinator::Vote { round, took, .. } = &mut message {
            *took = self.preparing.as_ref().filter(|preparing| preparing.round == *round).map(Preparing::took);
        }
        outbox.send(serde_json::to_string(&message).expect("a message has only text keys and plain values"));
        match message {
            ToCoordinator::Vote { .. } => crash_point::reach_after_sending(CrashPoint::VoteSent),
            ToCoordinator::Acknowledge { .. } => crash_point::reach_after_sending(CrashPoint::AcknowledgeSent),
            _ => {}
        }
    }
}

/// What has been done when this record waits to be written, and when it is on the disk.
fn points(record: &ReplicatorRecord) -> Option<(CrashPoint, CrashPoint)> {
    match record {
        ReplicatorRecord::EpochAccepted { .. } => {
            Some((CrashPoint::EpochAcceptedAppended, CrashPoint::EpochAcceptedDurable))
        }
        ReplicatorRecord::Prepared(_) => Some((CrashPoint::PrepareAppended, CrashPoint::PrepareDurable)),
        ReplicatorRecord::Refused { .. } => Some((CrashPoint::RefusalAppended, CrashPoint::RefusalDurable)),
        ReplicatorRecord::Committed { .. } => Some((CrashPoint::CommitAppended, CrashPoint::CommitDurable)),
        ReplicatorRecord::Aborted { .. } => Some((CrashPoint::AbortAppended, CrashPoint::AbortDurable)),
        ReplicatorRecord::Followed(_) => Some((CrashPoint::FollowedAppended, CrashPoint::FollowedDurable)),
        ReplicatorRecord::Confirmed { .. } => Some((CrashPoint::ConfirmationAppended, CrashPoint::ConfirmationDurable)),
        ReplicatorRecord::ViewLearned(_) | ReplicatorRecord::Lost | ReplicatorRecord::Unconfirmed => None,
    }
}
