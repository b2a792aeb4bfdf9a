//! The operator: starts a coordinator again that was outbid, has one recovered that must not believe its log, and has files restored
//! that were damaged.

use crate::agenda::Node;
use crate::coordinator_driver::Doubt;
use crate::violation::{Held, Rule, ensure};
use crate::world::World;
use protocol::{FromAppServer, RecoveryOrder, RecoveryPlan, RestorationId, RestorationReport, Version};
use two_phase::coordinator::{CoordinatorState, Mandate};
use two_phase::replicator::{Replicator, ReplicatorState};
use two_phase::write_checkpoint;

impl World {
    /// What the operator does now, if there is anything to be done.
    pub(crate) fn operate(&mut self) -> Held {
        self.start_who_was_let_in();
        self.put_right_who_belongs_elsewhere()?;
        let mandate = self.coordinator.core.as_ref().map(|core| core.mandate().clone());
        let needs_recovery = matches!(mandate, Some(Mandate::NeedsRecovery { .. }));
        let is_opening = mandate == Some(Mandate::Opening) && self.coordinator.newest.is_none();
        if is_opening || (needs_recovery && self.coordinator.doubt.is_some()) {
            return self.recover_coordinator();
        }
        if needs_recovery && self.coordinator.newest.is_none() {
            self.figures.count("coordinator started again by the operator");
            return self.crash(Node::Coordinator);
        }
        if self.damage.is_outstanding() && !self.damage.is_being_restored() && self.random.per_mille(400) {
            self.ask_for_restore();
        }
        Ok(())
    }

    /// A replicator that had lost its memory when a coordinator had lost its log may belong to the cluster that the two began. Where
    /// that cluster was given up, its data are moved away, as the coordinator's refusal says.
    fn put_right_who_belongs_elsewhere(&mut self) -> Held {
        let coordinator = self.coordinator.core.as_ref().filter(|core| *core.mandate() == Mandate::Open);
        let Some(cluster) = coordinator.map(|core| core.state().cluster) else { return Ok(()) };
        for index in 0..self.replicators.len() {
            let state = self.replicators[index].core.as_ref().map(Replicator::state);
            let is_elsewhere = |state: &ReplicatorState| state.cluster.is_some_and(|other| other != cluster);
            if state.is_some_and(|state| is_elsewhere(state) && state.version == Version::ZERO) {
                self.figures.count("data of another cluster moved away by the operator");
                self.give_an_empty_disk(index)?;
            }
        }
        Ok(())
    }

    // Recovery.

    /// Looks at the plan, if there is one, and says yes to it once everybody who can tell was heard.
    fn recover_coordinator(&mut self) -> Held {
        if !self.is_predecessor_left_by_app_servers() {
            return Ok(());
        }
        let now = self.coordinator.now(self.agenda.now_us());
        let Some(core) = self.coordinator.core.as_mut() else { return Ok(()) };
        let plan = core.recovery_plan(false, now);
        self.trace.note(self.agenda.now_us(), &[78], || format!("the operator sees {plan:?}"));
        let is_heard = |member: &protocol::MemberId| plan.witnesses.iter().any(|witness| witness.member == *member);
        // Those who were sent away never come.
        let may_come =
            |member: &protocol::MemberId| plan.view.as_ref().is_some_and(|view| view.member(member).is_some());
        let mut participants = plan.open_round.iter().flat_map(|open| &open.not_heard);
        let participants_are_heard = participants.all(|member| is_heard(member) || !may_come(member));
        if plan.reason.is_some() && plan.obstacles.is_empty() && plan.missing.is_empty() && participants_are_heard {
            self.coordinator.recovers |= core.recover(&RecoveryOrder::yes_to(&plan), now).is_ok();
        }
        self.drain_coordinator()
    }

    /// The coordinator has what it needs to go on: its state is written to its disk, and it starts anew on it.
    pub(crate) fn rebuild_coordinator(&mut self, state: &CoordinatorState, plan: &RecoveryPlan) -> Held {
        ensure(self.coordinator.recovers, Rule::Contract, || {
            "the coordinator is rebuilt, though nobody asked for it".to_owned()
        })?;
        let last = self.coordinator.log.last();
        self.sync_coordinator(last)?;
        self.coordinator.log.save_checkpoint(last, write_checkpoint(&state.header(), &state.manifest));
        if plan.source.is_some() || self.coordinator.doubt == Some(Doubt::Damaged) {
            self.coordinator.log.trim(last.next());
        }
        // On an empty disk it counts from now on; what is a copy, or damaged, must also be known to be so no more.
        let counts = self.coordinator.doubt == Some(Doubt::Lost);
        if counts || !self.strikes(Node::Coordinator) {
            self.coordinator.doubt = None;
            self.figures.count(match plan.source {
                Some(_) => "coordinator recovered from a replicator",
                None => "coordinator recovered from its own log",
            });
            self.note(&[73, state.version.0], || format!("the coordinator is recovered at version {}", state.version));
            self.oracle.recovered_by_order(state, self.agenda.now_us())?;
        }
        self.crash(Node::Coordinator)
    }

    // Restores.

    fn ask_for_restore(&mut self) {
        let Some(index) = self.app_servers.iter().position(|app_server| app_server.welcomed) else { return };
        let (request, id) = (self.next_request(index), RestorationId(self.unique()));
        let dry_run = self.random.per_mille(100);
        self.damage.is_asked_for(id, dry_run, self.agenda.now_us());
        self.figures.count("restore asked for");
        self.app_server_says(index, FromAppServer::Restore { request, restoration: id, dry_run });
    }

    /// A restore has ended.
    pub(crate) fn restored(&mut self, report: &RestorationReport) -> Held {
        self.note(&[74, report.summary.healed], || format!("restore ended: {:?}", report.summary));
        self.figures.add("file healed", if report.dry_run { 0 } else { report.summary.healed });
        ensure(report.summary.lost == 0, Rule::AckedNeverLost, || {
            format!("a restore finds files lost, though every one of them is intact somewhere: {report:?}")
        })?;
        // An app-server that is away is not even known to the coordinator, and keeps its damage.
        let members = self.replicators.iter().filter(|node| self.oracle.role(&node.name).is_some()).count();
        self.damage.note_report(report, members + self.app_servers.len());
        Ok(())
    }

    /// A restore that nobody has heard of for long is asked for anew.
    pub(crate) fn forget_late_restore(&mut self) {
        self.damage.forget_late(self.agenda.now_us());
    }
}
