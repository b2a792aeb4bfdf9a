//! A restore: finds out what every copy really holds, takes a ballot on each file that differs, and heals.
//!
//! ```text
//!   Scanning  --sums differ-->  Comparing  --which files-->  Deciding  --who has the bytes-->  Healing  -->  Done
//!   every file is read          listed, then examined        ballots                           compare and swap
//! ```
//!
//! Rounds go on meanwhile. A finding is judged only if the file's record was the same before the question and after the answer, and
//! the answer comes from a copy that shows at least the version of the question; otherwise the file is *changing* and is read
//! again. Healing is a compare-and-swap at the holder, so that an older file never replaces a newer one (NoRollback) and a
//! deleted one never comes back (NoResurrection).

pub mod ballot;
mod healing;
mod report;

use crate::coordinator::Answers;
use crate::{Manifest, Now};
use catalogue::BookPath;
use protocol::{
    BucketNumber, Content, FileReport, Finding, FoundFile, HealReport, HolderAnswer, HolderId, HolderRequest,
    HoldingKind, MemberId, NotCompared, Phase, Progress, Record, RequestId, RestorationId, ScanSummary, Version,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How often a file is read again that rounds keep changing.
const EXAMINATIONS_MAX: u32 = 5;

/// Most files in one question.
const QUESTION_FILES_MAX: usize = 2_048;

/// What a restore may look at.
pub(crate) struct Known<'a> {
    pub manifest: &'a Manifest,
    pub version: Version,
    pub answers: &'a Answers,
    pub now: Now,
    pub holder_timeout_ms: u64,
}

/// A question to a holder.
pub(crate) type Ask = (HolderId, HolderRequest);

/// A restore under way.
#[derive(Debug, Clone, Hash)]
pub(crate) struct Restoration {
    id: RestorationId,
    dry_run: bool,
    started_unix_ms: u64,
    version: Version,
    registered: Vec<MemberId>,
    phase: Phase,
    compared: BTreeSet<HolderId>,
    not_compared: Vec<NotCompared>,
    foreign: BTreeMap<HolderId, Vec<String>>,
    suspects: BTreeMap<BookPath, Suspect>,
    open: BTreeMap<RequestId, Open>,
    next_request: RequestId,
    /// Everybody who was asked for bytes that no copy holds has answered.
    searched_everywhere: bool,
    to_heal: VecDeque<BookPath>,
    batch: Vec<BookPath>,
    contents: BTreeMap<BookPath, Content>,
    foreign_reports: Vec<FileReport>,
    progress_total: u64,
}

/// A file that is not intact everywhere.
#[derive(Debug, Clone, Hash, Default)]
struct Suspect {
    record: Option<Record>,
    /// What holders have of it that is not intact, or not certain.
    findings: BTreeMap<HolderId, Judged>,
    found_elsewhere: bool,
    tried_sources: BTreeSet<HolderId>,
    verdict: Option<ballot::Verdict>,
    actions: Vec<HealReport>,
}

#[derive(Debug, Clone, Hash)]
struct Judged {
    kind: HoldingKind,
    found: Option<Finding>,
}

#[derive(Debug, Clone, Hash)]
struct Open {
    holder: HolderId,
    question: Question,
    deadline_ms: u64,
}

#[derive(Debug, Clone, Hash)]
enum Question {
    Scan,
    List { buckets: Vec<BucketNumber> },
    Examine { asked: Vec<(BookPath, Option<Record>)>, version: Version, times: u32 },
    Search,
    Fetch,
    Heal { paths: Vec<BookPath> },
}

impl Restoration {
    /// Begins: every holder is asked to read its files.
    pub(crate) fn start(
        id: RestorationId,
        dry_run: bool,
        registered: Vec<MemberId>,
        holders: Vec<HolderId>,
        not_compared: Vec<NotCompared>,
        first_request: RequestId,
        known: &Known<'_>,
    ) -> (Self, Vec<Ask>) {
        let mut restoration = Self {
            id,
            dry_run,
            started_unix_ms: known.now.unix_ms,
            version: known.version,
            registered,
            phase: Phase::Scanning,
            compared: holders.iter().cloned().collect(),
            not_compared,
            foreign: BTreeMap::new(),
            suspects: BTreeMap::new(),
            open: BTreeMap::new(),
            next_request: first_request,
            searched_everywhere: true,
            to_heal: VecDeque::new(),
            batch: Vec::new(),
            contents: BTreeMap::new(),
            foreign_reports: Vec::new(),
            progress_total: holders.len() as u64,
        };
        let scan = |holder| restoration.ask(holder, Question::Scan, known, |request| HolderRequest::Scan { request });
        let mut asks: Vec<_> = holders.into_iter().map(scan).collect();
        asks.extend(restoration.go_on(known));
        (restoration, asks)
    }

