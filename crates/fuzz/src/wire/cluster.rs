//! A cluster of three replicators and one app-server in memory: who is connected, what is on its way, what happens next.
//!
//! Everything that a process writes is durable at once; what crashes do is the simulator's subject. Messages arrive in the order in
//! which they were said.

use super::coordinator_node::CoordinatorNode;
use super::follower_node::FollowerNode;
use super::replicator_node::ReplicatorNode;
use catalogue::{Author, Book, BookDraft, BookId, Timestamp};
use protocol::{
    Action, Change, Content, Digest, FromAppServer, LabAction, MemberId, MembershipChange, PeerAnswer, PeerQuestion,
    Precondition, Query, RequestId, RestorationId, RoundId, Submission,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::fmt::Debug;
use two_phase::Now;
use two_phase::coordinator::SessionId;
use uuid::Uuid;

/// One more than the members of the beginning: the last one joins later, if somebody adds it.
pub(super) const REPLICATORS: usize = 4;

/// Who is to read a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    /// The coordinator, on this connection of a replicator or of the app-server.
    CoordinatorFromReplicator(SessionId),
    CoordinatorFromAppServer(SessionId),
    Replicator(usize, SessionId),
    AppServer(SessionId),
    /// A replicator that a peer asks.
    Asked {
        asked: usize,
        asker: usize,
    },
    /// A replicator whose peer answers.
    Asker {
        asked: usize,
        asker: usize,
        round: RoundId,
    },
}

/// A message on its way.
pub(super) struct Letter {
    pub(super) to: To,
    pub(super) text: String,
}

/// What processes have said and done, in order.
#[derive(Default)]
pub(super) struct Post {
    pub(super) letters: VecDeque<Letter>,
    /// Connections that one end has closed.
    pub(super) closed: Vec<SessionId>,
}

impl Post {
    /// Sends a message, which must be read as it was written.
    pub(super) fn send<M: Serialize + DeserializeOwned + PartialEq + Debug>(&mut self, to: To, message: &M) {
        let text = serde_json::to_string(message).unwrap();
        match serde_json::from_str::<M>(&text) {
            Ok(read) => assert_eq!(&read, message, "{text}"),
            Err(error) => panic!("{error}: {text}"),
        }
        self.letters.push_back(Letter { to, text });
    }
}

pub(super) fn member(index: usize) -> MemberId {
    format!("replicator-{}", index + 1).parse().unwrap()
}

pub(super) struct Cluster {
    coordinator: CoordinatorNode,
    replicators: [ReplicatorNode; REPLICATORS],
    app_server: FollowerNode,
    links: [Option<SessionId>; REPLICATORS],
    app_server_link: Option<SessionId>,
    post: Post,
    sessions: u64,
    requests: u64,
    now: Now,
}

impl Cluster {
    pub(super) fn new() -> Self {
        let now = Now { monotonic_ms: 1_000_000, unix_ms: 1_700_000_000_000 };
        let mut cluster = Self {
            coordinator: CoordinatorNode::first(now),
            replicators: std::array::from_fn(ReplicatorNode::new),
            app_server: FollowerNode::new(),
            links: [None; REPLICATORS],
            app_server_link: None,
            post: Post::default(),
            sessions: 0,
            requests: 0,
            now,
        };
        cluster.connect_all();
        cluster
    }

    /// The next message that arrives.
    pub(super) fn next_letter(&mut self) -> Option<Letter> {
        self.post.letters.pop_front()
    }

    /// What was said arrives as this text. Nobody listens to nonsense: it ends the connection.
    pub(super) fn deliver(&mut self, to: &To, text: &str) {
        match *to {
            To::CoordinatorFromReplicator(session) if self.links.contains(&Some(session)) => {
                match serde_json::from_str(text) {
                    Ok(message) => self.coordinator.core.handle_replicator(session, message, self.now),
                    Err(_) => self.end(session),
                }
            }
            To::CoordinatorFromAppServer(session) if self.app_server_link == Some(session) => {
                match serde_json::from_str(text) {
                    Ok(message) => self.coordinator.core.handle_app_server(session, message, self.now),
                    Err(_) => self.end(session),
                }
            }
            To::Replicator(index, session) if self.links[index] == Some(session) => match serde_json::from_str(text) {
                Ok(message) => self.replicators[index].core.handle_message(message),
                Err(_) => self.end(session),
            },
            To::AppServer(session) if self.app_server_link == Some(session) => match serde_json::from_str(text) {
                Ok(message) => self.app_server.core.handle_message(message),
                Err(_) => self.end(session),
            },
            To::Asked { asked, asker } => {
                if let Ok(question) = serde_json::from_str::<PeerQuestion>(text) {
                    self.replicators[asked].is_asked(asker, &question);
                }
            }
            To::Asker { asked, asker, round } => match serde_json::from_str::<PeerAnswer>(text) {
                Ok(answer) => self.replicators[asker].core.handle_peer_answer(&member(asked), answer),
                Err(error) => {
                    self.replicators[asker].core.handle_peer_silent(&member(asked), round, error.to_string());
                }
            },
            _ => {}
        }
        self.settle();
    }

