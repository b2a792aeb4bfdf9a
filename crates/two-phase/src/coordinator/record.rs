//! What the coordinator writes to its decision log.

use protocol::{ClusterId, CoordinatorId, Decision, Epoch, View};
use serde::{Deserialize, Serialize};

/// One record of the decision log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum CoordinatorRecord {
    /// This start of the coordinator took this epoch (rule EpochFence: durable before use).
    EpochTaken {
        /// The epoch.
        epoch: Epoch,
        /// The coordinator.
        coordinator: CoordinatorId,
        /// The cluster.
        cluster: ClusterId,
    },
    /// A view (rule ViewDurable: durable before a round uses it).
    ViewChanged {
        /// The view.
        view: View,
        /// Why, for people.
        reason: String,
    },
    /// A round is committed.
    Decided(Decision),
}
