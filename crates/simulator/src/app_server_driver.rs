//! An app-server's process: the core that follows, its files, and the table of requests that wait for an answer.

use crate::agenda::Node;
use crate::network::{End, Message};
use crate::planted::PlantedBug;
use crate::simulated_files::SimulatedFiles;
use crate::violation::{Held, Rule, Violation};
use crate::world::{Fuse, World};
use catalogue::BookPath;
use protocol::{
    Action, ChangeId, ClusterId, CommittedAnswer, CommittedRound, FromAppServer, FromCoordinator, Incarnation,
    QueryAnswer, RequestId, Submission, SubmissionAnswer, ToAppServer, Version,
};
use std::collections::{BTreeMap, VecDeque};
use two_phase::coordinator::SessionId;
use two_phase::follower::{Follower, FollowerEffect, FollowerHeader, FollowerState};
use two_phase::{Fence, read_checkpoint};

/// A request that waits for its answer.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) client: usize,
    pub(crate) submission: Submission,
}

/// An app-server: what its disk holds, and its process while it runs.
pub(crate) struct AppServerNode {
    pub(crate) index: usize,
    pub(crate) boot: u64,
    pub(crate) core: Option<Follower>,
    pub(crate) session: Option<SessionId>,
    /// The coordinator has let it in on the present connection.
    pub(crate) welcomed: bool,
    pub(crate) pending: BTreeMap<RequestId, Pending>,
    pub(crate) asked: BTreeMap<RequestId, (ChangeId, u64)>,
    pub(crate) files: SimulatedFiles,
    pub(crate) backlog: VecDeque<CommittedRound>,
    pub(crate) fuse: Option<Fuse>,
    pub(crate) isolated_until_us: u64,
    pub(crate) checkpoint: Option<String>,
    pub(crate) fence: Option<(Fence, ClusterId)>,
    pub(crate) incarnation: Option<Incarnation>,
    pub(crate) shown: Version,
    next_request: RequestId,
}

impl AppServerNode {
    pub(crate) fn new(index: usize) -> Self {
        Self {
            index,
            boot: 0,
            core: None,
            session: None,
            welcomed: false,
            pending: BTreeMap::new(),
            asked: BTreeMap::new(),
            files: SimulatedFiles::default(),
            backlog: VecDeque::new(),
            fuse: None,
            isolated_until_us: 0,
            checkpoint: None,
            fence: None,
            incarnation: None,
            shown: Version::ZERO,
            next_request: RequestId::ZERO,
        }
    }

    pub(crate) fn name(&self) -> String {
        Node::AppServer(self.index).to_string()
    }

    fn state_on_disk(&self) -> Result<FollowerState, Violation> {
        let mut state = match &self.checkpoint {
            None => FollowerState::empty(),
            Some(text) => {
                let (header, manifest) = read_checkpoint::<FollowerHeader>(text)
                    .map_err(|error| Violation { rule: Rule::Contract, sentence: error.to_string() })?;
                FollowerState::from_checkpoint(header, manifest)
            }
        };
        if let Some((fence, cluster)) = self.fence {
            (state.fence, state.cluster) = (fence, Some(cluster));
        }
        Ok(state)
    }

    pub(crate) fn flush(&mut self) {
        while let Some(round) = self.backlog.pop_front() {
            self.write(round);
        }
    }

    fn write(&mut self, round: CommittedRound) {
        for change in round.changes {
            let content = match change.action {
                Action::Put { content, .. } => Some(content),
                Action::Delete => None,
            };
            self.files.write(change.path, content);
        }
    }
}

impl World {
    pub(crate) fn start_app_server(&mut self, index: usize) -> Held {
        let new = self.app_servers[index].incarnation.is_none().then(|| Incarnation(self.unique()));
        let node = &mut self.app_servers[index];
        node.boot += 1;
        let incarnation = *node.incarnation.get_or_insert_with(|| new.expect("it was made for a copy without one"));
        let state = node.state_on_disk()?;
        (node.shown, node.welcomed) = (state.version, false);
        let (fence, version) = (state.fence, state.version);
        let name = node.name().parse().expect("the name is legal");
        let known = |path: &BookPath| state.manifest.record(path).is_some();
        let strays: Vec<_> = node.files.all().map(|(path, _)| *path).filter(|path| !known(path)).collect();
        let mut core = Follower::new(name, incarnation, state);
        core.distrust(strays);
        node.core = Some(core);
        self.oracle.app_server_fence(index, fence)?;
        self.note(&[50, index as u64], || format!("app-server-{} starts at version {version}", index + 1));
        Ok(())
    }

