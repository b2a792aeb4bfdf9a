//! A coordinator whose replicators, app-server, disk and clock are played by the test.

use crate::spoken::prepares;
use crate::values::{cluster, coordinator, incarnation, member};
use protocol::{
    AppServerHello, Change, CommitPolicy, Epoch, FromAppServer, FromCoordinator, PROTOCOL_VERSION, Prepare,
    PreparedRound, ReplicatorHello, RequestId, RoundId, Standing, Submission, SubmissionAnswer, ToAppServer,
    ToCoordinator, ToReplicator, View, Vote,
};
use std::collections::{BTreeMap, BTreeSet};
use two_phase::coordinator::{
    Coordinator, CoordinatorEffect, CoordinatorIdentity, CoordinatorRecord, CoordinatorSettings, CoordinatorState,
    LogDoubt, SessionId,
};
use two_phase::{LogSequence, Now};

/// The connection of the app-server. Replicator n begins on connection n.
pub(crate) const APP_SERVER: SessionId = SessionId(50);

/// A coordinator and what it has written so far.
pub(crate) struct Cluster {
    pub core: Coordinator,
    pub now: Now,
    settings: CoordinatorSettings,
    first_view: View,
    log: Vec<(LogSequence, CoordinatorRecord)>,
    durable: LogSequence,
    sessions: BTreeMap<u8, SessionId>,
    seen: BTreeSet<u8>,
    next_session: u64,
}

impl Cluster {
    /// A coordinator of a new cluster whose epoch is not durable yet.
    pub(crate) fn starting(members: u8) -> Self {
        Self::starting_with(members, CoordinatorSettings { lab: true, ..all_needed() })
    }

    pub(crate) fn starting_with(members: u8, settings: CoordinatorSettings) -> Self {
        let first_view = View::first((1..=members).map(member), CommitPolicy::All);
        let now = Now { monotonic_ms: 1_000_000, unix_ms: 1_700_000_000_000 };
        let state = CoordinatorState::new(cluster(), first_view.clone());
        let core = Coordinator::start(identity(1), settings.clone(), state, LogSequence::ZERO, now);
        let (log, durable, sessions, seen) = (Vec::new(), LogSequence::ZERO, BTreeMap::new(), BTreeSet::new());
        Self { core, now, settings, first_view, log, durable, sessions, seen, next_session: 100 }
    }

    /// A cluster whose members all take part, with one app-server that follows.
    pub(crate) fn level(members: u8) -> Self {
        Self::level_with(members, CoordinatorSettings { lab: true, ..all_needed() })
    }

    pub(crate) fn level_with(members: u8, settings: CoordinatorSettings) -> Self {
        let mut cluster = Self::starting_with(members, settings);
        cluster.everybody_joins();
        cluster
    }

    /// A cluster that goes on without members that are missing.
    pub(crate) fn level_in_sync(members: u8) -> Self {
        let mut cluster = Self::starting(members);
        cluster.use_policy(CommitPolicy::InSync);
        cluster.everybody_joins();
        // Long enough that one that leaves now is not taken for one that comes and goes.
        cluster.after_ms(5_000);
        cluster
    }

    /// Starts it anew, with this policy in its first view.
    pub(crate) fn use_policy(&mut self, policy: CommitPolicy) {
        self.settings.policy = policy;
        self.first_view.policy = policy;
        let state = CoordinatorState::new(cluster(), self.first_view.clone());
        self.core = Coordinator::start(identity(1), self.settings.clone(), state, LogSequence::ZERO, self.now);
    }

    pub(crate) fn everybody_joins(&mut self) {
        self.durable();
        let members: Vec<_> = (1..=self.first_view.members.len()).map(|number| u8::try_from(number).unwrap()).collect();
        for number in &members {
            self.join(*number);
        }
        // Those who came before the epoch was open.
        for number in members {
            self.acknowledge(number);
        }
        self.app_server_joins();
    }

    pub(crate) fn app_server_joins(&mut self) -> Vec<CoordinatorEffect> {
        let hello = self.app_server_hello();
        self.app_server_says(FromAppServer::Hello(hello))
    }

    /// The coordinator dies and starts again on the records that were durable.
    pub(crate) fn restart(&mut self) -> Vec<CoordinatorEffect> {
        let mut state = CoordinatorState::new(cluster(), self.first_view.clone());
        self.log.retain(|(sequence, _)| *sequence <= self.durable);
        for (sequence, record) in &self.log {
            state.apply(record.clone(), *sequence, self.now.monotonic_ms).unwrap();
        }
        self.restart_on(state)
    }

    /// The coordinator dies and starts again on a log that it must not believe.
    pub(crate) fn restart_unsure(&mut self, reason: &str) {
        self.restart_in_doubt(LogDoubt { reason: reason.to_owned(), is_damaged: false });
    }

