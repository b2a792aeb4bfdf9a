//! The bounds and times of a coordinator.

use protocol::CommitPolicy;

/// The bounds and times of a coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoordinatorSettings {
    /// Which members a round needs.
    pub policy: CommitPolicy,
    /// How many members must be in sync, if that is to be more than a majority of those registered.
    pub min_in_sync: Option<u64>,
    /// How long a round waits for votes before it is aborted, in milliseconds.
    pub vote_timeout_ms: u64,
    /// How long a change may wait for a round that can be run before it is refused, in milliseconds.
    pub change_wait_ms: u64,
    /// How long a replicator that could not take a round is left in peace, in milliseconds.
    pub pause_after_refusal_ms: u64,
    /// How long a holder may take to answer a question about its files, in milliseconds.
    pub holder_timeout_ms: u64,
    /// How many bytes of files a second those who are brought level are sent, all together.
    pub catch_up_bytes_per_second: u64,
    /// Whether a restore is started when a scrub finds something to put right.
    pub scrub_heals: bool,
    /// How long the answers of changes are kept, in milliseconds.
    pub answer_retention_ms: u64,
    /// Most changes in one round.
    pub round_changes_max: usize,
    /// Most bytes of content in one round.
    pub round_bytes_max: u64,
    /// Most changes that may wait.
    pub queue_changes_max: usize,
    /// Most bytes of content that may wait.
    pub queue_bytes_max: u64,
    /// Whether the lab is on.
    pub lab: bool,
}

impl Default for CoordinatorSettings {
    fn default() -> Self {
        Self {
            policy: CommitPolicy::InSync,
            min_in_sync: None,
            vote_timeout_ms: 2_000,
            change_wait_ms: 5_000,
            pause_after_refusal_ms: 500,
            holder_timeout_ms: 60_000,
            catch_up_bytes_per_second: 64 * 1024 * 1024,
            scrub_heals: false,
            answer_retention_ms: 24 * 60 * 60 * 1_000,
            round_changes_max: 1_024,
            round_bytes_max: 2 * 1024 * 1024,
            queue_changes_max: 65_536,
            queue_bytes_max: 128 * 1024 * 1024,
            lab: false,
        }
    }
}
