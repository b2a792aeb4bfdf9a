//! What people are shown of a round.

use crate::{MemberId, RoundId, Version};
use serde::{Deserialize, Serialize};

/// How a round stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundOutcome {
    /// Not decided yet.
    InFlight,
    /// Committed.
    Committed,
    /// Aborted.
    Aborted,
}

/// One participant's vote; `vote` is `commit`, `abort` or `none`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoteReport {
    /// The participant.
    pub member: MemberId,
    /// What it voted.
    pub vote: String,
    /// Whose fault an abort is: `mine`, `changes`, `forced`.
    pub cause: Option<String>,
    /// Why, for people.
    pub reason: Option<String>,
    /// When the vote arrived, in microseconds after the round began.
    pub after_us: Option<u64>,
    /// When the prepare had arrived there, in microseconds after the round began. As clocks differ, it is reckoned from how long
    /// the participant took, and as if both ways took equally long; so are the two that follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_after_us: Option<u64>,
    /// When the record that the vote rests on was handed to its disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged_after_us: Option<u64>,
    /// When that record was durable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durable_after_us: Option<u64>,
    /// When it had acknowledged the outcome, in microseconds after the round began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_after_us: Option<u64>,
}

impl VoteReport {
    /// A vote without its times.
    #[must_use]
    pub fn new(member: MemberId, vote: &str, cause: Option<String>, reason: Option<String>) -> Self {
        Self {
            member,
            vote: vote.to_owned(),
            cause,
            reason,
            after_us: None,
            received_after_us: None,
            staged_after_us: None,
            durable_after_us: None,
            acknowledged_after_us: None,
        }
    }
}

/// A round, from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundReport {
    /// The round.
    pub round: RoundId,
    /// How it stands.
    pub outcome: RoundOutcome,
    /// The version that it made, if it committed.
    pub version: Option<Version>,
    /// How many files it changes.
    pub changes: u64,
    /// Who takes part.
    pub participants: Vec<MemberId>,
    /// The votes so far.
    pub votes: Vec<VoteReport>,
    /// When it began, in milliseconds of Unix time.
    pub started_at_ms: u64,
    /// When it was decided (for a commit: durable), in microseconds after it began.
    pub decided_after_us: Option<u64>,
    /// When every participant had acknowledged, in microseconds after it began.
    pub ended_after_us: Option<u64>,
    /// Why it was aborted, for people.
    pub reason: Option<String>,
}
