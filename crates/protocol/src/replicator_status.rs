//! What a replicator itself tells people: asked when the coordinator cannot be.

use crate::{MemberId, RoundId, Standing, Version};
use serde::{Deserialize, Serialize};

/// A replicator, as it sees itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicatorStatus {
    /// Its name.
    pub member: MemberId,
    /// Its committed version.
    pub version: Version,
    /// What it knows of its memory.
    pub standing: Standing,
    /// The round that it is in doubt about.
    pub in_doubt: Option<InDoubt>,
}

/// A round that a replicator has voted commit on, without knowing the outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InDoubt {
    /// The round.
    pub round: RoundId,
    /// Since when this process knows that it is in doubt, in milliseconds of Unix time.
    pub since_ms: u64,
    /// Why it still waits, for people.
    pub why: String,
}
