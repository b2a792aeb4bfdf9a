//! Since when a voter is missing, and how soon one that was evicted may come in again.
//!
//! A replicator that is slow or whose connection breaks again and again would make the cluster flap: each eviction and each
//! return is a change of the view, and the round that it was missed in is run twice. So each time that it did not stay, it waits
//! twice as long.

/// How long a voter must have stayed for an eviction not to count against it, in milliseconds: one that was only gone, and one
/// that was too slow.
const STAYED_MS: u64 = 2_000;
const STAYED_IN_TIME_MS: u64 = 60_000;

/// The first wait and the longest one, in milliseconds.
const WAIT_MS: u64 = 500;
const WAIT_MAX_MS: u64 = 30_000;

/// When one voter was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Attendance {
    /// Since when it could not take part; none while it can.
    missing_since_ms: Option<u64>,
    /// Since when it takes part; none if it does not, or did before this coordinator started.
    joined_at_ms: Option<u64>,
    /// It is missing because it was too slow, or could not take a round.
    slow: bool,
    strikes: u32,
    may_return_from_ms: u64,
}

impl Attendance {
    /// Notes that it cannot take part now. Returns since when.
    pub(super) fn miss(&mut self, now_ms: u64) -> u64 {
        *self.missing_since_ms.get_or_insert(now_ms)
    }

    pub(super) fn is_there(&mut self) {
        self.missing_since_ms = None;
    }

    pub(super) fn missing_since_ms(&self) -> Option<u64> {
        self.missing_since_ms
    }

    /// Notes that it was too slow, or could not take a round.
    pub(super) fn was_slow(&mut self) {
        self.slow = true;
    }

    /// Notes that it takes part from now on.
    pub(super) fn join(&mut self, now_ms: u64) {
        (self.joined_at_ms, self.missing_since_ms, self.slow) = (Some(now_ms), None, false);
    }

    /// Notes that the cluster goes on without it.
    pub(super) fn evict(&mut self, now_ms: u64) {
        let stayed_ms = self.joined_at_ms.take().map_or(u64::MAX, |joined_at_ms| now_ms.saturating_sub(joined_at_ms));
        let (slow, enough_ms) = (self.slow, if self.slow { STAYED_IN_TIME_MS } else { STAYED_MS });
        let before = if stayed_ms >= enough_ms { 0 } else { self.strikes + 1 };
        self.strikes = before.max(u32::from(slow));
        let wait_ms = if self.strikes == 0 { 0 } else { (WAIT_MS << self.strikes.min(16)).min(WAIT_MAX_MS) };
        self.may_return_from_ms = now_ms + wait_ms;
        (self.missing_since_ms, self.slow) = (None, false);
    }

    /// When it may come in again, in milliseconds of the monotonic clock.
    pub(super) fn may_return_from_ms(&self) -> u64 {
        self.may_return_from_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evicted_after(attendance: &mut Attendance, now_ms: &mut u64, stayed_ms: u64, slow: bool) -> u64 {
        attendance.join(*now_ms);
        *now_ms += stayed_ms;
        if slow {
            attendance.was_slow();
        }
        attendance.evict(*now_ms);
        attendance.may_return_from_ms() - *now_ms
    }

    #[test]
    fn one_that_was_only_gone_may_return_at_once_unless_it_does_not_stay() {
        let (mut attendance, mut now_ms) = (Attendance::default(), 1_000);
        assert_eq!(evicted_after(&mut attendance, &mut now_ms, 5_000, false), 0);
        assert_eq!(evicted_after(&mut attendance, &mut now_ms, 10, false), 1_000);
        assert_eq!(evicted_after(&mut attendance, &mut now_ms, 10, false), 2_000);
        assert_eq!(evicted_after(&mut attendance, &mut now_ms, 5_000, false), 0);
    }

    #[test]
    fn one_that_is_slow_again_and_again_waits_twice_as_long_each_time() {
        let (mut attendance, mut now_ms) = (Attendance::default(), 1_000);
        let waits: Vec<_> = (0..8).map(|_| evicted_after(&mut attendance, &mut now_ms, 100, true)).collect();
        assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        assert_eq!(evicted_after(&mut attendance, &mut now_ms, 100_000, true), 1_000);
    }
}
