//! Who is a member: replicators added and removed, observers promoted and demoted, by command.
//!
//! One change at a time, between two rounds, and only after a majority of the voters has said since it was asked for that it
//! still listens to this coordinator: one that was replaced and does not know it changes nobody (rule EpochFence).

use super::in_sync::AfterView;
use super::members::Place;
use super::{Coordinator, Mandate, SessionId};
use protocol::{
    Member, MemberId, MemberRole, MemberState, MembershipChange, RequestId, ToAppServer, ToReplicator, View,
};
use std::collections::BTreeSet;

/// How many removed members are remembered by name.
const REMOVED_MAX: usize = 64;

/// A change that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Request {
    session: SessionId,
    request: RequestId,
    change: MembershipChange,
}

/// A change that waits for the majority's word.
#[derive(Debug, Clone, Hash)]
pub(super) struct AskedFor {
    request: Request,
    renewed: BTreeSet<MemberId>,
    deadline_ms: u64,
}

impl AskedFor {
    pub(super) fn deadline_ms(&self) -> u64 {
        self.deadline_ms
    }
}

impl Coordinator {
    pub(super) fn ask_to_change_members(&mut self, session: SessionId, request: RequestId, change: MembershipChange) {
        let refused = match &self.mandate {
            Mandate::Open if self.membership.is_some() => {
                Some("another change of the members is under way; try again in a moment".to_owned())
            }
            Mandate::Open => self.plan(&change).err(),
            _ => self.why_no_round(),
        };
        if refused.is_some() {
            return self.tell(session, ToAppServer::Done { request, refused });
        }
        let deadline_ms = self.now.monotonic_ms + self.settings.vote_timeout_ms;
        let request = Request { session, request, change };
        self.membership = Some(AskedFor { request, renewed: BTreeSet::new(), deadline_ms });
        let voters: Vec<_> = self.state.view.voters().map(|member| member.id.clone()).collect();
        for member in voters {
            if self.members.link(&member).is_some_and(|link| link.accepted) {
                self.welcome(&member);
            }
        }
    }

    /// A member said that this coordinator's epoch is the one that it has accepted.
    pub(super) fn renew_mandate(&mut self, member: &MemberId) {
        let counts = self.state.view.is_voter(member) && self.members.link(member).is_some_and(|link| link.evidence);
        if let Some(asked_for) = self.membership.as_mut().filter(|_| counts) {
            asked_for.renewed.insert(member.clone());
        }
    }

    /// Makes the change that was asked for, between two rounds. Returns whether the next round must wait for it.
    pub(super) fn change_members_if_asked(&mut self) -> bool {
        let majority = self.state.view.majority();
        let Some(AskedFor { request, .. }) = self.membership.take_if(|one| one.renewed.len() >= majority) else {
            return false;
        };
        match self.plan(&request.change) {
            Ok((view, reason)) => self.change_view(view, reason, AfterView::Membership(request)),
            Err(reason) => {
                let (session, request) = (request.session, request.request);
                self.tell(session, ToAppServer::Done { request, refused: Some(reason) });
                return false;
            }
        }
        true
    }

    pub(super) fn give_up_late_membership(&mut self) {
        let now_ms = self.now.monotonic_ms;
        if let Some(AskedFor { request, .. }) = self.membership.take_if(|one| one.deadline_ms <= now_ms) {
            let refused = Some("a majority of the replicators did not answer; nobody was added or removed".to_owned());
            self.tell(request.session, ToAppServer::Done { request: request.request, refused });
        }
    }

    /// The view that holds the change is in force.
    pub(super) fn members_changed(&mut self, request: &Request) {
        match &request.change {
            MembershipChange::Remove { member } => self.send_away(member),
            MembershipChange::Demote { member } => {
                if self.members.link(member).is_some_and(|link| link.follows()) {
                    self.set_place(member, Place::Following);
                }
            }
            MembershipChange::Add { .. } | MembershipChange::Promote { .. } => {}
        }
        self.tell(request.session, ToAppServer::Done { request: request.request, refused: None });
    }

    fn send_away(&mut self, member: &MemberId) {
        let reason = format!("{member} was removed from the cluster");
        if let Some(session) = self.members.link(member).map(|link| link.session) {
            self.say(session, ToReplicator::Removed { reason: reason.clone() });
            self.drop_member(member, &reason);
            self.advance_reads();
        }
        self.members.forget(member);
    }

    /// The view after a change; or why it cannot be.
    fn plan(&self, change: &MembershipChange) -> Result<(View, String), String> {
        match change {
            MembershipChange::Add { member, observer } => self.plan_to_add(member, *observer),
            MembershipChange::Remove { member } => {
                let one = self.known_member(member)?;
                let view = self.newest_view.after(|view| {
                    view.members.retain(|one| one.id != *member);
                    view.removed.retain(|one| one != member);
                    view.removed.push(member.clone());
                    let too_many = view.removed.len().saturating_sub(REMOVED_MAX);
                    view.removed.drain(..too_many);
                });
                self.enough_without(one, &view)?;
                Ok((view, format!("{member} is no longer a member.")))
            }
            MembershipChange::Promote { member } => {
                if self.known_member(member)?.role != MemberRole::Observer {
                    return Err(format!("{member} is not an observer; it votes, or will when it has caught up"));
                }
                let view = self.newest_view.after(|view| set_role(view, member, MemberRole::Joining));
                Ok((view, format!("{member} is to vote.")))
            }
            MembershipChange::Demote { member } => {
                let one = self.known_member(member)?;
                if one.role == MemberRole::Observer {
                    return Err(format!("{member} is an observer already"));
                }
                let view = self.newest_view.after(|view| set_role(view, member, MemberRole::Observer));
                self.enough_without(one, &view)?;
                Ok((view, format!("{member} only observes from now on.")))
            }
        }
    }

    fn plan_to_add(&self, member: &MemberId, observer: bool) -> Result<(View, String), String> {
        if self.newest_view.member(member).is_some() {
            return Err(format!("{member} is a member already"));
        }
        let (role, what) = match observer {
            true => (MemberRole::Observer, "observes when it has caught up"),
            false => (MemberRole::Joining, "votes when it has caught up"),
        };
        let view = self.newest_view.after(|view| {
            view.removed.retain(|one| one != member);
            view.members.push(Member { id: member.clone(), role, incarnation: None, state: MemberState::CatchingUp });
        });
        Ok((view, format!("{member} may come in, and {what}.")))
    }

    fn known_member(&self, member: &MemberId) -> Result<&Member, String> {
        self.newest_view.member(member).ok_or_else(|| {
            let members: Vec<_> = self.newest_view.members.iter().map(|one| one.id.as_str()).collect();
            format!("{member} is not a member; the members are {}", members.join(", "))
        })
    }

    /// Rule MinInSync: those who stay, are in sync and can take part must reach the minimum of the view without this voter.
    fn enough_without(&self, leaving: &Member, view: &View) -> Result<(), String> {
        if leaving.role != MemberRole::Voter {
            return Ok(());
        }
        let able = view.in_sync().filter(|member| self.obstacle(&member.id).is_none()).count() as u64;
        let voters = view.voters().count();
        if able >= view.min_in_sync && voters > 0 {
            return Ok(());
        }
        Err(format!(
            "without {} there would be {voters} voters, of whom {able} are in sync now, and {} must be; bring others back or add \
             one first",
            leaving.id,
            view.min_in_sync.max(1),
        ))
    }
}

fn set_role(view: &mut View, member: &MemberId, role: MemberRole) {
    if let Some(one) = view.member_mut(member) {
        (one.role, one.state) = (role, MemberState::CatchingUp);
    }
}
