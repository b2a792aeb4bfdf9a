//! The state of a small cluster, which events are possible in it, and what each makes of it.
//!
//! A connection carries messages in order. Where it breaks, both ends notice at once and what was on its way is lost; a replicator
//! without a connection may dial either coordinator. What a process writes becomes durable in one event, or is lost with it.

use crate::configuration::Configuration;
use crate::coordinator_node::{CoordinatorNode, NOW, cluster_id, member};
use crate::facts::{Broken, Facts};
use crate::replicator_node::ReplicatorNode;
use catalogue::{Author, Book, BookDraft, BookId, BookPath, Timestamp};
use protocol::{
    Action, Change, CommitPolicy, Content, Digest, FromAppServer, FromCoordinator, Incarnation, PeerAnswer,
    Precondition, RequestId, Submission, SubmissionAnswer, ToAppServer, ToCoordinator, ToReplicator,
};
use std::collections::VecDeque;
use two_phase::coordinator::{CoordinatorEffect, SessionId};
use two_phase::follower::{Follower, FollowerEffect, FollowerState};
use two_phase::replicator::{PeerRequest, ReplicatorEffect};
use uuid::Uuid;

/// The connection of the one app-server, which every coordinator has from its start on.
const APP_SERVER: SessionId = SessionId(1);

/// One of the two coordinators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Which {
    /// The one that was started last.
    Present,
    /// The one that hung, and goes on.
    Predecessor,
}

/// What may happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// The next change is submitted.
    Submit,
    /// The oldest message of this replicator reaches its coordinator.
    Up(usize),
    /// The oldest message for this replicator reaches it.
    Down(usize),
    /// What the coordinator has written becomes durable.
    CoordinatorSyncs,
    /// What this replicator has written becomes durable.
    ReplicatorSyncs(usize),
    /// The coordinator dies and is started again.
    CoordinatorCrashes,
    /// This replicator dies and is started again.
    ReplicatorCrashes(usize),
    /// The coordinator hangs, and another one takes its log over; the one that hung goes on, but can write no more. Only this
    /// replicator is still connected to it.
    CoordinatorIsReplaced(usize),
    /// This replicator's connection breaks.
    Breaks(usize),
    /// This replicator connects to that coordinator.
    Dials(usize, Which),
    /// The time for votes is up.
    TimeIsUp(Which),
    /// This replicator, in doubt, asks its peers, who hear it at once.
    Asks(usize),
    /// The oldest answer of a peer reaches this replicator.
    HearsPeer(usize),
}

/// A replicator's connection.
#[derive(Debug, Clone, Hash)]
struct Link {
    to: Which,
    session: SessionId,
    up: VecDeque<ToCoordinator>,
    down: VecDeque<FromCoordinator<ToReplicator>>,
}

/// How much of what a configuration allows has happened.
#[derive(Debug, Clone, Copy, Default, Hash)]
struct Spent {
    changes: u8,
    coordinator_crashes: u8,
    replicator_crashes: u8,
    breaks: u8,
    timeouts: u8,
    questions: u8,
    dials: [u8; 3],
}

/// The state.
#[derive(Debug, Clone, Hash)]
pub(crate) struct Cluster {
    present: CoordinatorNode,
    predecessor: Option<CoordinatorNode>,
    replicators: [ReplicatorNode; 3],
    links: [Option<Link>; 3],
    /// Answers of peers that are on their way, and whose they are.
    answers: [VecDeque<(usize, PeerAnswer)>; 3],
    starts: u64,
    sessions: u64,
    spent: Spent,
    pub(crate) facts: Facts,
    /// The rule that was broken on the way here.
    pub(crate) broken: Option<Broken>,
}

impl Cluster {
    /// A cluster whose members are all level, and in which nothing is under way.
    pub(crate) fn level(configuration: &Configuration) -> Self {
        let policy = if configuration.in_sync { CommitPolicy::InSync } else { CommitPolicy::All };
        let mut cluster = Self {
            present: CoordinatorNode::first(policy),
            predecessor: None,
            replicators: [0, 1, 2].map(ReplicatorNode::new),
            links: [None, None, None],
            answers: Default::default(),
            starts: 1,
            sessions: 100,
            spent: Spent::default(),
            facts: Facts::default(),
            broken: None,
        };
        cluster.run_coordinator(Which::Present);
        cluster.happen(Event::CoordinatorSyncs);
        cluster.app_server_connects();
        for index in 0..3 {
            cluster.happen(Event::Dials(index, Which::Present));
        }
        while let Some(event) = cluster.next_without_a_fault() {
            cluster.happen(event);
        }
        cluster.spent = Spent::default();
        assert!(cluster.broken.is_none() && cluster.present.core.why_no_round().is_none(), "{cluster:?}");
        cluster
    }

