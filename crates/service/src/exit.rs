//! How a process ends when it cannot go on: one sentence on stderr and a non-zero exit code.

use std::fmt::Display;
use std::process::ExitCode;

/// Turns the result of a service's run into its exit code; an error is printed as `<service>: <sentence>`.
///
/// Printed rather than logged: the log may not have been set up yet, and a person who started the process by hand
/// looks for a sentence, not for a record.
pub fn exit_code<E: Display>(service: &str, result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{service}: {error}");
            ExitCode::FAILURE
        }
    }
}
