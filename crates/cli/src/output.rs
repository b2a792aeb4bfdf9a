//! What goes to the terminal: answers to standard output, messages to standard error.
//!
//! A reader that goes away (`concordance rounds | head`) ends the command quietly.

use std::io::{ErrorKind, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::client::ClientError;

/// How answers are printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Output { json }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints an answer: as the server gave it, or drawn for a person.
    pub(crate) fn answer(self, raw: &Value, draw: impl FnOnce() -> String) {
        if self.json {
            print(&format!("{raw:#}"));
        } else {
            print(&draw());
        }
    }

    /// Prints the problem that a server answered with, if there is one and JSON was asked for.
    pub(crate) fn problem(self, error: &ClientError) {
        if let (true, Some(problem)) = (self.json, error.problem()) {
            print(&format!("{problem:#}"));
        }
    }

    /// A progress bar on standard error, shown only to a person at a terminal.
    pub(crate) fn progress(self, what: &str) -> Progress {
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {elapsed}")
            .expect("the template is a constant that the test below draws");
        let bar = ProgressBar::new(0).with_style(style).with_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        Progress(bar)
    }
}

/// A progress bar that is gone when it is dropped, so that nothing stays between messages.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn show(&self, what: &str, done: u64, total: u64) {
        self.0.set_message(what.to_owned());
        self.0.set_length(total);
        self.0.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Writes one answer and a newline to standard output.
pub(crate) fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush()) {
        leave(&error);
    }
}

/// Writes bytes to standard output as they are.
pub(crate) fn print_bytes(bytes: &[u8]) {
    if let Err(error) = std::io::stdout().lock().write_all(bytes) {
        leave(&error);
    }
}

/// Writes a message for a person to standard error.
pub(crate) fn say(text: &str) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn leave(error: &std::io::Error) -> ! {
    if error.kind() == ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    say(&format!("concordance: cannot write the answer: {error}"));
    std::process::exit(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_can_be_drawn() {
        Output::new(false).progress("importing").show("importing", 1, 2);
    }
}
