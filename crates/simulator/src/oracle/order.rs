//! Order: versions have no gaps; every copy passes through the same sequence of states.

use super::Oracle;
use crate::violation::{Held, Rule, ensure};
use protocol::{SetDigest, Version};
use two_phase::coordinator::{CoordinatorState, Decision};

impl Oracle {
    pub(super) fn decided_in_order(&mut self, decision: &Decision) -> Held {
        let next = self.version().next();
        ensure(decision.version == next, Rule::Order, || {
            format!("round {} makes version {}, but version {next} is due", decision.round, decision.version)
        })?;
        for change in &decision.changes {
            self.manifest.set(change.path, change.record(decision.version));
            self.committed_bytes.extend(change.digest.map(|digest| (change.path, digest)));
        }
        ensure(self.manifest.root() == decision.root, Rule::Order, || {
            format!("round {} names another root than its changes lead to", decision.round)
        })?;
        self.roots.insert(decision.version, decision.root);
        self.versions.insert(decision.round, decision.version);
        self.remembered.insert(decision.round);
        self.decisions.insert(decision.version, decision.clone());
        Ok(())
    }

    pub(super) fn one_version_on(&self, index: usize, before: Version) -> Held {
        let now = self.disks[index].state.version;
        ensure(now == before.next(), Rule::Order, || {
            format!("{} went from version {before} to {now} by one round", self.names[index])
        })
    }

    /// Somebody's copy is at this version, with this root.
    ///
    /// # Errors
    /// If that is no state that was ever committed.
    pub(crate) fn state_in_order(&self, name: &str, version: Version, root: SetDigest) -> Held {
        ensure(self.roots.get(&version) == Some(&root), Rule::Order, || {
            format!("{name} is at version {version} with root {root}, which no committed state has")
        })
    }

    /// The coordinator has started on its log.
    ///
    /// # Errors
    /// If it does not stand where its durable decisions end.
    pub(crate) fn coordinator_recovered(&mut self, state: &CoordinatorState) -> Held {
        if self.is_stale() {
            return Ok(());
        }
        self.acknowledged_survives(state.version)?;
        ensure(state.version == self.version(), Rule::Order, || {
            format!(
                "the coordinator starts at version {}, its log has decided version {}",
                state.version,
                self.version()
            )
        })?;
        self.state_in_order("the coordinator", state.version, state.manifest.root())?;
        self.recovers_what_is_needed(state)
    }

    /// An app-server shows a round.
    ///
    /// # Errors
    /// If it is not the one that follows what it showed before.
    pub(crate) fn app_server_moves(&self, name: &str, before: Version, after: Version) -> Held {
        ensure(after == before.next(), Rule::Order, || format!("{name} showed version {after} after version {before}"))
    }
}
