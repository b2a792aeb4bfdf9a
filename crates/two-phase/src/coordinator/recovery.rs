//! A coordinator that is not sure of its log, or that no majority can confirm, and an operator who asks it what could be done.
//!
//! ```text
//!   NeedsRecovery --asked--> members are let in as witnesses --order--> manifest and open round are fetched --> rebuilt
//! ```
//!
//! Witnesses are not welcomed: they accept no epoch of this coordinator, so that the one that has the newer log is not fenced off
//! by it. What is rebuilt is a state; the driver writes it to disk and starts anew on it, as at any start.

use super::members::MemberLink;
use super::{Coordinator, CoordinatorEffect, Mandate, Party, SessionId};
use crate::recovery_plan::{self, Findings, Reports, Trouble};
use protocol::{
    MemberId, RecoveryAnswer, RecoveryOrder, RecoveryPlan, RecoveryQuestion, ReplicatorHello, RoundId, ToReplicator,
};
use std::collections::{BTreeMap, BTreeSet};

/// How long members are kept as witnesses after somebody has asked, in milliseconds.
const SURVEY_MS: u64 = 60_000;

/// What members have reported since an operator asked.
#[derive(Debug, Clone, Hash, Default)]
pub(super) struct Survey {
    until_ms: u64,
    witnesses: BTreeMap<MemberId, (SessionId, ReplicatorHello)>,
    carrying_out: Option<CarryingOut>,
    failed: Option<String>,
}

#[derive(Debug, Clone, Hash)]
struct CarryingOut {
    plan: RecoveryPlan,
    commits: bool,
    findings: Findings,
    awaits_manifest: bool,
    awaits_round: bool,
}

impl Coordinator {
    /// What could be done now. From then on members are let in as witnesses, for a while.
    pub fn recovery_plan(&mut self, accept_loss: bool, now: crate::Now) -> RecoveryPlan {
        self.now = now;
        self.survey.until_ms = now.monotonic_ms + SURVEY_MS;
        let mut plan = self.make_plan(accept_loss);
        // Told once: whoever looks again sees what is now.
        plan.obstacles.extend(self.survey.failed.take());
        plan
    }

    fn make_plan(&self, accept_loss: bool) -> RecoveryPlan {
        let witnesses = self.survey.witnesses.iter().map(|(id, (_, hello))| (id.clone(), hello.clone()));
        let members = self.members.links().map(|(id, link)| (id.clone(), link.hello.clone()));
        let reports: Reports = members.chain(witnesses).collect();
        recovery_plan::plan(self.trouble(), &self.state, &reports, accept_loss)
    }

    /// What it cannot get over without an operator; none if there is nothing.
    fn trouble(&self) -> Option<Trouble> {
        match &self.mandate {
            Mandate::NeedsRecovery { reason } => {
                Some(Trouble::Log { reason: reason.clone(), is_damaged: self.log_is_damaged })
            }
            Mandate::Opening => {
                let lost = self.lost_memories();
                let view = &self.state.view;
                (view.voters().count() < view.majority() + lost.len()).then_some(Trouble::Memories { lost })
            }
            Mandate::Taking | Mandate::Open => None,
        }
    }

    /// Voters that are here with a memory that counts for nothing (rule NoAmnesia).
    pub(super) fn lost_memories(&self) -> BTreeSet<MemberId> {
        let is_lost = |(id, link): &(&MemberId, &MemberLink)| {
            link.accepted && !link.evidence && !link.vouched && self.state.view.is_voter(id)
        };
        self.members.links().filter(is_lost).map(|(id, _)| id.clone()).collect()
    }

    /// Carries out a plan that the operator has said yes to.
    ///
    /// # Errors
    /// Why it is not done, for people.
    pub fn recover(&mut self, order: &RecoveryOrder, now: crate::Now) -> Result<(), String> {
        self.now = now;
        if self.survey.carrying_out.is_some() {
            return Err("a recovery is under way".to_owned());
        }
        let plan = self.make_plan(order.accept_loss);
        if let Some(misfit) = recovery_plan::misfit(&plan, order) {
            return Err(misfit);
        }
        let commits = plan.open_round.as_ref().is_some_and(|open| order.commit.unwrap_or(open.commit));
        let holder = plan.open_round.as_ref().filter(|_| commits).and_then(|open| open.prepared.first()).cloned();
        let source = plan.source.clone();
        let findings = Findings { settled: self.highest_settled(), ..Findings::default() };
        let (awaits_manifest, awaits_round) = (source.is_some(), holder.is_some());
        self.survey.failed = None;
        self.survey.carrying_out = Some(CarryingOut { plan, commits, findings, awaits_manifest, awaits_round });
        self.ask_witness(source, RecoveryQuestion::Manifest);
        self.ask_witness(holder, RecoveryQuestion::Prepared);
        self.rebuild_if_complete();
        Ok(())
    }

