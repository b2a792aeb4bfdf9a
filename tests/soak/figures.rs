//! What is counted, and the line that says it.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The figures of all chapters so far.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) seed: u64,
    pub(crate) minutes: f64,
    pub(crate) chapters: u64,
    /// Changes that were answered as committed.
    pub(crate) acknowledged: usize,
    /// Changes of which the client never learned what became of them.
    pub(crate) unknown: usize,
    /// Books whose readers and writers were told things that have one order.
    pub(crate) linearizable: usize,
    /// Files that were damaged, and put right by a restore.
    pub(crate) restored: usize,
    /// How often each kind of fault came.
    pub(crate) faults: BTreeMap<&'static str, u64>,
    /// The longest time from the last fault of a chapter until all were in sync.
    pub(crate) slowest_in_sync: Duration,
    pub(crate) violations: u64,
}

impl Figures {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            minutes: 0.0,
            chapters: 0,
            acknowledged: 0,
            unknown: 0,
            linearizable: 0,
            restored: 0,
            faults: BTreeMap::new(),
            slowest_in_sync: Duration::ZERO,
            violations: 0,
        }
    }

    pub(crate) fn count(&mut self, fault: &'static str) {
        *self.faults.entry(fault).or_default() += 1;
    }

    pub(crate) fn line(&self) -> String {
        let faults: Vec<_> = self.faults.iter().map(|(kind, number)| format!("{number} {kind}")).collect();
        format!(
            "soak: seed {}, {:.1} minutes, {} chapters, {} changes acknowledged, {} unknown, {} books linearizable, {} files restored; \
             {}; in sync after {} ms at most; {} violations",
            self.seed,
            self.minutes,
            self.chapters,
            self.acknowledged,
            self.unknown,
            self.linearizable,
            self.restored,
            faults.join(", "),
            self.slowest_in_sync.as_millis(),
            self.violations
        )
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "seed": self.seed,
            "minutes": self.minutes,
            "chapters": self.chapters,
            "acknowledged": self.acknowledged,
            "unknown": self.unknown,
            "books_linearizable": self.linearizable,
            "files_restored": self.restored,
            "faults": self.faults,
            "slowest_in_sync_ms": u64::try_from(self.slowest_in_sync.as_millis()).unwrap_or(u64::MAX),
            "violations": self.violations,
        })
    }
}
