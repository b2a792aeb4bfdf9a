//! What a replicator writes to its log.

use protocol::{
    AbortCause, ClusterId, CommittedRound, CoordinatorId, Epoch, Prepare, RoundId, SetDigest, Version, View,
};
use serde::{Deserialize, Serialize};

/// One record of a replicator's log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum ReplicatorRecord {
    /// A coordinator's epoch was accepted: lower ones are refused from now on.
    EpochAccepted {
        /// The epoch.
        epoch: Epoch,
        /// Its coordinator.
        coordinator: CoordinatorId,
        /// The cluster.
        cluster: ClusterId,
    },
    /// A round with all its bytes: what the vote to commit rests on.
    Prepared(Prepare),
    /// A vote to abort.
    Refused {
        /// The round.
        round: RoundId,
        /// Why.
        cause: AbortCause,
    },
    /// The coordinator said that this round is committed.
    Committed {
        /// The round.
        round: RoundId,
    },
    /// The coordinator said that this round is aborted.
    Aborted {
        /// The round.
        round: RoundId,
    },
    /// The coordinator told of a round that was committed without this replicator, with all its bytes.
    Followed(CommittedRound),
    /// A view that the coordinator told of.
    ViewLearned(View),
    /// The memory is new, or was found damaged: what came before does not count (rule NoAmnesia).
    Lost,
    /// The log was found with a torn record at its end, which was trimmed (rule NoAmnesia).
    Unconfirmed,
    /// The coordinator confirmed this state from its own log.
    Confirmed {
        /// The version.
        version: Version,
        /// The root.
        root: SetDigest,
    },
}
