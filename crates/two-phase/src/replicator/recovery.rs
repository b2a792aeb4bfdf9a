//! What this replicator tells a coordinator that is without its log. Nothing is changed by it, so that it is told to any.

use super::Replicator;
use protocol::{ManifestEntry, RecoveryAnswer, RecoveryQuestion, ToCoordinator};

/// Most manifest entries in one message.
const ENTRIES_MAX: usize = 4_096;

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
