//! What replicators ask each other about a round that one of them is in doubt about.
//!
//! One question goes over one link, and so does its answer. Neither carries bytes of a book.

use crate::{ClusterId, MemberId, Participant, RoundId, Version};
use serde::{Deserialize, Serialize};

/// "I voted commit on this round and do not know its outcome: what do you know?"
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerQuestion {
    /// The protocol that the asker speaks.
    pub protocol: u32,
    /// The cluster that its data belongs to.
    pub cluster: Option<ClusterId>,
    /// Who asks.
    pub member: MemberId,
    /// The round.
    pub round: RoundId,
    /// The version that the round builds on: every participant held it when the round began.
    pub base_version: Version,
    /// All who take part in the round, as its prepare names them.
    pub participants: Vec<Participant>,
}

/// The answer to a question, durable at the one who gives it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerAnswer {
    /// Who answers.
    pub member: MemberId,
    /// The round.
    pub round: RoundId,
    /// What the one who answers knows of it.
    pub knowledge: PeerKnowledge,
}

/// What a participant knows of a round.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "knowledge", rename_all = "snake_case")]
pub enum PeerKnowledge {
    /// It is committed.
    Committed,
    /// It is aborted.
    Aborted,
    /// This participant has refused it, and never takes that back: it can never commit (rule Validity).
    Refused,
    /// This participant voted commit, too, and knows no more.
    InDoubt,
    /// It can say nothing.
    CannotTell {
        /// Why, for people: continues "it cannot tell: ".
        reason: String,
    },
}
