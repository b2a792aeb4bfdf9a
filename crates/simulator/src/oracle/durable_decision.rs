//! DurableDecision: nobody hears of a decision, or of a state, that is not in the coordinator's durable log.

use super::Oracle;
use crate::violation::{Held, Rule, ensure};
use protocol::{CommittedRound, Prepare, RoundId, SetDigest, SubmissionAnswer, ToLearner, Version};

impl Oracle {
    pub(super) fn commits_what_is_decided(&self, round: RoundId) -> Held {
        ensure(self.versions.contains_key(&round), Rule::DurableDecision, || {
            format!("the coordinator says that round {round} is committed, but its log does not hold the decision")
        })
    }

    pub(super) fn tells_what_is_decided(&self, round: &CommittedRound) -> Held {
        self.commits_what_is_decided(round.round)?;
        let same = self.decisions.get(&round.version).is_some_and(|decision| {
            let changes = decision.changes.iter().map(|change| (&change.id, change.path, change.digest));
            let told = round.changes.iter().map(|change| (&change.id, change.path, change.action.digest()));
            decision.round == round.round && decision.root == round.root && changes.eq(told)
        });
        ensure(same, Rule::DurableDecision, || {
            format!("what app-servers are told of round {} is not what the decision in the log says", round.round)
        })
    }

    pub(super) fn answers_what_is_decided(&self, answer: &SubmissionAnswer) -> Held {
        let SubmissionAnswer::Committed { answers } = answer else { return Ok(()) };
        for answer in answers {
            self.commits_what_is_decided(answer.round)?;
            self.repeats_the_first_answer(answer)?;
        }
        Ok(())
    }

    pub(super) fn confirms_what_is_decided(&self, version: Version, root: SetDigest) -> Held {
        ensure(self.roots.get(&version) == Some(&root) && version == self.version(), Rule::DurableDecision, || {
            format!("the coordinator confirms version {version}, its log ends at version {}", self.version())
        })
    }

    pub(super) fn leads_to_what_is_decided(&self, step: &ToLearner) -> Held {
        let ToLearner::Compare { target, .. } = step else { return Ok(()) };
        ensure(self.roots.get(&target.version) == Some(&target.root), Rule::DurableDecision, || {
            format!("a catch-up leads to version {}, which the log does not hold", target.version)
        })
    }

    pub(super) fn prepares_on_what_is_decided(&self, prepare: &Prepare) -> Held {
        let base = self.roots.get(&prepare.base_version);
        ensure(
            base == Some(&prepare.base_root) && prepare.base_version == self.version(),
            Rule::DurableDecision,
            || format!("{} builds on a state that the log does not hold", self.refers_to(prepare)),
        )
    }
}
