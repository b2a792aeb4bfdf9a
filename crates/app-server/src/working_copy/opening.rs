//! Opening the copy: the state as the checkpoint has it, and the books as their files have them.
//!
//! What a file does not hold as the checkpoint says is *withheld*: taken out of the manifest that this app-server reports,
//! so that the coordinator sends it again. If it turns out to be unchanged, the file is somebody's edit and is left alone.

use super::Failure;
use super::identity::IdentityFile;
use super::listing::book_paths;
use crate::index::{Index, IndexedBook};
use crate::settings::Settings;
use catalogue::limits::BOOK_BYTES_MAX;
use catalogue::{Book, BookPath};
use holder::{Holder, HolderSettings};
use protocol::{Digest, Incarnation, Record};
use service::health::Readiness;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use storage::book_files::BookFilesError;
use storage::checkpoint::{self, CheckpointError};
use storage::directory::DirectoryError;
use storage::file_writer::{FileWriterError, FileWriterEvent};
use storage::quarantine::QuarantineError;
use storage::secret_file::SecretFileError;
use storage::{BookFiles, DataDirectory, FileWriter, Quarantine, SecretKey, secret_file};
use two_phase::follower::{FollowerHeader, FollowerState};
use two_phase::{Manifest, read_checkpoint};
use uuid::Uuid;

pub(super) const CHECKPOINT_NAME: &str = "catalogue";
const KEY_NAME: &str = "copy.key";

