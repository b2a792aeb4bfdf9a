//! Disks that a restore reads and mends: every question of the coordinator is queued, and answered when the test says so, from
//! files that the test has laid out.

use crate::fixture::{APP_SERVER, Cluster};
use crate::values::{app_server, digest, replicator};
use catalogue::BookPath;
use protocol::{
    BucketNumber, Content, FetchedFile, FileReport, Finding, FoundFile, FromAppServer, HealOutcome, HealResult,
    HolderAnswer, HolderId, HolderRequest, Repair, RequestId, RestorationId, RestorationReport, ScanSummary, SetDigest,
    ToAppServer, ToCoordinator, ToReplicator, Version,
};
use std::collections::{BTreeMap, VecDeque};
use two_phase::coordinator::{CoordinatorEffect, SessionId};
use uuid::Uuid;

/// What one holder has.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    pub files: BTreeMap<BookPath, Content>,
    /// Bytes in its log or its quarantine.
    pub elsewhere: Vec<Content>,
    pub foreign: Vec<String>,
    /// It says that its files show this version, if not the committed one.
    pub shows: Option<Version>,
}

/// A cluster with disks.
pub(crate) struct Disks {
    pub cluster: Cluster,
    pub disks: BTreeMap<HolderId, Disk>,
    /// Questions that are not answered yet.
    pub questions: VecDeque<(HolderId, HolderRequest)>,
    /// Repairs that were sent, ever.
    pub repairs: Vec<(HolderId, Repair)>,
    pub report: Option<RestorationReport>,
    pub effects: Vec<CoordinatorEffect>,
}

pub(crate) const RESTORATION: RestorationId = RestorationId(Uuid::from_u128(5));

impl Disks {
    /// Three replicators and an app-server, whose copies hold these books (book n in the round that made version n).
    pub(crate) fn with_books(books: &[(u8, &str)]) -> Self {
        let disks = (1..=3).map(replicator).chain([app_server()]).map(|holder| (holder, Disk::default())).collect();
        let (questions, repairs) = (VecDeque::new(), Vec::new());
        let cluster = Cluster::level(3);
        let mut disks = Self { cluster, disks, questions, repairs, report: None, effects: Vec::new() };
        for (book, title) in books {
            disks.commit_everywhere(vec![crate::values::put(&format!("first-{book}"), *book, title)]);
        }
        disks
    }

    /// Commits changes, and every copy follows.
    pub(crate) fn commit_everywhere(&mut self, changes: Vec<protocol::Change>) {
        self.cluster.commit(changes.clone());
        for disk in self.disks.values_mut() {
            for change in &changes {
                match &change.action {
                    protocol::Action::Put { content, .. } => disk.files.insert(change.path, content.clone()),
                    protocol::Action::Delete => disk.files.remove(&change.path),
                };
            }
        }
    }

    pub(crate) fn disk(&mut self, number: u8) -> &mut Disk {
        self.disks.get_mut(&replicator(number)).unwrap()
    }

    pub(crate) fn app_server_disk(&mut self) -> &mut Disk {
        self.disks.get_mut(&app_server()).unwrap()
    }

    /// Starts a restore; its questions wait.
    pub(crate) fn start(&mut self, dry_run: bool) {
        let request = RequestId(70);
        let effects =
            self.cluster.app_server_says(FromAppServer::Restore { request, restoration: RESTORATION, dry_run });
        self.note(effects);
    }

    /// Runs a restore to its end.
    pub(crate) fn restore(&mut self, dry_run: bool) -> RestorationReport {
        self.start(dry_run);
        self.answer_all();
        self.report.clone().expect("the restore has ended")
    }

    pub(crate) fn answer_all(&mut self) {
        while self.answer_next() {}
    }

    /// Answers questions until one of this kind waits.
    pub(crate) fn answer_all_up_to(&mut self, which: impl Fn(&HolderRequest) -> bool) {
        while !self.questions.iter().any(|(_, request)| which(request)) {
            assert!(self.answer_next(), "there is no such question");
        }
    }

    /// Answers the oldest question. Returns whether there was one.
    pub(crate) fn answer_next(&mut self) -> bool {
        let Some((holder, request)) = self.questions.pop_front() else { return false };
        let answer = self.answer_of(&holder, request);
        self.give(&holder, answer);
        true
    }

    /// Answers all questions of this kind that wait now, and no others.
    pub(crate) fn answer_those(&mut self, which: impl Fn(&HolderId, &HolderRequest) -> bool) {
        let waiting: Vec<_> = self.questions.drain(..).collect();
        for (holder, request) in waiting {
            if which(&holder, &request) {
                let answer = self.answer_of(&holder, request);
                self.give(&holder, answer);
            } else {
                self.questions.push_back((holder, request));
            }
        }
    }

    pub(crate) fn give(&mut self, holder: &HolderId, answer: HolderAnswer) {
        let effects = match self.number_of(holder) {
            Some(number) => self.cluster.replicator_says(number, ToCoordinator::Files(answer)),
            None => self.cluster.app_server_says(FromAppServer::Files(answer)),
        };
        self.note(effects);
    }