    /// The same, with this doubt.
    pub(crate) fn restart_in_doubt(&mut self, doubt: LogDoubt) {
        let (state, last) = (self.core.state().clone(), self.durable);
        self.core = Coordinator::start_unsure(identity(9), self.settings.clone(), state, last, doubt, self.now);
        self.sessions.clear();
        self.take();
    }

    /// The coordinator dies and starts again on this state.
    pub(crate) fn restart_on(&mut self, state: CoordinatorState) -> Vec<CoordinatorEffect> {
        let identity = identity(u8::try_from(state.epoch.0).unwrap() + 1);
        self.core = Coordinator::start(identity, self.settings.clone(), state, self.durable, self.now);
        self.sessions.clear();
        self.take()
    }

    pub(crate) fn records(&self) -> Vec<(LogSequence, CoordinatorRecord)> {
        self.log.iter().filter(|(sequence, _)| *sequence <= self.durable).cloned().collect()
    }

    // Events.

    pub(crate) fn take(&mut self) -> Vec<CoordinatorEffect> {
        let effects = self.core.take_effects();
        for effect in &effects {
            if let CoordinatorEffect::Append { sequence, record, .. } = effect {
                self.log.push((*sequence, record.clone()));
            }
        }
        effects
    }

    /// All that was written becomes durable.
    pub(crate) fn durable(&mut self) -> Vec<CoordinatorEffect> {
        let before = self.take();
        self.durable = self.log.last().map_or(self.durable, |(sequence, _)| *sequence);
        self.core.handle_durable(self.durable, self.now);
        [before, self.take()].concat()
    }

    pub(crate) fn after_ms(&mut self, ms: u64) -> Vec<CoordinatorEffect> {
        self.now.monotonic_ms += ms;
        self.now.unix_ms += ms;
        self.core.handle_timer(self.now);
        self.take()
    }

    /// What a replicator says on its present connection.
    pub(crate) fn replicator_says(&mut self, number: u8, message: ToCoordinator) -> Vec<CoordinatorEffect> {
        self.core.handle_replicator(self.sessions[&number], message, self.now);
        self.take()
    }

    pub(crate) fn app_server_says(&mut self, message: FromAppServer) -> Vec<CoordinatorEffect> {
        self.app_server_says_on(APP_SERVER, message)
    }

    pub(crate) fn app_server_says_on(&mut self, session: SessionId, message: FromAppServer) -> Vec<CoordinatorEffect> {
        self.core.handle_app_server(session, message, self.now);
        self.take()
    }

    /// The app-server's first message on a new connection.
    pub(crate) fn app_server_says_anew(&mut self, message: FromAppServer) -> Vec<CoordinatorEffect> {
        self.core.handle_disconnected(APP_SERVER, "the connection broke", self.now);
        self.app_server_says(message)
    }

    pub(crate) fn disconnect(&mut self, number: u8) -> Vec<CoordinatorEffect> {
        let session = self.sessions.remove(&number).unwrap();
        self.core.handle_disconnected(session, "the connection broke", self.now);
        self.take()
    }

    /// A replicator introduces itself on a new connection.
    pub(crate) fn connect(&mut self, number: u8, hello: ReplicatorHello) -> Vec<CoordinatorEffect> {
        let session = if self.seen.insert(number) {
            SessionId(u64::from(number))
        } else {
            self.next_session += 1;
            SessionId(self.next_session)
        };
        self.sessions.insert(number, session);
        self.replicator_says(number, ToCoordinator::Hello(hello))
    }

    pub(crate) fn accept_epoch(&mut self, number: u8) -> Vec<CoordinatorEffect> {
        let (epoch, coordinator) = (self.core.epoch(), self.core.coordinator());
        self.replicator_says(number, ToCoordinator::EpochAccepted { epoch, coordinator })
    }

    /// A replicator that holds the committed state connects and takes part.
    pub(crate) fn join(&mut self, number: u8) -> Vec<CoordinatorEffect> {
        let hello = self.hello(number);
        let greeted = self.connect(number, hello);
        let accepted = [greeted, self.durable(), self.accept_epoch(number), self.acknowledge(number)].concat();
        [accepted, self.durable()].concat()
    }

    pub(crate) fn acknowledge(&mut self, number: u8) -> Vec<CoordinatorEffect> {
        let message = self.acknowledgement();
        self.replicator_says(number, message)
    }

    pub(crate) fn vote(&mut self, number: u8, round: RoundId, vote: Vote) -> Vec<CoordinatorEffect> {
        self.replicator_says(number, ToCoordinator::Vote { round, vote, credit_bytes: 1_000, took: None })
    }

