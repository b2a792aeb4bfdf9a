//! Leads those who are behind, and reads files from those who are level.
//!
//! A *learner* compares manifests bucket by bucket and asks for the files that it lacks. The bytes come from a *source*: a replicator
//! that is level, which reads them from its disk and checks their digest; if it cannot give them, the next one is asked, and in the
//! end the app-servers. All learners together are sent a bounded number of bytes a second, so that rounds go on beside them.

use super::members::Place;
use super::{Coordinator, Party, SessionId};
use crate::Manifest;
use protocol::{
    CatchUpId, CatchUpProgress, CatchUpTarget, ClusterEvent, Content, Epoch, FetchedFile, FromLearner, HolderAnswer,
    HolderId, HolderRequest, MemberId, RequestId, SetDigest, ToAppServer, ToLearner, ToReplicator, Version, WantedFile,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// Most manifest entries in one message.
const ENTRIES_MAX: usize = 4_096;

/// Catch-ups under way, and reads for them.
#[derive(Debug, Default)]
pub(super) struct CatchUps {
    next_catch_up: CatchUpId,
    next_request: RequestId,
    learners: BTreeMap<SessionId, Guide>,
    reads: BTreeMap<RequestId, Read>,
    /// Reads that found nobody who is level.
    stalled: Vec<Read>,
    /// Reads that wait until the bytes before them are paid for.
    paced: VecDeque<Read>,
    next_read_ms: u64,
}

#[derive(Debug)]
struct Guide {
    catch_up: CatchUpId,
    /// The manifest of the target: rounds go on meanwhile.
    manifest: Manifest,
    progress: CatchUpProgress,
}

/// Files that a learner wants, and how far they have been found.
#[derive(Debug)]
struct Read {
    learner: SessionId,
    catch_up: CatchUpId,
    wanted: Vec<WantedFile>,
    found: HashMap<WantedFile, Content>,
    tried: BTreeSet<HolderId>,
    /// Somebody who was asked did not answer.
    unanswered: bool,
    asked: Option<SessionId>,
    deadline_ms: u64,
}

impl Read {
    fn missing(&self) -> Vec<WantedFile> {
        self.wanted.iter().filter(|wanted| !self.found.contains_key(wanted)).copied().collect()
    }

    fn into_files(mut self) -> Vec<FetchedFile> {
        let wanted = std::mem::take(&mut self.wanted);
        wanted.into_iter().map(|wanted| FetchedFile { wanted, content: self.found.get(&wanted).cloned() }).collect()
    }
}

impl CatchUps {
    /// No catch-ups yet. Their numbers carry the epoch, so that file work of a catch-up that an earlier coordinator led is never
    /// taken for that of a later one.
    pub(super) fn in_epoch(epoch: Epoch) -> Self {
        let (next_catch_up, next_request) = (CatchUpId(epoch.0 << 32), RequestId(epoch.0 << 40));
        Self { next_catch_up, next_request, ..Self::default() }
    }

    pub(super) fn next_deadline_ms(&self) -> Option<u64> {
        let paced = (!self.paced.is_empty()).then_some(self.next_read_ms);
        self.reads.values().map(|read| read.deadline_ms).chain(paced).min()
    }

    pub(super) fn progress(&self, session: SessionId) -> Option<CatchUpProgress> {
        self.learners.get(&session).map(|guide| guide.progress)
    }

    /// A connection ended: it learns no more.
    pub(super) fn forget(&mut self, session: SessionId) {
        self.learners.remove(&session);
        self.reads.retain(|_, read| read.learner != session);
        self.stalled.retain(|read| read.learner != session);
        self.paced.retain(|read| read.learner != session);
    }
}

impl Coordinator {
    pub(super) fn lead_member(&mut self, member: &MemberId) {
        let Some(link) = self.members.link_mut(member) else { return };
        link.place = Place::Learning;
        let (session, from) = (link.session, link.version);
        self.lead(session, HolderId::Replicator(member.clone()), from);
    }

    pub(super) fn lead_app_server(&mut self, session: SessionId, from: Version) {
        if let Some(id) = self.app_servers.id(session).cloned() {
            self.lead(session, HolderId::AppServer(id), from);
        }
    }

    fn lead(&mut self, session: SessionId, learner: HolderId, from: Version) {
        let (version, root, round) = (self.state.version, self.state.manifest.root(), self.state.last_decision);
        let (target, catch_up) = (CatchUpTarget { version, root, round }, self.catch_ups.next_catch_up);
        self.catch_ups.next_catch_up = CatchUpId(catch_up.0 + 1);
        let manifest = self.state.manifest.clone();
        let progress = CatchUpProgress { to: version, ..CatchUpProgress::default() };
        self.catch_ups.learners.insert(session, Guide { catch_up, manifest, progress });
        self.happened(ClusterEvent::CatchUpStarted { learner, from, to: version });
        self.say_to_learner(session, ToLearner::Compare { catch_up, target });
    }

    pub(super) fn handle_learner(&mut self, session: SessionId, message: FromLearner) {
        let Some(guide) = self.catch_ups.learners.get(&session) else { return };
        match message {
            FromLearner::Buckets { catch_up, sums } if catch_up == guide.catch_up => self.send_entries(session, &sums),
            FromLearner::Fetch { catch_up, files, left } if catch_up == guide.catch_up => {
                self.fetch(session, catch_up, files, left);
            }
            FromLearner::CaughtUp { catch_up, version, root } if catch_up == guide.catch_up => {
                self.end_catch_up(session, version, root);
            }
            FromLearner::Buckets { .. } | FromLearner::Fetch { .. } | FromLearner::CaughtUp { .. } => {}
        }
    }

    fn send_entries(&mut self, session: SessionId, sums: &[SetDigest]) {
        let Some(guide) = self.catch_ups.learners.get(&session) else { return };
        let catch_up = guide.catch_up;
        let mut messages = vec![Vec::new()];
        let mut entries = 0;
        for bucket in guide.manifest.differing_buckets(sums) {
            let bucket = guide.manifest.bucket_entries(bucket);
            entries += bucket.entries.len();
            if entries > ENTRIES_MAX {
                entries = bucket.entries.len();
                messages.push(Vec::new());
            }
            messages.last_mut().expect("there is always a message to fill").push(bucket);
        }
        let last_index = messages.len() - 1;
        for (index, buckets) in messages.into_iter().enumerate() {
            self.say_to_learner(session, ToLearner::Entries { catch_up, buckets, last: index == last_index });
        }
    }

    fn end_catch_up(&mut self, session: SessionId, version: Version, root: SetDigest) {
        let Some(guide) = self.catch_ups.learners.remove(&session) else { return };
        let Some(learner) = self.holder_of(session) else { return };
        let files = guide.progress.files_sent;
        self.happened(ClusterEvent::CatchUpEnded { learner: learner.clone(), version, files });
        if let HolderId::Replicator(member) = learner {
            let (newest, newest_root) = (self.state.version, self.state.manifest.root());
            let led_astray =
                version < guide.progress.to || version > newest || (version == newest && root != newest_root);
            self.members.settle(&member);
            if let Some(link) = self.members.link_mut(&member) {
                (link.version, link.root) = (version, root);
                link.place = if led_astray { Place::Arriving } else { Place::Following };
                (link.hello.standing, link.evidence) = (protocol::Standing::Trusted, true);
            }
            self.settle(&member);
            self.forget_acknowledged();
            self.start_round();
        }
    }

    fn fetch(&mut self, learner: SessionId, catch_up: CatchUpId, wanted: Vec<WantedFile>, left: u64) {
        if let Some(guide) = self.catch_ups.learners.get_mut(&learner) {
            guide.progress.files_left = left + wanted.len() as u64;
        }
        let (found, tried) = (HashMap::new(), BTreeSet::new());
        let read = Read { learner, catch_up, wanted, found, tried, unanswered: false, asked: None, deadline_ms: 0 };
        self.catch_ups.paced.push_back(read);
        self.begin_paced_reads();
    }

    /// Begins the reads that the rate allows.
    pub(super) fn begin_paced_reads(&mut self) {
        while self.catch_ups.next_read_ms <= self.now.monotonic_ms
            && let Some(read) = self.catch_ups.paced.pop_front()
        {
            self.read(read);
        }
    }

    /// Asks the next source; gives what was found when there is none left.
    fn read(&mut self, mut read: Read) {
        let missing = read.missing();
        if missing.is_empty() {
            return self.give(read);
        }
        let Some((source, session)) = self.next_source(&read) else {
            return if read.tried.is_empty() { self.catch_ups.stalled.push(read) } else { self.give(read) };
        };
        let request = self.catch_ups.next_request;
        self.catch_ups.next_request = RequestId(request.0 + 1);
        let to_app_server = matches!(source, HolderId::AppServer(_));
        read.tried.insert(source);
        read.asked = Some(session);
        read.deadline_ms = self.now.monotonic_ms + self.settings.holder_timeout_ms;
        self.catch_ups.reads.insert(request, read);
        let question = HolderRequest::ReadFiles { request, files: missing, anywhere: true };
        if to_app_server {
            self.tell(session, ToAppServer::Files(question));
        } else {
            self.say(session, ToReplicator::Files(question));
        }
    }

    /// First the replicators that are level; an app-server has a working copy, and may have what they lost.
    fn next_source(&self, read: &Read) -> Option<(HolderId, SessionId)> {
        let replicators = self.members.level().map(|(id, link)| (HolderId::Replicator(id.clone()), link.session));
        let mut untried = replicators.filter(|(source, session)| self.may_ask(read, source, *session));
        if let Some(source) = untried.next() {
            return Some(source);
        }
        let sessions = self.app_servers.following().into_iter().filter(|_| !read.tried.is_empty());
        let app_servers =
            sessions.filter_map(|session| Some((HolderId::AppServer(self.app_servers.id(session)?.clone()), session)));
        app_servers.into_iter().find(|(source, session)| self.may_ask(read, source, *session))
    }

    fn may_ask(&self, read: &Read, source: &HolderId, session: SessionId) -> bool {
        session != read.learner && !read.tried.contains(source) && !self.catch_ups.learners.contains_key(&session)
    }

    /// Gives the learner what was found.
    fn give(&mut self, read: Read) {
        let (session, catch_up, exhaustive) = (read.learner, read.catch_up, !read.unanswered);
        let bytes: u64 = read.found.values().map(Content::size).sum();
        if let Some(guide) = self.catch_ups.learners.get_mut(&session) {
            let progress = &mut guide.progress;
            progress.files_left = progress.files_left.saturating_sub(read.wanted.len() as u64);
            progress.files_sent += read.found.len() as u64;
            progress.bytes_sent += bytes;
        }
        let paid_ms = bytes * 1_000 / self.settings.catch_up_bytes_per_second.max(1);
        self.catch_ups.next_read_ms = self.catch_ups.next_read_ms.max(self.now.monotonic_ms) + paid_ms;
        self.say_to_learner(session, ToLearner::Files { catch_up, files: read.into_files(), exhaustive });
    }

    /// Somebody is level now: reads that found nobody to ask begin.
    pub(super) fn retry_stalled_reads(&mut self) {
        for read in std::mem::take(&mut self.catch_ups.stalled) {
            self.read(read);
        }
    }

    /// A source is gone: what it was asked is asked of the next one.
    pub(super) fn retry_reads(&mut self, source: SessionId) {
        self.move_reads(|read| read.asked == Some(source));
    }

    pub(super) fn give_up_late_reads(&mut self) {
        let now_ms = self.now.monotonic_ms;
        self.move_reads(|read| read.deadline_ms <= now_ms);
    }

    fn move_reads(&mut self, which: impl Fn(&Read) -> bool) {
        let moved: Vec<_> =
            self.catch_ups.reads.iter().filter(|(_, read)| which(read)).map(|(request, _)| *request).collect();
        for request in moved {
            if let Some(mut read) = self.catch_ups.reads.remove(&request) {
                read.unanswered = true;
                self.read(read);
            }
        }
    }

    pub(super) fn handle_files(&mut self, session: SessionId, answer: HolderAnswer) {
        let request = answer.request();
        if self.catch_ups.reads.get(&request).is_none_or(|read| read.asked != Some(session)) {
            if let Some(holder) = self.holder_of(session) {
                self.handle_holder(&holder, answer);
            }
            return;
        }
        let Some(mut read) = self.catch_ups.reads.remove(&request) else { return };
        match answer {
            HolderAnswer::FilesRead { files, .. } => {
                let found = files.into_iter().filter_map(|file| file.content.map(|content| (file.wanted, content)));
                read.found.extend(found);
            }
            _ => read.unanswered = true,
        }
        self.read(read);
    }

    fn holder_of(&self, session: SessionId) -> Option<HolderId> {
        match self.parties.get(&session)? {
            Party::Replicator(member) => Some(HolderId::Replicator(member.clone())),
            Party::AppServer => self.app_servers.id(session).cloned().map(HolderId::AppServer),
            Party::Unknown | Party::Witness(_) => None,
        }
    }

    fn say_to_learner(&mut self, session: SessionId, message: ToLearner) {
        if self.app_servers.contains(session) {
            self.tell(session, ToAppServer::CatchUp(message));
        } else {
            self.say(session, ToReplicator::CatchUp(message));
        }
    }
}
