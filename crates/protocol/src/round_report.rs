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
