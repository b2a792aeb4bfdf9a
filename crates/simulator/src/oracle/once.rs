//! Once: a change id is applied at most once and gets the first answer.

use super::{CommittedFact, Oracle};
use crate::violation::{Held, Rule, ensure};
use protocol::{ChangeState, CommittedAnswer, QueryAnswer};
use two_phase::coordinator::Decision;

impl Oracle {
    pub(super) fn decided_once(&mut self, decision: &Decision, now_us: u64) -> Held {
        for change in &decision.changes {
            if let Some(first) = self.committed.get(&change.id) {
                // Answers are kept for a time; who sends a change again after it sends a new one.
                let remembered = !first.forgotten && now_us.saturating_sub(first.decided_us) < self.retention_us;
                ensure(!remembered, Rule::Once, || {
                    format!(
                        "change {} is committed by round {} and again by {}",
                        change.id, first.round, decision.round
                    )
                })?;
            }
            let fact = CommittedFact {
                fingerprint: change.fingerprint,
                version: decision.version,
                round: decision.round,
                path: change.path,
                digest: change.digest,
                answer: change.answer.clone(),
                decided_us: now_us,
                forgotten: false,
            };
            self.committed.insert(change.id.clone(), fact);
        }
        Ok(())
    }

    pub(super) fn repeats_the_first_answer(&self, answer: &CommittedAnswer) -> Held {
        let first = self.committed.get(&answer.change);
        let same = first.is_some_and(|first| {
            (first.round, first.version, first.path, first.digest)
                == (answer.round, answer.version, answer.path, answer.digest)
                && first.answer == answer.answer
        });
        ensure(same, Rule::Once, || format!("change {} is answered {answer:?}, first {first:?}", answer.change))
    }

    pub(super) fn knows_its_changes(&self, answer: &QueryAnswer) -> Held {
        match answer {
            QueryAnswer::Change { state: ChangeState::Committed(answer) } => self.repeats_the_first_answer(answer),
            _ => Ok(()),
        }
    }
}