    /// Up to this round everything is settled: whoever is in doubt about one of them catches up.
    fn highest_settled(&self) -> RoundId {
        self.survey.witnesses.values().map(|(_, hello)| hello.settled).max().unwrap_or_default()
    }

    fn ask_witness(&mut self, member: Option<MemberId>, question: RecoveryQuestion) {
        if let Some((session, _)) = member.and_then(|member| self.survey.witnesses.get(&member)) {
            self.say(*session, ToReplicator::Recovery(question));
        }
    }

    /// Keeps a member's report, if somebody has asked for a plan lately. Returns whether it does.
    pub(super) fn hear_witness(&mut self, session: SessionId, hello: &ReplicatorHello) -> bool {
        let needed = matches!(self.mandate, Mandate::NeedsRecovery { .. });
        let hears = needed && self.survey.until_ms > self.now.monotonic_ms;
        if hears {
            let replaced = self.survey.witnesses.insert(hello.member.clone(), (session, hello.clone()));
            if let Some((before, _)) = replaced.filter(|(before, _)| *before != session) {
                self.parties.remove(&before);
                self.give_up_recovery(&hello.member);
                self.close(before, format!("{} connected anew", hello.member));
            }
            self.parties.insert(session, Party::Witness(hello.member.clone()));
        }
        hears
    }

    pub(super) fn lose_witness(&mut self, member: &MemberId, session: SessionId) {
        let is_it = self.survey.witnesses.get(member).is_some_and(|(present, _)| *present == session);
        if is_it {
            self.survey.witnesses.remove(member);
            self.give_up_recovery(member);
        }
    }

    /// Somebody whose answer may have been awaited is gone.
    fn give_up_recovery(&mut self, member: &MemberId) {
        if self.survey.carrying_out.take().is_some() {
            self.survey.failed = Some(format!("{member} went away during the recovery; look again"));
        }
    }

    /// Nobody asks any more: the witnesses may go to another coordinator.
    pub(super) fn end_late_survey(&mut self) {
        if self.survey.until_ms <= self.now.monotonic_ms && !self.survey.witnesses.is_empty() {
            for (member, (session, _)) in std::mem::take(&mut self.survey.witnesses) {
                self.parties.remove(&session);
                self.close(session, format!("nobody recovers the cluster; {member} is refused as before"));
            }
            self.survey = Survey::default();
        }
    }

    pub(super) fn survey_ends_ms(&self) -> Option<u64> {
        (!self.survey.witnesses.is_empty()).then_some(self.survey.until_ms)
    }

    pub(super) fn handle_recovery_answer(&mut self, answer: RecoveryAnswer) {
        let Some(carrying_out) = &mut self.survey.carrying_out else { return };
        match answer {
            RecoveryAnswer::Manifest { version, entries, last } if version == carrying_out.plan.version => {
                carrying_out.findings.entries.extend(entries);
                carrying_out.awaits_manifest &= !last;
            }
            RecoveryAnswer::Decisions { decisions } => carrying_out.findings.decisions = decisions,
            RecoveryAnswer::Prepared { prepare } => {
                let wanted = carrying_out.plan.open_round.as_ref().map(|open| open.round);
                let prepare = prepare.filter(|prepare| Some(prepare.round) == wanted);
                carrying_out.findings.prepare = prepare.map(|prepare| *prepare);
                carrying_out.awaits_round = false;
            }
            RecoveryAnswer::Manifest { version, .. } => {
                self.survey.failed = Some(format!("the source is at version {version} by now; look again"));
                self.survey.carrying_out = None;
            }
        }
        self.rebuild_if_complete();
    }

    fn rebuild_if_complete(&mut self) {
        let complete = |one: &mut CarryingOut| !one.awaits_manifest && !one.awaits_round;
        let Some(CarryingOut { plan, commits, findings, .. }) = self.survey.carrying_out.take_if(complete) else {
            return;
        };
        let without_log = self.log_is_damaged.then(|| self.state.without_log());
        let own = without_log.as_ref().unwrap_or(&self.state);
        match recovery_plan::rebuild(own, &plan, commits, findings, self.now.unix_ms) {
            Ok(state) => self.effects.push(CoordinatorEffect::Rebuild { state: Box::new(state), plan: Box::new(plan) }),
            Err(reason) => self.survey.failed = Some(reason),
        }
    }
}
