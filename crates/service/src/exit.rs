//! How a process ends when it cannot go on: one sentence on stderr and a non-zero exit code.

use std::fmt::Display;
use std::process::ExitCode;

/// The exit code of a process that must not be started again: it is not a member any more.
pub const NOT_WANTED: u8 = 3;

/// Turns the result of a service's run into its exit code; an error is printed as `<service>: <sentence>`.
///
/// Printed rather than logged: the log may not have been set up yet, and a person who started the process by hand
/// looks for a sentence, not for a record.
pub fn exit_code<E: Display>(service: &str, result: Result<(), E>) -> ExitCode {
    exit_code_of(service, result, |_| 1)
}

/// As [`exit_code`], where the error says which code it is.
pub fn exit_code_of<E: Display>(service: &str, result: Result<(), E>, code: impl FnOnce(&E) -> u8) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{service}: {error}");
            ExitCode::from(code(&error))
        }
    }
}
