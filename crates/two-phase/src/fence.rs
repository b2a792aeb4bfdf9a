//! Which coordinator is listened to (rule EpochFence): the one with the highest epoch, and of one epoch only the first.

use crate::mutant::Mutant;
use protocol::{CoordinatorId, Epoch};
use serde::{Deserialize, Serialize};

/// The highest epoch that a replicator or an app-server has accepted, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fence {
    /// The epoch.
    pub epoch: Epoch,
    /// The coordinator that opened it; none before the first.
    pub coordinator: Option<CoordinatorId>,
}

/// What a fence says of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is from the coordinator that was accepted.
    Accepted,
    /// It is from a newer one, which must be accepted first.
    Newer,
    /// It is from an older one, or from another one with the same epoch.
    Refused,
}

impl Fence {
    /// Judges a message by the epoch and the coordinator that it carries.
    #[must_use]
    pub fn judge(&self, epoch: Epoch, coordinator: CoordinatorId) -> Admission {
        match epoch.cmp(&self.epoch) {
            std::cmp::Ordering::Greater => Admission::Newer,
            std::cmp::Ordering::Equal if self.coordinator == Some(coordinator) => Admission::Accepted,
            std::cmp::Ordering::Equal if Mutant::AcceptsEqualEpoch.is_on() => Admission::Newer,
            std::cmp::Ordering::Less if Mutant::AcceptsLowerEpoch.is_on() => Admission::Newer,
            std::cmp::Ordering::Equal | std::cmp::Ordering::Less => Admission::Refused,
        }
    }

    /// The fence after a newer coordinator was accepted.
    #[must_use]
    pub fn raised_to(epoch: Epoch, coordinator: CoordinatorId) -> Self {
        Self { epoch, coordinator: Some(coordinator) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coordinator(number: u128) -> CoordinatorId {
        CoordinatorId(uuid::Uuid::from_u128(number))
    }

    #[test]
    fn epoch_fence_refuses_lower_epochs_and_equal_ones_of_others() {
        let fence = Fence::raised_to(Epoch(5), coordinator(1));
        assert_eq!(fence.judge(Epoch(4), coordinator(1)), Admission::Refused);
        assert_eq!(fence.judge(Epoch(5), coordinator(2)), Admission::Refused);
        assert_eq!(fence.judge(Epoch(5), coordinator(1)), Admission::Accepted);
        assert_eq!(fence.judge(Epoch(6), coordinator(2)), Admission::Newer);
    }

    #[test]
    fn epoch_zero_is_nobodys() {
        assert_eq!(Fence::default().judge(Epoch::ZERO, coordinator(1)), Admission::Refused);
    }
}
