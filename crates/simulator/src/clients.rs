//! The clients: what they ask for, how long they wait, and what they send again.

use crate::agenda::{Event, Node};
use crate::books::{BOOKS, Books, FORMS};
use crate::faults::Phase;
use crate::violation::Held;
use crate::world::World;
use protocol::{Action, Change, ChangeId, Content, Digest, FromAppServer, LabAction, Precondition, Submission};

/// How many of its submissions a client remembers.
const HISTORY_MAX: usize = 12;

/// All clients.
pub(crate) struct Clients {
    clients: Vec<Client>,
    next_change: u64,
    /// They ask for nothing new.
    pub(crate) done: bool,
}

#[derive(Default)]
struct Client {
    history: Vec<Submission>,
    /// Counts its requests, so that a late timeout is seen to be late.
    turn: u64,
    waits: bool,
}

impl Clients {
    pub(crate) fn new(number: usize) -> Self {
        Self { clients: (0..number).map(|_| Client::default()).collect(), next_change: 0, done: false }
    }
}

impl World {
    pub(crate) fn client_wakes(&mut self, client: usize) -> Held {
        if self.clients.done || self.clients.clients[client].waits {
            return Ok(());
        }
        let app_server = self.random.index(self.app_servers.len());
        if !self.is_up(Node::AppServer(app_server)) {
            self.wake_later(client);
            return Ok(());
        }
        match self.random.below(100) {
            0..8 => self.query(client, app_server),
            8..20 => match self.old_submission(client) {
                Some(submission) => self.send_submission(client, app_server, submission),
                None => self.send_new(client, app_server),
            },
            20..21 => self.lab_abort(client, app_server),
            _ => self.send_new(client, app_server),
        }
    }

    fn wake_later(&mut self, client: usize) {
        let delay_us = self.random.interval(self.scenario.think_us);
        self.agenda.after(delay_us, Event::ClientWakes { client });
    }

    /// A client has its answer.
    pub(crate) fn client_answered(&mut self, client: usize) {
        if std::mem::take(&mut self.clients.clients[client].waits) {
            self.clients.clients[client].turn += 1;
            self.wake_later(client);
        }
    }

    /// A client has waited long enough: to it, the outcome is unknown.
    pub(crate) fn client_gives_up(&mut self, client: usize, turn: u64) {
        if self.clients.clients[client].waits && self.clients.clients[client].turn == turn {
            self.figures.count("answer: unknown (the client gave up waiting)");
            self.client_answered(client);
        }
    }

    fn send_new(&mut self, client: usize, app_server: usize) -> Held {
        let submission = self.new_submission(client, app_server);
        let history = &mut self.clients.clients[client].history;
        if history.len() == HISTORY_MAX {
            history.remove(0);
        }
        history.push(submission.clone());
        self.send_submission(client, app_server, submission)
    }

    fn send_submission(&mut self, client: usize, app_server: usize, submission: Submission) -> Held {
        self.clients.clients[client].waits = true;
        let turn = self.clients.clients[client].turn;
        let patience_us = self.random.between(200_000, 4_000_000);
        self.agenda.after(patience_us, Event::ClientGivesUp { client, turn });
        self.submit(app_server, client, submission)
    }

    fn new_submission(&mut self, client: usize, app_server: usize) -> Submission {
        let number = match self.random.below(10) {
            0..7 => 1,
            _ => self.random.between(2, 4) as usize,
        };
        let mut books: Vec<usize> = Vec::new();
        while books.len() < number {
            let book = self.random.index(BOOKS);
            if !books.contains(&book) {
                books.push(book);
            }
        }
        let changes = books.into_iter().map(|book| self.new_change(client, app_server, book)).collect();
        Submission { changes, force_abort: self.random.per_mille(15) }
    }

    fn new_change(&mut self, client: usize, app_server: usize, book: usize) -> Change {
        let path = Books::shared().path(book);
        let shown = self.app_servers[app_server].core.as_ref();
        let current = shown.and_then(|core| core.state().manifest.record(&path)).map(|record| record.digest);
        let form = self.random.index(FORMS);
        let put = |content: Content| Action::Put { digest: Digest::of(content.bytes()), content };
        let content = Books::shared().content(book, form);
        let (action, precondition) = match (current, self.random.below(20)) {
            (_, 0) => (put(Books::shared().content((book + 1) % BOOKS, form)), Precondition::None),
            (_, 1) => (Action::Put { digest: Digest::of(b"other"), content }, Precondition::None),
            (_, 2..6) => (put(content), Precondition::None),
            (None, 6..8) => (Action::Delete, Precondition::None),
            (None, 8..10) => (put(content), Precondition::Present),
            (None, _) => (put(content), Precondition::Absent),
            (Some(_), 6) => (put(content), Precondition::Absent),
            (Some(_), 7) => (Action::Delete, Precondition::Present),
            (Some(digest), 8..12) => (Action::Delete, Precondition::Digest(digest)),
            (Some(digest), _) => (put(content), Precondition::Digest(digest)),
        };
        self.clients.next_change += 1;
        let id = format!("client-{client}/{}", self.clients.next_change);
        change(&id, path, action, precondition)
    }

    /// A submission that the client has sent before: as it was, a part of it, mixed with another one, or another one with its id.
    fn old_submission(&mut self, client: usize) -> Option<Submission> {
        let history = &self.clients.clients[client].history;
        if history.is_empty() {
            return None;
        }
        let mut submission = history[self.random.index(history.len())].clone();
        let other = history[self.random.index(history.len())].clone();
        self.figures.count("old change sent again");
        match self.random.below(10) {
            0 => {
                let changed = &mut submission.changes[0];
                *changed = change(changed.id.as_str(), changed.path, Action::Delete, Precondition::Present);
                self.figures.count("change id used for another request");
            }
            1 => {
                submission.changes.pop();
                if submission.changes.is_empty() {
                    return Some(other);
                }
            }
            2 => {
                let strangers = other.changes.into_iter();
                let known = |change: &Change| submission.changes.iter().any(|one| one.path == change.path);
                let strangers: Vec<_> = strangers.filter(|change| !known(change)).collect();
                submission.changes.extend(strangers);
            }
            _ => {}
        }
        Some(submission)
    }

    fn query(&mut self, client: usize, app_server: usize) -> Held {
        let history = &self.clients.clients[client].history;
        if !history.is_empty() {
            let submission = &history[self.random.index(history.len())];
            let change = submission.changes[0].id.clone();
            self.ask(app_server, change);
        }
        self.wake_later(client);
        Ok(())
    }

    /// An instructor asks a replicator to vote abort.
    fn lab_abort(&mut self, client: usize, app_server: usize) -> Held {
        if self.app_servers[app_server].welcomed && self.phase == Phase::Faulty {
            let replicator = self.random.index(self.replicators.len());
            let member = self.replicators[replicator].name.clone();
            let request = self.next_request(app_server);
            let action = LabAction::VoteAbort { member, reason: "the lab asked for it".to_owned() };
            self.app_server_says(app_server, FromAppServer::Lab { request, action });
            self.figures.count("vote abort asked for in the lab");
        }
        self.wake_later(client);
        Ok(())
    }
}

fn change(id: &str, path: catalogue::BookPath, action: Action, precondition: Precondition) -> Change {
    let request = format!("{id} {path} {action:?} {:?} {precondition:?}", action.digest());
    Change {
        id: id.parse::<ChangeId>().expect("the id is legal"),
        fingerprint: Digest::of(request.as_bytes()),
        path,
        precondition,
        answer: format!("answer to {id}"),
        action,
    }
}
