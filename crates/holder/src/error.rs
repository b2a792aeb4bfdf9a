//! Why file work of a holder could not be done.

use storage::book_files::BookFilesError;
use storage::file_writer::FileWriterError;
use storage::quarantine::QuarantineError;

/// Why file work could not be done. Each says what happened to which file.
#[derive(Debug, thiserror::Error)]
pub enum HolderError {
    /// A book file could not be read or written.
    #[error(transparent)]
    Files(#[from] BookFilesError),
    /// Committed writes do not reach the files.
    #[error(transparent)]
    Writer(#[from] FileWriterError),
    /// Bytes that were to be replaced could not be kept, and so were not replaced.
    #[error(transparent)]
    Quarantine(#[from] QuarantineError),
    /// A fetched file came without its bytes, or with other ones.
    #[error("the bytes that came for {path} are not those that were asked for")]
    WrongContent {
        /// The file.
        path: catalogue::BookPath,
    },
    /// A file is too large to be copied to the quarantine.
    #[error("{path} has {bytes} bytes and is not overwritten; look what it is, and move it away by hand")]
    TooLarge {
        /// The file.
        path: catalogue::BookPath,
        /// Its size.
        bytes: u64,
    },
}

impl HolderError {
    /// Whether the disk, or this user's share of it, is full: trying again later can help.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Files(error) => error.is_disk_full(),
            Self::Quarantine(error) => error.is_disk_full(),
            Self::Writer(error) => matches!(error, FileWriterError::DiskFull { .. }),
            Self::WrongContent { .. } | Self::TooLarge { .. } => false,
        }
    }
}
