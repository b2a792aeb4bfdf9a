//! A log on a simulated disk: records are appended, become durable by a sync, and a crash takes what was not synced.

use crate::random::Random;
use crate::violation::{Held, Rule, ensure};
use std::collections::VecDeque;
use two_phase::LogSequence;

/// A log with its checkpoint.
#[derive(Debug, Clone)]
pub(crate) struct SimulatedLog<R> {
    records: VecDeque<(LogSequence, R)>,
    last: LogSequence,
    durable: LogSequence,
    torn: bool,
    checkpoint: Option<(LogSequence, String)>,
    /// The records that a running sync will make durable.
    sync_running: Option<LogSequence>,
}

/// What a crash left of a log's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLoss<R> {
    /// Records that nobody knew to be durable, but are.
    pub(crate) survived: Vec<(LogSequence, R)>,
    /// Number of records that are gone.
    pub(crate) lost: u64,
    /// Whether a torn one is found at the end.
    pub(crate) torn: bool,
}

impl<R: Clone> SimulatedLog<R> {
    /// An empty log.
    pub(crate) fn new() -> Self {
        Self {
            records: VecDeque::new(),
            last: LogSequence::ZERO,
            durable: LogSequence::ZERO,
            torn: false,
            checkpoint: None,
            sync_running: None,
        }
    }

    /// Writes a record, which is not durable yet. Its number must be the next one.
    ///
    /// # Errors
    /// If the core and the log number records differently.
    pub(crate) fn append(&mut self, sequence: LogSequence, record: R) -> Held {
        let next = self.last.next();
        ensure(sequence == next, Rule::Contract, || {
            format!("the core appends record {}, but the log is at {}", sequence.0, next.0)
        })?;
        self.records.push_back((sequence, record));
        self.last = sequence;
        Ok(())
    }

    /// Begins a sync of all records, unless one is running or there is nothing to sync. Returns whether it did.
    pub(crate) fn begin_sync(&mut self) -> bool {
        let begins = self.sync_running.is_none() && self.last > self.durable;
        if begins {
            self.sync_running = Some(self.last);
        }
        begins
    }

    /// The running sync ends; returns what it makes durable.
    pub(crate) fn end_sync(&mut self) -> Option<LogSequence> {
        self.sync_running.take()
    }

    /// Makes records durable; returns those that became so.
    pub(crate) fn sync(&mut self, through: LogSequence) -> Vec<(LogSequence, R)> {
        let before = self.durable;
        self.durable = self.durable.max(through);
        // What a torn tail left behind is gone once something durable stands there.
        self.torn = self.torn && self.durable == before;
        let newly = self.records.iter().filter(|(sequence, _)| *sequence > before && *sequence <= through);
        newly.cloned().collect()
    }

    /// The last record.
    pub(crate) fn last(&self) -> LogSequence {
        self.last
    }

    /// The last durable record.
    pub(crate) fn durable(&self) -> LogSequence {
        self.durable
    }

    /// Whether the log ends in a torn record.
    pub(crate) fn is_torn(&self) -> bool {
        self.torn
    }

    /// The process stops. Of what was not synced, some beginning may have reached the disk.
    pub(crate) fn crash(&mut self, random: &mut Random) -> LogLoss<R> {
        let unsynced = self.last.0 - self.durable.0;
        let kept = if unsynced == 0 { 0 } else { random.below(unsynced + 1) };
        let lost = unsynced - kept;
        for _ in 0..lost {
            self.records.pop_back();
        }
        self.last = LogSequence(self.last.0 - lost);
        let survived = self.sync(self.last);
        let torn = lost > 0 && random.per_mille(500);
        self.torn = self.torn || torn;
        self.sync_running = None;
        LogLoss { survived, lost, torn }
    }

    /// A copy of what is durable.
    pub(crate) fn synced_copy(&self) -> Self {
        let mut copy = self.clone();
        copy.records.retain(|(sequence, _)| *sequence <= self.durable);
        (copy.last, copy.sync_running) = (self.durable, None);
        copy
    }

    /// The last durable record rots, unless the checkpoint covers it: it is found torn. Returns whether it does.
    pub(crate) fn rot(&mut self) -> bool {
        let covered = self.checkpoint.as_ref().is_some_and(|(after, _)| *after >= self.last);
        let rots = !covered && self.records.pop_back().is_some();
        if rots {
            self.last = LogSequence(self.last.0 - 1);
            (self.durable, self.torn) = (self.last, true);
        }
        rots
    }

    /// Saves a checkpoint that covers all records up to `after`.
    pub(crate) fn save_checkpoint(&mut self, after: LogSequence, text: String) {
        self.checkpoint = Some((after, text));
    }

    /// The checkpoint.
    pub(crate) fn checkpoint(&self) -> Option<&(LogSequence, String)> {
        self.checkpoint.as_ref()
    }

    /// Forgets records below this one.
    pub(crate) fn trim(&mut self, below: LogSequence) {
        while self.records.front().is_some_and(|(sequence, _)| *sequence < below) {
            self.records.pop_front();
        }
    }

    /// The records that are there, oldest first.
    pub(crate) fn records(&self) -> impl DoubleEndedIterator<Item = &(LogSequence, R)> {
        self.records.iter()
    }
}

impl<R: Clone> Default for SimulatedLog<R> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crash_never_takes_a_synced_record() {
        for seed in 0..200 {
            let mut log = SimulatedLog::new();
            for number in 1..=6 {
                log.append(LogSequence(number), number).unwrap();
            }
            assert_eq!(log.sync(LogSequence(3)).len(), 3);
            let loss = log.crash(&mut Random::new(seed));
            let left: Vec<_> = log.records().map(|(_, number)| *number).collect();
            assert_eq!(left, (1..=6 - loss.lost).collect::<Vec<_>>());
            assert!(loss.lost <= 3);
        }
    }

    #[test]
    fn record_out_of_turn_is_refused() {
        let mut log = SimulatedLog::new();
        assert!(log.append(LogSequence(2), ()).is_err());
    }

    #[test]
    fn torn_tail_is_found_again_until_a_record_stands_behind_it() {
        let mut log = SimulatedLog::new();
        log.append(LogSequence(1), ()).unwrap();
        log.sync(LogSequence(1));
        assert!(log.rot());
        log.crash(&mut Random::new(1));
        assert!(log.is_torn());
        log.append(LogSequence(1), ()).unwrap();
        log.sync(LogSequence(1));
        assert!(!log.is_torn());
    }
}
