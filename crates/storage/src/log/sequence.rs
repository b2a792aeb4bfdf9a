//! [`LogSequence`], the number of a record.

use std::fmt;

/// The number of a record in a log: 1, 2, 3 … without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogSequence(u64);

impl LogSequence {
    /// Before the first record: what an empty log has made durable.
    pub const ZERO: LogSequence = LogSequence(0);
    /// The first record.
    pub const FIRST: LogSequence = LogSequence(1);

    /// The record with this number.
    pub const fn new(number: u64) -> LogSequence {
        LogSequence(number)
    }

    /// The number itself, for a checkpoint that says what it covers.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The record after this one.
    pub const fn next(self) -> LogSequence {
        LogSequence(self.0.saturating_add(1))
    }

    pub(crate) const fn previous(self) -> LogSequence {
        LogSequence(self.0.saturating_sub(1))
    }
}

impl fmt::Display for LogSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
