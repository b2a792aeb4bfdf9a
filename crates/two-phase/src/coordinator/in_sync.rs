//! The in-sync set: who is left out of the next rounds, and who comes back in.
//!
//! ```text
//!             missing, and the others reach the minimum: view durable
//!   in sync ----------------------------------------------------------> left out
//!      ^                                                                   | connects, is led, is told of every round
//!      '---- view durable <-- acknowledged <-- "this is the committed  <---'
//!                                               state", at a boundary
//! ```
//!
//! Only between rounds, and no round begins while a view is on its way to the disk (rule ViewDurable). The set is never made
//! smaller than the minimum, and nobody is left out while fewer than that are there (rule MinInSync): then changes wait.

use super::members::{MemberLink, Place};
use super::{Coordinator, CoordinatorRecord, Mandate, Then};
use crate::mutant::Mutant;
use protocol::{ClusterEvent, CommitPolicy, MemberId, MemberRole, MemberState, ToReplicator, View};

/// How many versions one that comes back may be behind for the next round to wait for it. Its acknowledgements trail the rounds
/// that it was told of.
const JOIN_LAG_MAX: u64 = 256;

/// What is done when a view is in force.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum AfterView {
    /// The member that is known now is welcomed.
    Welcome(MemberId),
    /// The member takes part.
    Join(MemberId),
    /// Those who wait for rounds go on.
    Nothing,
    /// Whoever asked for the change is told; whoever was removed too.
    Membership(super::membership::Request),
}

impl Coordinator {
    /// Makes a view durable; it is used when it is.
    pub(super) fn change_view(&mut self, view: View, reason: String, then: AfterView) {
        if Mutant::UsesViewBeforeDurable.is_on() {
            self.state.view = view.clone();
        }
        debug_assert!(view.number > self.newest_view.number, "a view takes the number after the newest one");
        self.happened(ClusterEvent::ViewChanged { view: view.number, reason: reason.clone() });
        self.newest_view = view.clone();
        let record = CoordinatorRecord::ViewChanged { view: view.clone(), reason };
        self.append(record, Then::ViewInForce { view: Box::new(view), then });
    }

    /// The view is durable (rule ViewDurable).
    pub(super) fn use_view(&mut self, view: View, then: AfterView) {
        self.state.view = view;
        let sessions = self.members.links().filter(|(_, link)| link.accepted).map(|(_, link)| link.session).collect();
        self.say_to_all(sessions, ToReplicator::View(self.state.view.clone()));
        match then {
            AfterView::Welcome(member) => self.welcome_registered(&member),
            AfterView::Join(member) => self.take_part(&member),
            AfterView::Nothing => {}
            AfterView::Membership(request) => self.members_changed(&request),
        }
        self.forget_acknowledged();
        self.start_round();
    }

    /// Whether a view is on its way to the disk.
    pub(super) fn view_is_changing(&self) -> bool {
        self.newest_view.number != self.state.view.number
    }

    /// Leaves out who is missing, lets in who is level again. Returns whether the next round must wait for that.
    pub(super) fn settle_in_sync_set(&mut self) -> bool {
        debug_assert!(self.round.is_none(), "the in-sync set changes between rounds");
        if self.mandate != Mandate::Open {
            return false;
        }
        self.view_is_changing()
            || self.adopt_settings()
            || self.change_members_if_asked()
            || self.evict_missing()
            || self.let_in()
    }

    /// The policy and the minimum are the operator's, who may have started the coordinator with others than before. The minimum is
    /// not raised above what is in sync: that would make the set too small.
    fn adopt_settings(&mut self) -> bool {
        let (view, settings) = (&self.state.view, &self.settings);
        let (majority, in_sync) = (view.majority() as u64, view.in_sync().count() as u64);
        let min_in_sync = settings.min_in_sync.unwrap_or(majority).clamp(majority, in_sync.max(majority));
        if (settings.policy, min_in_sync) == (view.policy, view.min_in_sync) {
            return false;
        }
        let mut view = self.newest_view.after(|view| view.policy = settings.policy);
        view.min_in_sync = min_in_sync;
        let reason = match settings.policy {
            CommitPolicy::All => "a round needs every replicator, by the settings.".to_owned(),
            CommitPolicy::InSync => format!("a round needs those in sync, at least {min_in_sync}, by the settings."),
        };
        self.change_view(view, reason, AfterView::Nothing);
        true
    }

