//! What was durable somewhere and what was said to somebody, kept apart from the cores; and the rules of the protocol as statements
//! about that. What is once true stays: a crash forgets nothing here.

use protocol::{CommittedAnswer, Outcome, RoundId, ToCoordinator, ToReplicator, Version, Vote};
use std::collections::BTreeMap;
use two_phase::coordinator::{CoordinatorRecord, Decision, Mandate};
use two_phase::replicator::ReplicatorRecord;

use crate::coordinator_node::CoordinatorNode;
use crate::replicator_node::ReplicatorNode;

/// A rule that was broken, and how.
pub(crate) type Broken = String;

/// The facts of a run.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Facts {
    outcomes: BTreeMap<RoundId, Outcome>,
    decisions: BTreeMap<Version, Decision>,
    /// The newest version that a client was told of.
    acknowledged: Version,
    pub committed: u8,
    pub aborted: u8,
    pub highest_open_epoch: u64,
}

impl Facts {
    /// Rule Agreement.
    fn ends(&mut self, round: RoundId, outcome: Outcome) -> Result<(), Broken> {
        match self.outcomes.insert(round, outcome) {
            Some(before) if before != outcome => {
                Err(format!("Agreement: round {round} is {outcome:?}, and was {before:?}"))
            }
            Some(_) => Ok(()),
            None => {
                let count = if outcome == Outcome::Committed { &mut self.committed } else { &mut self.aborted };
                *count += 1;
                Ok(())
            }
        }
    }

    /// A coordinator has made this durable.
    pub(crate) fn coordinator_wrote(
        &mut self,
        record: &CoordinatorRecord,
        replicators: &[ReplicatorNode; 3],
    ) -> Result<(), Broken> {
        let CoordinatorRecord::Decided(decision) = record else { return Ok(()) };
        for (index, replicator) in replicators.iter().enumerate() {
            let takes_part = decision.participants.contains(&crate::coordinator_node::member(index));
            let is_it = |record: &ReplicatorRecord| matches!(record, ReplicatorRecord::Prepared(prepare) if prepare.round == decision.round);
            if takes_part && !replicator.holds(is_it) {
                return Err(format!(
                    "Validity: {} is decided, and replicator-{} does not have it",
                    decision.round,
                    index + 1
                ));
            }
        }
        let other = self.decisions.insert(decision.version, decision.clone());
        if other.is_some_and(|other| other.round != decision.round) {
            return Err(format!("Order: version {} is decided twice", decision.version));
        }
        self.ends(decision.round, Outcome::Committed)
    }

    /// A replicator has made this durable.
    pub(crate) fn replicator_wrote(&mut self, record: &ReplicatorRecord) -> Result<(), Broken> {
        match record {
            ReplicatorRecord::Committed { round } => self.ends(*round, Outcome::Committed),
            ReplicatorRecord::Aborted { round } | ReplicatorRecord::Refused { round, .. } => {
                self.ends(*round, Outcome::Aborted)
            }
            _ => Ok(()),
        }
    }

    /// A coordinator says this to a replicator.
    pub(crate) fn coordinator_said(&mut self, node: &CoordinatorNode, message: &ToReplicator) -> Result<(), Broken> {
        let decided = |round: &RoundId| {
            node.log[..node.durable]
                .iter()
                .any(|(_, record)| matches!(record, CoordinatorRecord::Decided(decision) if decision.round == *round))
        };
        match message {
            ToReplicator::Commit { round } if !decided(round) => {
                Err(format!("DurableDecision: {round} is told to be committed before it is durable"))
            }
            ToReplicator::Abort { round } => self.ends(*round, Outcome::Aborted),
            _ => Ok(()),
        }
    }

    /// A replicator says this to a coordinator.
    pub(crate) fn replicator_said(&self, node: &ReplicatorNode, message: &ToCoordinator) -> Result<(), Broken> {
        let ToCoordinator::Vote { round, vote: Vote::Commit, .. } = message else { return Ok(()) };
        let is_it = |record: &ReplicatorRecord| matches!(record, ReplicatorRecord::Prepared(prepare) if prepare.round == *round);
        if node.holds(is_it) { Ok(()) } else { Err(format!("DurableVote: a vote on {round} is not durable")) }
    }

    /// A client is told that its change is committed.
    pub(crate) fn client_told(&mut self, answers: &[CommittedAnswer]) -> Result<(), Broken> {
        for answer in answers {
            let is_decided = self.decisions.get(&answer.version).is_some_and(|decision| decision.round == answer.round);
            if !is_decided {
                return Err(format!("HonestAnswer: {} is told to be committed, and is not decided", answer.change));
            }
            self.acknowledged = self.acknowledged.max(answer.version);
        }
        Ok(())
    }

    /// A coordinator may run rounds.
    pub(crate) fn coordinator_is(&mut self, node: &CoordinatorNode) -> Result<(), Broken> {
        if *node.core.mandate() != Mandate::Open {
            return Ok(());
        }
        let epoch = node.core.epoch().0;
        let is_new = epoch > self.highest_open_epoch;
        self.highest_open_epoch = self.highest_open_epoch.max(epoch);
        if is_new && node.core.state().version < self.acknowledged {
            return Err(format!(
                "AckedNeverLost: epoch {epoch} opens at version {}, and {} was acknowledged",
                node.core.state().version,
                self.acknowledged
            ));
        }
        Ok(())
    }
}
