//! NoStaleCoordinator: a coordinator on an old copy of its log presumes nothing and starts no round; one on the newest log is
//! never stopped.

use super::Oracle;
use crate::violation::{Held, Rule, ensure};
use protocol::ToReplicator;
use two_phase::coordinator::CoordinatorRecord;

impl Oracle {
    /// The coordinator is started on an old copy of its log, or that is over.
    pub(crate) fn runs_on_old_copy(&mut self, stale: bool) {
        self.stale = stale;
        self.stale_epochs_seen = self.stale_epochs_seen || stale;
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

    /// The coordinator says that it needs recovery.
    ///
    /// # Errors
    /// If there is no reason for it: its log is the newest, and no other coordinator ran.
    pub(crate) fn asks_for_recovery(&self, reason: &str) -> Held {
        ensure(self.stale || self.stale_epochs_seen, Rule::NoStaleCoordinator, || {
            format!("the coordinator on its newest log asks for recovery: {reason}")
        })
    }
}