/// Why the copy cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpeningError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The key of its checkpoints cannot be used.
    #[error(transparent)]
    Key(#[from] SecretFileError),
    /// Its identity cannot be written.
    #[error(transparent)]
    Identity(#[from] CheckpointError),
    /// Its book files cannot be used.
    #[error(transparent)]
    Files(#[from] BookFilesError),
    /// Nothing can be written behind.
    #[error(transparent)]
    Writer(#[from] FileWriterError),
    /// Its quarantine cannot be used.
    #[error(transparent)]
    Quarantine(#[from] QuarantineError),
}

/// A copy that was opened.
pub(super) struct Opened {
    pub(super) directory: DataDirectory,
    pub(super) books_folder: PathBuf,
    pub(super) key: SecretKey,
    pub(super) identity: IdentityFile,
    pub(super) holder: Arc<Holder>,
    pub(super) state: FollowerState,
    pub(super) index: Index,
    /// Records whose files do not hold what they say.
    pub(super) withheld: HashMap<BookPath, Record>,
    /// Files that no record knows, after a process that was cut off. They may be leftovers of what it did last, and a book that
    /// was deleted since must not come back as somebody's addition.
    pub(super) leftovers: Vec<BookPath>,
    /// Whether every file is what the checkpoint says, or somebody's edit.
    pub(super) is_accounted_for: bool,
}

/// Opens the data directory and reads everything.
pub(super) fn open(settings: &Settings, readiness: &Readiness, failure: &Failure) -> Result<Opened, OpeningError> {
    let directory = DataDirectory::open(&settings.process.data, "app-server")?;
    let key = secret_file::load_or_create(&directory.path().join(KEY_NAME))?;
    let (mut identity, ended_well) = IdentityFile::open(directory.path(), key.clone())?;
    if directory.is_copy() {
        // The original may run beside it: two of one memory would take each other's connection for ever.
        identity.change(|identity| identity.incarnation = Incarnation(Uuid::new_v4()))?;
        directory.make_own()?;
    }
    let files = BookFiles::open(&directory)?;
    let writer =
        FileWriter::start(files.clone(), settings.file_backlog_bytes_max, on_writer_event(readiness, failure))?;
    let holder_settings = HolderSettings { scan_threads: settings.scan_threads, ..HolderSettings::default() };
    let holder = Arc::new(Holder::new(files.clone(), writer, Quarantine::open(&directory)?, holder_settings));

    let (mut state, is_complete) = load_state(&directory, &key, &identity);
    let (index, withheld) = read_books(&files, &state.manifest, settings.scan_threads);
    for path in withheld.keys() {
        state.manifest.set(*path, None);
    }
    let mut index = index;
    index.set_version(state.version);
    if !withheld.is_empty() {
        tracing::warn!(
            files = withheld.len(),
            "some files are not what was committed; their books are asked for again"
        );
    }
    let books_folder = directory.path().join("books");
    let is_accounted_for = directory.is_new() || (ended_well && is_complete);
    let mut leftovers = if is_accounted_for { Vec::new() } else { book_paths(&books_folder) };
    leftovers.retain(|path| state.manifest.record(path).is_none() && !withheld.contains_key(path));
    tracing::info!(books = index.len(), version = state.version.0, "the copy is read");
    Ok(Opened { directory, books_folder, key, identity, holder, state, index, withheld, leftovers, is_accounted_for })
}

/// The state of the checkpoint, and whether there was a checkpoint to be believed.
fn load_state(directory: &DataDirectory, key: &SecretKey, identity: &IdentityFile) -> (FollowerState, bool) {
    let path = directory.path().join(CHECKPOINT_NAME);
    let read = checkpoint::load(&path, key).map_err(|error| error.to_string()).and_then(|bytes| {
        let Some(bytes) = bytes else { return Ok(None) };
        let text = String::from_utf8(bytes).map_err(|error| error.to_string())?;
        let (header, manifest): (FollowerHeader, Manifest) =
            read_checkpoint(&text).map_err(|error| error.to_string())?;
        if header.root != manifest.root() {
            return Err("its root is not that of its files".to_owned());
        }
        Ok(Some(FollowerState::from_checkpoint(header, manifest)))
    });
    let (state, is_complete) = match read {
        Ok(Some(state)) => (state, true),
        Ok(None) => (FollowerState::empty(), false),
        Err(reason) => {
            tracing::warn!(path = %path.display(), reason, "the checkpoint is not believed; all files are compared anew");
            (FollowerState::empty(), false)
        }
    };
    // What was promised to a coordinator is in the identity, which is written first.
    let FollowerState { version, manifest, .. } = state;
    let (cluster, fence) = (identity.identity.cluster, identity.identity.fence);
    (FollowerState { cluster, fence, version, manifest }, is_complete)
}

/// Reads the files of a manifest on several threads; gives the records whose files do not hold what they say.
fn read_books(files: &BookFiles, manifest: &Manifest, threads: usize) -> (Index, HashMap<BookPath, Record>) {
    let entries: Vec<_> = manifest.entries().map(|(path, record)| (*path, *record)).collect();
    let share = entries.len().div_ceil(threads.max(1)).max(1);
    let mut index = Index::default();
    let mut withheld = HashMap::new();
    std::thread::scope(|scope| {
        let readers: Vec<_> = entries
            .chunks(share)
            .map(|entries| {
                scope.spawn(move || {
                    entries.iter().map(|(path, record)| read_book(files, *path, record)).collect::<Vec<_>>()
                })
            })
            .collect();
        let read = readers.into_iter().flat_map(|reader| reader.join().expect("reading a file does not panic"));
        for ((path, record), book) in entries.iter().zip(read) {
            match book {
                Some(book) => index.insert(book),
                None => {
                    withheld.insert(*path, *record);
                }
            }
        }
    });
    (index, withheld)
}

fn read_book(files: &BookFiles, path: BookPath, record: &Record) -> Option<IndexedBook> {
    let bytes = files.read(path, BOOK_BYTES_MAX).ok().flatten()?;
    if Digest::of(&bytes) != record.digest {
        return None;
    }
    let book = Book::from_xml(&bytes).ok().filter(|book| book.path() == path)?;
    Some(IndexedBook::new(book, record.digest, record.version))
}

fn on_writer_event(readiness: &Readiness, failure: &Failure) -> Box<dyn Fn(FileWriterEvent) + Send> {
    let (readiness, failure) = (readiness.clone(), failure.clone());
    Box::new(move |event| match event {
        FileWriterEvent::DiskFull { error, .. } => {
            let reason = format!("the disk is full, and files wait to be written ({error}); make room");
            tracing::warn!(reason);
            readiness.block("disk", reason);
        }
        FileWriterEvent::DiskHasRoom => readiness.clear("disk"),
        FileWriterEvent::BacklogBelowMark { backlog_bytes } => {
            tracing::info!(backlog_bytes, "the files have caught up")
        }
        FileWriterEvent::Failed { error, .. } => failure.report(error.to_string()),
    })
}
