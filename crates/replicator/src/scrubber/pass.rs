//! One pass: every folder of books, every file that must be there and every name that is.
//!
//! A file that is as expected is clean at one look. Any other is looked at again, between two questions about its record, until the
//! outcome is certain or it has changed too often.

use catalogue::BookPath;
use faults::{CrashPoint, crash_point};
use holder::{Holder, Look, Reading, Shelf};
use protocol::{ScrubFinding, ScrubOutcome, ScrubReport, WantedFile};
use storage::book_files::Listing;
use two_phase::replicator::ExpectedFiles;

/// How often a file is looked at again before it counts as changing.
const LOOKS_MAX: usize = 4;

/// Why a pass did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interrupted {
    /// Somebody wants a pass that begins now.
    BeginAnew,
    /// The process ends.
    Stopping,
}

/// What a pass needs beside the files.
pub(super) trait Surroundings {
    /// What the files in a folder must hold, with all that is committed handed to the file writer; none if nobody can tell.
    fn expected(&mut self, shelf: Shelf) -> Result<Option<ExpectedFiles>, Interrupted>;
    /// So much was read: pauses to keep the pace.
    fn has_read(&mut self, bytes: u64) -> Result<(), Interrupted>;
    /// Pauses so that what is being written can be written.
    fn let_settle(&mut self) -> Result<(), Interrupted>;
    /// So much was found until now; called often, as a folder of very many files takes long.
    fn got_further(&mut self, report: &ScrubReport);
}

/// Walks over all files. Gives the report, and what the damaged files hold that are named in it.
pub(super) fn run(
    holder: &Holder,
    surroundings: &mut impl Surroundings,
    report: ScrubReport,
) -> Result<(ScrubReport, Vec<WantedFile>), Interrupted> {
    let mut pass = Pass { holder, surroundings, report, damaged: Vec::new() };
    match holder.list_foreign() {
        Ok(names) => pass.count_foreign(&names),
        Err(error) => pass.count_unknown(error.to_string()),
    }
    for shelf in Shelf::all() {
        pass.read_shelf(shelf)?;
        pass.surroundings.got_further(&pass.report);
        crash_point::reach(CrashPoint::ShelfScrubbed);
    }
    Ok((pass.report, pass.damaged))
}

struct Pass<'a, S> {
    holder: &'a Holder,
    surroundings: &'a mut S,
    report: ScrubReport,
    damaged: Vec<WantedFile>,
}

/// What a look at a file told, before it is known what its record was meanwhile.
struct Glance {
    path: BookPath,
    reading: Reading,
    was_busy: bool,
}

impl<S: Surroundings> Pass<'_, S> {
    fn read_shelf(&mut self, shelf: Shelf) -> Result<(), Interrupted> {
        let Listing { books, foreign } = self.list(shelf);
        self.count_foreign(&foreign);
        let Some(ExpectedFiles { records, .. }) = self.surroundings.expected(shelf)? else {
            books.iter().for_each(|_| self.count_unknown(nobody_can_tell()));
            return Ok(());
        };
        let mut doubtful: Vec<_> = books.into_iter().filter(|path| !records.contains_key(path)).collect();
        for (path, record) in &records {
            self.surroundings.got_further(&self.report);
            self.surroundings.has_read(record.size)?;
            if self.holder.read_for_scrub(*path).is(record) {
                self.report.add(ScrubOutcome::Clean);
                self.report.bytes += record.size;
            } else {
                doubtful.push(*path);
            }
        }
        self.look_again(shelf, doubtful)
    }

    /// What is listed; nothing if it cannot be, which leaves the files that must be there.
    fn list(&mut self, shelf: Shelf) -> Listing {
        self.holder.list(shelf).unwrap_or_else(|error| {
            self.count_unknown(error.to_string());
            Listing::default()
        })
    }

    fn look_again(&mut self, shelf: Shelf, mut doubtful: Vec<BookPath>) -> Result<(), Interrupted> {
        for look in 0..LOOKS_MAX {
            if doubtful.is_empty() {
                break;
            }
            if look > 0 {
                self.surroundings.let_settle()?;
            }
            let before = self.surroundings.expected(shelf)?;
            let mut glances = Vec::new();
            for path in doubtful.drain(..) {
                glances.push(self.glance(path)?);
            }
            let (Some(before), Some(after)) = (before, self.surroundings.expected(shelf)?) else {
                glances.iter().for_each(|_| self.count_unknown(nobody_can_tell()));
                return Ok(());
            };
            for glance in glances {
                if let Some(path) = self.judge(glance, &before, &after) {
                    doubtful.push(path);
                }
            }
        }
        doubtful.iter().for_each(|_| self.report.add(ScrubOutcome::Changing));
        Ok(())
    }

    fn glance(&mut self, path: BookPath) -> Result<Glance, Interrupted> {
        let was_busy = self.holder.is_busy(path);
        let reading = self.holder.read_for_scrub(path);
        let size = if let Reading::Found(found) = &reading { found.size } else { 0 };
        let was_busy = was_busy || self.holder.is_busy(path);
        self.surroundings.has_read(size)?;
        Ok(Glance { path, reading, was_busy })
    }

    /// Counts what is certain; gives back the path of a file that has to be looked at again.
    fn judge(&mut self, glance: Glance, before: &ExpectedFiles, after: &ExpectedFiles) -> Option<BookPath> {
        let Glance { path, reading, was_busy } = glance;
        let record = |expected: &ExpectedFiles| expected.records.get(&path).copied();
        // What a catch-up left there may be right ahead of its record; a file that no record knows is told all the same.
        let is_distrusted = after.distrusted.contains(&path) && after.records.contains_key(&path);
        let is_busy = was_busy || is_distrusted;
        let look = Look { before: record(before), reading, is_busy, after: record(after) };
        match (look.outcome()?, look.reading) {
            (ScrubOutcome::Changing, _) => return Some(path),
            (ScrubOutcome::Unknown, Reading::Failed { reason }) => self.count_unknown(reason),
            (outcome, reading) => {
                self.report.add(outcome);
                self.report.bytes += look.after.map_or(0, |record| record.size);
                if outcome != ScrubOutcome::Clean {
                    self.name(path, outcome, reading);
                }
            }
        }
        None
    }

    fn name(&mut self, path: BookPath, outcome: ScrubOutcome, reading: Reading) {
        let is_named = self.report.findings.len() < ScrubReport::FINDINGS_MAX;
        let detail = match reading {
            Reading::Found(found) => {
                if is_named && outcome == ScrubOutcome::Damaged {
                    self.damaged.push(WantedFile { path, digest: found.digest });
                }
                None
            }
            Reading::Nothing => Some("the file is missing".to_owned()),
            Reading::Unreadable { reason } | Reading::Failed { reason } => Some(reason),
        };
        self.report.name(ScrubFinding { name: path.to_string(), outcome, detail });
    }

    fn count_foreign(&mut self, names: &[std::path::PathBuf]) {
        for name in names {
            self.report.add(ScrubOutcome::Extra);
            let (name, detail) = (name.to_string_lossy().into_owned(), Some("this is no book's name".to_owned()));
            self.report.name(ScrubFinding { name, outcome: ScrubOutcome::Extra, detail });
        }
    }

    fn count_unknown(&mut self, reason: String) {
        self.report.add(ScrubOutcome::Unknown);
        self.report.detail.get_or_insert(reason);
    }
}

fn nobody_can_tell() -> String {
    "its memory is not confirmed, or it is being brought level".to_owned()
}

#[cfg(test)]
mod tests;
