//! What tests and the lab can make go wrong inside a process: it dies or freezes at a named place, or its disk refuses.
//!
//! | module | owns |
//! | --- | --- |
//! | [`registry`] | the one list of all places |
//! | [`crash_point`] | arming a place, and what happens when it is reached |
//! | [`disk_fault`] | a disk that refuses: failing, full, read-only |
//!
//! At the bottom of the crates: it knows nothing of what it interrupts. Nothing is ever armed in a process without the setting `lab`.

pub mod crash_point;
pub mod disk_fault;
pub mod registry;

pub use registry::CrashPoint;

/// Arms what the environment asks for. Without `lab` it is ignored with a warning: a stray variable must not break a real service.
///
/// # Errors
/// If a variable is not understood.
pub fn arm_from_environment(lab: bool) -> Result<(), NotUnderstood> {
    crash_point::arm_from_environment(lab)?;
    disk_fault::arm_from_environment(lab)
}

/// A variable that asks for a fault is not understood.
#[derive(Debug, thiserror::Error)]
#[error("{variable}={text} is not understood; {usage}")]
pub struct NotUnderstood {
    variable: &'static str,
    text: String,
    usage: &'static str,
}
