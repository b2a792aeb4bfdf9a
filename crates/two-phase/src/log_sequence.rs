//! Log records by number, and what may be said only once they are durable.
//!
//! This is where "disk before word" is upheld (rules DurableVote and DurableDecision): what depends on a record is put into
//! an [`AwaitingDurable`] together with the record, and comes out when the log says that the record is durable. There is no
//! other way out of it.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The number of a record in one log. The first has 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogSequence(pub u64);

impl LogSequence {
    /// Before the first record.
    pub const ZERO: Self = Self(0);

    /// The number of the record that follows.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// How soon a record must be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncWhen {
    /// Somebody waits for it.
    Now,
    /// It may share the sync of the next record that somebody waits for; a few milliseconds at most.
    Soon,
}

/// Things to do when the records that they depend on are durable, in the order of the records.
#[derive(Debug, Clone, Hash)]
pub struct AwaitingDurable<T> {
    last_appended: LogSequence,
    durable: LogSequence,
    waiting: VecDeque<(LogSequence, T)>,
}

impl<T> AwaitingDurable<T> {
    /// Continues a log whose last record is `last`, and durable.
    #[must_use]
    pub fn after(last: LogSequence) -> Self {
        Self { last_appended: last, durable: last, waiting: VecDeque::new() }
    }

    /// Takes the number for the next record, and what to do once it is durable.
    pub fn append(&mut self, then: T) -> LogSequence {
        self.last_appended = self.last_appended.next();
        self.waiting.push_back((self.last_appended, then));
        self.last_appended
    }

    /// What to do once all that was appended so far is durable. Given back if it is already.
    pub fn after_all(&mut self, then: T) -> Option<T> {
        if self.durable == self.last_appended {
            return Some(then);
        }
        self.waiting.push_back((self.last_appended, then));
        None
    }

    /// Notes that all records up to `through` are durable, and takes out what waited for them.
    pub fn durable(&mut self, through: LogSequence) -> Vec<T> {
        debug_assert!(through <= self.last_appended, "a record that was never appended cannot be durable");
        self.durable = self.durable.max(through);
        let ready = self.waiting.iter().take_while(|(sequence, _)| *sequence <= through).count();
        self.waiting.drain(..ready).map(|(_, then)| then).collect()
    }

    /// The last record that was appended, durable or not.
    #[must_use]
    pub fn last_appended(&self) -> LogSequence {
        self.last_appended
    }

    /// The last record that is known to be durable.
    #[must_use]
    pub fn last_durable(&self) -> LogSequence {
        self.durable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_comes_out_before_its_record_is_durable() {
        let mut awaiting = AwaitingDurable::after(LogSequence(7));
        assert_eq!(awaiting.append("vote"), LogSequence(8));
        assert_eq!(awaiting.append("acknowledge"), LogSequence(9));
        assert_eq!(awaiting.durable(LogSequence(7)), Vec::<&str>::new());
        assert_eq!(awaiting.durable(LogSequence(8)), ["vote"]);
        assert_eq!(awaiting.durable(LogSequence(8)), Vec::<&str>::new());
        assert_eq!(awaiting.durable(LogSequence(9)), ["acknowledge"]);
    }

    #[test]
    fn what_rests_on_all_records_waits_for_the_last_one() {
        let mut awaiting = AwaitingDurable::after(LogSequence(7));
        assert_eq!(awaiting.after_all("at once"), Some("at once"));
        awaiting.append("vote");
        assert_eq!(awaiting.after_all("acknowledge"), None);
        assert_eq!(awaiting.durable(LogSequence(8)), ["vote", "acknowledge"]);
    }
}
