//! The manifest: what every committed file must hold, with a root that changes in time proportional to the change.
//!
//! It lives in memory. Cloning it is cheap (buckets are shared until one of the two changes), so that it can be written out
//! or compared away from the write path.

use catalogue::BookPath;
use protocol::{
    BUCKETS, BucketEntries, BucketNumber, Change, CommittedChange, Finding, ManifestEntry, Record, SetDigest, Version,
};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The records of all committed files, in fixed buckets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    buckets: Arc<Vec<Arc<Bucket>>>,
    root: SetDigest,
    files: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Bucket {
    records: BTreeMap<BookPath, Record>,
    /// Digest of the records.
    sum: SetDigest,
    /// Digest of what a disk holds on which every file is as its record says.
    found_sum: SetDigest,
}

/// The root is a digest of every record, so that two manifests with the same root are the same.
impl Hash for Manifest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.root.hash(state);
    }
}

impl Default for Manifest {
    fn default() -> Self {
        let empty = Arc::new(Bucket::default());
        Self { buckets: Arc::new(vec![empty; BUCKETS]), root: SetDigest::EMPTY, files: 0 }
    }
}

impl Manifest {
    /// The set digest of all records.
    #[must_use]
    pub fn root(&self) -> SetDigest {
        self.root
    }

    /// Number of files.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.files
    }

    /// The record of a file.
    #[must_use]
    pub fn record(&self, path: &BookPath) -> Option<&Record> {
        self.bucket(path).records.get(path)
    }

    /// All entries, bucket by bucket.
    pub fn entries(&self) -> impl Iterator<Item = (&BookPath, &Record)> {
        self.buckets.iter().flat_map(|bucket| bucket.records.iter())
    }

    /// The set digest of each bucket, in order.
    #[must_use]
    pub fn sums(&self) -> Vec<SetDigest> {
        self.buckets.iter().map(|bucket| bucket.sum).collect()
    }

    /// The buckets whose digest is not the one in `sums`.
    #[must_use]
    pub fn differing_buckets(&self, sums: &[SetDigest]) -> Vec<BucketNumber> {
        BucketNumber::all()
            .filter(|bucket| sums.get(bucket.index()) != Some(&self.buckets[bucket.index()].sum))
            .collect()
    }

    /// The entries of a bucket.
    #[must_use]
    pub fn bucket_entries(&self, bucket: BucketNumber) -> BucketEntries {
        let records = &self.buckets[bucket.index()].records;
        let entries = records.iter().map(|(path, record)| ManifestEntry { path: *path, record: *record }).collect();
        BucketEntries { bucket, entries }
    }

    /// The digest that a bucket's files have on a disk where every one of them is as its record says.
    #[must_use]
    pub fn found_sum(&self, bucket: BucketNumber) -> SetDigest {
        self.buckets[bucket.index()].found_sum
    }

    /// Sets or removes the record of a file.
    pub fn set(&mut self, path: BookPath, record: Option<Record>) {
        let buckets = Arc::make_mut(&mut self.buckets);
        let bucket = Arc::make_mut(&mut buckets[BucketNumber::of(&path).index()]);
        let before = match record {
            Some(record) => bucket.records.insert(path, record),
            None => bucket.records.remove(&path),
        };
        let element = |record: Option<Record>| record.map_or(SetDigest::EMPTY, |record| record.element(&path));
        let found =
            |record: Option<Record>| record.map_or(SetDigest::EMPTY, |record| Finding::of(&record).element(&path));
        let (removed, added) = (element(before), element(record));
        bucket.sum = bucket.sum.minus(removed).plus(added);
        bucket.found_sum = bucket.found_sum.minus(found(before)).plus(found(record));
        self.root = self.root.minus(removed).plus(added);
        self.files = self.files + u64::from(record.is_some()) - u64::from(before.is_some());
    }

    /// The root after a round's changes, without making them. Takes time in proportion to the changes.
    #[must_use]
    pub fn root_after(&self, changes: &[Change], version: Version) -> SetDigest {
        changes.iter().fold(self.root, |root, change| {
            let before = self.record(&change.path).map_or(SetDigest::EMPTY, |record| record.element(&change.path));
            let after = record_of(change, version).map_or(SetDigest::EMPTY, |record| record.element(&change.path));
            root.minus(before).plus(after)
        })
    }

    /// Makes a round's changes.
    pub fn apply(&mut self, changes: &[Change], version: Version) {
        for change in changes {
            self.set(change.path, record_of(change, version));
        }
    }

    fn bucket(&self, path: &BookPath) -> &Bucket {
        &self.buckets[BucketNumber::of(path).index()]
    }
}

/// The record that a change leaves behind; none for a delete.
#[must_use]
pub fn record_of(change: &Change, version: Version) -> Option<Record> {
    change.action.digest().map(|digest| Record { digest, size: change.action.size(), version })
}

/// The record that a change of a committed round leaves behind; none for a delete.
#[must_use]
pub fn committed_record(change: &CommittedChange, version: Version) -> Option<Record> {
    change.action.digest().map(|digest| Record { digest, size: change.action.size(), version })
}

impl FromIterator<(BookPath, Record)> for Manifest {
    fn from_iter<I: IntoIterator<Item = (BookPath, Record)>>(entries: I) -> Self {
        let mut manifest = Self::default();
        for (path, record) in entries {
            manifest.set(path, Some(record));
        }
        manifest
    }
}
