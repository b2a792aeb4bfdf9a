//! What a scrub of the own files goes by.

use super::Replicator;
use catalogue::BookPath;
use protocol::{BucketNumber, Record, ScrubReport, Standing, ToCoordinator};
use std::collections::{BTreeMap, BTreeSet};

/// What some of the files must hold, and which of them nobody can say anything about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExpectedFiles {
    /// The records, by file.
    pub records: BTreeMap<BookPath, Record>,
    /// Files that a catch-up which was given up may have written: they may hold what is right and not recorded here yet.
    pub distrusted: BTreeSet<BookPath>,
}

impl Replicator {
    /// What the files of these buckets must hold once all that is committed here is written. None while the own records say
    /// nothing of the files: the memory is not trusted (rule NoAmnesia), or a catch-up puts files in place ahead of the records.
    #[must_use]
    pub fn expected_files(&self, buckets: &[BucketNumber]) -> Option<ExpectedFiles> {
        if self.state.standing != Standing::Trusted || self.learner.is_some() {
            return None;
        }
        let entries = buckets.iter().flat_map(|bucket| self.state.manifest.bucket_entries(*bucket).entries);
        let records = entries.map(|entry| (entry.path, entry.record)).collect();
        let distrusted = self.distrusted.iter().filter(|path| buckets.contains(&BucketNumber::of(path))).copied();
        Some(ExpectedFiles { records, distrusted: distrusted.collect() })
    }

    /// A scrub got further, or ended.
    pub fn handle_scrubbed(&mut self, report: ScrubReport) {
        self.send(ToCoordinator::Scrubbed(report));
    }
}
