//! What is said within a round: the prepare, the vote and its cause, the outcome.

use crate::{Change, ChangeId, Epoch, MemberId, RoundId, SetDigest, Version, ViewNumber};
use serde::{Deserialize, Serialize};

/// How a round ended. There is no third one here: "unknown" is the absence of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Decided, durable, for ever.
    Committed,
    /// It can never commit.
    Aborted,
}

/// The round that the coordinator ended before this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parent {
    /// Its id.
    pub round: RoundId,
    /// Its outcome.
    pub outcome: Outcome,
}

/// What must hold for a round to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitRule {
    /// The coordinator's durable decision record commits it.
    DecisionRecord,
    /// The prepare records of all participants commit it.
    AllPrepared,
}

/// A member that takes part in a round, with the address where the others can ask it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Participant {
    /// The member.
    pub id: MemberId,
    /// Where it listens for its peers.
    pub address: String,
}

/// The first phase: everything that a participant needs to make the round durable and vote.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prepare {
    /// This round.
    pub round: RoundId,
    /// The round before it and how it ended; none for the first round of a cluster.
    pub parent: Option<Parent>,
    /// The version that this round builds on.
    pub base_version: Version,
    /// The root of that version.
    pub base_root: SetDigest,
    /// The root after this round.
    pub expected_root: SetDigest,
    /// The view that it runs in.
    pub view: ViewNumber,
    /// All who take part. Frozen for this round (rule FrozenParticipants).
    pub participants: Vec<Participant>,
    /// What commits it.
    pub rule: CommitRule,
    /// The changes; no path twice.
    pub changes: Vec<Change>,
}

impl Prepare {
    /// The version after this round.
    #[must_use]
    pub fn version(&self) -> Version {
        self.base_version.next()
    }

    /// The epoch of the coordinator that runs it.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.round.epoch
    }
}

/// A participant's vote. Both are durable before they are said (rule DurableVote).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "vote", rename_all = "snake_case")]
pub enum Vote {
    /// Prepared, and bound to it until the outcome is known (rule NoWayBack).
    Commit,
    /// Refused.
    Abort {
        /// Why, and whose fault it is.
        #[serde(flatten)]
        cause: AbortCause,
    },
}

/// Why a participant votes abort, which decides who is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum AbortCause {
    /// The participant cannot take any round at present; the changes are tried again.
    Mine {
        /// A sentence for people.
        reason: String,
    },
    /// These changes can never be taken; they are answered, the others are tried again.
    Changes {
        /// Each change that is refused.
        faults: Vec<ChangeFault>,
    },
    /// Asked for in the lab; the whole round is answered.
    Forced {
        /// A sentence for people.
        reason: String,
    },
}

impl AbortCause {
    /// One word: whose fault it is.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Mine { .. } => "mine",
            Self::Changes { .. } => "changes",
            Self::Forced { .. } => "forced",
        }
    }

    /// A sentence for people.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Mine { reason } | Self::Forced { reason } => reason.clone(),
            Self::Changes { faults } => {
                let reasons: Vec<_> = faults.iter().map(|fault| fault.reason.as_str()).collect();
                reasons.join("; ")
            }
        }
    }
}

/// A change that a participant cannot take, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeFault {
    /// The change.
    pub change: ChangeId,
    /// A sentence for people.
    pub reason: String,
}
