//! What this replicator tells a coordinator that is without its log. Nothing is changed by it, so that it is told to any.

use super::Replicator;
use protocol::{Decision, ManifestEntry, Prepare, RecoveryAnswer, RecoveryQuestion, ToCoordinator};
use std::collections::VecDeque;

/// Most manifest entries in one message.
const ENTRIES_MAX: usize = 4_096;

/// How many changes are remembered of the newest committed rounds.
const CHANGES_MAX: usize = 4_096;

/// The newest rounds that were committed here since the last checkpoint: with the coordinator's log their answers would be lost,
/// and a client that sends a change again would be told that it was refused.
#[derive(Debug, Clone, Hash, Default)]
pub(super) struct RecentDecisions {
    decisions: VecDeque<Decision>,
    changes: usize,
}

impl RecentDecisions {
    pub(super) fn note(&mut self, prepare: &Prepare) {
        self.changes += prepare.changes.len();
        self.decisions.push_back(Decision::of(prepare, 0));
        while self.changes > CHANGES_MAX
            && let Some(oldest) = self.decisions.pop_front()
        {
            self.changes -= oldest.changes.len();
        }
    }
}

impl Replicator {
    pub(super) fn answer_recovery(&mut self, question: RecoveryQuestion) {
        match question {
            RecoveryQuestion::Prepared => {
                let prepare = self.state.prepared.clone().map(Box::new);
                self.send(ToCoordinator::Recovery(RecoveryAnswer::Prepared { prepare }));
            }
            RecoveryQuestion::Manifest => self.tell_manifest(),
        }
    }

    fn tell_manifest(&mut self) {
        let decisions = self.recent.decisions.iter().cloned().collect();
        self.send(ToCoordinator::Recovery(RecoveryAnswer::Decisions { decisions }));
        let version = self.state.version;
        let entries = self.state.manifest.entries();
        let entries: Vec<_> = entries.map(|(path, record)| ManifestEntry { path: *path, record: *record }).collect();
        let mut parts: Vec<_> = entries.chunks(ENTRIES_MAX).map(<[_]>::to_vec).collect();
        if parts.is_empty() {
            parts.push(Vec::new());
        }
        let count = parts.len();
        for (index, entries) in parts.into_iter().enumerate() {
            let last = index + 1 == count;
            self.send(ToCoordinator::Recovery(RecoveryAnswer::Manifest { version, entries, last }));
        }
    }
}
