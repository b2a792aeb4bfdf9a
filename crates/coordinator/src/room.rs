//! Whether the coordinator's disk has room for what a round needs: looked at in each turn, before a round is begun.
//!
//! Owns what was found last. What follows from it is the core's to decide.

use crate::effects::Effects;
use std::time::{Duration, Instant};
use storage::DataDirectory;
use storage::log::NextSegment;

/// How often the system is asked for free bytes. The log is asked each time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What was found last.
#[derive(Debug)]
pub(crate) struct Room {
    reserve_bytes: u64,
    looked: Option<(Instant, u64)>,
    lack: Option<String>,
}

impl Room {
    pub(crate) fn new(reserve_bytes: u64) -> Self {
        Self { reserve_bytes, looked: None, lack: None }
    }

    /// None if it is as before; otherwise why there is no room, as a clause, or none if there is.
    pub(crate) fn look(&mut self, directory: &DataDirectory, effects: &Effects) -> Option<Option<String>> {
        let free_bytes = self.free_bytes(directory);
        let lack = match effects.next_segment() {
            NextSegment::Failed(reason) => Some(format!("its next log segment cannot be made ({reason})")),
            _ if free_bytes < self.reserve_bytes => {
                Some(format!("{free_bytes} bytes are free, and {} are kept for what must be", self.reserve_bytes))
            }
            NextSegment::Ready | NextSegment::Preparing => None,
        };
        let is_new = lack != self.lack;
        self.lack.clone_from(&lack);
        is_new.then_some(lack)
    }

    fn free_bytes(&mut self, directory: &DataDirectory) -> u64 {
        if let Some((_, free_bytes)) = self.looked.filter(|(at, _)| at.elapsed() < LOOK_EVERY) {
            return free_bytes;
        }
        let free_bytes = directory.free_bytes();
        self.looked = Some((Instant::now(), free_bytes));
        metrics::gauge!("concordance_disk_free_bytes").set(free_bytes as f64);
        free_bytes
    }
}
