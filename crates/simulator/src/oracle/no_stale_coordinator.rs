//! NoStaleCoordinator: a coordinator on an old copy of its log presumes nothing and starts no round; one on the newest log is
//! never stopped.

use super::{Disk, Oracle};
use crate::violation::{Held, Rule, ensure};
use protocol::{Outcome, ToReplicator};
use two_phase::coordinator::{CoordinatorRecord, CoordinatorState};

impl Oracle {
    /// The coordinator is started on an old copy of its log, or that is over.
    pub(crate) fn runs_on_old_copy(&mut self, stale: bool) {
        self.is_unsure(stale);
    }

    /// The coordinator must not believe what is on its disk, or may again.
    pub(crate) fn is_unsure(&mut self, unsure: bool) {
        self.stale = unsure;
        self.stale_epochs_seen = self.stale_epochs_seen || unsure;
    }

    /// What follows is done by a coordinator that hung and has a successor, or no more so.
    pub(crate) fn hears_predecessor(&mut self, predecessor: bool) {
        self.predecessor = predecessor;
    }

    pub(super) fn is_stale(&self) -> bool {
        self.stale && !self.predecessor
    }

    /// An operator had the coordinator recovered: it starts on this state.
    ///
    /// # Errors
    /// If anything is missing there that was decided.
    pub(crate) fn recovered_by_order(&mut self, state: &CoordinatorState, now_us: u64) -> Held {
        self.is_unsure(false);
        // The newest round may be one that nobody had decided; the views and epochs that nobody had heard of never were.
        if state.version == self.version().next()
            && let Some(decision) = state.recovered().last()
        {
            // A participant that has forgotten whether it voted cannot keep a round from being committed that may have been, and nor
            // can words that no replicator has heard, or none has on its disk.
            let decision = decision.clone();
            self.decided_as_asked(&decision)?;
            self.decided_in_order(&decision)?;
            self.decided_once(&decision, now_us)?;
            let knows = |disk: &Disk| disk.state.outcomes.of(decision.round).is_some();
            if !self.disks.iter().any(knows) {
                self.outcomes.remove(&decision.round);
            }
            self.hold(decision.round, Outcome::Committed, "the operator's order")?;
        }
        self.views.retain(|number, _| *number < state.view.number);
        self.views.insert(state.view.number, state.view.clone());
        Self::leaves_enough(&state.view)?;
        self.epochs.retain(|epoch, _| *epoch <= state.epoch);
        self.remembered.clear();
        for (change, fact) in &mut self.committed {
            fact.forgotten |= state.answers.answer(change).is_none();
        }
        self.coordinator_recovered(state)
    }

    pub(super) fn stale_record(&self, record: &CoordinatorRecord) -> Held {
        let decides = matches!(record, CoordinatorRecord::Decided(_));
        ensure(!decides, Rule::NoStaleCoordinator, || "a decision is made on an old copy of the log".to_owned())
    }

    pub(super) fn stale_word(&self, message: &ToReplicator) -> Held {
        let presumed = match message {
            ToReplicator::Prepare(prepare) => Some(format!("begins {}", self.refers_to(prepare))),
            ToReplicator::Abort { round } => Some(format!("aborts round {round}")),
            ToReplicator::Commit { round } => {
                (!self.versions.contains_key(round)).then(|| format!("commits round {round}"))
            }
            ToReplicator::CatchUp(_) => Some("leads a catch-up".to_owned()),
            _ => None,
        };
        ensure(presumed.is_none(), Rule::NoStaleCoordinator, || {
            format!("a coordinator on an old copy of its log {}", presumed.unwrap_or_default())
        })
    }

    /// A coordinator that has a successor may go on as if nothing had happened; but what it says to be committed is.
    pub(super) fn predecessors_word(&self, message: &ToReplicator) -> Held {
        match message {
            ToReplicator::Commit { round } => self.commits_what_is_decided(*round),
            _ => Ok(()),
        }
    }

    /// The coordinator says that it needs recovery.
    ///
    /// # Errors
    /// If there is no reason for it: its log is the newest, and no other coordinator ran.
    pub(crate) fn asks_for_recovery(&self, reason: &str) -> Held {
        ensure(self.stale_epochs_seen, Rule::NoStaleCoordinator, || {
            format!("the coordinator on its newest log asks for recovery: {reason}")
        })
    }
}
