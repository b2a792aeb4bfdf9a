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

/// One registered member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its name.
    pub id: MemberId,
    /// The memory that the cluster counts on; none before it was seen for the first time.
    pub incarnation: Option<Incarnation>,
    /// Whether it takes part.
    pub state: MemberState,
}

/// Which members a round needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommitPolicy {
    /// Every member, as in the textbook: one missing, no writes.
    All,
    /// Those in sync, never fewer than the minimum.
    InSync,
}

/// Who is a member and who is in sync. A change of it is durable before a round uses it (rule ViewDurable).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Its number; each change takes the next.
    pub number: ViewNumber,
    /// The registered members, ordered by name.
    pub members: Vec<Member>,
    /// How many must be in sync, counted on registered members.
    pub min_in_sync: u64,
    /// Which members a round needs.
    pub policy: CommitPolicy,
}

impl View {
    /// The first view of a cluster: everybody is taken to be in sync, at version 0.
    #[must_use]
    pub fn first(members: impl IntoIterator<Item = MemberId>, policy: CommitPolicy) -> Self {
        let mut members: Vec<_> =
            members.into_iter().map(|id| Member { id, incarnation: None, state: MemberState::InSync }).collect();
        members.sort_by(|one, other| one.id.cmp(&other.id));
        members.dedup_by(|one, other| one.id == other.id);
        let min_in_sync = majority_of(members.len());
        Self { number: ViewNumber(1), members, min_in_sync: min_in_sync as u64, policy }
    }

    /// The member of that name.
    #[must_use]
    pub fn member(&self, id: &MemberId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == *id)
    }

    /// The smallest number of members that is more than half of those registered.
    #[must_use]
    pub fn majority(&self) -> usize {
        majority_of(self.members.len())
    }
}

fn majority_of(members: usize) -> usize {
    members / 2 + 1
}
