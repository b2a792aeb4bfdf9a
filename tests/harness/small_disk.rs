//! A small disk for the data of one process: a file system in memory, mounted where only that process sees it, and gone with it.

use crate::Process;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The namespaces of a process that may mount: as root, or as a user who is root in a namespace of their own.
const NAMESPACES: [&[&str]; 2] = [&["--mount"], &["--map-root-user", "--mount"]];

/// Mounts and then becomes the program, under the same process id.
const MOUNT_AND_RUN: &str =
    r#"mkdir -p "$2" && mount -t tmpfs -o "size=$1,mode=0700" concordance "$2" && shift 2 && exec "$@""#;

fn in_namespace(namespace: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(namespace).args(["--propagation", "private", "sh", "-c", MOUNT_AND_RUN, "sh"]);
    command
}

fn namespace() -> Result<&'static [&'static str], String> {
    let folder = tempfile::tempdir().unwrap();
    let mut why = String::new();
    for namespace in NAMESPACES {
        match in_namespace(namespace).arg("65536").arg(folder.path()).arg("true").output() {
            Ok(output) if output.status.success() => return Ok(namespace),
            Ok(output) => why = String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

/// Why this machine gives no disks to a test; none if it does.
#[must_use]
pub fn why_no_small_disks() -> Option<String> {
    namespace().err()
}

/// The same command, in a namespace in which its data are on a disk of this size.
pub(crate) fn on_a_disk_of(bytes: u64, data: &Path, command: &Command) -> Command {
    let mut wrapped = in_namespace(namespace().expect("the test has asked whether there are small disks"));
    wrapped.arg(bytes.to_string()).arg(data).arg(command.get_program()).args(command.get_args());
    wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    wrapped
}

/// The disk of a process that runs.
#[derive(Debug)]
pub struct SmallDisk {
    /// Where a test reaches it.
    pub path: PathBuf,
}

impl SmallDisk {
    pub(crate) fn of(process: &Process, data: &Path) -> Self {
        let relative = data.strip_prefix("/").expect("a temporary directory has an absolute path");
        Self { path: Path::new("/proc").join(process.id().to_string()).join("root").join(relative) }
    }

    /// Leaves at most so many bytes free. The process goes on writing meanwhile, so that it is tried until it fits.
    pub fn fill(&self, free_bytes: u64) {
        let ballast = File::create(self.ballast()).unwrap();
        let allocate = |bytes| rustix::fs::fallocate(&ballast, rustix::fs::FallocateFlags::empty(), 0, bytes);
        let mut filled_bytes = 0;
        loop {
            let more_bytes = self.free_bytes().saturating_sub(free_bytes);
            if more_bytes == 0 {
                return;
            }
            if allocate(filled_bytes + more_bytes).is_ok() {
                filled_bytes += more_bytes;
            }
        }
    }

    fn free_bytes(&self) -> u64 {
        let system = rustix::fs::statvfs(&self.path).unwrap();
        system.f_bavail * system.f_frsize
    }

    /// Takes away what [`SmallDisk::fill`] has put there.
    pub fn make_room(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}