    /// The number that the next question has: none is ever used for two, so that a late answer is seen to be late.
    pub(crate) fn next_request(&self) -> RequestId {
        self.next_request
    }

    pub(crate) fn id(&self) -> RestorationId {
        self.id
    }

    pub(crate) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    pub(crate) fn next_deadline_ms(&self) -> Option<u64> {
        self.open.values().map(|open| open.deadline_ms).min()
    }

    pub(crate) fn progress(&self) -> Progress {
        let total = self.progress_total;
        let left = match self.phase {
            Phase::Scanning | Phase::Comparing => self.open.len() as u64,
            Phase::Deciding => self.suspects.len() as u64,
            Phase::Healing => (self.to_heal.len() + self.batch.len()) as u64,
            Phase::Done => 0,
        };
        Progress { phase: self.phase, done: total.saturating_sub(left), total }
    }

    /// A holder answered.
    pub(crate) fn handle_answer(&mut self, holder: &HolderId, answer: HolderAnswer, known: &Known<'_>) -> Vec<Ask> {
        let request = answer.request();
        if self.open.get(&request).is_none_or(|open| open.holder != *holder) {
            return Vec::new();
        }
        let Some(Open { question, .. }) = self.open.remove(&request) else { return Vec::new() };
        let mut asks = match (question, answer) {
            (Question::Scan, HolderAnswer::Scanned { summary, .. }) => self.compare_sums(holder, summary, known),
            (Question::List { buckets }, HolderAnswer::Found { files, .. }) => {
                self.suspect(holder, &buckets, &files, known)
            }
            (Question::Examine { asked, version, times }, HolderAnswer::Found { version: shown, files, .. }) => {
                self.judge(holder, asked, shown >= version, times, &files, known)
            }
            (Question::Search | Question::Fetch, HolderAnswer::FilesRead { files, .. }) => {
                self.take_contents(files);
                Vec::new()
            }
            (Question::Heal { paths }, HolderAnswer::Healed { results, .. }) => {
                self.take_results(holder, &paths, results);
                Vec::new()
            }
            (question, HolderAnswer::Failed { reason, .. }) => {
                self.take_failure(holder, question, &reason);
                Vec::new()
            }
            (question, _) => {
                self.take_failure(holder, question, "it gave an answer of the wrong kind");
                Vec::new()
            }
        };
        asks.extend(self.go_on(known));
        asks
    }

    /// A holder is gone: what it was asked has failed.
    pub(crate) fn lose(&mut self, holder: &HolderId, reason: &str, known: &Known<'_>) -> Vec<Ask> {
        self.fail(reason, known, |open| open.holder == *holder)
    }

    /// Questions that were not answered in time have failed.
    pub(crate) fn handle_timer(&mut self, known: &Known<'_>) -> Vec<Ask> {
        let reason = format!("it did not answer within {} ms", known.holder_timeout_ms);
        self.fail(&reason, known, |open| open.deadline_ms <= known.now.monotonic_ms)
    }

    fn fail(&mut self, reason: &str, known: &Known<'_>, which: impl Fn(&Open) -> bool) -> Vec<Ask> {
        let failed: Vec<_> = self.open.extract_if(.., |_, open| which(open)).collect();
        if failed.is_empty() {
            return Vec::new();
        }
        for (_, Open { holder, question, .. }) in failed {
            self.take_failure(&holder, question, reason);
        }
        self.go_on(known)
    }

    fn take_failure(&mut self, holder: &HolderId, question: Question, reason: &str) {
        match question {
            // "Could not compare" is never counted as clean.
            Question::Scan | Question::List { .. } | Question::Examine { .. } => {
                if self.compared.remove(holder) {
                    self.not_compared.push(NotCompared { holder: holder.clone(), reason: reason.to_owned() });
                }
                for suspect in self.suspects.values_mut() {
                    suspect.findings.remove(holder);
                }
            }
            Question::Search => self.searched_everywhere = false,
            Question::Fetch => {}
            Question::Heal { paths } => self.note_failed(holder, &paths, reason),
        }
    }

