//! A replicator's process: its core, its log, its files and the backlog of files to write.

use crate::agenda::Node;
use crate::file_work::FileTask;
use crate::network::{End, Message};
use crate::peers;
use crate::planted::PlantedBug;
use crate::simulated_files::SimulatedFiles;
use crate::simulated_log::SimulatedLog;
use crate::violation::{Held, Rule, Violation};
use crate::world::{Fuse, World};
use catalogue::BookPath;
use protocol::{CatchUpId, FromCoordinator, Incarnation, MemberId, Standing, ToCoordinator, ToReplicator, Version};
use std::collections::{BTreeMap, VecDeque};
use two_phase::coordinator::SessionId;
use two_phase::replicator::{
    FileChange, LogFound, PeerRequest, Replicator, ReplicatorEffect, ReplicatorHeader, ReplicatorIdentity,
    ReplicatorRecord, ReplicatorState,
};
use two_phase::{LogSequence, SyncWhen, read_checkpoint};

/// A replicator: what its disk holds, and its process while it runs.
pub(crate) struct ReplicatorNode {
    pub(crate) name: MemberId,
    /// It was told that it is no longer a member, and is not started again.
    pub(crate) removed: bool,
    pub(crate) boot: u64,
    pub(crate) core: Option<Replicator>,
    pub(crate) session: Option<SessionId>,
    pub(crate) log: SimulatedLog<ReplicatorRecord>,
    pub(crate) files: SimulatedFiles,
    /// A copy of its files that somebody made some time ago.
    pub(crate) copied_files: Option<SimulatedFiles>,
    pub(crate) backlog: VecDeque<Vec<FileChange>>,
    /// The version whose files were handed over to be written.
    pub(crate) applied: Version,
    pub(crate) file_tasks: VecDeque<FileTask>,
    /// Catch-ups that are to be installed once the effects before are done, whatever file work is under way.
    pub(crate) to_install: VecDeque<(CatchUpId, Vec<BookPath>)>,
    /// Peers whose questions are not answered yet, and which start of them asked.
    pub(crate) asking: BTreeMap<PeerRequest, (usize, u64)>,
    pub(crate) next_request: u64,
    pub(crate) fuse: Option<Fuse>,
    pub(crate) isolated_until_us: u64,
    pub(crate) disk_is_full: bool,
    /// None while the memory is new or lost.
    pub(crate) incarnation: Option<Incarnation>,
}

impl ReplicatorNode {
    pub(crate) fn new(name: MemberId) -> Self {
        Self {
            name,
            removed: false,
            boot: 0,
            core: None,
            session: None,
            log: SimulatedLog::new(),
            files: SimulatedFiles::default(),
            copied_files: None,
            backlog: VecDeque::new(),
            applied: Version::ZERO,
            file_tasks: VecDeque::new(),
            to_install: VecDeque::new(),
            asking: BTreeMap::new(),
            next_request: 0,
            fuse: None,
            isolated_until_us: 0,
            disk_is_full: false,
            incarnation: None,
        }
    }

    pub(crate) fn backlog_bytes(&self) -> u64 {
        self.backlog.iter().flatten().filter_map(|file| file.content.as_ref()).map(protocol::Content::size).sum()
    }

    /// Writes all committed files that still wait.
    pub(crate) fn flush(&mut self) {
        while let Some(files) = self.backlog.pop_front() {
            self.write(files);
        }
    }

    pub(crate) fn write(&mut self, files: Vec<FileChange>) {
        for file in files {
            self.files.write(file.path, file.content);
        }
    }

    /// The state that the checkpoint describes, and the record behind which it stands.
    fn checkpointed(&self) -> Result<(ReplicatorState, LogSequence), Violation> {
        match self.log.checkpoint() {
            None => Ok((ReplicatorState::empty(), LogSequence::ZERO)),
            Some((after, text)) => {
                let (header, manifest) = read_checkpoint::<ReplicatorHeader>(text)
                    .map_err(|error| Violation { rule: Rule::Contract, sentence: error.to_string() })?;
                Ok((ReplicatorState::from_checkpoint(header, manifest), *after))
            }
        }
    }

    fn records_behind(&self, after: LogSequence) -> Vec<(LogSequence, ReplicatorRecord)> {
        self.log.records().filter(|(sequence, _)| *sequence > after).cloned().collect()
    }

    /// What the disk holds: checkpoint and records.
    pub(crate) fn state_on_disk(&self) -> Result<ReplicatorState, Violation> {
        let (mut state, after) = self.checkpointed()?;
        for (_, record) in self.records_behind(after) {
            state.apply(&record);
        }
        Ok(state)
    }
}