    pub(crate) fn note(&mut self, effects: Vec<CoordinatorEffect>) {
        for effect in &effects {
            match effect {
                CoordinatorEffect::ToReplicators { sessions, message } => {
                    if let ToReplicator::Files(request) = &message.message {
                        self.questions.push_back((self.holder_of(sessions[0]), request.clone()));
                    }
                }
                CoordinatorEffect::ToAppServers { message, .. } => {
                    if let ToAppServer::Files(request) = &message.message {
                        self.questions.push_back((app_server(), request.clone()));
                    }
                }
                CoordinatorEffect::KeepReport(report) => self.report = Some((**report).clone()),
                _ => {}
            }
        }
        self.effects.extend(effects);
    }

    pub(crate) fn answer_of(&mut self, holder: &HolderId, request: HolderRequest) -> HolderAnswer {
        let committed = self.cluster.core.state().version;
        let disk = self.disks.get_mut(holder).unwrap();
        let version = disk.shows.unwrap_or(committed);
        match request {
            HolderRequest::Scan { request } => HolderAnswer::Scanned { request, summary: disk.scan(version) },
            HolderRequest::ListBuckets { request, buckets } => {
                let listed = disk.files.keys().filter(|path| buckets.contains(&BucketNumber::of(path)));
                let files = listed.map(|path| disk.found(*path)).collect();
                HolderAnswer::Found { request, version, files }
            }
            HolderRequest::Examine { request, paths } => {
                let files = paths.into_iter().map(|path| disk.found(path)).collect();
                HolderAnswer::Found { request, version, files }
            }
            HolderRequest::ReadFiles { request, files, .. } => {
                let fetched = |wanted: protocol::WantedFile| {
                    let copies = disk.files.get(&wanted.path).into_iter().chain(&disk.elsewhere);
                    let content = copies.into_iter().find(|content| digest(content) == wanted.digest).cloned();
                    FetchedFile { wanted, content }
                };
                HolderAnswer::FilesRead { request, files: files.into_iter().map(fetched).collect() }
            }
            HolderRequest::Heal { request, repairs, foreign } => {
                self.repairs.extend(repairs.iter().map(|repair| (holder.clone(), repair.clone())));
                let mut results: Vec<_> = repairs.into_iter().map(|repair| disk.mend(repair)).collect();
                results.extend(foreign.into_iter().map(|name| disk.move_away(name)));
                HolderAnswer::Healed { request, results }
            }
        }
    }

    fn holder_of(&self, session: SessionId) -> HolderId {
        (1..=3)
            .find(|number| self.cluster.has_session(*number, session))
            .map(replicator)
            .expect("a session of a member")
    }

    fn number_of(&self, holder: &HolderId) -> Option<u8> {
        (1..=3).find(|number| replicator(*number) == *holder)
    }

    /// Whether the app-server's connection was told this.
    pub(crate) fn app_server_was_told(&self, message: &ToAppServer) -> bool {
        self.effects.iter().any(|effect| match effect {
            CoordinatorEffect::ToAppServers { sessions, message: told } => {
                sessions.contains(&APP_SERVER) && told.message == *message
            }
            _ => false,
        })
    }
}

impl Disk {
    fn scan(&self, version: Version) -> ScanSummary {
        let mut sums = vec![SetDigest::EMPTY; protocol::BUCKETS];
        for path in self.files.keys() {
            let element = self.found(*path).found.unwrap().element(path);
            let sum = &mut sums[BucketNumber::of(path).index()];
            *sum = sum.plus(element);
        }
        ScanSummary { version, sums, files: self.files.len() as u64, foreign: self.foreign.clone() }
    }

    fn found(&self, path: BookPath) -> FoundFile {
        let found = self.files.get(&path).map(|content| Finding { digest: digest(content), size: content.size() });
        FoundFile { path, found }
    }

    fn mend(&mut self, repair: Repair) -> HealResult {
        let name = repair.path.to_string();
        if self.found(repair.path).found != repair.found {
            return HealResult {
                name,
                outcome: HealOutcome::Changed { reason: "it is something else now".to_owned() },
            };
        }
        let before = match repair.content {
            Some(content) => self.files.insert(repair.path, content),
            None => self.files.remove(&repair.path),
        };
        let quarantined = before.map(|_| format!("quarantine/{}", repair.path));
        HealResult { name, outcome: HealOutcome::Healed { quarantined } }
    }

    fn move_away(&mut self, name: String) -> HealResult {
        self.foreign.retain(|foreign| *foreign != name);
        let outcome = HealOutcome::Healed { quarantined: Some(format!("quarantine/{name}")) };
        HealResult { name, outcome }
    }
}

/// The report on one file.
pub(crate) fn on_file(report: &RestorationReport, path: BookPath) -> &FileReport {
    report.files.iter().find(|file| file.name == path.to_string()).expect("the file is in the report")
}