    /// Descends into the buckets whose digest is not what the manifest says.
    fn compare_sums(&mut self, holder: &HolderId, summary: ScanSummary, known: &Known<'_>) -> Vec<Ask> {
        if !summary.foreign.is_empty() {
            self.foreign.insert(holder.clone(), summary.foreign);
        }
        let differs =
            |bucket: &BucketNumber| summary.sums.get(bucket.index()) != Some(&known.manifest.found_sum(*bucket));
        let buckets: Vec<_> = BucketNumber::all().filter(differs).collect();
        if buckets.is_empty() {
            return Vec::new();
        }
        let question = Question::List { buckets: buckets.clone() };
        vec![self.ask(holder.clone(), question, known, |request| HolderRequest::ListBuckets { request, buckets })]
    }

    /// Files of these buckets that are not what the manifest says are examined one by one.
    fn suspect(
        &mut self,
        holder: &HolderId,
        buckets: &[BucketNumber],
        files: &[FoundFile],
        known: &Known<'_>,
    ) -> Vec<Ask> {
        let mut found: BTreeMap<_, _> = files.iter().map(|file| (file.path, file.found)).collect();
        let mut paths = Vec::new();
        for bucket in buckets {
            for entry in known.manifest.bucket_entries(*bucket).entries {
                if found.remove(&entry.path).flatten() != Some(Finding::of(&entry.record)) {
                    paths.push(entry.path);
                }
            }
        }
        paths.extend(found.into_iter().filter(|(_, found)| found.is_some()).map(|(path, _)| path));
        self.examine(holder, &paths, 1, known)
    }

    fn examine(&mut self, holder: &HolderId, paths: &[BookPath], times: u32, known: &Known<'_>) -> Vec<Ask> {
        let ask = |paths: &[BookPath]| {
            let asked = paths.iter().map(|path| (*path, known.manifest.record(path).copied())).collect();
            let question = Question::Examine { asked, version: known.version, times };
            let paths = paths.to_vec();
            self.ask(holder.clone(), question, known, |request| HolderRequest::Examine { request, paths })
        };
        paths.chunks(QUESTION_FILES_MAX).map(ask).collect()
    }

    /// A finding counts only if its record did not change between question and answer.
    fn judge(
        &mut self,
        holder: &HolderId,
        asked: Vec<(BookPath, Option<Record>)>,
        shows_version: bool,
        times: u32,
        files: &[FoundFile],
        known: &Known<'_>,
    ) -> Vec<Ask> {
        let found: BTreeMap<_, _> = files.iter().map(|file| (file.path, file.found)).collect();
        let mut again = Vec::new();
        for (path, record) in asked {
            let found = found.get(&path).copied().flatten();
            let certain = shows_version && known.manifest.record(&path).copied() == record;
            let kind = match certain {
                true => ballot::classify(record.as_ref(), found.as_ref(), |found| is_older(known, path, found)),
                false if times < EXAMINATIONS_MAX => {
                    again.push(path);
                    continue;
                }
                false => HoldingKind::Changing,
            };
            if kind != HoldingKind::Intact {
                let suspect = self.suspects.entry(path).or_default();
                suspect.record = record;
                suspect.findings.insert(holder.clone(), Judged { kind, found });
            }
        }
        self.examine(holder, &again, times + 1, known)
    }

    /// Goes to the next phase when all questions of this one are answered.
    fn go_on(&mut self, known: &Known<'_>) -> Vec<Ask> {
        let scanning = self.open.values().any(|open| matches!(open.question, Question::Scan));
        if self.phase == Phase::Scanning && !scanning {
            self.phase = Phase::Comparing;
        }
        let mut asks = Vec::new();
        while self.open.is_empty() && self.phase != Phase::Done {
            let more = match self.phase {
                Phase::Scanning | Phase::Comparing => self.search(known),
                Phase::Deciding => self.decide(),
                Phase::Healing => self.heal_next_batch(known),
                Phase::Done => Vec::new(),
            };
            asks.extend(more);
        }
        asks
    }

    fn ask(
        &mut self,
        holder: HolderId,
        question: Question,
        known: &Known<'_>,
        request: impl FnOnce(RequestId) -> HolderRequest,
    ) -> Ask {
        let number = self.next_request;
        self.next_request = number.next();
        let deadline_ms = known.now.monotonic_ms + known.holder_timeout_ms;
        self.open.insert(number, Open { holder: holder.clone(), question, deadline_ms });
        (holder, request(number))
    }
}

/// Whether these bytes were an older record of the file, as far as the decisions are kept.
fn is_older(known: &Known<'_>, path: BookPath, found: &Finding) -> bool {
    let mut changes = known.answers.decisions().flat_map(|decision| &decision.changes);
    changes.any(|change| change.path == path && change.digest == Some(found.digest))
}
