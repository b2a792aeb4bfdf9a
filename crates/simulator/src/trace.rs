//! What happened in a run: a hash that is the same for the same seed, and the last lines for people.

use std::collections::VecDeque;

/// How many lines are kept for a failure.
pub(crate) const LINES_MAX: usize = 200;

/// Longer lines are cut off: nobody reads the digests of a thousand buckets.
const LINE_BYTES_MAX: usize = 2_000;

/// The trace of a run.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    hash: u64,
    mode: TraceMode,
    lines: VecDeque<String>,
}

/// What becomes of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceMode {
    /// Only the hash is kept: the lines are not even made.
    Hash,
    /// The last [`LINES_MAX`] lines are kept.
    Keep,
    /// Every line is printed.
    Print,
}

impl Trace {
    /// An empty trace.
    pub(crate) fn new(mode: TraceMode) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, mode, lines: VecDeque::new() }
    }

    /// Notes an event: numbers that tell it apart, and a line for people.
    pub(crate) fn note(&mut self, at_us: u64, numbers: &[u64], line: impl FnOnce() -> String) {
        // FNV-1a, by words.
        for number in std::iter::once(&at_us).chain(numbers) {
            self.hash = (self.hash ^ number).wrapping_mul(0x0000_0100_0000_01b3);
        }
        if self.mode == TraceMode::Hash {
            return;
        }
        let mut line = format!("{:>12.3} ms  {}", at_us as f64 / 1_000.0, line());
        line.truncate(line.floor_char_boundary(LINE_BYTES_MAX));
        match self.mode {
            TraceMode::Print => println!("{line}"),
            _ => {
                if self.lines.len() == LINES_MAX {
                    self.lines.pop_front();
                }
                self.lines.push_back(line);
            }
        }
    }

    /// The hash of everything that was noted.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The last lines.
    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }
}