    /// Notes who is missing, and leaves out those who have been for too long.
    fn evict_missing(&mut self) -> bool {
        let now_ms = self.now.monotonic_ms;
        let in_sync: Vec<_> = self.state.view.in_sync().map(|member| member.id.clone()).collect();
        let (able, missing): (Vec<_>, Vec<_>) = in_sync.into_iter().partition(|id| self.obstacle(id).is_none());
        for id in &able {
            self.members.attendance_mut(id).is_there();
        }
        let mut due = Vec::new();
        for id in missing {
            let since_ms = self.members.attendance_mut(&id).miss(now_ms);
            if since_ms + self.patience_ms(&id) <= now_ms {
                due.push(id);
            }
        }
        let needed = match self.members.links().count() as u64 / 2 + 1 {
            on_those_alive if Mutant::CountsMinimumOnThoseAlive.is_on() => on_those_alive,
            _ if Mutant::EvictsBelowMinimum.is_on() => 1,
            _ => self.state.view.min_in_sync,
        };
        let enough = able.len() as u64 >= needed;
        if due.is_empty() || !enough || self.state.view.policy == CommitPolicy::All {
            return false;
        }
        let reasons: Vec<_> = due.iter().filter_map(|id| self.obstacle(id)).collect();
        let view = self.newest_view.after(|view| {
            for member in view.members.iter_mut().filter(|member| due.contains(&member.id)) {
                let connected = self.members.link(&member.id).is_some();
                member.state = if connected { MemberState::CatchingUp } else { MemberState::Down };
            }
        });
        for id in &due {
            self.members.attendance_mut(id).evict(now_ms);
            if let Some(link) = self.members.link_mut(id).filter(|link| link.place == Place::Level) {
                link.place = Place::Arriving;
            }
        }
        self.change_view(view, format!("the others go on: {}.", reasons.join("; ")), AfterView::Nothing);
        // Who is still connected is on its way back at once: nothing else may happen that would lead it.
        for id in &due {
            self.settle(id);
        }
        true
    }

    /// How long a member may be missing before the others go on without it. One that is known to be gone, or to be unable, is
    /// not waited for.
    fn patience_ms(&self, member: &MemberId) -> u64 {
        let now_ms = self.now.monotonic_ms;
        let at_once = match self.members.link(member) {
            None => self.members.memory(member).is_some_and(|memory| memory.last_seen_unix_ms.is_some()),
            Some(link) => link.paused_until_ms.is_some_and(|until_ms| until_ms > now_ms),
        };
        if at_once { 0 } else { self.settings.vote_timeout_ms }
    }

    /// Voters that hold all but the newest rounds are told that they hold the committed state, and are waited for.
    fn let_in(&mut self) -> bool {
        let may_come = |id: &MemberId| self.members.attendance(id).may_return_from_ms() <= self.now.monotonic_ms;
        let next = self.members.links().filter(|(id, link)| self.is_ready_to_return(id, link) && may_come(id));
        let next: Vec<_> = next.map(|(id, _)| id.clone()).collect();
        for member in next {
            self.confirm(&member);
        }
        self.members.links().any(|(id, link)| matches!(link.place, Place::Confirming { .. }) && !self.observes(id))
    }

    /// Tells a member that it holds the committed state, as it was told of every round.
    pub(super) fn confirm(&mut self, member: &MemberId) {
        let deadline_ms = self.now.monotonic_ms + self.settings.vote_timeout_ms;
        let (version, root) = (self.state.version, self.state.manifest.root());
        if let Some(link) = self.members.link_mut(member) {
            link.place = Place::Confirming { deadline_ms };
            let session = link.session;
            self.say(session, ToReplicator::Confirm { version, root });
        }
    }

