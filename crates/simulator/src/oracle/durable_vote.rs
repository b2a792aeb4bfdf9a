//! DurableVote: what a replicator says of itself is on its disk before it is said.

use super::Oracle;
use crate::violation::{Held, Rule, ensure};
use protocol::{FromLearner, ToCoordinator, Vote};

impl Oracle {
    pub(super) fn says_what_is_durable(&self, index: usize, message: &ToCoordinator) -> Held {
        let (disk, name) = (&self.disks[index].state, &self.names[index]);
        let said = |holds: bool, what: &dyn Fn() -> String| {
            ensure(holds, Rule::DurableVote, || format!("{name} says {}, which its disk does not hold", what()))
        };
        match message {
            ToCoordinator::Vote { round, vote: Vote::Commit, .. } => {
                // It may have learned the outcome since, from a coordinator that did not wait for this vote.
                let holds = self.prepared.get(round).is_some_and(|prepared| prepared.contains(&index));
                said(holds, &|| format!("that it votes commit on round {round}"))
            }
            ToCoordinator::Vote { round, .. } => {
                said(disk.settled >= *round, &|| format!("that it votes abort on round {round}"))
            }
            ToCoordinator::EpochAccepted { epoch, coordinator } => {
                let holds = disk.fence.epoch == *epoch && disk.fence.coordinator == Some(*coordinator);
                said(holds, &|| format!("that it accepts epoch {epoch}"))
            }
            ToCoordinator::Acknowledge { settled, version, root } => {
                let newer = disk.version > *version;
                let same = disk.version == *version && disk.manifest.root() == *root;
                said((newer || same) && disk.settled >= *settled, &|| {
                    format!("that it is at version {version} and has settled round {settled}")
                })
            }
            ToCoordinator::Hello(hello) => {
                let prepared = disk.prepared.as_ref().map(|prepare| prepare.round);
                let holds = (hello.version, hello.root, hello.settled, hello.epoch)
                    == (disk.version, disk.manifest.root(), disk.settled, disk.fence.epoch)
                    && hello.prepared.map(|prepared| prepared.round) == prepared;
                said(holds, &|| format!("in its hello that it is at version {}, prepared {prepared:?}", hello.version))
            }
            ToCoordinator::CatchUp(FromLearner::CaughtUp { version, root, .. }) => {
                let holds = disk.version == *version && disk.manifest.root() == *root;
                said(holds, &|| format!("that it has caught up with version {version}"))
            }
            _ => Ok(()),
        }
    }
}
