//! Files that are replaced as a whole: after a crash there is the old one or the new one, never a mixture.
//!
//! Off the write path only: it costs two syncs. `atomic-write-file` writes aside, syncs the file, renames it and syncs
//! the folder; all four were checked in its source.

use crate::file_kind::FileKind;
use atomic_write_file::OpenOptions;
use atomic_write_file::unix::OpenOptionsExt as _;
use faults::crash_point;
use faults::disk_fault::{self, DiskOperation};
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Replaces or creates the file with mode 0600 and what `fill` writes into it, durably. If `fill` fails, nothing
/// changes.
pub(crate) fn replace(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    disk_fault::check(DiskOperation::Replace)?;
    let mut options = OpenOptions::new();
    options.mode(0o600).preserve_mode(false).preserve_owner(false);
    let mut file = options.open(path)?;
    fill(file.as_file_mut())?;
    let points = FileKind::of(path).and_then(FileKind::replacing);
    if let Some((written_aside, _)) = points {
        crash_point::reach(written_aside);
    }
    file.commit()?;
    if let Some((_, replaced)) = points {
        crash_point::reach(replaced);
    }
    Ok(())
}

/// The name of the file that `name` was to replace, if it is one that was being written aside
/// (`.<name>.<six letters or digits>`).
pub(crate) fn unfinished(name: &str) -> Option<&str> {
    let (name, suffix) = name.strip_prefix('.')?.rsplit_once('.')?;
    let is_random = suffix.len() == 6 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (!name.is_empty() && is_random).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_failed_replacement_changes_nothing_and_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state");
        replace(&path, |file| file.write_all(b"old")).unwrap();
        let failed = replace(&path, |file| file.write_all(b"new").and(Err(io::Error::other("stopped"))));
        assert_eq!(failed.unwrap_err().to_string(), "stopped");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_written_aside_has_a_name_that_is_recognised() {
        let home = tempfile::tempdir().unwrap();
        replace(&home.path().join("state"), |_| {
            let name = fs::read_dir(home.path()).unwrap().next().unwrap().unwrap().file_name();
            assert_eq!(unfinished(name.to_str().unwrap()), Some("state"));
            Ok(())
        })
        .unwrap();
        for other in ["state", ".state", ".hidden.txt", "..abcdef", "a.b.abcdef", ".a.abcd-f"] {
            assert_eq!(unfinished(other), None, "{other}");
        }
    }
}
