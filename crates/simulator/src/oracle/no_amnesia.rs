//! NoAmnesia: a replicator whose memory is lost, or not confirmed, neither votes nor counts.

use super::Oracle;
use crate::violation::{Held, Rule, ensure};
use protocol::{MemberId, RoundId, Standing, Version};

impl Oracle {
    pub(super) fn votes_with_its_memory(&self, index: usize, round: RoundId) -> Held {
        let disk = &self.disks[index];
        let standing = disk.state.standing;
        ensure(standing == Standing::Trusted, Rule::NoAmnesia, || {
            format!("{} votes on round {round}, but its standing is {standing:?}", self.names[index])
        })?;
        // Before the first commit there is nothing to remember.
        let nothing_to_remember = self.version() == Version::ZERO || disk.state.version == self.version();
        ensure(!disk.lost || nothing_to_remember, Rule::NoAmnesia, || {
            format!("{} votes on round {round} without having caught up since it lost its memory", self.names[index])
        })
    }

    /// The coordinator has heard the hello of the process that runs now.
    pub(crate) fn introduced(&mut self, index: usize) {
        self.disks[index].unheard = false;
    }

    /// A coordinator counts these members as evidence.
    ///
    /// # Errors
    /// If one of them cannot vouch for its memory.
    pub(crate) fn counted_as_evidence(&self, members: &[MemberId]) -> Held {
        for member in members {
            let disk = self.names.iter().position(|name| name == member).map(|index| &self.disks[index]);
            let found = |disk: &super::Disk| self.roots.get(&disk.state.version) == Some(&disk.state.manifest.root());
            let vouches = disk.is_some_and(|disk| {
                disk.unheard
                    || match disk.state.standing {
                        Standing::Trusted => true,
                        Standing::Unconfirmed => found(disk),
                        Standing::Lost => self.version() == Version::ZERO,
                    }
            });
            ensure(self.is_stale() || vouches, Rule::NoAmnesia, || {
                format!("{member} counts for the epoch although its memory is not confirmed")
            })?;
        }
        Ok(())
    }
}
