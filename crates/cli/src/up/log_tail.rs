//! Shows the warnings and errors of a service's log at the terminal as they are written.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::output;

/// How often the log is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// More lines than this at one look are counted instead of shown.
const LINES_SHOWN_MAX: usize = 20;
/// How much of the end of a log is read to find its last line.
const LAST_LINE_BYTES_MAX: u64 = 8 * 1024;

/// A place in a log.
#[derive(Debug)]
pub(crate) struct Tail {
    service: String,
    log: PathBuf,
    position: u64,
    /// What came after the last newline.
    rest: Vec<u8>,
}

impl Tail {
    /// Begins at the present end of the log.
    pub(crate) fn open(service: &str, log: &Path) -> Self {
        let position = std::fs::metadata(log).map_or(0, |metadata| metadata.len());
        Tail { service: service.to_owned(), log: log.to_owned(), position, rest: Vec::new() }
    }

    /// Shows what is added until `stop`, and what was added until then.
    pub(crate) async fn follow(mut self, stop: CancellationToken) {
        loop {
            let stopped = stop.is_cancelled();
            let lines: Vec<String> = self.new_lines().into_iter().filter(|line| is_worth_showing(line)).collect();
            for line in lines.iter().take(LINES_SHOWN_MAX) {
                output::say(&format!("{} | {}", self.service, line));
            }
            if lines.len() > LINES_SHOWN_MAX {
                let more = lines.len() - LINES_SHOWN_MAX;
                output::say(&format!("{} | … {more} more lines in {}", self.service, self.log.display()));
            }
            if stopped {
                return;
            }
            tokio::select! { () = tokio::time::sleep(LOOK_EVERY) => {}, () = stop.cancelled() => {} }
        }
    }

    /// A log that cannot be read shows nothing: it is there for a person to open, too.
    fn new_lines(&mut self) -> Vec<String> {
        let Ok(mut file) = File::open(&self.log) else { return Vec::new() };
        let mut added = Vec::new();
        if file.seek(SeekFrom::Start(self.position)).and_then(|_| file.read_to_end(&mut added)).is_err() {
            return Vec::new();
        }
        self.position += added.len() as u64;
        self.rest.extend(added);
        let end = self.rest.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        let whole: Vec<u8> = self.rest.drain(..end).collect();
        String::from_utf8_lossy(&whole).lines().map(ToOwned::to_owned).collect()
    }
}

/// Log lines are `<time> <level> …`. What has no level (a last sentence, a panic) is always worth showing.
fn is_worth_showing(line: &str) -> bool {
    let level = line.split_whitespace().nth(1).unwrap_or_default();
    !line.trim().is_empty() && !matches!(level, "INFO" | "DEBUG" | "TRACE")
}

/// The last line of a log that is not empty.
pub(crate) fn last_line(log: &Path) -> String {
    let mut end = Vec::new();
    let read = File::open(log).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LAST_LINE_BYTES_MAX)))?;
        file.read_to_end(&mut end)
    });
    let text = String::from_utf8_lossy(&end);
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    match (read, last) {
        (Ok(_), Some(line)) => line.to_owned(),
        _ => "it said nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn whole_lines_added_since_the_start_are_given_once() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("x.log");
        std::fs::write(&log, "old\n").unwrap();
        let mut tail = Tail::open("x", &log);
        let mut file = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
        file.write_all(b"one\ntwo\nhal").unwrap();
        assert_eq!(tail.new_lines(), ["one", "two"]);
        file.write_all(b"f\n").unwrap();
        assert_eq!(tail.new_lines(), ["half"]);
        assert!(tail.new_lines().is_empty());
        assert_eq!(last_line(&log), "half");
    }

    #[test]
    fn missing_log_has_no_lines() {
        let log = Path::new("/nowhere/x.log");
        assert!(Tail::open("x", log).new_lines().is_empty());
        assert_eq!(last_line(log), "it said nothing");
    }

    #[test]
    fn warnings_errors_and_bare_sentences_are_shown() {
        for shown in ["2026-11-20T11:00:00Z  WARN late", "2026-11-20T11:00:00Z ERROR x", "coordinator: no", "panicked"]
        {
            assert!(is_worth_showing(shown), "{shown}");
        }
        for hidden in ["2026-11-20T11:00:00Z  INFO round", "2026-11-20T11:00:00Z DEBUG x", "  ", ""] {
            assert!(!is_worth_showing(hidden), "{hidden}");
        }
    }
}