impl World {
    pub(crate) fn start_replicator(&mut self, index: usize) -> Held {
        let new = self.replicators[index].incarnation.is_none().then(|| Incarnation(self.unique()));
        let planted = self.planted;
        let node = &mut self.replicators[index];
        node.boot += 1;
        let incarnation = *node.incarnation.get_or_insert_with(|| new.expect("it was made for a memory without one"));
        let address = format!("127.0.0.1:{}", 7_421 + index);
        let identity = ReplicatorIdentity { member: node.name.clone(), incarnation, address };
        let mut core = if new.is_some() && planted == Some(PlantedBug::TrustsEmptyDisk) {
            let trusted = ReplicatorState { standing: Standing::Trusted, ..ReplicatorState::empty() };
            Replicator::recover(identity, trusted, node.log.last(), [], LogFound::Whole)
        } else if new.is_some() {
            Replicator::new(identity, node.log.last())
        } else {
            let (checkpoint, after) = node.checkpointed()?;
            let found = if node.log.is_torn() { LogFound::TornTail } else { LogFound::Whole };
            Replicator::recover(identity, checkpoint, after, node.records_behind(after), found)
        };
        // A memory that was lost, or a catch-up that was cut short, may have left files that nobody knows.
        let manifest = core.state().manifest.clone();
        core.distrust(node.files.all().map(|(path, _)| *path).filter(|path| manifest.record(path).is_none()));
        node.applied = core.state().version;
        node.core = Some(core.with_peer_pacing(peers::PACING));
        if new.is_none() {
            let state = self.replicators[index].state_on_disk()?;
            self.oracle.replicator_recovered(index, &state)?;
        }
        let last = self.replicators[index].log.last();
        self.note(&[30, index as u64, last.0], || format!("replicator-{} starts at record {}", index + 1, last.0));
        self.figures.count("start of a replicator");
        self.replicator_timer_later(index);
        self.drain_replicator(index)?;
        self.measure(index)
    }

    pub(crate) fn crash_replicator(&mut self, index: usize) -> Held {
        let node = &mut self.replicators[index];
        (node.core, node.session) = (None, None);
        node.boot += 1;
        node.backlog.clear();
        node.asking.clear();
        node.file_tasks.clear();
        node.to_install.clear();
        let loss = node.log.crash(&mut self.random);
        let files = node.files.crash(&mut self.random);
        self.figures.count("fault: crash of a replicator");
        self.figures.add("fault: unsynced files lost or torn", files);
        if loss.lost > 0 {
            self.figures.count("fault: unsynced records of a replicator lost");
        }
        if loss.torn {
            self.figures.count("fault: torn tail of a replicator");
        }
        loss.survived.iter().try_for_each(|(_, record)| self.oracle.replicator_durable(index, record))
    }

    pub(crate) fn replicator_connected(&mut self, index: usize, session: SessionId) -> Held {
        let node = &mut self.replicators[index];
        let Some(core) = node.core.as_mut() else { return Ok(()) };
        node.session = Some(session);
        core.handle_connected();
        self.drain_replicator(index)
    }

    pub(crate) fn replicator_disconnected(&mut self, index: usize) -> Held {
        let node = &mut self.replicators[index];
        node.session = None;
        let Some(core) = node.core.as_mut() else { return Ok(()) };
        core.handle_disconnected();
        self.note(&[31, index as u64], || format!("replicator-{}: disconnected", index + 1));
        self.dial_later(Node::Replicator(index));
        self.drain_replicator(index)
    }

    pub(crate) fn replicator_hears(
        &mut self,
        index: usize,
        session: SessionId,
        message: FromCoordinator<ToReplicator>,
    ) -> Held {
        let planted = self.planted;
        let node = &mut self.replicators[index];
        let Some(core) = node.core.as_mut().filter(|_| node.session == Some(session)) else { return Ok(()) };
        if planted == Some(PlantedBug::WritesFilesAtPrepare)
            && let ToReplicator::Prepare(prepare) = &message.message
        {
            let files: Vec<_> =
                prepare.changes.iter().map(|change| FileChange::of(change.path, &change.action)).collect();
            self.oracle.files_written("replicator", prepare.version(), &files)?;
        }
        core.handle_message(message);
        self.drain_replicator(index)
    }

