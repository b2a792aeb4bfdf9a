//! Connections: each way in order, with delays, until they break; what is under way then is lost from some point on.

use crate::agenda::Node;
use crate::random::Random;
use protocol::{FromAppServer, FromCoordinator, ToAppServer, ToCoordinator, ToReplicator};
use std::collections::BTreeMap;
use two_phase::coordinator::SessionId;

/// A message on its way.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    /// From a replicator.
    FromReplicator(ToCoordinator),
    /// From an app-server.
    FromAppServer(FromAppServer),
    /// To a replicator.
    ToReplicator(FromCoordinator<ToReplicator>),
    /// To an app-server.
    ToAppServer(FromCoordinator<ToAppServer>),
}

/// One of the two ends of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Who was dialled: the coordinator.
    Coordinator,
    /// Who dialled.
    Dialler,
}

/// One way of a connection.
#[derive(Debug, Clone, Default)]
struct Lane {
    /// When the last message arrives.
    last_us: u64,
    /// From when on nothing arrives.
    cut_us: Option<u64>,
    /// Nothing is sent any more.
    shut: bool,
    /// The end that it leads to knows that the connection is over.
    noticed: bool,
}

/// A connection.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    /// Who dialled.
    pub(crate) node: Node,
    /// Which start of the coordinator it leads to.
    pub(crate) coordinator_boot: u64,
    to_coordinator: Lane,
    to_dialler: Lane,
}

impl Connection {
    fn lane(&mut self, to: End) -> &mut Lane {
        match to {
            End::Coordinator => &mut self.to_coordinator,
            End::Dialler => &mut self.to_dialler,
        }
    }
}

/// All connections.
#[derive(Debug, Default)]
pub(crate) struct Network {
    connections: BTreeMap<SessionId, Connection>,
    next: u64,
}

impl Network {
    /// A new connection.
    pub(crate) fn connect(&mut self, node: Node, coordinator_boot: u64, now_us: u64) -> SessionId {
        self.next += 1;
        let lane = Lane { last_us: now_us, ..Lane::default() };
        let connection = Connection { node, coordinator_boot, to_coordinator: lane.clone(), to_dialler: lane };
        self.connections.insert(SessionId(self.next), connection);
        SessionId(self.next)
    }

    /// The connection of that number.
    pub(crate) fn connection(&self, session: SessionId) -> Option<&Connection> {
        self.connections.get(&session)
    }

    /// Whether a connection is there, and leads to this start of the coordinator.
    pub(crate) fn leads_to(&self, session: SessionId, coordinator_boot: u64) -> bool {
        self.connection(session).is_some_and(|connection| connection.coordinator_boot == coordinator_boot)
    }

    /// Connections that lead to this start of the coordinator.
    pub(crate) fn sessions(&self, coordinator_boot: u64) -> Vec<SessionId> {
        let those = self.connections.iter().filter(|(_, connection)| connection.coordinator_boot == coordinator_boot);
        those.map(|(session, _)| *session).collect()
    }

    /// When a message sent now arrives; none if it never does.
    pub(crate) fn send(&mut self, session: SessionId, to: End, now_us: u64, delay_us: u64) -> Option<u64> {
        let lane = self.connections.get_mut(&session)?.lane(to);
        lane.last_us = lane.last_us.max(now_us + delay_us);
        let arrives = !lane.shut && lane.cut_us.is_none_or(|cut| lane.last_us < cut);
        arrives.then_some(lane.last_us)
    }

    /// Whether a message that arrives now is still let through.
    pub(crate) fn lets_through(&mut self, session: SessionId, to: End, now_us: u64) -> bool {
        let lane = self.connections.get_mut(&session).map(|connection| connection.lane(to));
        lane.is_some_and(|lane| lane.cut_us.is_none_or(|cut| now_us < cut))
    }

    /// Breaks a connection, each way at some moment from now on. Returns when both are broken.
    pub(crate) fn cut(&mut self, session: SessionId, now_us: u64, within_us: u64, random: &mut Random) -> u64 {
        let Some(connection) = self.connections.get_mut(&session) else { return now_us };
        let mut broken_us = now_us;
        for end in [End::Coordinator, End::Dialler] {
            let at_us = now_us + random.below(within_us + 1);
            let lane = connection.lane(end);
            lane.cut_us = Some(lane.cut_us.map_or(at_us, |cut| cut.min(at_us)));
            lane.shut = true;
            broken_us = broken_us.max(at_us);
        }
        broken_us
    }

    /// From now on nothing arrives one way, and nobody notices.
    pub(crate) fn cut_one_way(&mut self, session: SessionId, to: End, now_us: u64) {
        if let Some(connection) = self.connections.get_mut(&session) {
            let lane = connection.lane(to);
            lane.cut_us = Some(lane.cut_us.map_or(now_us, |cut| cut.min(now_us)));
        }
    }

    /// One end reads and sends no more; what it has sent still arrives. Returns when the other end has all of it.
    pub(crate) fn close(&mut self, session: SessionId, by: End, now_us: u64) -> u64 {
        let other = if by == End::Coordinator { End::Dialler } else { End::Coordinator };
        let Some(connection) = self.connections.get_mut(&session) else { return now_us };
        let incoming = connection.lane(by);
        incoming.cut_us = Some(incoming.cut_us.map_or(now_us, |cut| cut.min(now_us)));
        incoming.shut = true;
        let outgoing = connection.lane(other);
        outgoing.shut = true;
        outgoing.last_us.max(now_us)
    }

    /// One end has learned that it is over. Once both have, the connection is forgotten.
    pub(crate) fn noticed(&mut self, session: SessionId, end: End) {
        if let Some(connection) = self.connections.get_mut(&session) {
            connection.lane(end).noticed = true;
            if connection.to_coordinator.noticed && connection.to_dialler.noticed {
                self.connections.remove(&session);
            }
        }
    }
}
