//! The side of a catch-up that is behind: a replicator or an app-server that is brought level.
//!
//! The manifest is built aside, from the own one and the buckets that differ. Files are fetched only if the disk does not hold
//! them already. Rounds that are committed meanwhile are told to a replicator besides: their files are written at once, over
//! whatever was fetched, and their records are put on top in the end. Nothing of it counts before [`LearnerStep::Install`] is durable: a crash in between starts it anew, with
//! fewer files to fetch. The rule AckedNeverLost rests on the order: first the files, then the manifest that vouches for them.

use crate::Manifest;
use crate::manifest::committed_record;
use crate::mutant::Mutant;
use catalogue::BookPath;
use protocol::{
    BucketEntries, CatchUpId, CatchUpTarget, CommittedRound, Digest, FetchedFile, FromLearner, Record, Repair,
    ToLearner, WantedFile,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many files are asked for at once, and how many bytes of them.
const FETCH_FILES_MAX: usize = 256;
const FETCH_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A catch-up under way.
#[derive(Debug, Clone, Hash)]
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
    touched: BTreeSet<BookPath>,
    distrusted: BTreeSet<BookPath>,
    installing: bool,
    /// Where the target and the rounds on top of it lead.
    reached: CatchUpTarget,
    on_top: BTreeMap<BookPath, Option<Record>>,
    /// Rounds that wait until fetched files are written, so that the files of these do not end up over theirs.
    later: VecDeque<CommittedRound>,
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
    /// Write the files of this round.
    Write(CommittedRound),
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

/// Whether a repair names the newest record of its file: neither the own manifest nor a catch-up, which may have found its file in
/// place, says otherwise (rules NoRollback and NoResurrection).
pub(crate) fn is_newest(repair: &Repair, own: &Manifest, learner: Option<&Learner>) -> bool {
    let own = own.record(&repair.path).copied();
    own == repair.record && learner.is_none_or(|learner| learner.record(&repair.path) == own)
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
            touched: BTreeSet::new(),
            distrusted,
            installing: false,
            reached: target,
            on_top: BTreeMap::new(),
            later: VecDeque::new(),
        };
        (learner, step)
    }

    /// The catch-up's number.
    #[must_use]
    pub(crate) fn catch_up(&self) -> CatchUpId {
        self.catch_up
    }

    /// What a file will have to hold, as far as it is known by now.
    fn record(&self, path: &BookPath) -> Option<Record> {
        self.on_top.get(path).copied().unwrap_or_else(|| self.manifest.record(path).copied())
    }

    /// Where it leads, with the rounds on top.
    #[must_use]
    pub(crate) fn reached(&self) -> CatchUpTarget {
        self.reached
    }

    /// Whether everything is there that the target needs: [`LearnerStep::Install`] was asked for.
    #[must_use]
    pub(crate) fn is_complete(&self) -> bool {
        self.installing
    }

    /// The manifest that is being built: that of [`Learner::reached`], once it is complete.
    #[must_use]
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The files that may hold anything if this catch-up is given up: it may have written them.
    pub(crate) fn into_distrusted(self) -> BTreeSet<BookPath> {
        self.distrusted
    }

    /// The rounds that came after it was complete: they follow what is installed.
    pub(crate) fn into_later(self) -> VecDeque<CommittedRound> {
        self.later
    }

    /// A round committed since the start of the catch-up wrote this path: a fetched file must not be put over it.
    pub(crate) fn touch(&mut self, path: BookPath) {
        if !Mutant::FetchesOverNewer.is_on() {
            self.touched.insert(path);
        }
    }

    /// A round was committed since the start of the catch-up.
    pub(crate) fn follow(&mut self, round: CommittedRound) -> Vec<LearnerStep> {
        for change in &round.changes {
            self.touch(change.path);
        }
        self.later.push_back(round);
        self.write_later()
    }

    /// Rule Order: the next version and no other.
    fn write_later(&mut self) -> Vec<LearnerStep> {
        let mut steps = Vec::new();
        while self.stores_open == 0
            && !self.installing
            && let Some(round) = self.later.pop_front()
        {
            if round.version <= self.reached.version {
                continue;
            }
            if round.version != self.reached.version.next() {
                let reason = format!("version {} followed version {}", round.version, self.reached.version);
                return vec![LearnerStep::Restart { reason }];
            }
            for change in &round.changes {
                self.on_top.insert(change.path, committed_record(change, round.version));
                self.distrusted.insert(change.path);
            }
            self.reached = CatchUpTarget { version: round.version, root: round.root, round: round.round };
            steps.push(LearnerStep::Write(round));
        }
        steps
    }

    /// Something that the coordinator says of this catch-up.
    pub(crate) fn handle(&mut self, message: ToLearner) -> Vec<LearnerStep> {
        match message {
            ToLearner::Entries { catch_up, buckets, last } if catch_up == self.catch_up => {
                self.handle_entries(buckets, last)
            }
            ToLearner::Files { catch_up, files, exhaustive } if catch_up == self.catch_up => {
                self.handle_files(files, exhaustive)
            }
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
        let mut steps = self.write_later();
        steps.extend(self.go_on());
        steps
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
        if last && self.manifest.root() != self.target.root && !Mutant::OverlooksRootOfCatchUp.is_on() {
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

    /// A file that nobody has is missing everywhere: that is damage, which a restore reports, and no reason to stay behind.
    fn handle_files(&mut self, files: Vec<FetchedFile>, exhaustive: bool) -> Vec<LearnerStep> {
        self.fetching = false;
        let mut store = Vec::new();
        for file in files {
            match &file.content {
                _ if self.touched.contains(&file.wanted.path) => {}
                Some(content) if Digest::of(content.bytes()) == file.wanted.digest => store.push(file),
                None if exhaustive => {}
                _ => {
                    let reason = format!("nobody could give {} as it was committed at present", file.wanted.path);
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
        if !self.fetching {
            let files = self.next_to_fetch();
            if !files.is_empty() {
                self.fetching = true;
                let left = self.to_fetch.len() as u64;
                return vec![LearnerStep::Say(FromLearner::Fetch { catch_up: self.catch_up, files, left })];
            }
        }
        let stored = self.stores_open == 0 || Mutant::InstallsBeforeStored.is_on();
        let idle = !self.fetching && self.checks_open == 0 && stored;
        if idle && self.entries_complete && !self.installing { vec![self.install()] } else { Vec::new() }
    }

    fn next_to_fetch(&mut self) -> Vec<WantedFile> {
        let (mut files, mut bytes) = (Vec::new(), 0);
        while files.len() < FETCH_FILES_MAX
            && bytes < FETCH_BYTES_MAX
            && let Some(wanted) = self.to_fetch.pop_front()
        {
            if !self.touched.contains(&wanted.path) {
                bytes += self.manifest.record(&wanted.path).map_or(0, |record| record.size);
                files.push(wanted);
            }
        }
        files
    }

    fn install(&mut self) -> LearnerStep {
        self.installing = true;
        for (path, record) in std::mem::take(&mut self.on_top) {
            self.manifest.set(path, record);
        }
        if self.manifest.root() != self.reached.root && !Mutant::OverlooksRootOfCatchUp.is_on() {
            let (root, reached) = (self.manifest.root(), self.reached.root);
            return LearnerStep::Restart { reason: format!("the catch-up led to root {root}, not {reached}") };
        }
        let touched = &self.touched;
        let removed = self.removed.drain(..).filter(|path| !touched.contains(path)).collect();
        LearnerStep::Install { removed }
    }
}
