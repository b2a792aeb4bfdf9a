//! Questions about what is really on the disk. Everything is read anew; nothing is answered from memory.

use crate::{Holder, HolderError};
use catalogue::BookPath;
use catalogue::limits::BOOK_BYTES_MAX;
use protocol::{
    BUCKETS, BucketNumber, Content, Digest, FetchedFile, Finding, FoundFile, HolderAnswer, HolderRequest, ScanSummary,
    SetDigest, Version, WantedFile,
};
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use storage::book_files::{FileDigest, ScanEntry};

/// A place beside files and quarantine where committed bytes may still be found, such as a log.
pub type Elsewhere<'a> = &'a dyn Fn(&WantedFile) -> Option<Content>;

impl Holder {
    /// Answers a question, after every write that was applied before it has reached the files. Takes as long as reading
    /// does: not for a thread that rounds wait for. A `Heal` is not a question: see [`Holder::heal`].
    ///
    /// `version` is the last version whose writes were applied before the question was taken up. `elsewhere` is asked
    /// for bytes that neither files nor quarantine have, if the question allows that.
    #[must_use]
    pub fn answer(&self, question: HolderRequest, version: Version, elsewhere: Elsewhere<'_>) -> HolderAnswer {
        let request = question.request();
        let answered = self.flush().and_then(|()| match question {
            HolderRequest::Scan { .. } => self.scan(version).map(|summary| HolderAnswer::Scanned { request, summary }),
            HolderRequest::ListBuckets { buckets, .. } => {
                let files = self
                    .paths_of(&buckets)?
                    .into_iter()
                    .map(|path| self.examine(path))
                    .filter(|file| file.found.is_some())
                    .collect();
                Ok(HolderAnswer::Found { request, version, files })
            }
            HolderRequest::Examine { paths, .. } => {
                let files = paths.into_iter().map(|path| self.examine(path)).collect();
                Ok(HolderAnswer::Found { request, version, files })
            }
            HolderRequest::ReadFiles { files, anywhere, .. } => {
                let read = |wanted| self.fetch(wanted, anywhere.then_some(elsewhere));
                Ok(HolderAnswer::FilesRead { request, files: files.into_iter().map(read).collect() })
            }
            HolderRequest::Heal { .. } => {
                let reason = "repairs are not answered as a question".to_owned();
                Ok(HolderAnswer::Failed { request, reason })
            }
        });
        answered.unwrap_or_else(|error| HolderAnswer::Failed { request, reason: error.to_string() })
    }

    fn scan(&self, version: Version) -> Result<ScanSummary, HolderError> {
        let found = Mutex::new(Found::default());
        self.files.scan(self.settings.scan_threads, &|entry| {
            found.lock().unwrap_or_else(PoisonError::into_inner).add(entry);
            ControlFlow::Continue(())
        })?;
        let Found { sums, paths, files, mut foreign } = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        foreign.sort();
        *self.scanned.lock().unwrap_or_else(PoisonError::into_inner) = Some(paths);
        Ok(ScanSummary { version, sums, files, foreign })
    }

    /// The paths of these buckets that the last scan found; without one, a scan is made now.
    fn paths_of(&self, buckets: &[BucketNumber]) -> Result<Vec<BookPath>, HolderError> {
        let is_known = self.scanned.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if !is_known {
            self.scan(Version::ZERO)?;
        }
        let scanned = self.scanned.lock().unwrap_or_else(PoisonError::into_inner);
        let by_bucket = scanned.as_ref().expect("a scan leaves its paths behind, and nothing takes them away");
        let mut paths: Vec<_> = buckets.iter().flat_map(|bucket| by_bucket[bucket.index()].iter().copied()).collect();
        paths.sort_unstable();
        paths.dedup();
        Ok(paths)
    }

    /// One thing that cannot be read as a book's file must not keep all others from being compared: it counts as no file, and
    /// mending it moves it away.
    fn examine(&self, path: BookPath) -> FoundFile {
        FoundFile { path, found: self.finding_or_obstacle(path) }
    }

    /// What a file holds; none where there is none.
    pub(crate) fn finding(&self, path: BookPath) -> Result<Option<Finding>, HolderError> {
        Ok(self.files.digest(path)?.map(finding_of))
    }

    fn fetch(&self, wanted: WantedFile, elsewhere: Option<Elsewhere<'_>>) -> FetchedFile {
        let content = self.matching(&wanted).or_else(|| {
            let elsewhere = elsewhere?;
            let from_quarantine = self.quarantine.find(wanted.digest.0).unwrap_or_else(|error| {
                tracing::warn!(path = %wanted.path, %error, "the quarantine could not be searched");
                None
            });
            from_quarantine
                .map(Content::from)
                .or_else(|| elsewhere(&wanted))
                .filter(|content| Digest::of(content.bytes()) == wanted.digest)
        });
        FetchedFile { wanted, content }
    }

    /// The bytes of a file if they are the wanted ones. A file that cannot be read counts as not having them.
    pub(crate) fn matching(&self, wanted: &WantedFile) -> Option<Content> {
        match self.files.read(wanted.path, BOOK_BYTES_MAX) {
            Ok(bytes) => bytes.filter(|bytes| Digest::of(bytes) == wanted.digest).map(Content::from),
            Err(error) => {
                tracing::warn!(path = %wanted.path, %error, "a book file cannot be read");
                None
            }
        }
    }
}

pub(crate) fn finding_of(digest: FileDigest) -> Finding {
    Finding { digest: Digest(digest.sha256), size: digest.bytes }
}

/// What a scan collects from its threads.
struct Found {
    sums: Vec<SetDigest>,
    paths: Vec<Vec<BookPath>>,
    files: u64,
    foreign: Vec<String>,
}

impl Default for Found {
    fn default() -> Self {
        Self { sums: vec![SetDigest::EMPTY; BUCKETS], paths: vec![Vec::new(); BUCKETS], files: 0, foreign: Vec::new() }
    }
}

impl Found {
    fn add(&mut self, entry: ScanEntry) {
        match entry {
            ScanEntry::Book { path, digest } => {
                let bucket = BucketNumber::of(&path).index();
                self.sums[bucket] = self.sums[bucket].plus(finding_of(digest).element(&path));
                self.paths[bucket].push(path);
                self.files += 1;
            }
            // Counts as missing: its sum lacks, so that it is looked at and healed.
            ScanEntry::Unreadable { path, error } => {
                tracing::warn!(%path, %error, "something that cannot be read stands where a book file belongs");
            }
            ScanEntry::Foreign { name } => self.foreign.push(name.to_string_lossy().into_owned()),
        }
    }
}
