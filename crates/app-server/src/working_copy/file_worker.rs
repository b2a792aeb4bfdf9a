//! The file work that takes its time, one job after the other on a thread of its own: scans, repairs, catch-ups,
//! checkpoints. The claims that keep it from undoing newer rounds are taken by the copy thread when it hands a job over.

use super::Failure;
use super::thread::CopyEvent;
use catalogue::{Book, BookPath};
use faults::{CrashPoint, crash_point};
use holder::{Claim, Holder, HolderError};
use protocol::{
    CatchUpId, Content, Digest, FetchedFile, HealResult, HolderRequest, Record, Repair, RequestId, Version, WantedFile,
};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use storage::SecretKey;
use storage::checkpoint;
use two_phase::follower::FollowerState;
use two_phase::write_checkpoint;

/// A job.
pub(super) enum FileJob {
    /// Answer a question about what is on the disk.
    Inspect { question: HolderRequest, version: Version },
    /// Put files right.
    Heal { claim: Claim, request: RequestId, repairs: Vec<Repair>, foreign: Vec<String>, left: Vec<HealResult> },
    /// Look for the files of a catch-up.
    FindMissing { catch_up: CatchUpId, files: Vec<WantedFile> },
    /// Write fetched files; those of `untouched` are for the index only.
    Store {
        catch_up: CatchUpId,
        claim: Claim,
        files: Vec<FetchedFile>,
        expected: HashMap<BookPath, Digest>,
        untouched: Vec<FetchedFile>,
    },
    /// Remove files, make everything durable, save the state.
    Install {
        catch_up: CatchUpId,
        claim: Claim,
        removed: Vec<BookPath>,
        expected: HashMap<BookPath, Digest>,
        state: Box<FollowerState>,
    },
    /// Save the state, whose files were all applied.
    Checkpoint { state: Box<FollowerState> },
}

/// Books that are known to be on the disk or in memory, for the index.
pub(super) type StagedBooks = Vec<(BookPath, Digest, Book)>;

/// Where jobs are handed in.
pub(super) struct FileWorker {
    jobs: Sender<FileJob>,
    thread: JoinHandle<()>,
}

impl FileWorker {
    pub(super) fn start(
        holder: Arc<Holder>,
        checkpoint_path: PathBuf,
        key: SecretKey,
        events: Sender<CopyEvent>,
        failure: Failure,
    ) -> Self {
        let (jobs, queue) = channel();
        let worker = Worker { holder, checkpoint_path, key, events, failure };
        let thread = std::thread::Builder::new()
            .name("file-worker".to_owned())
            .spawn(move || worker.run(&queue))
            .expect("the system starts the few threads of a process");
        Self { jobs, thread }
    }

    pub(super) fn hand_in(&self, job: FileJob) {
        // The thread ends only when this sender is gone.
        let _ = self.jobs.send(job);
    }

    /// Ends the thread after the jobs that were handed in.
    pub(super) fn stop(self) {
        drop(self.jobs);
        // A panic of the worker was printed when it happened; there is nothing left to be done about it.
        let _ = self.thread.join();
    }
}

struct Worker {
    holder: Arc<Holder>,
    checkpoint_path: PathBuf,
    key: SecretKey,
    events: Sender<CopyEvent>,
    failure: Failure,
}

impl Worker {
    fn run(&self, queue: &Receiver<FileJob>) {
        while let Ok(job) = queue.recv() {
            let event = self.run_job(job);
            // The copy thread may have stopped: then nobody needs the result.
            if let Some(event) = event {
                let _ = self.events.send(event);
            }
        }
    }

    fn run_job(&self, job: FileJob) -> Option<CopyEvent> {
        match job {
            FileJob::Inspect { question, version } => {
                // An app-server has no log: its files and its quarantine are all there is.
                let answer = self.holder.answer(question, version, &|_| None);
                Some(CopyEvent::HolderAnswered { answer })
            }
            FileJob::Heal { claim, request, repairs, foreign, left } => {
                let answer = self.holder.heal(&claim, request, &repairs, &foreign, left);
                Some(CopyEvent::HolderAnswered { answer })
            }
            FileJob::FindMissing { catch_up, files } => Some(self.find_missing(catch_up, &files)),
            FileJob::Store { catch_up, claim, files, expected, untouched } => {
                let stored = self.holder.store_fetched(&claim, &files, &|path| expected.get(path).copied());
                let staged = staged(
                    files.iter().chain(&untouched).filter_map(|file| Some((file.wanted, file.content.as_ref()?))),
                );
                Some(CopyEvent::Stored { catch_up, result: told(stored.map(|()| staged)) })
            }
            FileJob::Install { catch_up, claim, removed, expected, state } => {
                crash_point::reach(CrashPoint::CatchUpComplete);
                let installed = self
                    .holder
                    .remove(&claim, &removed, &|path| expected.get(path).copied())
                    .map_err(|error| error.to_string())
                    .and_then(|()| self.save(&state));
                if installed.is_ok() {
                    crash_point::reach(CrashPoint::CatchUpInstalled);
                }
                Some(CopyEvent::Installed { catch_up, state, result: installed })
            }
            FileJob::Checkpoint { state } => {
                let version = state.version;
                Some(CopyEvent::CheckpointSaved { version, result: self.save(&state) })
            }
        }
    }

    fn find_missing(&self, catch_up: CatchUpId, files: &[WantedFile]) -> CopyEvent {
        let mut found = Vec::new();
        let missing = self.holder.find_missing(files, &mut |wanted, content| found.push((*wanted, content)));
        let result =
            told(missing).map(|missing| (missing, staged(found.iter().map(|(wanted, content)| (*wanted, content)))));
        CopyEvent::Searched { catch_up, result }
    }

    fn save(&self, state: &FollowerState) -> Result<(), String> {
        self.holder.sync().map_err(|error| {
            // After a failed sync nothing on this disk can be believed; a slow one is only tried again.
            if let HolderError::Files(error) = &error {
                self.failure.report(error.to_string());
            }
            error.to_string()
        })?;
        let text = write_checkpoint(&state.header(), &state.manifest);
        checkpoint::save(&self.checkpoint_path, &self.key, text.as_bytes()).map_err(|error| error.to_string())
    }
}

fn told<T>(result: Result<T, HolderError>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

/// Reads the books, here and not on the copy thread.
fn staged<'a>(files: impl Iterator<Item = (WantedFile, &'a Content)>) -> StagedBooks {
    let mut staged = Vec::new();
    for (wanted, content) in files {
        match Book::from_xml(content.bytes()) {
            Ok(book) if book.path() == wanted.path => staged.push((wanted.path, wanted.digest, book)),
            _ => {
                tracing::error!(path = %wanted.path, "a committed file is not the book of its path; it cannot be shown")
            }
        }
    }
    staged
}

/// The digests of records, as the holder wants to know them.
pub(super) fn digests<'a>(records: impl Iterator<Item = (&'a BookPath, &'a Record)>) -> HashMap<BookPath, Digest> {
    records.map(|(path, record)| (*path, record.digest)).collect()
}
