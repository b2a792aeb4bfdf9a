//! Validity: commit only if every participant voted commit, that is, has the round on its disk.

use super::Oracle;
use crate::violation::{Held, Rule, ensure};
use two_phase::coordinator::Decision;

impl Oracle {
    pub(super) fn decided_validly(&self, decision: &Decision) -> Held {
        let round = decision.round;
        ensure(!decision.participants.is_empty(), Rule::Validity, || format!("round {round} has no participants"))?;
        let prepared = self.prepared.get(&round);
        for member in &decision.participants {
            let index = self.names.iter().position(|name| name == member);
            let has = index.is_some_and(|index| prepared.is_some_and(|prepared| prepared.contains(&index)));
            ensure(has, Rule::Validity, || {
                format!("round {round} is decided, but {member} never had it on its disk as prepared")
            })?;
        }
        Ok(())
    }
}
