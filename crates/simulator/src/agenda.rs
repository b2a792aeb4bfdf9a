//! What is going to happen, in the order of virtual time.

use crate::network::{End, Message};
use crate::peers::PeerWord;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use two_phase::coordinator::SessionId;

/// A process's place in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    /// The coordinator.
    Coordinator,
    /// A replicator.
    Replicator(usize),
    /// An app-server.
    AppServer(usize),
}

impl Node {
    /// A number that tells it apart in the trace's hash.
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Coordinator => 0,
            Self::Replicator(index) => 1 + index as u64,
            Self::AppServer(index) => 100 + index as u64,
        }
    }
}

impl std::fmt::Display for Node {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Coordinator => write!(formatter, "coordinator"),
            Self::Replicator(index) => write!(formatter, "replicator-{}", index + 1),
            Self::AppServer(index) => write!(formatter, "app-server-{}", index + 1),
        }
    }
}

/// Something that is going to happen. `boot` is the start of a process that it is meant for: a later one ignores it.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A process starts.
    Start { node: Node },
    /// Records that nobody waits for are to be synced.
    SyncDue { node: Node, boot: u64 },
    /// A sync has ended.
    SyncEnds { node: Node, boot: u64 },
    /// A message arrives.
    Delivery { session: SessionId, to: End, message: Box<Message> },
    /// One end of a connection learns that it is broken.
    BreakNoticed { session: SessionId, end: End },
    /// A process dials the coordinator.
    Dial { node: Node, boot: u64 },
    /// A replicator is told the time.
    PeerTimer { replicator: usize, boot: u64 },
    /// A replicator hears a peer.
    PeerWord { to: usize, boot: u64, word: Box<PeerWord> },
    /// The coordinator's timer is due.
    Timer { boot: u64, at_us: u64 },
    /// Committed files are written.
    WriteBack { node: Node, boot: u64 },
    /// The next piece of a replicator's file work is done.
    FileWork { replicator: usize, boot: u64 },
    /// A process saves a checkpoint.
    Checkpoint { node: Node, boot: u64 },
    /// A client does something.
    ClientWakes { client: usize },
    /// A client waits no longer for its answer.
    ClientGivesUp { client: usize, turn: u64 },
    /// Something breaks.
    Fault,
    /// A replicator's disk has room again.
    DiskHasRoom { replicator: usize },
    /// The coordinator that runs on an old copy of the log is stopped.
    StaleRunEnds,
    /// One end of a connection to a coordinator that hangs gives it up.
    Abandoned { session: SessionId },
    /// A connection that is cut one way is noticed to be of no use.
    GivenUp { session: SessionId },
    /// A coordinator that hung goes on beside its successor.
    PredecessorGoesOn,
    /// It is stopped.
    PredecessorEnds,
    /// The run's progress is looked at.
    Look,
}

#[derive(Debug)]
struct Entry {
    at_us: u64,
    order: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at_us, self.order) == (other.at_us, other.order)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    // The heap gives the greatest first: the earliest is the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at_us, other.order).cmp(&(self.at_us, self.order))
    }
}

/// The events to come, and what time it is.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    now_us: u64,
    entries: BinaryHeap<Entry>,
    next_order: u64,
}

impl Agenda {
    /// The virtual time, in microseconds since the run began.
    pub(crate) fn now_us(&self) -> u64 {
        self.now_us
    }

    /// Puts an event on, so many microseconds from now.
    pub(crate) fn after(&mut self, delay_us: u64, event: Event) {
        self.at(self.now_us + delay_us, event);
    }

    /// Puts an event on at this time, or now if that is past. Events of one time happen in the order in which they were put on.
    pub(crate) fn at(&mut self, at_us: u64, event: Event) {
        self.next_order += 1;
        self.entries.push(Entry { at_us: at_us.max(self.now_us), order: self.next_order, event });
    }

    /// Takes the next event, and moves the time to it.
    pub(crate) fn take_next(&mut self) -> Option<Event> {
        let entry = self.entries.pop()?;
        self.now_us = entry.at_us;
        Some(entry.event)
    }
}
