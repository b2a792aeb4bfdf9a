//! The exit codes, which scripts rely on.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is done and well.
    Success = 0,
    /// It failed, and changed nothing unless it says so.
    Failure = 1,
    /// The command line is not understood.
    Usage = 2,
    /// It ended, and found something that a person should look at.
    Findings = 3,
    /// It ended, and could not look at or mend everything.
    Incomplete = 4,
    /// Whether the change was made is not known.
    Unknown = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// The table of exit codes at the end of `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done, all is well
  1  failed; nothing was changed unless it says so
  2  the command line is not understood
  3  done, with findings: rows that failed, lost or undecided files, a cluster that takes no writes
  4  incomplete: something could not be compared or healed
  5  unknown: whether the change was made could not be learnt";
