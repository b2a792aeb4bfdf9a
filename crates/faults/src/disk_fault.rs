//! Making the disk refuse what a process asks of it: a layer between `storage` and the system.
//!
//! With the setting `lab`, `CONCORDANCE_DISK_FAULTS` names a file that need not be there yet. While it is, each of its lines says what
//! fails, and how: `log_sync io_error`. It is read at each operation, so that a test begins a fault by writing it and ends it by
//! removing it. Without the variable an operation costs one load.

use crate::NotUnderstood;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::OnceLock;

/// The environment variable that names the file.
pub const DISK_FAULTS: &str = "CONCORDANCE_DISK_FAULTS";

static FAULTS: OnceLock<PathBuf> = OnceLock::new();

/// Something that is asked of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskOperation {
    /// A record is written to the log, or a segment is made for it.
    LogWrite,
    /// The log is made durable.
    LogSync,
    /// A book file is written or removed.
    FileWrite,
    /// The book files are made durable.
    FileSync,
    /// A checkpoint or a small file is replaced.
    Replace,
}

impl DiskOperation {
    /// Its name in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LogWrite => "log_write",
            Self::LogSync => "log_sync",
            Self::FileWrite => "file_write",
            Self::FileSync => "file_sync",
            Self::Replace => "replace",
        }
    }
}

/// What the system says instead of doing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFault {
    /// The device failed.
    IoError,
    /// There is no room.
    Full,
    /// The file system lets nobody write, as many do after an error.
    ReadOnly,
}

impl FromStr for DiskFault {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "io_error" => Ok(Self::IoError),
            "full" => Ok(Self::Full),
            "read_only" => Ok(Self::ReadOnly),
            _ => Err(()),
        }
    }
}

impl From<DiskFault> for io::Error {
    fn from(fault: DiskFault) -> Self {
        use rustix::io::Errno;
        match fault {
            DiskFault::IoError => Errno::IO,
            DiskFault::Full => Errno::NOSPC,
            DiskFault::ReadOnly => Errno::ROFS,
        }
        .into()
    }
}

/// Heeds the file that the environment names, if there is a lab.
pub(crate) fn arm_from_environment(lab: bool) -> Result<(), NotUnderstood> {
    let Some(path) = std::env::var_os(DISK_FAULTS) else { return Ok(()) };
    if !lab {
        tracing::warn!("{DISK_FAULTS} is ignored: it is honoured only with --lab");
        return Ok(());
    }
    let path = PathBuf::from(path);
    if !path.is_absolute() {
        let text = path.display().to_string();
        return Err(NotUnderstood { variable: DISK_FAULTS, text, usage: "give the absolute path of a file" });
    }
    tracing::warn!(path = %path.display(), "this process will fail what that file says");
    let _ = FAULTS.set(path);
    Ok(())
}

/// Whether the system does this now.
///
/// # Errors
/// What it says instead, if a fault is on.
pub fn check(operation: DiskOperation) -> io::Result<()> {
    let Some(path) = FAULTS.get() else { return Ok(()) };
    let text = std::fs::read_to_string(path).unwrap_or_default();
    fault_in(&text, operation).map_or(Ok(()), |fault| Err(fault.into()))
}

fn fault_in(text: &str, operation: DiskOperation) -> Option<DiskFault> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let (_, fault) = lines.find(|(name, _)| *name == operation.name() || *name == "all")?;
    fault.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_speaks_of_an_operation_counts() {
        let text = "log_sync io_error\nall full\nlog_write read_only\n";
        assert_eq!(fault_in(text, DiskOperation::LogSync), Some(DiskFault::IoError));
        assert_eq!(fault_in(text, DiskOperation::LogWrite), Some(DiskFault::Full));
        assert_eq!(fault_in("", DiskOperation::LogWrite), None);
        assert_eq!(fault_in("log_write strange", DiskOperation::LogWrite), None);
    }

    #[test]
    fn nothing_fails_unless_it_is_asked_for() {
        assert!(check(DiskOperation::LogSync).is_ok());
    }
}
