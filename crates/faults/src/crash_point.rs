//! Making a process die or freeze at a place of the [`registry`](crate::registry).
//!
//! Code calls [`reach`] at the lines where a crash is interesting. Armed by [`arm`] or, when the process runs with
//! the setting `lab`, by `CONCORDANCE_CRASH_AT=<name>[:<n>]`, the process kills itself with SIGKILL there, which no
//! handler softens: what was not synced is as lost as after `kill -9`. With `CONCORDANCE_PAUSE_AT` it stops itself with SIGSTOP
//! instead, as a process that hangs, and goes on at SIGCONT. Unarmed, a point costs one relaxed load.

use crate::{CrashPoint, NotUnderstood};
use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The environment variable that arms a crash point at the start.
pub const CRASH_AT: &str = "CONCORDANCE_CRASH_AT";

/// The environment variable that arms a point at which the process freezes.
pub const PAUSE_AT: &str = "CONCORDANCE_PAUSE_AT";

/// Long enough for a waiting message to leave the process.
const SENDING_TIME: std::time::Duration = std::time::Duration::from_millis(200);

static ANY_ARMED: AtomicBool = AtomicBool::new(false);
/// An armed point -> how many more times it must be reached, and what the last time does.
static ARMED: Mutex<BTreeMap<CrashPoint, (NonZeroU64, Deed)>> = Mutex::new(BTreeMap::new());

/// What an armed point does to its process.
#[derive(Clone, Copy)]
enum Deed {
    Kill,
    Pause,
}

/// Makes the process die the next time that it reaches the point.
pub fn arm(point: CrashPoint) {
    arm_for(point, NonZeroU64::MIN, Deed::Kill);
}

/// Makes the process die the next time that it reaches the point, and at no other; nowhere without one.
pub fn arm_only(point: Option<CrashPoint>) {
    armed().clear();
    if let Some(point) = point {
        arm(point);
    }
}

/// Where the process will die or freeze, if anywhere: the first of those points.
#[must_use]
pub fn first_armed() -> Option<CrashPoint> {
    armed().keys().next().copied()
}

/// Arms what `CONCORDANCE_CRASH_AT` and `CONCORDANCE_PAUSE_AT` name, if there is a lab.
pub(crate) fn arm_from_environment(lab: bool) -> Result<(), NotUnderstood> {
    for (variable, deed) in [(CRASH_AT, Deed::Kill), (PAUSE_AT, Deed::Pause)] {
        let Ok(text) = std::env::var(variable) else { continue };
        if !lab {
            tracing::warn!("{variable} is ignored: it is honoured only with --lab");
            continue;
        }
        let (point, nth) = parse(variable, &text)?;
        tracing::warn!(point = point.name(), nth, "this process will do what {variable} says at a crash point");
        arm_for(point, nth, deed);
    }
    Ok(())
}

fn arm_for(point: CrashPoint, nth: NonZeroU64, deed: Deed) {
    armed().insert(point, (nth, deed));
    ANY_ARMED.store(true, Ordering::Relaxed);
}

/// Says that what the point is named after has just been done: kills this process if the point is armed.
#[inline]
pub fn reach(point: CrashPoint) {
    if ANY_ARMED.load(Ordering::Relaxed)
        && let Some(deed) = due(point)
    {
        strike(point, deed);
    }
}

/// [`reach`] behind a message that was given to a link: what was sent before gets the time to leave.
#[inline]
pub fn reach_after_sending(point: CrashPoint) {
    if ANY_ARMED.load(Ordering::Relaxed)
        && let Some(deed) = due(point)
    {
        std::thread::sleep(SENDING_TIME);
        strike(point, deed);
    }
}

/// Whether the point will do something some time: for a place that exists only where something is left half done.
#[inline]
#[must_use]
pub fn is_armed(point: CrashPoint) -> bool {
    ANY_ARMED.load(Ordering::Relaxed) && armed().contains_key(&point)
}

fn due(point: CrashPoint) -> Option<Deed> {
    let mut armed = armed();
    let (remaining, deed) = armed.get_mut(&point)?;
    let deed = *deed;
    match NonZeroU64::new(remaining.get() - 1) {
        Some(fewer) => {
            *remaining = fewer;
            None
        }
        None => {
            armed.remove(&point);
            Some(deed)
        }
    }
}