    fn next_without_a_fault(&self) -> Option<Event> {
        let syncs = (0..3).filter(|index| self.replicators[*index].has_unsynced()).map(Event::ReplicatorSyncs);
        let syncs = self.present.has_unsynced().then_some(Event::CoordinatorSyncs).into_iter().chain(syncs);
        syncs.chain(self.messages()).next()
    }

    fn messages(&self) -> impl Iterator<Item = Event> {
        let links = self.links.iter().enumerate().filter_map(|(index, link)| Some((index, link.as_ref()?)));
        links.flat_map(|(index, link)| {
            let up = (!link.up.is_empty()).then_some(Event::Up(index));
            let down = (!link.down.is_empty()).then_some(Event::Down(index));
            up.into_iter().chain(down)
        })
    }

    /// What may happen now.
    pub(crate) fn possible(&self, bounds: &Configuration) -> Vec<Event> {
        if self.broken.is_some() {
            return Vec::new();
        }
        let spent = &self.spent;
        let mut events: Vec<_> = self.messages().collect();
        let all = || 0..3_usize;
        events.extend(all().filter(|index| self.replicators[*index].has_unsynced()).map(Event::ReplicatorSyncs));
        events.extend(self.present.has_unsynced().then_some(Event::CoordinatorSyncs));
        events.extend((spent.changes < bounds.changes).then_some(Event::Submit));
        events.extend((spent.coordinator_crashes < bounds.coordinator_crashes).then_some(Event::CoordinatorCrashes));
        if bounds.predecessor && self.predecessor.is_none() {
            events.extend(all().map(Event::CoordinatorIsReplaced));
        }
        if spent.replicator_crashes < bounds.replicator_crashes {
            events.extend(all().map(Event::ReplicatorCrashes));
        }
        if spent.breaks < bounds.breaks {
            events.extend(all().filter(|index| self.links[*index].is_some()).map(Event::Breaks));
        }
        if spent.timeouts < bounds.timeouts {
            events.push(Event::TimeIsUp(Which::Present));
            events.extend(self.predecessor.is_some().then_some(Event::TimeIsUp(Which::Predecessor)));
        }
        events.extend(all().filter(|index| !self.answers[*index].is_empty()).map(Event::HearsPeer));
        if spent.questions < bounds.questions {
            events.extend(all().filter(|index| self.replicators[*index].may_ask()).map(Event::Asks));
        }
        let may_dial = |index: &usize| self.links[*index].is_none() && spent.dials[*index] < bounds.dials;
        for index in all().filter(may_dial) {
            events.push(Event::Dials(index, Which::Present));
            events.extend(self.predecessor.is_some().then_some(Event::Dials(index, Which::Predecessor)));
        }
        events
    }

    /// The state after an event; what it breaks is noted in it.
    pub(crate) fn happen(&mut self, event: Event) {
        match event {
            Event::Submit => self.submit(),
            Event::Up(index) => self.deliver_up(index),
            Event::Down(index) => self.deliver_down(index),
            Event::CoordinatorSyncs => self.sync_coordinator(),
            Event::ReplicatorSyncs(index) => self.sync_replicator(index),
            Event::CoordinatorCrashes => {
                self.spent.coordinator_crashes += 1;
                self.start_another();
                self.lose_links_to(Which::Present);
            }
            Event::CoordinatorIsReplaced(stays) => {
                let hung = self.present.clone();
                self.start_another();
                self.predecessor = Some(hung);
                self.links.iter_mut().flatten().for_each(|link| link.to = Which::Predecessor);
                (0..3).filter(|index| *index != stays).for_each(|index| self.end_link(index, true));
            }
            Event::ReplicatorCrashes(index) => {
                self.spent.replicator_crashes += 1;
                self.end_link(index, false);
                self.replicators[index].crash();
                self.answers[index].clear();
                self.run_replicator(index);
            }
            Event::Breaks(index) => {
                self.spent.breaks += 1;
                self.end_link(index, true);
            }
            Event::Dials(index, to) => self.dial(index, to),
            Event::TimeIsUp(which) => {
                self.spent.timeouts += 1;
                if let Some(node) = self.node(which) {
                    node.time_is_up();
                }
                self.run_coordinator(which);
            }
            Event::Asks(index) => {
                self.spent.questions += 1;
                self.replicators[index].core.handle_timer(NOW);
                self.run_replicator(index);
            }
            Event::HearsPeer(index) => {
                if let Some((asked, answer)) = self.answers[index].pop_front() {
                    self.replicators[index].core.handle_peer_answer(&member(asked), answer);
                    self.run_replicator(index);
                }
            }
        }
    }

