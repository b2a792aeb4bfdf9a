//! The side of a catch-up that is behind: a replicator or an app-server that is brought level.
//!
//! The manifest is built aside, from the own one and the buckets that differ. Files are fetched only if the disk does not hold
//! them already. Nothing of it counts before [`LearnerStep::Install`] is durable: a crash in between starts it anew, with
//! fewer files to fetch. The rule AckedNeverLost rests on the order: first the files, then the manifest that vouches for them.

use crate::Manifest;
use catalogue::BookPath;
use protocol::{BucketEntries, CatchUpId, CatchUpTarget, Digest, FetchedFile, FromLearner, ToLearner, WantedFile};
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

/// How many files are asked for at once.
const FETCH_FILES_MAX: usize = 256;

/// A catch-up under way.
#[derive(Debug)]
pub(crate) struct Learner {
    catch_up: CatchUpId,
    target: CatchUpTarget,
    manifest: Manifest,
    removed: Vec<BookPath>,
    to_fetch: VecDeque<WantedFile>,
    fetching: bool,
    checks_open: u64,
    stores_open: u64,
    entries_complete: bool,
    touched: HashSet<BookPath>,
    distrusted: BTreeSet<BookPath>,
    installing: bool,
}

/// What a learner needs done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LearnerStep {
    /// Say this to the coordinator.
    Say(FromLearner),
    /// Tell which of these files the disk lacks.
    FindMissing(Vec<WantedFile>),
    /// Write these files.
    Store(Vec<FetchedFile>),
    /// Remove these files, make all durable, then make the manifest the valid one.
    Install {
        /// Files that are no longer in the catalogue.
        removed: Vec<BookPath>,
    },
    /// The catch-up cannot go on: connect anew.
    Restart {
        /// Why, for people.
        reason: String,
    },
}

impl Learner {
    /// Begins a catch-up from the own manifest (an empty one, if it is not to be trusted). Files that are `distrusted` may hold
    /// anything, or be there without a record: each is looked at, and removed if the target does not have it.
    #[must_use]
    pub(crate) fn begin(
        catch_up: CatchUpId,
        target: CatchUpTarget,
        manifest: Manifest,
        distrusted: BTreeSet<BookPath>,
    ) -> (Self, LearnerStep) {
        let step = LearnerStep::Say(FromLearner::Buckets { catch_up, sums: manifest.sums() });
        let learner = Self {
            catch_up,
            target,
            manifest,
            removed: Vec::new(),
            to_fetch: VecDeque::new(),
            fetching: false,
            checks_open: 0,
            stores_open: 0,
            entries_complete: false,
            touched: HashSet::new(),
            distrusted,
            installing: false,
        };
        (learner, step)
    }

    /// The catch-up's number.
    #[must_use]
    pub(crate) fn catch_up(&self) -> CatchUpId {
        self.catch_up
    }

    /// Where it leads.
    #[must_use]
    pub(crate) fn target(&self) -> CatchUpTarget {
        self.target
    }

    /// Whether everything is there that the target needs: [`LearnerStep::Install`] was asked for.
    #[must_use]
    pub(crate) fn is_complete(&self) -> bool {
        self.installing
    }

    /// The manifest that is being built: that of the target, once it is complete.
    #[must_use]
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The files that may hold anything if this catch-up is given up: it may have written them.
    pub(crate) fn into_distrusted(self) -> BTreeSet<BookPath> {
        self.distrusted
    }

    /// A round committed since the start of the catch-up wrote this path: a fetched file must not be put over it.
    pub(crate) fn touch(&mut self, path: BookPath) {
        self.touched.insert(path);
    }

