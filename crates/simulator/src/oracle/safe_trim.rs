//! SafeTrim: nothing that somebody may still ask for is forgotten.

use super::Oracle;
use crate::violation::{Held, Rule, ensure};
use protocol::{MemberId, RoundId};
use two_phase::coordinator::{CoordinatorState, Decision, Verdict};

impl Oracle {
    /// The coordinator's state after a step: what it forgot, every participant holds durably, or has lost with its memory.
    ///
    /// # Errors
    /// If somebody may still ask.
    pub(crate) fn forgets_only_what_all_hold(&mut self, state: &CoordinatorState) -> Held {
        if self.is_stale() || self.remembered.is_empty() {
            return Ok(());
        }
        let applied = |round: &RoundId| *round <= state.last_decision;
        let is_forgotten = |round: &RoundId| !matches!(state.retained.verdict(*round), Verdict::Committed(_));
        let forgotten: Vec<_> =
            self.remembered.iter().filter(|round| applied(round) && is_forgotten(round)).copied().collect();
        for round in forgotten {
            self.nobody_asks(round, &self.decisions[&self.versions[&round]])?;
            self.remembered.remove(&round);
        }
        Ok(())
    }

    fn memory_counts(&self, member: &MemberId) -> bool {
        let (_, view) = self.views.last_key_value().expect("there is a first view");
        view.member(member).is_some_and(|member| member.incarnation.is_some())
    }

    fn nobody_asks(&self, round: RoundId, decision: &Decision) -> Held {
        // Who is no member any more, or was let in anew, catches up instead of asking.
        let still_asks = |member: &&MemberId| self.memory_counts(member);
        for member in decision.participants.iter().filter(still_asks) {
            let Some(index) = self.names.iter().position(|name| name == member) else { continue };
            let disk = &self.disks[index];
            ensure(disk.state.version >= decision.version || disk.lost, Rule::SafeTrim, || {
                format!("the decision on round {round} is forgotten, but {member} is at version {}", disk.state.version)
            })?;
        }
        Ok(())
    }

    /// What a coordinator has recovered: decisions that somebody has not made durable, and answers that clients may ask for.
    pub(super) fn recovers_what_is_needed(&self, state: &CoordinatorState) -> Held {
        for (round, version) in &self.versions {
            let asked = self.nobody_asks(*round, &self.decisions[version]).is_err();
            let known = !matches!(state.retained.verdict(*round), Verdict::NoDecision);
            ensure(!asked || known, Rule::SafeTrim, || {
                format!("round {round} is committed and somebody may ask, but after a restart there is no decision")
            })?;
        }
        Ok(())
    }

    /// Answers that are within the retention time are there.
    ///
    /// # Errors
    /// If one is missing.
    pub(crate) fn keeps_answers(&self, state: &CoordinatorState, now_us: u64) -> Held {
        let missing = self.committed.iter().find(|(change, fact)| {
            let is_due = !fact.forgotten && now_us.saturating_sub(fact.decided_us) + 1_000 < self.retention_us;
            is_due && state.answers.answer(change).is_none()
        });
        ensure(self.is_stale() || self.predecessor || missing.is_none(), Rule::SafeTrim, || {
            format!(
                "the answer of change {} is forgotten too early",
                missing.map(|(id, _)| id.to_string()).unwrap_or_default()
            )
        })
    }
}
