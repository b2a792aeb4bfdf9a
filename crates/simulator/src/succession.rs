//! A coordinator that hangs, and its successor on a copy of its disk: sooner or later the one that hung goes on, as if nothing had
//! happened, until it is stopped.
//!
//! The successor is the coordinator that everybody dials. What happens to the other one is kept until it goes on; then it happens to it
//! with the two in each other's place.

use crate::agenda::{Event, Node};
use crate::coordinator_driver::{CoordinatorNode, Doubt};
use crate::network::End;
use crate::planted::PlantedBug;
use crate::violation::Held;
use crate::world::World;
use std::collections::VecDeque;

/// A coordinator that is no longer the one that is dialled.
pub(crate) struct Predecessor {
    node: CoordinatorNode,
    /// What has happened to it since it hangs; none once it goes on.
    held: Option<VecDeque<Event>>,
}

impl World {
    /// The coordinator hangs. Its disk is copied as it is, and another one is started on the copy.
    pub(crate) fn hang_coordinator(&mut self) -> Held {
        let busy = self.predecessor.is_some() || self.coordinator.newest.is_some() || self.coordinator.doubt.is_some();
        if busy || self.coordinator.core.is_none() || !self.enough_know_of_a_round() {
            return Ok(());
        }
        let mut copy = self.coordinator.successor();
        let loss = copy.log.crash(&mut self.random);
        let knows = self.planted != Some(PlantedBug::TrustsItsCopy);
        copy.doubt = knows.then_some(Doubt::Copied);
        let node = std::mem::replace(&mut self.coordinator, copy);
        // Nobody waits for a silent coordinator as long as an operator takes to agree to a plan.
        for session in self.network.sessions(node.boot) {
            let at_us = self.agenda.now_us() + self.random.below(1_500_000);
            self.agenda.at(at_us, Event::Abandoned { session });
        }
        self.predecessor = Some(Predecessor { node, held: Some(VecDeque::new()) });
        self.note(&[70, self.coordinator.log.last().0], || "the coordinator hangs, and its disk is copied".to_owned());
        self.figures.count("fault: coordinator hangs beside its successor");
        let now_us = self.agenda.now_us();
        loss.survived.iter().try_for_each(|(_, record)| self.oracle.coordinator_durable(record, now_us))?;
        self.oracle.is_unsure(knows);
        let goes_on_us = self.random.between(10_000, 4_000_000);
        self.agenda.after(goes_on_us, Event::PredecessorGoesOn);
        self.agenda.after(1_000, Event::Start { node: Node::Coordinator });
        Ok(())
    }

    /// Somebody leaves the coordinator that hangs.
    pub(crate) fn abandon(&mut self, session: two_phase::coordinator::SessionId) {
        if self.predecessor.as_ref().is_some_and(|one| self.network.leads_to(session, one.node.boot)) {
            self.break_connection(session);
        }
    }

    /// Whether anybody still waits for the one that hangs.
    pub(crate) fn is_predecessor_left_by_app_servers(&self) -> bool {
        let Some(predecessor) = &self.predecessor else { return true };
        let is_there = |session| self.network.leads_to(session, predecessor.node.boot);
        !self.app_servers.iter().filter_map(|app_server| app_server.session).any(is_there)
    }

    /// Takes an event that is the predecessor's. Gives it back if it is not.
    pub(crate) fn give_to_predecessor(&mut self, event: Event) -> Result<Option<Event>, crate::violation::Violation> {
        let Some(predecessor) = &mut self.predecessor else { return Ok(Some(event)) };
        let boot = predecessor.node.boot;
        let is_its = match &event {
            Event::SyncDue { node: Node::Coordinator, boot: of }
            | Event::SyncEnds { node: Node::Coordinator, boot: of }
            | Event::Checkpoint { node: Node::Coordinator, boot: of }
            | Event::Timer { boot: of, .. } => *of == boot,
            Event::Delivery { session, to: End::Coordinator, .. }
            | Event::BreakNoticed { session, end: End::Coordinator } => self.network.leads_to(*session, boot),
            _ => false,
        };
        match &mut predecessor.held {
            _ if !is_its => return Ok(Some(event)),
            Some(held) => held.push_back(event),
            None => self.in_its_place(event)?,
        }
        Ok(None)
    }

    /// It goes on where it was, and hears all that it has missed.
    pub(crate) fn predecessor_goes_on(&mut self) -> Held {
        let Some(held) = self.predecessor.as_mut().and_then(|one| one.held.take()) else { return Ok(()) };
        self.note(&[71, held.len() as u64], || "the coordinator that hung goes on".to_owned());
        for event in held {
            self.in_its_place(event)?;
        }
        let lasts_us = self.random.between(10_000, 2_000_000);
        self.agenda.after(lasts_us, Event::PredecessorEnds);
        Ok(())
    }

    /// It is stopped for good, and its disk is thrown away.
    pub(crate) fn end_predecessor(&mut self) -> Held {
        let Some(Predecessor { node, .. }) = self.predecessor.take() else { return Ok(()) };
        for session in self.network.sessions(node.boot) {
            self.break_connection(session);
        }
        self.note(&[72], || "the coordinator that hung is stopped".to_owned());
        Ok(())
    }

    fn in_its_place(&mut self, event: Event) -> Held {
        let Some(Predecessor { node, .. }) = &mut self.predecessor else { return Ok(()) };
        std::mem::swap(node, &mut self.coordinator);
        self.oracle.hears_predecessor(true);
        let held = self.happen(event);
        self.oracle.hears_predecessor(false);
        if let Some(Predecessor { node, .. }) = &mut self.predecessor {
            std::mem::swap(node, &mut self.coordinator);
        }
        let is_over = self.predecessor.as_ref().is_some_and(|one| one.node.core.is_none());
        if is_over {
            self.predecessor = None;
        }
        held
    }
}
