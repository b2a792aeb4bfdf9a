//! Repairs: compare and swap on what a ballot was about, with the replaced bytes in the quarantine first.

use crate::{Claim, Holder, HolderError};
use catalogue::BookPath;
use faults::{CrashPoint, crash_point};
use protocol::{Content, Digest, Finding, HealOutcome, HealResult, HolderAnswer, Repair, RequestId};
use std::path::Path;

/// Larger files are not copied through memory: no book comes near, and a person should look at what it is.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What became of one repair before the sync that makes it last.
enum Mended {
    /// Written; still to be synced and read back.
    Written { quarantined: Option<String> },
    /// Nothing was done.
    Left { reason: String },
}

impl Holder {
    /// Puts files right whose record is the newest, as the caller knew when it took the claim. A path that a newer round
    /// has touched since, or that holds something else than what was found, is left alone. `left` goes into the answer.
    ///
    /// For each file: the bytes that are there go to the quarantine, durably; the right ones are written and synced; then
    /// the file is read back. Takes as long as that does: not for a thread that rounds wait for.
    #[must_use]
    pub fn heal(
        &self,
        claim: &Claim,
        request: RequestId,
        repairs: &[Repair],
        foreign: &[String],
        left: Vec<HealResult>,
    ) -> HolderAnswer {
        if let Err(error) = self.flush() {
            return HolderAnswer::Failed { request, reason: error.to_string() };
        }
        let mended: Vec<_> = repairs.iter().map(|repair| self.mend(claim, repair)).collect();
        if let Err(error) = self.files.sync() {
            return HolderAnswer::Failed { request, reason: error.to_string() };
        }
        crash_point::reach(CrashPoint::RepairsSynced);
        let outcomes = repairs.iter().zip(mended).map(|(repair, mended)| HealResult {
            name: repair.path.to_string(),
            outcome: self.outcome(claim, repair, mended),
        });
        let removed = foreign.iter().map(|name| HealResult { name: name.clone(), outcome: self.move_foreign(name) });
        let results = outcomes.chain(removed).chain(left).collect();
        HolderAnswer::Healed { request, results }
    }

    fn mend(&self, claim: &Claim, repair: &Repair) -> Result<Mended, HolderError> {
        let left = |reason: &str| Ok(Mended::Left { reason: reason.to_owned() });
        let path = repair.path;
        if !fits_its_record(repair) {
            return Err(HolderError::WrongContent { path });
        }
        if self.finding_or_obstacle(path) != repair.found {
            return left("the file holds something else now than when it was judged");
        }
        let quarantined = repair.found.map(|found| self.keep(path, found)).transpose()?;
        // The look and the write are one step for rounds, so that none can come between.
        let written = claim.if_untouched(path, || {
            let is_same = self.finding_or_obstacle(path) == repair.found;
            if is_same { self.put(path, repair.content.as_ref()).map(|()| true) } else { Ok(false) }
        });
        match written.transpose()? {
            Some(true) => {
                crash_point::reach(CrashPoint::RepairWritten);
                Ok(Mended::Written { quarantined })
            }
            Some(false) => left("the file was changed while it was being put right"),
            None => left("a newer round changes this file"),
        }
    }

    fn outcome(&self, claim: &Claim, repair: &Repair, mended: Result<Mended, HolderError>) -> HealOutcome {
        let quarantined = match mended {
            Ok(Mended::Written { quarantined }) => quarantined,
            Ok(Mended::Left { reason }) => return HealOutcome::Changed { reason },
            Err(error) => return HealOutcome::Failed { reason: error.to_string() },
        };
        let right = repair.record.map(|record| Finding { digest: record.digest, size: record.size });
        match self.finding(repair.path) {
            Ok(found) if found == right => HealOutcome::Healed { quarantined },
            Ok(_) if claim.if_untouched(repair.path, || ()).is_none() => HealOutcome::Changed {
                reason: "a newer round changed this file right after it was put right".to_owned(),
            },
            Ok(_) => HealOutcome::Failed { reason: "the file reads back other bytes than were written".to_owned() },
            Err(error) => HealOutcome::Failed { reason: error.to_string() },
        }
    }

    /// Keeps a copy of what a file was found to hold, durably, and gives the copy's name.
    pub(crate) fn keep(&self, path: BookPath, found: Finding) -> Result<String, HolderError> {
        let bytes_max = usize::try_from(found.size).unwrap_or(usize::MAX);
        if bytes_max > KEPT_BYTES_MAX {
            return Err(HolderError::TooLarge { path, bytes: found.size });
        }
        let bytes = self.files.read(path, bytes_max)?.unwrap_or_default();
        Ok(self.quarantine.keep(path, &bytes)?)
    }

    /// As a ballot sees a file: a link or a folder in its place counts as no file. Writing replaces a link, never what it
    /// leads to; a folder has to be moved away by a person.
    pub(crate) fn finding_or_obstacle(&self, path: BookPath) -> Option<Finding> {
        self.finding(path).unwrap_or(None)
    }

    pub(crate) fn put(&self, path: BookPath, content: Option<&Content>) -> Result<(), HolderError> {
        match content {
            Some(content) => self.files.write(path, content.bytes())?,
            None => {
                self.files.remove(path)?;
            }
        }
        Ok(())
    }

    fn move_foreign(&self, name: &str) -> HealOutcome {
        match self.quarantine.keep_foreign(Path::new(name)) {
            Ok(kept) => HealOutcome::Healed { quarantined: Some(kept.display().to_string()) },
            Err(error) => HealOutcome::Failed { reason: error.to_string() },
        }
    }
}

/// Whether the bytes that came are the record's: nothing else is ever written by a repair.
fn fits_its_record(repair: &Repair) -> bool {
    match (&repair.record, &repair.content) {
        (Some(record), Some(content)) => Digest::of(content.bytes()) == record.digest,
        (None, None) => true,
        _ => false,
    }
}