    fn node(&mut self, which: Which) -> Option<&mut CoordinatorNode> {
        match which {
            Which::Present => Some(&mut self.present),
            Which::Predecessor => self.predecessor.as_mut(),
        }
    }

    fn keep(&mut self, kept: Result<(), Broken>) {
        self.broken = self.broken.take().or(kept.err());
    }

    // Clients.

    fn app_server_connects(&mut self) {
        let mut follower = Follower::new(
            "app-server".parse().expect("it is a name"),
            Incarnation(Uuid::from_u128(50)),
            FollowerState { cluster: Some(cluster_id()), ..FollowerState::empty() },
        );
        follower.handle_connected();
        for effect in follower.take_effects() {
            if let FollowerEffect::Send(message) = effect {
                let now = self.present.now();
                self.present.core.handle_app_server(APP_SERVER, message, now);
            }
        }
        self.run_coordinator(Which::Present);
    }

    fn submit(&mut self) {
        self.spent.changes += 1;
        let number = self.spent.changes;
        let submission = Submission { changes: vec![change(number)], force_abort: false };
        let now = self.present.now();
        let message = FromAppServer::Submit { request: RequestId(u64::from(number)), submission };
        self.present.core.handle_app_server(APP_SERVER, message, now);
        self.run_coordinator(Which::Present);
    }

    // Connections.

    fn dial(&mut self, index: usize, to: Which) {
        self.spent.dials[index] += 1;
        self.sessions += 1;
        let session = SessionId(self.sessions);
        self.links[index] = Some(Link { to, session, up: VecDeque::new(), down: VecDeque::new() });
        self.replicators[index].core.handle_connected();
        self.run_replicator(index);
    }

    fn end_link(&mut self, index: usize, replicator_notices: bool) {
        let Some(link) = self.links[index].take() else { return };
        if replicator_notices {
            self.replicators[index].core.handle_disconnected();
            self.run_replicator(index);
        }
        if let Some(node) = self.node(link.to) {
            let now = node.now();
            node.core.handle_disconnected(link.session, "the connection broke", now);
        }
        self.run_coordinator(link.to);
    }

    fn lose_links_to(&mut self, which: Which) {
        for index in 0..3 {
            if self.links[index].take_if(|link| link.to == which).is_some() {
                self.replicators[index].core.handle_disconnected();
                self.run_replicator(index);
            }
        }
    }

    fn deliver_up(&mut self, index: usize) {
        let Some(link) = self.links[index].as_mut() else { return };
        let (to, session) = (link.to, link.session);
        let Some(message) = link.up.pop_front() else { return };
        if let Some(node) = self.node(to) {
            let now = node.now();
            node.core.handle_replicator(session, message, now);
        }
        self.run_coordinator(to);
    }

    fn deliver_down(&mut self, index: usize) {
        let Some(message) = self.links[index].as_mut().and_then(|link| link.down.pop_front()) else { return };
        self.replicators[index].core.handle_message(message);
        self.run_replicator(index);
    }

    // Processes.

    /// Another process takes over what is durable.
    fn start_another(&mut self) {
        self.starts += 1;
        self.present = self.present.successor(self.starts);
        self.run_coordinator(Which::Present);
        self.app_server_connects();
    }

    fn sync_coordinator(&mut self) {
        for record in self.present.sync() {
            let kept = self.facts.coordinator_wrote(&record, &self.replicators);
            self.keep(kept);
        }
        self.present.tell_durable();
        self.run_coordinator(Which::Present);
    }