fn strike(point: CrashPoint, deed: Deed) {
    let name = point.name();
    match deed {
        Deed::Kill => die(name),
        Deed::Pause => {
            eprintln!("crash point `{name}` reached: freezing this process until SIGCONT");
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
            // The signal may be another thread's to take: this one must not get ahead of it.
            std::thread::sleep(SENDING_TIME);
        }
    }
}

fn die(name: &str) -> ! {
    eprintln!("crash point `{name}` reached: killing this process");
    // Should the system refuse, abort is the next best thing: nothing after this line may run.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort();
}

fn parse(variable: &'static str, text: &str) -> Result<(CrashPoint, NonZeroU64), NotUnderstood> {
    let parts = match text.split_once(':') {
        Some((name, nth)) => name.parse().ok().zip(nth.parse().ok()),
        None => text.parse().ok().zip(Some(NonZeroU64::MIN)),
    };
    let usage = "write the name of a crash point, or name:n for the n-th time; docs/protocol.md has their names";
    parts.ok_or_else(|| NotUnderstood { variable, text: text.to_owned(), usage })
}

fn armed() -> MutexGuard<'static, BTreeMap<CrashPoint, (NonZeroU64, Deed)>> {
    // A map of counters is consistent after any panic.
    ARMED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    /// Runs in a process of its own, started by the tests below.
    #[test]
    #[ignore = "kills its process; the other tests of this module run it in a child"]
    fn child_that_reaches_a_point_three_times() {
        arm_from_environment(std::env::var("LAB").is_ok()).unwrap();
        for time in 1..=3 {
            reach(CrashPoint::PrepareSent);
            reach(CrashPoint::VoteSent);
            println!("survived {time}");
        }
    }

    fn child(variable: &str, point: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([
            "--exact",
            "crash_point::tests::child_that_reaches_a_point_three_times",
            "--ignored",
            "--nocapture",
        ]);
        command.env(variable, point);
        command
    }

    fn run_child(crash_at: &str, lab: bool) -> (Option<i32>, usize) {
        let mut command = child(CRASH_AT, crash_at);
        if lab {
            command.env("LAB", "1");
        }
        let output = command.output().unwrap();
        (output.status.signal(), String::from_utf8_lossy(&output.stdout).matches("survived").count())
    }

    #[test]
    fn armed_point_kills_the_process_before_its_next_line() {
        assert_eq!(run_child("vote_sent", true), (Some(9), 0));
    }

    #[test]
    fn numbered_point_kills_at_that_time_only() {
        assert_eq!(run_child("vote_sent:3", true), (Some(9), 2));
    }

    #[test]
    fn armed_point_freezes_the_process_until_it_is_told_to_go_on() {
        let mut command = child(PAUSE_AT, "vote_sent:2");
        let frozen = command.env("LAB", "1").stdout(Stdio::piped()).spawn().unwrap();
        let id = Pid::from_raw(i32::try_from(frozen.id()).unwrap()).unwrap();
        // Returns when the child has stopped; with WUNTRACED an end of it would be returned as well, and is no stop.
        let (_, status) = waitpid(Some(id), WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(status.stopped(), "{status:?}");
        kill_process(id, Signal::CONT).unwrap();
        let output = frozen.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(String::from_utf8_lossy(&output.stdout).matches("survived").count(), 3);
    }

    #[test]
    fn another_point_takes_the_place_of_an_armed_one_or_none_does() {
        arm_only(Some(CrashPoint::VotesReceived));
        arm_only(Some(CrashPoint::PrepareSent));
        assert_eq!(first_armed(), Some(CrashPoint::PrepareSent));
        assert!(!is_armed(CrashPoint::VotesReceived));
        arm_only(None);
        assert_eq!(first_armed(), None);
        reach(CrashPoint::PrepareSent);
    }

    #[test]
    fn environment_is_ignored_without_lab() {
        assert_eq!(run_child("vote_sent", false), (None, 3));
    }

    #[test]
    fn point_that_nobody_reaches_kills_nobody() {
        assert_eq!(run_child("epoch_durable", true), (None, 3));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["", ":2", "vote_sent:0", "vote_sent:x", "vote_sent:", "nowhere"] {
            assert!(parse(CRASH_AT, bad).is_err(), "{bad:?} was taken");
        }
    }
}