    pub(crate) fn crash_app_server(&mut self, index: usize) {
        let node = &mut self.app_servers[index];
        (node.core, node.session) = (None, None);
        node.boot += 1;
        node.backlog.clear();
        node.pending.clear();
        node.asked.clear();
        let files = node.files.crash(&mut self.random);
        self.figures.count("fault: crash of an app-server");
        self.figures.add("fault: unsynced files lost or torn", files);
    }

    pub(crate) fn app_server_connected(&mut self, index: usize, session: SessionId) -> Held {
        let node = &mut self.app_servers[index];
        let Some(core) = node.core.as_mut() else { return Ok(()) };
        (node.session, node.welcomed) = (Some(session), false);
        core.handle_connected();
        self.drain_app_server(index)
    }

    pub(crate) fn app_server_disconnected(&mut self, index: usize) -> Held {
        let node = &mut self.app_servers[index];
        (node.session, node.welcomed) = (None, false);
        // Questions are not asked again: the client does.
        node.asked.clear();
        let Some(core) = node.core.as_mut() else { return Ok(()) };
        core.handle_disconnected();
        self.note(&[51, index as u64], || format!("app-server-{}: disconnected", index + 1));
        if self.planted == Some(PlantedBug::AbortsWhenDisconnected) {
            let all: Vec<_> = self.app_servers[index].pending.keys().copied().collect();
            for request in all {
                self.answer_no(index, request, &[])?;
            }
        }
        self.dial_later(Node::AppServer(index));
        self.drain_app_server(index)
    }

    pub(crate) fn app_server_hears(
        &mut self,
        index: usize,
        session: SessionId,
        message: FromCoordinator<ToAppServer>,
    ) -> Held {
        let node = &mut self.app_servers[index];
        let Some(core) = node.core.as_mut().filter(|_| node.session == Some(session)) else { return Ok(()) };
        core.handle_message(message);
        self.drain_app_server(index)
    }

    /// Takes a client's submission: it is sent now, or when there is a connection.
    pub(crate) fn submit(&mut self, index: usize, client: usize, submission: Submission) -> Held {
        let request = self.next_request(index);
        let node = &mut self.app_servers[index];
        self.oracle.requested((index, node.boot, request), &submission);
        node.pending.insert(request, Pending { client, submission: submission.clone() });
        if node.welcomed {
            self.app_server_says(index, FromAppServer::Submit { request, submission });
        }
        if self.planted == Some(PlantedBug::AnswersWhenSent) {
            self.answer_planted(index, request)?;
        }
        Ok(())
    }

    /// Asks what became of a change, if there is a connection.
    pub(crate) fn ask(&mut self, index: usize, change: ChangeId) {
        let request = self.next_request(index);
        let now_us = self.agenda.now_us();
        let node = &mut self.app_servers[index];
        if node.welcomed {
            node.asked.insert(request, (change.clone(), now_us));
            let query = protocol::Query::Change { change };
            self.app_server_says(index, FromAppServer::Ask { request, query });
        }
    }

    pub(crate) fn next_request(&mut self, index: usize) -> RequestId {
        let node = &mut self.app_servers[index];
        node.next_request = node.next_request.next();
        node.next_request
    }

    pub(crate) fn app_server_says(&mut self, index: usize, message: FromAppServer) {
        self.note(&[52, index as u64], || format!("app-server-{} says {message:?}", index + 1));
        if let Some(session) = self.app_servers[index].session {
            self.send(session, End::Coordinator, Message::FromAppServer(message));
        }
    }

    fn drain_app_server(&mut self, index: usize) -> Held {
        loop {
            let Some(core) = self.app_servers[index].core.as_mut() else { return Ok(()) };
            let effects = core.take_effects();
            if effects.is_empty() {
                return Ok(());
            }
            for effect in effects {
                if self.strikes(Node::AppServer(index)) {
                    return self.crash(Node::AppServer(index));
                }
                self.do_follower_effect(index, effect)?;
                if self.app_servers[index].core.is_none() {
                    return Ok(());
                }
            }
        }
    }

