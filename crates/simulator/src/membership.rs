//! The operator: lets replicators in, sends them away, and changes who votes, while everything else goes on.

use crate::agenda::{Event, Node};
use crate::violation::Held;
use crate::world::World;
use protocol::{FromAppServer, MemberRole, MembershipChange};
use two_phase::replicator::ReplicatorState;

/// After so long a change of members that was asked for is made, or never will be. Until then no memory is lost: an operator who
/// sends one voter away while another one's disk dies may leave no majority.
const SETTLES_AFTER_US: u64 = 10_000_000;

impl World {
    /// Asks for some change of the members, over some app-server. The coordinator may refuse it.
    pub(crate) fn change_some_member(&mut self) -> Held {
        let app_server = self.random.index(self.app_servers.len());
        let some_memory_is_lost = self.oracle.voters().into_iter().any(|voter| self.oracle.has_lost(voter));
        let may_change =
            self.coordinator.newest.is_none() && self.coordinator.doubt.is_none() && self.predecessor.is_none();
        if !may_change || some_memory_is_lost || !self.app_servers[app_server].welcomed {
            return Ok(());
        }
        let away: Vec<_> = (0..self.replicators.len()).filter(|index| self.replicators[*index].removed).collect();
        let index = match away.is_empty() {
            false if self.random.per_mille(700) => *self.random.pick(&away),
            _ => self.random.index(self.replicators.len()),
        };
        let member = self.replicators[index].name.clone();
        let (what, change) = match self.oracle.role(&member) {
            None => ("added", MembershipChange::Add { member, observer: self.random.per_mille(300) }),
            Some(MemberRole::Observer) => ("promoted", MembershipChange::Promote { member }),
            Some(_) if self.random.per_mille(500) => ("demoted", MembershipChange::Demote { member }),
            Some(_) => ("removed", MembershipChange::Remove { member }),
        };
        // Who goes may be the only one with a file that is intact.
        if self.damage.is_outstanding() && matches!(what, "removed" | "demoted") {
            return Ok(());
        }
        self.figures.count(match what {
            "added" => "member asked to be added",
            "promoted" => "member asked to be promoted",
            "demoted" => "member asked to be demoted",
            _ => "member asked to be removed",
        });
        if what == "added" {
            self.replicators[index].removed = false;
            self.agenda.after(1_000, Event::Start { node: Node::Replicator(index) });
        }
        self.members_settle_at_us = self.agenda.now_us() + SETTLES_AFTER_US;
        let request = self.next_request(app_server);
        self.app_server_says(app_server, FromAppServer::ChangeMembers { request, change });
        Ok(())
    }

    /// Starts those again who were sent away and have been let in since.
    pub(crate) fn start_who_was_let_in(&mut self) {
        for index in 0..self.replicators.len() {
            if self.replicators[index].removed && self.oracle.role(&self.replicators[index].name).is_some() {
                self.replicators[index].removed = false;
                self.agenda.after(1_000, Event::Start { node: Node::Replicator(index) });
            }
        }
    }

    /// A replicator stops, and its data are gone.
    pub(crate) fn give_an_empty_disk(&mut self, index: usize) -> Held {
        self.crash(Node::Replicator(index))?;
        let replicator = &mut self.replicators[index];
        replicator.log = Default::default();
        replicator.incarnation = None;
        replicator.files = Default::default();
        self.oracle.replicator_lost_memory(index, ReplicatorState::empty());
        Ok(())
    }

    /// A replicator was told that it is no longer a member: it stops, and its disk is given to somebody else.
    pub(crate) fn send_away(&mut self, index: usize) -> Held {
        self.give_an_empty_disk(index)?;
        self.replicators[index].removed = true;
        self.note(&[69, index as u64], || format!("replicator-{} is no longer a member", index + 1));
        self.figures.count("member sent away");
        Ok(())
    }
}