    pub(crate) fn replicator_synced(&mut self, index: usize) -> Held {
        match self.replicators[index].log.end_sync() {
            Some(through) => {
                self.sync_replicator(index, through)?;
                self.drain_replicator(index)?;
                // What was appended meanwhile waits for the next sync, whose time may have passed.
                self.want_sync(Node::Replicator(index), SyncWhen::Soon);
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub(crate) fn sync_replicator(&mut self, index: usize, through: LogSequence) -> Held {
        for (sequence, record) in self.replicators[index].log.sync(through) {
            self.note(&[32, index as u64, sequence.0], || {
                format!("replicator-{}: record {} is durable: {record:?}", index + 1, sequence.0)
            });
            self.oracle.replicator_durable(index, &record)?;
        }
        if let Some(core) = self.replicators[index].core.as_mut() {
            core.handle_durable(through);
        }
        Ok(())
    }

    /// Does what the core asks for, one by one; the process may stop between any two.
    pub(crate) fn drain_replicator(&mut self, index: usize) -> Held {
        let node = Node::Replicator(index);
        loop {
            let Some(core) = self.replicators[index].core.as_mut() else { return Ok(()) };
            let effects = core.take_effects();
            if effects.is_empty() {
                break;
            }
            let mut sync = None;
            for effect in effects {
                if self.strikes(node) {
                    return self.crash(node);
                }
                if let ReplicatorEffect::Append { sync: when, .. } = &effect {
                    let now = sync == Some(SyncWhen::Now) || *when == SyncWhen::Now;
                    sync = Some(if now { SyncWhen::Now } else { SyncWhen::Soon });
                }
                self.do_replicator_effect(index, effect)?;
            }
            if self.strikes(node) {
                return self.crash(node);
            }
            if let Some((catch_up, removed)) = self.replicators[index].to_install.pop_front() {
                return self.install(index, catch_up, removed);
            }
            match sync {
                Some(SyncWhen::Now) if self.scenario.sync_at_once => {
                    self.sync_replicator(index, self.replicators[index].log.last())?;
                }
                Some(when) => self.want_sync(node, when),
                None => {}
            }
        }
        self.look_at_replicator(index)
    }

    fn do_replicator_effect(&mut self, index: usize, effect: ReplicatorEffect) -> Held {
        let name = self.replicators[index].name.clone();
        match effect {
            ReplicatorEffect::Append { sequence, record, sync } => {
                self.note(&[33, index as u64, sequence.0], || {
                    format!("{name}: append {} ({sync:?}): {record:?}", sequence.0)
                });
                self.append_to_replicator(index, sequence, record)
            }
            ReplicatorEffect::Send(message) => self.replicator_says(index, message),
            ReplicatorEffect::Stop { .. } => {
                self.oracle.is_no_member(&name)?;
                self.send_away(index)
            }
            ReplicatorEffect::WriteFiles { version, files } => {
                self.note(&[34, index as u64, version.0], || format!("{name}: files of version {version}"));
                self.queue_files(index, version, files)
            }
            ReplicatorEffect::Disconnect { reason } => {
                self.note(&[35, index as u64], || format!("{name} ends its connection: {reason}"));
                self.figures.count("connection ended by a replicator");
                if let Some(session) = self.replicators[index].session.take() {
                    self.close_connection(session, End::Dialler);
                    self.dial_later(Node::Replicator(index));
                }
                Ok(())
            }
            ReplicatorEffect::FindMissing { catch_up, files } => {
                self.queue_file_task(index, FileTask::FindMissing { catch_up, files });
                Ok(())
            }
            ReplicatorEffect::StoreFetched { catch_up, files } => {
                self.oracle.files_fetched(name.as_str(), &files)?;
                self.queue_file_task(index, FileTask::StoreFetched { catch_up, files });
                Ok(())
            }
            ReplicatorEffect::Install { catch_up, removed } => {
                self.replicators[index].to_install.push_back((catch_up, removed));
                Ok(())
            }
            ReplicatorEffect::Inspect(request) => {
                self.queue_file_task(index, FileTask::Inspect(request));
                Ok(())
            }
            ReplicatorEffect::AskPeer { peer, question } => {
                self.ask_peer(index, &peer, question);
                Ok(())
            }
            ReplicatorEffect::AnswerPeer { request, answer } => {
                self.oracle.said_to_peer(index, &answer)?;
                self.answer_peer(index, request, answer);
                Ok(())
            }
            ReplicatorEffect::Scrub => {
                self.queue_file_task(index, FileTask::Scrub);
                Ok(())
            }
            ReplicatorEffect::Heal { request, repairs, left, .. } => {
                self.queue_file_task(index, FileTask::Heal { request, repairs, left });
                Ok(())
            }
        }
    }

    fn append_to_replicator(&mut self, index: usize, sequence: LogSequence, record: ReplicatorRecord) -> Held {
        if self.planted == Some(PlantedBug::VotesBeforeDurable)
            && let Some(core) = self.replicators[index].core.as_mut()
        {
            core.handle_durable(sequence);
        }
        self.appended(Node::Replicator(index));
        self.replicators[index].log.append(sequence, record)
    }

    fn replicator_says(&mut self, index: usize, message: ToCoordinator) -> Held {
        self.note(&[36, index as u64], || format!("replicator-{} says {message:?}", index + 1));
        self.oracle.said_by_replicator(index, &message)?;
        if matches!(message, ToCoordinator::Vote { .. }) {
            self.figures.count("vote");
        }
        if let Some(session) = self.replicators[index].session {
            self.send(session, End::Coordinator, Message::FromReplicator(message));
        }
        Ok(())
    }

    fn look_at_replicator(&mut self, index: usize) -> Held {
        let node = &self.replicators[index];
        let Some(core) = &node.core else { return Ok(()) };
        let state = core.state();
        self.oracle.state_in_order(node.name.as_str(), state.version, state.manifest.root())
    }
}
