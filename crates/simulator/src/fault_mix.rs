//! Which faults there are, and how often each of them comes in a run.
//!
//! Every run has a mix of its own: some kinds come often in it, others never. Where everything comes a little, two that matter only
//! together seldom meet (Groce, Zhang, Eide, Chen, Regehr: Swarm Testing, 2012).

use crate::random::Random;

/// What can break, or happen to what is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// A process will stop between two of its next effects, or at its next sync, which fails.
    CrashSoon,
    /// A process stops now.
    CrashNow,
    /// All processes stop.
    CrashAll,
    /// A connection breaks.
    BreakConnection,
    /// A connection carries nothing one way.
    CutOneWay,
    /// A process can reach nobody for a while.
    Isolate,
    /// A replicator loses its memory.
    LoseMemory,
    /// The last synced record of a replicator is torn.
    RotRecord,
    /// A replicator's disk is full for a while.
    FillDisk,
    /// Files are changed behind their owners' backs.
    DamageFiles,
    /// An app-server's disk is lost.
    LoseCopy,
    /// The coordinator's clock jumps.
    JumpClock,
    /// The coordinator hangs, and another one is started on a copy of its disk.
    HangCoordinator,
    /// The coordinator's disk is lost, or its log damaged.
    LoseCoordinatorDisk,
    /// Copies are made of disks.
    KeepCopy,
    /// The coordinator is started on a copy that was made some time ago.
    RunOnOldCopy,
    /// A member is added, removed, promoted or demoted. No fault, but a time in which faults matter.
    ChangeMember,
    /// A scrub is asked for. The same.
    AskForScrub,
}

/// Every kind, and how often it comes on average.
const WEIGHTS: [(FaultKind, u64); 18] = [
    (FaultKind::CrashSoon, 34),
    (FaultKind::CrashNow, 6),
    (FaultKind::CrashAll, 2),
    (FaultKind::BreakConnection, 14),
    (FaultKind::CutOneWay, 4),
    (FaultKind::Isolate, 6),
    (FaultKind::LoseMemory, 6),
    (FaultKind::RotRecord, 5),
    (FaultKind::FillDisk, 3),
    (FaultKind::DamageFiles, 6),
    (FaultKind::LoseCopy, 1),
    (FaultKind::JumpClock, 2),
    (FaultKind::HangCoordinator, 2),
    (FaultKind::LoseCoordinatorDisk, 1),
    (FaultKind::KeepCopy, 2),
    (FaultKind::RunOnOldCopy, 4),
    (FaultKind::ChangeMember, 8),
    (FaultKind::AskForScrub, 1),
];

/// How often each kind comes in one run.
#[derive(Debug, Clone)]
pub(crate) struct FaultMix(Vec<(FaultKind, u64)>);

impl FaultMix {
    /// The mix of a seed.
    pub(crate) fn draw(random: &mut Random) -> Self {
        let one = |(kind, weight): (FaultKind, u64)| (kind, weight * *random.pick(&[0, 1, 1, 1, 2, 6]));
        let mix: Vec<_> = WEIGHTS.into_iter().map(one).filter(|(_, weight)| *weight > 0).collect();
        Self(if mix.is_empty() { WEIGHTS.to_vec() } else { mix })
    }

    /// The kind of the next fault.
    pub(crate) fn pick(&self, random: &mut Random) -> FaultKind {
        let mut left = random.below(self.0.iter().map(|(_, weight)| weight).sum());
        for (kind, weight) in &self.0 {
            match left.checked_sub(*weight) {
                Some(less) => left = less,
                None => return *kind,
            }
        }
        unreachable!("the number is below the sum of all weights")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_kind_is_in_most_mixes_and_none_in_all() {
        let mut found = BTreeMap::<String, u64>::new();
        for seed in 0..600 {
            for (kind, _) in FaultMix::draw(&mut Random::new(seed)).0 {
                *found.entry(format!("{kind:?}")).or_default() += 1;
            }
        }
        assert_eq!(found.len(), WEIGHTS.len());
        assert!(found.values().all(|count| (400..600).contains(count)), "{found:?}");
    }

    #[test]
    fn kinds_come_as_often_as_they_weigh() {
        let mix = FaultMix(vec![(FaultKind::CrashNow, 1), (FaultKind::CrashAll, 3)]);
        let mut random = Random::new(1);
        let picked = (0..4_000).filter(|_| mix.pick(&mut random) == FaultKind::CrashAll).count();
        assert!((2_900..3_100).contains(&picked), "{picked}");
    }
}
