//! What the processes share of the network: dialling, sending, and how each end learns that a connection is over.

use crate::agenda::{Event, Node};
use crate::faults::Phase;
use crate::network::{End, Message};
use crate::violation::Held;
use crate::world::World;
use two_phase::coordinator::SessionId;

impl World {
    pub(crate) fn dial_later(&mut self, node: Node) {
        let delay_us = self.random.between(1_000, 100_000);
        let boot = self.boot(node);
        self.agenda.after(delay_us, Event::Dial { node, boot });
    }

    pub(crate) fn dial(&mut self, node: Node) -> Held {
        let (session, isolated_until_us) = match node {
            Node::Coordinator => return Ok(()),
            Node::Replicator(index) => (self.replicators[index].session, self.replicators[index].isolated_until_us),
            Node::AppServer(index) => (self.app_servers[index].session, self.app_servers[index].isolated_until_us),
        };
        if session.is_some() {
            return Ok(());
        }
        if self.coordinator.core.is_none() || isolated_until_us > self.agenda.now_us() {
            self.dial_later(node);
            return Ok(());
        }
        let session = self.network.connect(node, self.coordinator.boot, self.agenda.now_us());
        self.note(&[2, node.number(), session.0], || format!("{node} connects: session {}", session.0));
        match node {
            Node::Coordinator => Ok(()),
            Node::Replicator(index) => self.replicator_connected(index, session),
            Node::AppServer(index) => self.app_server_connected(index, session),
        }
    }

    /// Sends a message, which arrives if nothing breaks.
    pub(crate) fn send(&mut self, session: SessionId, to: End, message: Message) {
        let slow = self.phase == Phase::Faulty && self.random.per_mille(5);
        let longest_us = if slow { 40 * self.scenario.latency_us } else { self.scenario.latency_us };
        let delay_us = self.random.between(20, longest_us.max(20));
        match self.network.send(session, to, self.agenda.now_us(), delay_us) {
            Some(at_us) => self.agenda.at(at_us, Event::Delivery { session, to, message: Box::new(message) }),
            None => self.figures.count("message sent into a broken connection"),
        }
    }

    pub(crate) fn deliver(&mut self, session: SessionId, to: End, mut message: Message) -> Held {
        let Some(node) = self.network.connection(session).map(|connection| connection.node) else { return Ok(()) };
        if !self.network.lets_through(session, to, self.agenda.now_us()) {
            self.figures.count("fault: message lost");
            return Ok(());
        }
        if to == End::Coordinator {
            let boot = self.network.connection(session).map(|connection| connection.coordinator_boot);
            if boot != Some(self.coordinator.boot) {
                return Ok(());
            }
        }
        if let Some(bug) = self.planted.filter(|_| node == Node::Replicator(0)) {
            bug.falsify(&mut message);
        }
        match (node, message) {
            (Node::Replicator(_), Message::FromReplicator(message)) => {
                self.coordinator_hears_replicator(session, message)
            }
            (Node::AppServer(_), Message::FromAppServer(message)) => {
                self.coordinator_hears_app_server(session, message)
            }
            (Node::Replicator(index), Message::ToReplicator(message)) => self.replicator_hears(index, session, message),
            (Node::AppServer(index), Message::ToAppServer(message)) => self.app_server_hears(index, session, message),
            _ => Ok(()),
        }
    }

    /// Breaks a connection: what is under way is lost from some point on, and each end learns of it in its own time.
    pub(crate) fn break_connection(&mut self, session: SessionId) {
        let now_us = self.agenda.now_us();
        let broken_us = self.network.cut(session, now_us, 2 * self.scenario.latency_us, &mut self.random);
        for end in [End::Coordinator, End::Dialler] {
            let longest_us = *self.random.pick(&[1_000, 1_000, 10_000, 200_000, 1_500_000]);
            let at_us = broken_us + self.random.below(longest_us);
            self.agenda.at(at_us, Event::BreakNoticed { session, end });
        }
    }

    /// One end closes a connection; the other one learns of it after all that was said on it.
    pub(crate) fn close_connection(&mut self, session: SessionId, by: End) {
        let heard_us = self.network.close(session, by, self.agenda.now_us());
        let other = if by == End::Coordinator { End::Dialler } else { End::Coordinator };
        let delay_us = self.random.below(2_000);
        self.agenda.at(heard_us + delay_us, Event::BreakNoticed { session, end: other });
        let delay_us = self.random.below(2_000);
        self.agenda.after(delay_us, Event::BreakNoticed { session, end: by });
    }

    pub(crate) fn notice_break(&mut self, session: SessionId, end: End) -> Held {
        let Some(connection) = self.network.connection(session) else { return Ok(()) };
        let (node, boot) = (connection.node, connection.coordinator_boot);
        self.network.noticed(session, end);
        match (end, node) {
            (End::Coordinator, _) if boot == self.coordinator.boot => self.coordinator_disconnected(session),
            (End::Dialler, Node::Replicator(index)) if self.replicators[index].session == Some(session) => {
                self.replicator_disconnected(index)
            }
            (End::Dialler, Node::AppServer(index)) if self.app_servers[index].session == Some(session) => {
                self.app_server_disconnected(index)
            }
            _ => Ok(()),
        }
    }
}
