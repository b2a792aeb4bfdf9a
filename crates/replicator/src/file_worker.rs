//! Slow work on files, on a thread of its own: scans, repairs, the files of a catch-up. Rounds do not wait for it.

use crate::event::Event;
use catalogue::BookPath;
use holder::{Claim, Holder};
use protocol::{
    Action, CatchUpId, Content, Digest, FetchedFile, HealResult, HolderRequest, Repair, RequestId, Version, WantedFile,
};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use storage::LogSequence;
use storage::log::LogReader;
use two_phase::replicator::ReplicatorRecord;

/// Something to do with files.
pub(crate) enum Job {
    /// Answer a question. All writes of `version` were handed to the file writer before.
    Inspect { request: HolderRequest, version: Version },
    /// Mend files.
    Heal { claim: Claim, request: RequestId, repairs: Vec<Repair>, foreign: Vec<String>, left: Vec<HealResult> },
    /// Tell which files the disk lacks.
    FindMissing { catch_up: CatchUpId, files: Vec<WantedFile> },
    /// Write fetched files over what the own manifest expects there.
    Store { claim: Claim, catch_up: CatchUpId, files: Vec<FetchedFile>, expected: HashMap<BookPath, Digest> },
}

/// The way to the thread.
pub(crate) struct FileWorker {
    jobs: Sender<Job>,
}

impl FileWorker {
    pub(crate) fn start(holder: Arc<Holder>, log: LogReader, events: Sender<Event>) -> std::io::Result<Self> {
        let (jobs, received) = mpsc::channel();
        std::thread::Builder::new().name("file-worker".to_owned()).spawn(move || {
            for job in received {
                let _ = events.send(run(&holder, &log, job));
            }
        })?;
        Ok(Self { jobs })
    }

    pub(crate) fn give(&self, job: Job) {
        // The thread lives as long as this handle.
        let _ = self.jobs.send(job);
    }
}

fn run(holder: &Holder, log: &LogReader, job: Job) -> Event {
    match job {
        Job::Inspect { request, version } => {
            let answer = holder.answer(request, version, &|wanted| find_in_log(log, wanted));
            Event::Answered { answer }
        }
        Job::Heal { claim, request, repairs, foreign, left } => {
            Event::Answered { answer: holder.heal(&claim, request, &repairs, &foreign, left) }
        }
        Job::FindMissing { catch_up, files } => match holder.find_missing(&files, &mut |_, _| {}) {
            Ok(missing) => Event::Missing { catch_up, missing },
            Err(error) if error.is_disk_full() => Event::NoRoom { reason: error.to_string() },
            Err(error) => Event::FilesFailed { reason: error.to_string() },
        },
        Job::Store { claim, catch_up, files, expected } => {
            match holder.store_fetched(&claim, &files, &|path| expected.get(path).copied()) {
                Ok(()) => Event::Stored { catch_up },
                Err(error) if error.is_disk_full() => Event::NoRoom { reason: error.to_string() },
                Err(error) => Event::FilesFailed { reason: error.to_string() },
            }
        }
    }
}

/// Bytes with that digest in the log: whoever asks names the digest of a committed record, so that no other bytes can come of it.
fn find_in_log(log: &LogReader, wanted: &WantedFile) -> Option<Content> {
    let mut found = None;
    let read = log.read_from(LogSequence::FIRST, &mut |_, payload| {
        let is_it = |path: BookPath, action: &Action| path == wanted.path && action.digest() == Some(wanted.digest);
        let action = match serde_json::from_slice(payload) {
            Ok(ReplicatorRecord::Prepared(prepare)) => {
                let mut changes = prepare.changes.into_iter();
                changes.find(|change| is_it(change.path, &change.action)).map(|change| change.action)
            }
            Ok(ReplicatorRecord::Followed(round)) => {
                let mut changes = round.changes.into_iter();
                changes.find(|change| is_it(change.path, &change.action)).map(|change| change.action)
            }
            _ => return ControlFlow::Continue(()),
        };
        let content = action.and_then(|action| action.content().cloned());
        found = content.filter(|content| Digest::of(content.bytes()) == wanted.digest);
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if let Err(error) = read {
        tracing::warn!(%error, "the log could not be searched to its end");
    }
    found
}
