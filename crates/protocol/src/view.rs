//! The view: who is a member, who is in sync, and how many must be.

use crate::{Incarnation, MemberId, ViewNumber};
use serde::{Deserialize, Serialize};

/// Whether a member takes part in rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberState {
    /// It holds every committed round and takes part in the next one.
    InSync,
    /// It is being brought level.
    CatchingUp,
    /// It is left out until it comes back.
    Down,
}

/// What a member is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    /// It votes, and counts in majorities.
    #[default]
    Voter,
    /// It is being brought level, and becomes a voter with the view that puts it in sync. Until then nobody counts on it.
    Joining,
    /// It follows every committed round and has no vote.
    Observer,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its name.
    pub id: MemberId,
    /// What it is there for.
    #[serde(default)]
    pub role: MemberRole,
    /// The memory that the cluster counts on; none before it was seen for the first time.
    pub incarnation: Option<Incarnation>,
    /// Whether it takes part.
    pub state: MemberState,
}

/// Which members a round needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommitPolicy {
    /// Every member, as in the textbook: one missing, no writes.
    All,
    /// Those in sync, never fewer than the minimum.
    InSync,
}

/// Who is a member and who is in sync. A change of it is durable before a round uses it (rule ViewDurable).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Its number; each change takes the next.
    pub number: ViewNumber,
    /// The members, ordered by name.
    pub members: Vec<Member>,
    /// How many voters must be in sync, counted on those registered.
    pub min_in_sync: u64,
    /// Which members a round needs.
    pub policy: CommitPolicy,
    /// Who was removed, newest last: one of them that comes back is told so.
    #[serde(default)]
    pub removed: Vec<MemberId>,
}

impl View {
    /// The first view of a cluster: everybody is taken to be in sync, at version 0.
    #[must_use]
    pub fn first(members: impl IntoIterator<Item = MemberId>, policy: CommitPolicy) -> Self {
        let member = |id| Member { id, role: MemberRole::Voter, incarnation: None, state: MemberState::InSync };
        let mut members: Vec<_> = members.into_iter().map(member).collect();
        members.sort_by(|one, other| one.id.cmp(&other.id));
        members.dedup_by(|one, other| one.id == other.id);
        let min_in_sync = majority_of(members.len()) as u64;
        Self { number: ViewNumber(1), members, min_in_sync, policy, removed: Vec::new() }
    }

    /// The member of that name.
    #[must_use]
    pub fn member(&self, id: &MemberId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == *id)
    }

    /// The member of that name.
    pub fn member_mut(&mut self, id: &MemberId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.id == *id)
    }

    /// Those who vote. Majorities are counted on them, whoever is alive.
    pub fn voters(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.role == MemberRole::Voter)
    }

    /// Whether this member votes.
    #[must_use]
    pub fn is_voter(&self, id: &MemberId) -> bool {
        self.voters().any(|member| member.id == *id)
    }

    /// The voters that a round needs.
    pub fn in_sync(&self) -> impl Iterator<Item = &Member> {
        self.voters().filter(|member| member.state == MemberState::InSync)
    }

    /// The smallest number of voters that is more than half of those registered.
    #[must_use]
    pub fn majority(&self) -> usize {
        majority_of(self.voters().count())
    }

    /// The view that follows this one, after `change`. The minimum stays a majority where it was one, and is never less
    /// (rule MinInSync).
    #[must_use]
    pub fn after(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut view = self.clone();
        view.number = view.number.next();
        change(&mut view);
        view.members.sort_by(|one, other| one.id.cmp(&other.id));
        let (before, majority, voters) = (self.majority() as u64, view.majority() as u64, view.voters().count() as u64);
        let was_majority = self.min_in_sync == before;
        view.min_in_sync = if was_majority { majority } else { self.min_in_sync.clamp(majority, voters.max(majority)) };
        view
    }
}

fn majority_of(members: usize) -> usize {
    members / 2 + 1
}