    /// Every member votes commit.
    pub(crate) fn all_vote_commit(&mut self, round: RoundId) -> Vec<CoordinatorEffect> {
        let members: Vec<_> = self.sessions.keys().copied().collect();
        members.into_iter().flat_map(|number| self.vote(number, round, Vote::Commit)).collect()
    }

    pub(crate) fn submit(&mut self, request: u64, changes: Vec<Change>) -> Vec<CoordinatorEffect> {
        let submission = Submission { changes, force_abort: false };
        self.app_server_says(FromAppServer::Submit { request: RequestId(request), submission })
    }

    /// Commits these changes in a round of their own, which everybody acknowledges.
    pub(crate) fn commit(&mut self, changes: Vec<Change>) -> RoundId {
        let round = self.decide(changes);
        let members: Vec<_> = self.sessions.keys().copied().collect();
        for number in members {
            self.acknowledge(number);
        }
        round
    }

    /// Commits these changes; nobody has acknowledged yet.
    pub(crate) fn decide(&mut self, changes: Vec<Change>) -> RoundId {
        let effects = self.submit(9_000, changes);
        let round = prepares(&effects)[0].round;
        self.all_vote_commit(round);
        self.durable();
        round
    }

    // Values.

    /// The hello of a replicator that holds the committed state.
    pub(crate) fn hello(&self, number: u8) -> ReplicatorHello {
        let state = self.core.state();
        ReplicatorHello {
            protocol: PROTOCOL_VERSION,
            member: member(number),
            incarnation: incarnation(number),
            cluster: Some(cluster()),
            address: format!("10.0.0.{number}:7420"),
            epoch: Epoch::ZERO,
            coordinator: None,
            version: state.version,
            root: state.manifest.root(),
            settled: state.last_decision,
            prepared: None,
            participants: Vec::new(),
            standing: Standing::Trusted,
            view: Some(state.view.clone()),
        }
    }

    /// The hello of a replicator that has prepared this round on the committed state and knows no outcome.
    pub(crate) fn hello_in_doubt(&self, number: u8, prepare: &Prepare) -> ReplicatorHello {
        let Prepare { round, base_version, base_root, expected_root, .. } = *prepare;
        let prepared = Some(PreparedRound { round, base_version, expected_root });
        ReplicatorHello { prepared, version: base_version, root: base_root, ..self.hello(number) }
    }

    pub(crate) fn app_server_hello(&self) -> AppServerHello {
        let state = self.core.state();
        AppServerHello {
            protocol: PROTOCOL_VERSION,
            app_server: "app-server".parse().unwrap(),
            incarnation: incarnation(50),
            cluster: Some(cluster()),
            epoch: Epoch::ZERO,
            coordinator: None,
            version: state.version,
            root: state.manifest.root(),
            address: None,
        }
    }

    /// The acknowledgement of somebody who holds the committed state.
    pub(crate) fn acknowledgement(&self) -> ToCoordinator {
        let state = self.core.state();
        let settled = state.last_decision;
        ToCoordinator::Acknowledge { settled, version: state.version, root: state.manifest.root() }
    }

    pub(crate) fn session(&self, number: u8) -> SessionId {
        self.sessions[&number]
    }

    pub(crate) fn has_session(&self, number: u8, session: SessionId) -> bool {
        self.sessions.get(&number) == Some(&session)
    }

    /// The effect of saying something to replicators on their present connections.
    pub(crate) fn say(&self, members: &[u8], message: ToReplicator) -> CoordinatorEffect {
        let sessions = members.iter().map(|number| self.sessions[number]).collect();
        CoordinatorEffect::ToReplicators { sessions, message: self.envelope(message) }
    }

    /// The effect of telling the app-server something.
    pub(crate) fn tell(&self, message: ToAppServer) -> CoordinatorEffect {
        CoordinatorEffect::ToAppServers { sessions: vec![APP_SERVER], message: self.envelope(message) }
    }

    pub(crate) fn answered(&self, request: u64, answer: SubmissionAnswer) -> CoordinatorEffect {
        self.tell(ToAppServer::Answered { request: RequestId(request), answer })
    }

    fn envelope<M>(&self, message: M) -> FromCoordinator<M> {
        FromCoordinator { epoch: self.core.epoch(), coordinator: self.core.coordinator(), message }
    }
}

/// Settings by which a round needs every member.
pub(crate) fn all_needed() -> CoordinatorSettings {
    CoordinatorSettings { policy: CommitPolicy::All, ..CoordinatorSettings::default() }
}

fn identity(start: u8) -> CoordinatorIdentity {
    CoordinatorIdentity { coordinator: coordinator(start), data_key: "ab".repeat(32) }
}
