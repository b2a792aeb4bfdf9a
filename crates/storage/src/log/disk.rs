//! The few file operations of the log, behind a trait so that its tests can lose, tear and flip what was written.
//! [`LogFolder`] is the real one.

use faults::disk_fault::{self, DiskOperation};
use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

/// The folder of a log. Names are plain file names.
pub(crate) trait Disk: Send + Sync {
    /// The names of the files in the folder, in no order.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Makes what is in the file durable and forgets what the system remembers of it, so that the next
    /// [`Disk::read`] sees what is on the disk.
    fn settle(&self, name: &str) -> io::Result<()>;

    /// The whole content.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// Makes a file of that many zeroes, or replaces one, durably. What a failed attempt took is given back.
    fn prewrite(&self, name: &str, bytes: u64) -> io::Result<()>;

    /// Opens an existing file for writing.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Durably renames a file; one of the new name is replaced in the same step.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Durably removes a file; it may be gone already.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Durably moves a file into a folder inside this one, made if missing.
    fn set_aside(&self, name: &str, folder: &str) -> io::Result<()>;
}

/// An open segment.
pub(crate) trait DiskFile: Send {
    /// Writes all of `bytes` at `offset`.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Returns once everything written is durable (`fdatasync`).
    fn sync(&mut self) -> io::Result<()>;
}

/// A folder of the file system.
pub(crate) struct LogFolder {
    path: PathBuf,
}

impl LogFolder {
    pub(crate) fn new(path: PathBuf) -> LogFolder {
        LogFolder { path }
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn write_zeroes(&self, name: &str, bytes: u64) -> io::Result<()> {
        // Syncing chunk by chunk keeps the device's queue short for the log that is being written meanwhile.
        const CHUNK_BYTES: usize = 512 * 1024;
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(self.path.join(name))?;
        // Asks for all the room at once, so that a full disk is seen before anything is written. Where the file
        // system cannot do that, writing the zeroes tells.
        match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error.into()),
        }
        let zeroes = vec![0; CHUNK_BYTES];
        let mut left = bytes;
        while left > 0 {
            let chunk = usize::try_from(left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
            file.write_all(&zeroes[..chunk])?;
            file.sync_data()?;
            left -= chunk as u64;
        }
        file.sync_all()
    }
}

impl Disk for LogFolder {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            // A name that is no UTF-8 is none of ours, nor is a link or a folder.
            if let (Ok(name), true) = (entry.file_name().into_string(), entry.file_type()?.is_file()) {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn settle(&self, name: &str) -> io::Result<()> {
        let file = File::open(self.path.join(name))?;
        file.sync_data()?;
        // After a failed write-back the system may hold pages that look clean and never reached the disk.
        fadvise(&file, 0, None, Advice::DontNeed)?;
        self.sync_directory()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path.join(name))
    }

    fn prewrite(&self, name: &str, bytes: u64) -> io::Result<()> {
        disk_fault::check(DiskOperation::LogWrite)?;
        let written = self.write_zeroes(name, bytes);
        if written.is_err() {
            // The error that matters is the one above; if this fails too, the next attempt truncates the file.
            let _ = fs::remove_file(self.path.join(name));
        }
        written?;
        self.sync_directory()
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().write(true).open(self.path.join(name))?;
        Ok(Box::new(SegmentFile { file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        disk_fault::check(DiskOperation::LogWrite)?;
        fs::rename(self.path.join(from), self.path.join(to))?;
        self.sync_directory()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.sync_directory(),
        }
    }

    fn set_aside(&self, name: &str, folder: &str) -> io::Result<()> {
        let folder = self.path.join(folder);
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => self.sync_directory()?,
        }
        fs::rename(self.path.join(name), folder.join(name))?;
        File::open(&folder)?.sync_all()?;
        self.sync_directory()
    }
}

struct SegmentFile {
    file: File,
}

impl DiskFile for SegmentFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        disk_fault::check(DiskOperation::LogWrite)?;
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        disk_fault::check(DiskOperation::LogSync)?;
        self.file.sync_data()
    }
}
