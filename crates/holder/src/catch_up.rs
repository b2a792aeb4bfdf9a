//! The file work of a catch-up: which files are there already, and putting in place those that were fetched.

use crate::{Claim, Holder, HolderError};
use catalogue::BookPath;
use faults::{CrashPoint, crash_point};
use protocol::{Content, Digest, FetchedFile, WantedFile};

/// The digest that a file was last known to hold: bytes other than these are not overwritten without a copy in the
/// quarantine, for nobody else may have them.
pub type Expected<'a> = &'a dyn Fn(&BookPath) -> Option<Digest>;

impl Holder {
    /// Those of the wanted files that the disk does not hold. Each that it holds is given to `on_found` with its bytes.
    ///
    /// # Errors
    /// If committed writes do not reach the files.
    pub fn find_missing(
        &self,
        wanted: &[WantedFile],
        on_found: &mut dyn FnMut(&WantedFile, Content),
    ) -> Result<Vec<WantedFile>, HolderError> {
        self.flush()?;
        let mut missing = Vec::new();
        for wanted in wanted {
            match self.matching(wanted) {
                Some(content) => on_found(wanted, content),
                None => missing.push(*wanted),
            }
        }
        crash_point::reach(CrashPoint::MissingFilesFound);
        Ok(missing)
    }

    /// Writes fetched files, unsynced, except those that a newer round has touched since the claim was taken.
    ///
    /// # Errors
    /// If a file has no or the wrong bytes, or the disk refuses. What was written before that stays.
    pub fn store_fetched(
        &self,
        claim: &Claim,
        files: &[FetchedFile],
        expected: Expected<'_>,
    ) -> Result<(), HolderError> {
        crash_point::reach(CrashPoint::FetchedFilesReceived);
        self.flush()?;
        for file in files {
            let WantedFile { path, digest } = file.wanted;
            let content = file.content.as_ref().filter(|content| Digest::of(content.bytes()) == digest);
            let content = content.ok_or(HolderError::WrongContent { path })?;
            self.replace(claim, path, Some(content), expected)?;
        }
        crash_point::reach(CrashPoint::FetchedFilesStored);
        Ok(())
    }

    /// Removes files, unsynced, except those that a newer round has touched since the claim was taken.
    ///
    /// # Errors
    /// If the disk refuses. What was removed before that stays removed.
    pub fn remove(&self, claim: &Claim, paths: &[BookPath], expected: Expected<'_>) -> Result<(), HolderError> {
        self.flush()?;
        paths.iter().try_for_each(|path| self.replace(claim, *path, None, expected))
    }

    fn replace(
        &self,
        claim: &Claim,
        path: BookPath,
        content: Option<&Content>,
        expected: Expected<'_>,
    ) -> Result<(), HolderError> {
        self.keep_unexpected(path, expected(&path), content.map(|content| Digest::of(content.bytes())))?;
        claim.if_untouched(path, || self.put(path, content)).transpose()?;
        Ok(())
    }

    /// Copies what a file holds into the quarantine, unless that is what it should hold, or will. Gives the copy's name.
    ///
    /// # Errors
    /// If it cannot be read or kept: then it must not be overwritten.
    pub fn keep_unexpected(
        &self,
        path: BookPath,
        expected: Option<Digest>,
        coming: Option<Digest>,
    ) -> Result<Option<String>, HolderError> {
        // A link or a folder holds no bytes of its own that could be lost.
        let Some(found) = self.finding(path).unwrap_or(None) else { return Ok(None) };
        let is_known = Some(found.digest) == expected || Some(found.digest) == coming;
        // An empty file is what a crash leaves of one that was being created.
        if is_known || found.size == 0 { Ok(None) } else { self.keep(path, found).map(Some) }
    }
}
