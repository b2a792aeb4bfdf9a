//! The time as people see it. Nothing is ever ordered or timed by it.

use catalogue::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds of Unix time; 0 where the clock is set before 1970.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The present moment.
pub(crate) fn now() -> Timestamp {
    timestamp(unix_ms())
}

/// A moment as it is written in answers; moments beyond the year 9999 are shown as its end.
pub(crate) fn timestamp(unix_ms: u64) -> Timestamp {
    i64::try_from(unix_ms).ok().and_then(Timestamp::from_unix_millis).unwrap_or(Timestamp::MAX)
}

/// The same as text.
pub(crate) fn text(unix_ms: u64) -> String {
    timestamp(unix_ms).to_string()
}
