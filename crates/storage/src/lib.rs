//! The only crate of the project that touches the disk. It knows nothing of the protocol: what it keeps is bytes.
//!
//! | module | owns |
//! | --- | --- |
//! | [`directory`] | a service's data directory: its lock, its format, its sub-folders |
//! | [`log`] | the append-only record log: the durable copy of everything that was promised |
//! | [`checkpoint`] | a named file that is replaced as a whole and carries a MAC |
//! | [`secret_file`] | 32-byte keys in files that only their owner may read |
//! | [`book_files`] | `books/<two hex>/<id>.xml`: reading, writing, hashing, scanning |
//! | [`file_writer`] | the bounded backlog of book files that still have to follow the log |
//! | [`quarantine`] | bytes that were replaced and must not be lost |
//!
//! Everything here is synchronous and runs on the caller's thread, except where a type says that it owns a thread.
//!
//! The order that makes a promise durable: [`log::Log::append`], [`log::Log::sync`], then say it. Book files follow
//! later from memory through [`file_writer::FileWriter`], unsynced; [`log::Log::trim`] may forget a record only after
//! [`book_files::BookFiles::sync`] and a checkpoint that covers it.

pub mod book_files;
pub mod checkpoint;
pub mod directory;
mod file_kind;
pub mod file_writer;
mod hexadecimal;
pub mod log;
mod place;
pub mod quarantine;
mod replaced_file;
pub mod report_folder;
pub mod secret_file;
pub mod small_file;

pub use book_files::BookFiles;
pub use directory::DataDirectory;
pub use file_writer::FileWriter;
pub use log::{Log, LogSequence};
pub use quarantine::Quarantine;
pub use secret_file::SecretKey;