    fn do_follower_effect(&mut self, index: usize, effect: FollowerEffect) -> Held {
        match effect {
            FollowerEffect::PersistFence { fence, cluster } => {
                self.app_servers[index].fence = Some((fence, cluster));
                self.oracle.app_server_fence(index, fence)
            }
            FollowerEffect::Send(message) => {
                self.app_server_says(index, message);
                Ok(())
            }
            FollowerEffect::Apply(round) => self.show_round(index, round),
            FollowerEffect::Level { version } => {
                self.note(&[53, index as u64, version.0], || format!("app-server-{} is level: {version}", index + 1));
                Ok(())
            }
            FollowerEffect::Deliver(message) => self.delivered(index, message),
            FollowerEffect::Disconnect { reason } => {
                self.note(&[54, index as u64], || format!("app-server-{} ends its connection: {reason}", index + 1));
                self.figures.count("connection ended by an app-server");
                if let Some(session) = self.app_servers[index].session {
                    self.close_connection(session, End::Dialler);
                    self.app_server_disconnected(index)?;
                }
                Ok(())
            }
            FollowerEffect::FindMissing { catch_up, files } => {
                self.find_missing(index, catch_up, files);
                Ok(())
            }
            FollowerEffect::StoreFetched { catch_up, files } => self.store_fetched(index, catch_up, files),
            FollowerEffect::Install { catch_up, removed } => self.install_copy(index, catch_up, removed),
            FollowerEffect::Inspect(request) => {
                self.inspect_copy(index, request);
                Ok(())
            }
            FollowerEffect::Heal { request, repairs, left, .. } => self.heal_copy(index, request, repairs, left),
        }
    }

    // Answers.

    fn delivered(&mut self, index: usize, message: ToAppServer) -> Held {
        match message {
            ToAppServer::Welcome { .. } => {
                let node = &mut self.app_servers[index];
                node.welcomed = true;
                let again: Vec<_> =
                    node.pending.iter().map(|(request, pending)| (*request, pending.submission.clone())).collect();
                for (request, submission) in again {
                    self.figures.count("submission sent again after a reconnection");
                    self.app_server_says(index, FromAppServer::Submit { request, submission });
                }
                Ok(())
            }
            ToAppServer::Answered { request, answer: SubmissionAnswer::Committed { answers } } => {
                self.answer_committed(index, request, &answers)
            }
            ToAppServer::Answered { request, answer: SubmissionAnswer::Aborted { committed, .. } } => {
                self.figures.count("answer: aborted");
                self.answer_no(index, request, &committed)
            }
            ToAppServer::Answered { request, answer: SubmissionAnswer::Refused { committed, .. } } => {
                self.figures.count("answer: refused");
                self.answer_no(index, request, &committed)
            }
            ToAppServer::Told { request, answer: QueryAnswer::Change { state } } => {
                self.figures.count("answer: state of a change");
                match self.app_servers[index].asked.remove(&request) {
                    Some((change, asked_us)) => self.oracle.told_state(&change, &state, asked_us, self.agenda.now_us()),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn answer_committed(&mut self, index: usize, request: RequestId, answers: &[CommittedAnswer]) -> Held {
        let node = &mut self.app_servers[index];
        let Some(pending) = node.pending.remove(&request) else { return Ok(()) };
        self.oracle.told_committed((index, node.boot, request), answers)?;
        self.figures.count("answer: committed");
        self.client_answered(pending.client);
        Ok(())
    }

    /// `committed`: those of its changes that are told as committed all the same.
    fn answer_no(&mut self, index: usize, request: RequestId, committed: &[CommittedAnswer]) -> Held {
        let node = &mut self.app_servers[index];
        let Some(pending) = node.pending.remove(&request) else { return Ok(()) };
        self.oracle.told_no((index, node.boot, request), committed, self.agenda.now_us())?;
        self.client_answered(pending.client);
        Ok(())
    }

    fn answer_planted(&mut self, index: usize, request: RequestId) -> Held {
        let Some(pending) = self.app_servers[index].pending.get(&request) else { return Ok(()) };
        let answer = |change: &protocol::Change| CommittedAnswer {
            change: change.id.clone(),
            round: protocol::RoundId::ZERO,
            version: Version::ZERO,
            path: change.path,
            digest: change.action.digest(),
            answer: change.answer.clone(),
        };
        let answers: Vec<_> = pending.submission.changes.iter().map(answer).collect();
        self.answer_committed(index, request, &answers)
    }
}
