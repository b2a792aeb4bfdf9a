//! How fast a scrub reads: so many bytes a second, and a tenth of that while rounds come.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What a file costs at least: opening and hashing a small one is work, too.
const FILE_BYTES_MIN: u64 = 4_096;

/// The rate of a scrub that somebody asks for where there is none in the background.
const DEFAULT_BYTES_PER_SECOND: u64 = 4 << 20;

/// How much slower it is while rounds come.
const SLOWER_UNDER_LOAD: u32 = 10;

/// Shorter pauses are saved up: waking costs more than they bring.
const PAUSE_MIN: Duration = Duration::from_millis(5);

/// Rounds count as coming for so long after the last one.
const ROUNDS_COME: Duration = Duration::from_millis(100);

/// When the last round wrote to the log.
#[derive(Debug)]
pub(super) struct RoundActivity {
    since: Instant,
    /// Microseconds after `since`; 0: never.
    last_us: AtomicU64,
}

impl Default for RoundActivity {
    fn default() -> Self {
        Self { since: Instant::now(), last_us: AtomicU64::new(0) }
    }
}

impl RoundActivity {
    pub(super) fn note(&self, now: Instant) {
        self.last_us.store(self.microseconds(now).max(1), Ordering::Relaxed);
    }

    pub(super) fn is_recent(&self, now: Instant) -> bool {
        let last_us = self.last_us.load(Ordering::Relaxed);
        last_us > 0 && self.microseconds(now).saturating_sub(last_us) < ROUNDS_COME.as_micros() as u64
    }

    fn microseconds(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.since).as_micros()).unwrap_or(u64::MAX)
    }
}

/// What was read, in time that it should have taken.
#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_second: u64,
    due: Option<Instant>,
}

impl Pace {
    pub(super) fn new(bytes_per_second: u64) -> Self {
        let bytes_per_second = if bytes_per_second == 0 { DEFAULT_BYTES_PER_SECOND } else { bytes_per_second };
        Self { bytes_per_second, due: None }
    }

    /// How long to pause after so many bytes; none if it is not worth it yet. Time in which nothing was read is not made up for.
    pub(super) fn pause_after(&mut self, bytes: u64, under_load: bool, now: Instant) -> Option<Duration> {
        let seconds = bytes.max(FILE_BYTES_MIN) as f64 / self.bytes_per_second as f64;
        let cost = Duration::from_secs_f64(seconds) * if under_load { SLOWER_UNDER_LOAD } else { 1 };
        let due = self.due.map_or(now, |due| due.max(now)) + cost;
        self.due = Some(due);
        Some(due - now).filter(|pause| *pause >= PAUSE_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn small_files_are_limited_too_and_short_pauses_are_saved_up() {
        let (mut pace, now) = (Pace::new(FILE_BYTES_MIN * 1_000), Instant::now());
        let pauses: Vec<_> = (0..5).map(|_| pace.pause_after(1, false, now)).collect();
        assert_eq!(pauses, [None, None, None, None, Some(5 * MILLISECOND)]);
        // It has slept for that long: nothing is owed.
        assert_eq!(pace.pause_after(1, false, now + 5 * MILLISECOND), None);
    }

    #[test]
    fn a_large_file_costs_what_it_has_and_ten_times_as_much_while_rounds_come() {
        let (mut pace, now) = (Pace::new(1_000_000), Instant::now());
        assert_eq!(pace.pause_after(20_000, false, now), Some(20 * MILLISECOND));
        let later = now + 500 * MILLISECOND;
        assert_eq!(pace.pause_after(20_000, true, later), Some(200 * MILLISECOND));
    }

    #[test]
    fn time_in_which_nothing_was_read_is_not_made_up_for() {
        let (mut pace, now) = (Pace::new(1_000_000), Instant::now());
        pace.pause_after(20_000, false, now);
        assert_eq!(pace.pause_after(20_000, false, now + Duration::from_secs(60)), Some(20 * MILLISECOND));
    }

    #[test]
    fn rounds_come_until_a_while_after_the_last_one() {
        let activity = RoundActivity::default();
        let now = Instant::now();
        assert!(!activity.is_recent(now));
        activity.note(now);
        assert!(activity.is_recent(now + 99 * MILLISECOND));
        assert!(!activity.is_recent(now + 101 * MILLISECOND));
    }
}