    /// Something happens while nothing is on its way.
    pub(super) fn happen(&mut self, event: u8, detail: u8) {
        let index = usize::from(detail) % REPLICATORS;
        match event % 16 {
            0..=3 => self.submit(detail),
            4 => self.pass(u64::from(detail) * 100),
            5 => self.links[index].into_iter().for_each(|session| self.end(session)),
            6 | 7 => self.connect_all(),
            8 => self.ask_app_server(|request| FromAppServer::Restore {
                request,
                restoration: RestorationId(Uuid::from_u128(u128::from(request.0))),
                dry_run: detail.is_multiple_of(4),
            }),
            9 => self.replicators[index].damage(detail),
            10 => self.ask_app_server(|request| FromAppServer::ChangeMembers {
                request,
                change: membership(detail, member(index)),
            }),
            11 => self.ask_app_server(|request| FromAppServer::Ask { request, query: query(detail) }),
            12 => self.ask_app_server(|request| match detail % 3 {
                0 => FromAppServer::Scrub { request },
                1 => FromAppServer::FollowEvents { follow: true },
                _ => {
                    let action = LabAction::VoteAbort { member: member(index), reason: "as asked".to_owned() };
                    FromAppServer::Lab { request, action }
                }
            }),
            13 => self.replicators[index].lose_memory(detail),
            14 => self.start_coordinator(),
            _ => self.coordinator.recover(self.now, detail.is_multiple_of(2)),
        }
        self.settle();
    }

    fn submit(&mut self, detail: u8) {
        let number = detail % 16;
        let id = BookId::from_parts(1, [number; 10]);
        let action = if detail < 48 {
            Action::Delete
        } else {
            let draft = BookDraft {
                title: format!("Book {detail}"),
                authors: vec![Author::new("Jane", "Austen")],
                ..BookDraft::default()
            };
            let book = Book::new(id, Timestamp::from_unix_millis(1).unwrap(), draft).unwrap();
            let bytes = book.to_xml();
            Action::Put { digest: Digest::of(&bytes), content: Content::from(bytes) }
        };
        self.ask_app_server(|request| {
            let change = Change {
                id: format!("change-{}", request.0).parse().unwrap(),
                fingerprint: Digest::of(&[detail]),
                path: id.into(),
                precondition: Precondition::None,
                answer: String::new(),
                action,
            };
            let force_abort = detail % 32 == 31;
            FromAppServer::Submit { request, submission: Submission { changes: vec![change], force_abort } }
        });
    }

    fn ask_app_server(&mut self, ask: impl FnOnce(RequestId) -> FromAppServer) {
        self.requests += 1;
        if let Some(session) = self.app_server_link {
            self.post.send(To::CoordinatorFromAppServer(session), &ask(RequestId(self.requests)));
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now.monotonic_ms += ms;
        self.now.unix_ms += ms;
        self.coordinator.core.handle_timer(self.now);
        for replicator in &mut self.replicators {
            replicator.core.handle_timer(self.now);
        }
    }

    fn connect_all(&mut self) {
        for index in 0..REPLICATORS {
            if self.links[index].is_none() && !self.replicators[index].is_sent_away {
                self.links[index] = Some(self.next_session());
                self.replicators[index].core.handle_connected();
            }
        }
        if self.app_server_link.is_none() {
            self.app_server_link = Some(self.next_session());
            self.app_server.core.handle_connected();
        }
        self.settle();
    }

    fn next_session(&mut self) -> SessionId {
        self.sessions += 1;
        SessionId(self.sessions)
    }

    /// Another coordinator is started on the disk of this one.
    fn start_coordinator(&mut self) {
        for session in self.links.iter_mut().chain([&mut self.app_server_link]) {
            self.post.closed.extend(session.as_ref());
        }
        self.close_connections();
        self.coordinator.start_again(self.now);
    }

    fn end(&mut self, session: SessionId) {
        self.post.closed.push(session);
    }

    /// Both ends of a connection that ended notice it.
    fn close_connections(&mut self) {
        while let Some(session) = self.post.closed.pop() {
            self.coordinator.core.handle_disconnected(session, "the connection ended", self.now);
            if let Some(index) = self.links.iter().position(|link| *link == Some(session)) {
                self.links[index] = None;
                self.replicators[index].core.handle_disconnected();
            }
            if self.app_server_link == Some(session) {
                self.app_server_link = None;
                self.app_server.core.handle_disconnected();
            }
        }
    }

    /// Everybody does what its core asks for, until nobody asks for more.
    fn settle(&mut self) {
        loop {
            self.close_connections();
            let mut worked = self.coordinator.work(self.now, &self.links, &mut self.post);
            for (index, replicator) in self.replicators.iter_mut().enumerate() {
                worked |= replicator.work(self.links[index], &mut self.post);
            }
            worked |= self.app_server.work(self.app_server_link, &mut self.post);
            if !worked && self.post.closed.is_empty() {
                break;
            }
        }
    }
}

fn membership(detail: u8, member: MemberId) -> MembershipChange {
    match detail / 64 {
        0 => MembershipChange::Add { member, observer: detail.is_multiple_of(8) },
        1 => MembershipChange::Remove { member },
        2 => MembershipChange::Promote { member },
        _ => MembershipChange::Demote { member },
    }
}

fn query(detail: u8) -> Query {
    match detail % 2 {
        0 => Query::Cluster,
        _ => Query::Change { change: format!("change-{}", detail / 2).parse().unwrap() },
    }
}
