//! Named places where a process can be made to die, for tests and for the lab page.
//!
//! A service calls [`reach`] at the lines where a crash is interesting. Armed by [`arm`] or, when the process runs with
//! the setting `lab`, by `CONCORDANCE_CRASH_AT=<name>[:<n>]`, the process kills itself with SIGKILL there, which no
//! handler softens: what was not synced is as lost as after `kill -9`. Unarmed, a point costs one relaxed load.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The environment variable that arms a crash point at the start.
pub const CRASH_AT: &str = "CONCORDANCE_CRASH_AT";

/// Long enough for a waiting message to leave the process.
const SENDING_TIME: std::time::Duration = std::time::Duration::from_millis(200);

static ANY_ARMED: AtomicBool = AtomicBool::new(false);
/// Name of an armed point -> how many more times it must be reached; the last time kills.
static ARMED: Mutex<BTreeMap<String, NonZeroU64>> = Mutex::new(BTreeMap::new());

/// Makes the process die the next time that it reaches the point `name`.
pub fn arm(name: &str) {
    arm_nth(name, NonZeroU64::MIN);
}

/// Makes the process die the `nth` time from now that it reaches the point `name`.
pub fn arm_nth(name: &str, nth: NonZeroU64) {
    armed().insert(name.to_owned(), nth);
    ANY_ARMED.store(true, Ordering::Relaxed);
}

/// Arms what `CONCORDANCE_CRASH_AT` names. Without `lab` the variable is ignored with a warning: a stray variable must
/// not kill a real service.
///
/// # Errors
/// If the variable is not `<name>` or `<name>:<n>` with n at least 1.
pub fn arm_from_environment(lab: bool) -> Result<(), CrashPointError> {
    let Ok(text) = std::env::var(CRASH_AT) else {
        return Ok(());
    };
    if !lab {
        tracing::warn!("{CRASH_AT} is ignored: it is honoured only with --lab");
        return Ok(());
    }
    let (name, nth) = parse(&text)?;
    tracing::warn!(name, nth, "this process will kill itself at a crash point");
    arm_nth(name, nth);
    Ok(())
}

/// Marks the crash point `name`: kills this process if it is armed.
#[inline]
pub fn reach(name: &str) {
    if ANY_ARMED.load(Ordering::Relaxed) && is_due(name) {
        die(name);
    }
}

/// Marks a crash point behind a message that was given to a link: what was sent before gets the time to leave.
#[inline]
pub fn reach_after_sending(name: &str) {
    if ANY_ARMED.load(Ordering::Relaxed) && is_due(name) {
        std::thread::sleep(SENDING_TIME);
        die(name);
    }
}

fn is_due(name: &str) -> bool {
    let mut armed = armed();
    let Some(remaining) = armed.get_mut(name) else {
        return false;
    };
    match NonZeroU64::new(remaining.get() - 1) {
        Some(fewer) => {
            *remaining = fewer;
            false
        }
        None => {
            armed.remove(name);
            true
        }
    }
}

fn die(name: &str) -> ! {
    eprintln!("crash point `{name}` reached: killing this process");
    // Should the system refuse, abort is the next best thing: nothing after this line may run.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort();
}

fn parse(text: &str) -> Result<(&str, NonZeroU64), CrashPointError> {
    let error = || CrashPointError { text: text.to_owned() };
    let (name, nth) = match text.split_once(':') {
        Some((name, nth)) => (name, nth.parse().map_err(|_| error())?),
        None => (text, NonZeroU64::MIN),
    };
    if name.is_empty() { Err(error()) } else { Ok((name, nth)) }
}

fn armed() -> MutexGuard<'static, BTreeMap<String, NonZeroU64>> {
    // A map of counters is consistent after any panic.
    ARMED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `CONCORDANCE_CRASH_AT` is not understood.
#[derive(Debug, thiserror::Error)]
#[error("{CRASH_AT}={text} is not understood; write the point's name, or name:n for the n-th time")]
pub struct CrashPointError {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    /// Runs in a process of its own, started by the tests below.
    #[test]
    #[ignore = "kills its process; the other tests of this module run it in a child"]
    fn child_that_reaches_a_point_three_times() {
        arm_from_environment(std::env::var("LAB").is_ok()).unwrap();
        for time in 1..=3 {
            reach("another_point");
            reach("test_point");
            println!("survived {time}");
        }
    }

    fn run_child(crash_at: &str, lab: bool) -> (Option<i32>, usize) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([
            "--exact",
            "crash_point::tests::child_that_reaches_a_point_three_times",
            "--ignored",
            "--nocapture",
        ]);
        command.env(CRASH_AT, crash_at);
        if lab {
            command.env("LAB", "1");
        }
        let output = command.output().unwrap();
        (output.status.signal(), String::from_utf8_lossy(&output.stdout).matches("survived").count())
    }

    #[test]
    fn armed_point_kills_the_process_before_its_next_line() {
        assert_eq!(run_child("test_point", true), (Some(9), 0));
    }

    #[test]
    fn numbered_point_kills_at_that_time_only() {
        assert_eq!(run_child("test_point:3", true), (Some(9), 2));
    }

    #[test]
    fn environment_is_ignored_without_lab() {
        assert_eq!(run_child("test_point", false), (None, 3));
    }

    #[test]
    fn point_that_nobody_reaches_kills_nobody() {
        assert_eq!(run_child("nowhere", true), (None, 3));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["", ":2", "point:0", "point:x", "point:"] {
            assert!(parse(bad).is_err(), "{bad:?} was taken");
        }
    }
}