    fn sync_replicator(&mut self, index: usize) {
        for record in self.replicators[index].sync() {
            let kept = self.facts.replicator_wrote(&record);
            self.keep(kept);
        }
        self.replicators[index].tell_durable();
        self.run_replicator(index);
    }

    fn run_coordinator(&mut self, which: Which) {
        let Some(node) = self.node(which) else { return };
        for effect in node.take_effects() {
            match effect {
                CoordinatorEffect::ToReplicators { sessions, message } => self.say(which, &sessions, &message),
                CoordinatorEffect::ToAppServers { message, .. } => {
                    if let ToAppServer::Answered { answer: SubmissionAnswer::Committed { answers }, .. } =
                        message.message
                    {
                        let kept = self.facts.client_told(&answers);
                        self.keep(kept);
                    }
                }
                CoordinatorEffect::Close { session, .. } => self.close(which, session),
                _ => {}
            }
        }
        self.check(which, Facts::coordinator_is);
    }

    /// A coordinator ends a connection: what was said before arrives before the end.
    fn close(&mut self, which: Which, session: SessionId) {
        let is_it = |link: &Link| link.to == which && link.session == session;
        let Some(index) = self.links.iter().position(|link| link.as_ref().is_some_and(is_it)) else { return };
        while self.links[index].as_ref().is_some_and(|link| is_it(link) && !link.down.is_empty()) {
            self.deliver_down(index);
        }
        if self.links[index].take_if(|link| is_it(link)).is_some() {
            self.replicators[index].core.handle_disconnected();
            self.run_replicator(index);
        }
    }

    /// Holds one of the coordinators against the facts.
    fn check(&mut self, which: Which, rule: impl FnOnce(&mut Facts, &CoordinatorNode) -> Result<(), Broken>) {
        let node = match which {
            Which::Present => Some(&self.present),
            Which::Predecessor => self.predecessor.as_ref(),
        };
        if let Some(node) = node {
            let kept = rule(&mut self.facts, node);
            self.keep(kept);
        }
    }

    fn say(&mut self, which: Which, sessions: &[SessionId], message: &FromCoordinator<ToReplicator>) {
        self.check(which, |facts, node| facts.coordinator_said(node, &message.message));
        let of_it = |link: &&mut Link| link.to == which && sessions.contains(&link.session);
        self.links.iter_mut().flatten().filter(of_it).for_each(|link| link.down.push_back(message.clone()));
    }

    fn run_replicator(&mut self, index: usize) {
        for effect in self.replicators[index].take_effects() {
            match effect {
                ReplicatorEffect::Send(message) => {
                    let kept = self.facts.replicator_said(&self.replicators[index], &message);
                    self.keep(kept);
                    if let Some(link) = self.links[index].as_mut() {
                        link.up.push_back(message);
                    }
                }
                ReplicatorEffect::Disconnect { .. } => self.end_link(index, true),
                ReplicatorEffect::AskPeer { peer, question } => {
                    let asked = (0..3).find(|asked| member(*asked) == peer.id).expect("there are three");
                    self.replicators[asked].core.handle_peer_question(PeerRequest(index as u64), &question);
                    self.run_replicator(asked);
                }
                ReplicatorEffect::AnswerPeer { request, answer } => {
                    self.answers[request.0 as usize].push_back((index, answer));
                }
                // Files play no part here.
                _ => {}
            }
        }
    }
}

/// The change of this number: a book of its own.
fn change(number: u8) -> Change {
    let path = BookPath::from(BookId::from_parts(1_700_000_000_000, [number; 10]));
    let draft = BookDraft {
        title: format!("Book {number}"),
        authors: vec![Author::new("Ada", "Quorum")],
        ..BookDraft::default()
    };
    let created = Timestamp::from_unix_millis(1_700_000_000_000).expect("it is a time");
    let content: Content = Book::new(path.id(), created, draft).expect("it is a book").to_xml().into();
    Change {
        id: format!("change-{number}").parse().expect("it is a key"),
        fingerprint: Digest::of(&[number]),
        path,
        precondition: Precondition::None,
        answer: String::new(),
        action: Action::Put { digest: Digest::of(content.bytes()), content },
    }
}
