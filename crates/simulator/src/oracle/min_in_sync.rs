//! MinInSync: the in-sync set is never smaller than the minimum, and the minimum is a majority of the registered voters; a round
//! is decided by exactly those who are in sync.

use super::Oracle;
use crate::violation::{Held, Rule, ensure};
use protocol::{CommitPolicy, MemberId, View};
use two_phase::coordinator::Decision;

impl Oracle {
    pub(super) fn leaves_enough(view: &View) -> Held {
        let (in_sync, voters) = (view.in_sync().count() as u64, view.voters().count() as u64);
        ensure(2 * view.min_in_sync > voters, Rule::MinInSync, || {
            format!("view {} asks for {} of {voters} voters, which is no majority", view.number, view.min_in_sync)
        })?;
        ensure(in_sync >= view.min_in_sync, Rule::MinInSync, || {
            format!("view {} has {in_sync} members in sync, and asks for {}", view.number, view.min_in_sync)
        })
    }

    pub(super) fn decided_by_enough(&self, decision: &Decision) -> Held {
        let Some(view) = self.views.get(&decision.view) else { return Ok(()) };
        let needed: Vec<MemberId> = match view.policy {
            CommitPolicy::All => view.voters().map(|member| member.id.clone()).collect(),
            CommitPolicy::InSync => view.in_sync().map(|member| member.id.clone()).collect(),
        };
        ensure(decision.participants == needed, Rule::MinInSync, || {
            format!(
                "round {} is decided by {:?}, but view {} needs {needed:?}",
                decision.round, decision.participants, view.number
            )
        })
    }
}