    /// A member said that it holds the committed state, durably, and knows that it is the committed one.
    pub(super) fn confirmed(&mut self, member: &MemberId) {
        let Some(link) = self.members.link_mut(member) else { return };
        link.evidence = true;
        let Some(one) = self.newest_view.member(member) else { return };
        match (one.role, one.state) {
            (MemberRole::Observer, _) => link.place = Place::Following,
            (MemberRole::Voter, MemberState::InSync) => self.take_part(member),
            (role, _) => {
                let view = self.newest_view.after(|view| {
                    if let Some(one) = view.member_mut(member) {
                        (one.role, one.state) = (MemberRole::Voter, MemberState::InSync);
                    }
                });
                let votes = if role == MemberRole::Joining { "votes from now on" } else { "takes part again" };
                let reason = format!("{member} holds all that is committed and {votes}.");
                self.change_view(view, reason, AfterView::Join(member.clone()));
            }
        }
    }

    /// Whoever is in sync by the view in force, and confirmed, takes part in the next round.
    fn take_part(&mut self, member: &MemberId) {
        let now_ms = self.now.monotonic_ms;
        let Some(link) = self.members.link_mut(member) else { return };
        if !matches!(link.place, Place::Confirming { .. }) {
            return; // It connected anew meanwhile, and is on its way again.
        }
        link.place = Place::Level;
        let version = link.version;
        self.members.attendance_mut(member).join(now_ms);
        self.happened(ClusterEvent::MemberLevel { member: member.clone(), version });
        self.advance_reads();
    }

    /// Members that were told that they are level, and did not say so in time, must introduce themselves again.
    pub(super) fn drop_those_who_do_not_confirm(&mut self) {
        let now_ms = self.now.monotonic_ms;
        let late = |place: Place| matches!(place, Place::Confirming { deadline_ms } if deadline_ms <= now_ms);
        let late: Vec<_> =
            self.members.links().filter(|(_, link)| late(link.place)).map(|(id, _)| id.clone()).collect();
        let reason = format!("it did not acknowledge within {} ms that it is level", self.settings.vote_timeout_ms);
        for member in late {
            self.members.attendance_mut(&member).was_slow();
            self.members.attendance_mut(&member).evict(now_ms);
            self.drop_member(&member, &reason);
        }
        self.advance_reads();
    }

    /// When the in-sync set must be looked at again, in milliseconds of the monotonic clock. Each of these times stays until what it
    /// is for is done, however late it is; what cannot be done then has no time.
    pub(super) fn next_in_sync_timer_ms(&self) -> Option<u64> {
        let confirming = self.members.links().filter_map(|(_, link)| match link.place {
            Place::Confirming { deadline_ms } => Some(deadline_ms),
            _ => None,
        });
        let between_rounds = self.round.is_none() && self.mandate == Mandate::Open && !self.view_is_changing();
        let set = between_rounds.then(|| self.next_eviction_ms().into_iter().chain(self.next_return_ms()));
        confirming.chain(set.into_iter().flatten()).min()
    }

    fn next_eviction_ms(&self) -> Option<u64> {
        let view = &self.state.view;
        let is_missing = |id: &MemberId| self.obstacle(id).is_some();
        let able = view.in_sync().filter(|member| !is_missing(&member.id)).count() as u64;
        if view.policy == CommitPolicy::All || able < view.min_in_sync {
            return None;
        }
        let missing = view.in_sync().filter(|member| is_missing(&member.id));
        let due = missing.filter_map(|member| {
            let since_ms = self.members.attendance(&member.id).missing_since_ms()?;
            Some(since_ms + self.patience_ms(&member.id))
        });
        due.min()
    }

    fn next_return_ms(&self) -> Option<u64> {
        let returning = self.members.links().filter(|(id, link)| self.is_ready_to_return(id, link));
        returning.map(|(id, _)| self.members.attendance(id).may_return_from_ms()).min()
    }

    /// Whether only time keeps it from being let in.
    fn is_ready_to_return(&self, member: &MemberId, link: &MemberLink) -> bool {
        let trails = self.state.version.0.saturating_sub(link.version.0) <= JOIN_LAG_MAX;
        link.place == Place::Following && trails && link.credit_bytes > 0 && !self.observes(member)
    }
}
