//! Which damaged files hold the bytes of an older record, as far as the own log still knows it.

use super::pass::Interrupted;
use catalogue::BookPath;
use protocol::{Action, Digest, RoundId, WantedFile};
use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use storage::LogSequence;
use storage::log::LogReader;
use two_phase::replicator::ReplicatorRecord;

/// Those of the files whose bytes a committed round once put there. Reads the whole log, at the pace of the scrub.
pub(super) fn find(
    log: &LogReader,
    files: &[WantedFile],
    has_read: &mut dyn FnMut(u64) -> Result<(), Interrupted>,
) -> Result<BTreeSet<BookPath>, Interrupted> {
    let mut search = Search { files, prepared: HashMap::new(), found: BTreeSet::new() };
    if files.is_empty() {
        return Ok(search.found);
    }
    let mut interrupted = None;
    let read = log.read_from(LogSequence::FIRST, &mut |_, payload| {
        if let Ok(record) = serde_json::from_slice(payload) {
            search.take(record);
        }
        match has_read(payload.len() as u64) {
            Ok(()) => ControlFlow::Continue(()),
            Err(why) => {
                interrupted = Some(why);
                ControlFlow::Break(())
            }
        }
    });
    if let Err(error) = read {
        tracing::warn!(%error, "the log could not be searched to its end for the bytes of damaged files");
    }
    interrupted.map_or(Ok(search.found), Err)
}

struct Search<'a> {
    files: &'a [WantedFile],
    /// What rounds would put there whose outcome is not read yet.
    prepared: HashMap<RoundId, Vec<BookPath>>,
    found: BTreeSet<BookPath>,
}

impl Search<'_> {
    fn take(&mut self, record: ReplicatorRecord) {
        match record {
            ReplicatorRecord::Prepared(prepare) => {
                let changes = prepare.changes.iter().map(|change| (change.path, &change.action));
                let paths = self.of_interest(changes);
                if !paths.is_empty() {
                    self.prepared.insert(prepare.round, paths);
                }
            }
            ReplicatorRecord::Committed { round } => {
                self.found.extend(self.prepared.remove(&round).into_iter().flatten());
            }
            ReplicatorRecord::Followed(round) => {
                let changes = round.changes.iter().map(|change| (change.path, &change.action));
                self.found.extend(self.of_interest(changes));
            }
            _ => {}
        }
    }

    fn of_interest<'b>(&self, changes: impl Iterator<Item = (BookPath, &'b Action)>) -> Vec<BookPath> {
        let is_held = |path: BookPath, digest: Option<Digest>| {
            self.files.iter().any(|file| file.path == path && Some(file.digest) == digest)
        };
        changes.filter(|(path, action)| is_held(*path, action.digest())).map(|(path, _)| path).collect()
    }
}
