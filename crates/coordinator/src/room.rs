//! Whether the coordinator's disk has room for what a round needs: looked at now and then, before a round is begun.
//!
//! Owns when it was looked at last. What follows from it is the core's to decide.

use crate::effects::Effects;
use std::time::{Duration, Instant};
use storage::DataDirectory;
use storage::log::NextSegment;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// When it was looked at last.
#[derive(Debug)]
pub(crate) struct Room {
    reserve_bytes: u64,
    looked: Option<Instant>,
}

impl Room {
    pub(crate) fn new(reserve_bytes: u64) -> Self {
        Self { reserve_bytes, looked: None }
    }

    /// None if it is not time yet; otherwise why there is no room, as a clause, or none if there is.
    pub(crate) fn look(&mut self, directory: &DataDirectory, effects: &Effects) -> Option<Option<String>> {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return None;
        }
        self.looked = Some(Instant::now());
        let free_bytes = directory.free_bytes();
        metrics::gauge!("concordance_disk_free_bytes").set(free_bytes as f64);
        Some(match effects.next_segment() {
            NextSegment::Failed(reason) => Some(format!("its next log segment cannot be made ({reason})")),
            _ if free_bytes < self.reserve_bytes => {
                Some(format!("{free_bytes} bytes are free, and {} are kept for what must be", self.reserve_bytes))
            }
            NextSegment::Ready | NextSegment::Preparing => None,
        })
    }
}