    /// Something that the coordinator says of this catch-up.
    pub(crate) fn handle(&mut self, message: ToLearner) -> Vec<LearnerStep> {
        match message {
            ToLearner::Entries { catch_up, buckets, last } if catch_up == self.catch_up => {
                self.handle_entries(buckets, last)
            }
            ToLearner::Files { catch_up, files } if catch_up == self.catch_up => self.handle_files(files),
            ToLearner::Compare { .. } | ToLearner::Entries { .. } | ToLearner::Files { .. } => Vec::new(),
        }
    }

    /// The disk was searched: these files are not there.
    pub(crate) fn handle_missing(&mut self, missing: Vec<WantedFile>) -> Vec<LearnerStep> {
        self.checks_open -= 1;
        self.to_fetch.extend(missing);
        self.go_on()
    }

    /// Fetched files were written.
    pub(crate) fn handle_stored(&mut self) -> Vec<LearnerStep> {
        self.stores_open -= 1;
        self.go_on()
    }

    fn handle_entries(&mut self, buckets: Vec<BucketEntries>, last: bool) -> Vec<LearnerStep> {
        let mut wanted = Vec::new();
        for bucket in buckets {
            let mut gone: BTreeMap<_, _> = self
                .manifest
                .bucket_entries(bucket.bucket)
                .entries
                .into_iter()
                .map(|entry| (entry.path, entry.record))
                .collect();
            for entry in bucket.entries {
                let before = gone.remove(&entry.path);
                // Also where only the version differs: the disk may hold what was written, and taken back, in between.
                if before != Some(entry.record) {
                    wanted.push(WantedFile { path: entry.path, digest: entry.record.digest });
                }
                self.manifest.set(entry.path, Some(entry.record));
            }
            for path in gone.into_keys() {
                self.manifest.set(path, None);
                self.removed.push(path);
            }
        }
        self.entries_complete = last;
        if last && self.manifest.root() != self.target.root {
            let (root, target) = (self.manifest.root(), self.target.root);
            return vec![LearnerStep::Restart { reason: format!("the catch-up led to root {root}, not {target}") }];
        }
        if last {
            for path in &self.distrusted {
                match self.manifest.record(path) {
                    Some(record) => wanted.push(WantedFile { path: *path, digest: record.digest }),
                    None => self.removed.push(*path),
                }
            }
        }
        if wanted.is_empty() {
            return self.go_on();
        }
        self.checks_open += 1;
        vec![LearnerStep::FindMissing(wanted)]
    }

    fn handle_files(&mut self, files: Vec<FetchedFile>) -> Vec<LearnerStep> {
        self.fetching = false;
        let mut store = Vec::new();
        for file in files {
            match &file.content {
                _ if self.touched.contains(&file.wanted.path) => {}
                Some(content) if Digest::of(content.bytes()) == file.wanted.digest => store.push(file),
                _ => {
                    let reason = format!(
                        "nobody could give {} as it was committed; run restore to see its copies",
                        file.wanted.path
                    );
                    return vec![LearnerStep::Restart { reason }];
                }
            }
        }
        let mut steps = Vec::new();
        if !store.is_empty() {
            self.distrusted.extend(store.iter().map(|file| file.wanted.path));
            self.stores_open += 1;
            steps.push(LearnerStep::Store(store));
        }
        steps.extend(self.go_on());
        steps
    }

    fn go_on(&mut self) -> Vec<LearnerStep> {
        if !self.fetching && !self.to_fetch.is_empty() {
            let count = self.to_fetch.len().min(FETCH_FILES_MAX);
            let files = self.to_fetch.drain(..count).collect();
            self.fetching = true;
            return vec![LearnerStep::Say(FromLearner::Fetch { catch_up: self.catch_up, files })];
        }
        let idle = !self.fetching && self.checks_open == 0 && self.stores_open == 0;
        if idle && self.entries_complete && !self.installing {
            self.installing = true;
            let touched = &self.touched;
            let removed = self.removed.drain(..).filter(|path| !touched.contains(path)).collect();
            return vec![LearnerStep::Install { removed }];
        }
        Vec::new()
    }
}
