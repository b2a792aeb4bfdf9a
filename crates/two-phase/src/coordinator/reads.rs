//! Reads files for learners from those who hold them.
//!
//! A learner has one read at a time, and a source one question: one that is slow would only be slower with more of them, until it
//! answers nobody in time. When it is late the next source is asked besides, and whoever answers counts; where there is no other
//! one it is waited for. All learners together are sent a bounded number of bytes a second, so that rounds go on beside them.

use super::{Coordinator, Party, SessionId};
use protocol::{
    CatchUpId, Content, Epoch, FetchedFile, HolderAnswer, HolderId, HolderRequest, MemberId, RequestId, ToAppServer,
    ToLearner, ToReplicator, WantedFile,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A source that has not answered after so many times the usual time must introduce itself again.
const LATE_TIMES_MAX: u64 = 10;

/// Reads under way.
#[derive(Debug, Clone, Hash, Default)]
pub(super) struct Reads {
    next_request: RequestId,
    /// What each learner waits for.
    open: BTreeMap<SessionId, Read>,
    /// Questions that sources have not answered, however late they are.
    owed: BTreeMap<RequestId, Owed>,
    /// Learners whose reads wait until the bytes before them are paid for.
    paced: VecDeque<SessionId>,
    next_read_ms: u64,
}

/// Files that a learner wants, and how far they have been found.
#[derive(Debug, Clone, Hash)]
struct Read {
    catch_up: CatchUpId,
    wanted: Vec<WantedFile>,
    found: BTreeMap<WantedFile, Content>,
    tried: BTreeSet<HolderId>,
    /// Somebody who was asked did not answer, and will not.
    unanswered: bool,
    /// The bytes before it are paid for.
    begun: bool,
}

/// A question that a source has not answered.
#[derive(Debug, Clone, Hash)]
struct Owed {
    source: SessionId,
    learner: SessionId,
    catch_up: CatchUpId,
    asked_ms: u64,
    late: bool,
}

/// Who could be asked next.
enum Source {
    Ask(HolderId, SessionId),
    /// Only those who owe an answer.
    Busy,
    Nobody,
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

impl Reads {
    /// No reads yet. Their numbers carry the epoch, so that an answer to an earlier coordinator is never taken for one to this one.
    pub(super) fn in_epoch(epoch: Epoch) -> Self {
        Self { next_request: RequestId(epoch.0 << 40), ..Self::default() }
    }

    /// A number that no other question about files has.
    pub(super) fn next_request(&mut self) -> RequestId {
        let request = self.next_request;
        self.next_request = request.next();
        request
    }

    /// When a source is late, or a read may begin, in milliseconds of the monotonic clock.
    pub(super) fn next_deadline_ms(&self, holder_timeout_ms: u64) -> Option<u64> {
        let times = |owed: &Owed| if owed.late { LATE_TIMES_MAX } else { 1 };
        let due = self.owed.values().map(|owed| owed.asked_ms + times(owed) * holder_timeout_ms);
        due.chain((!self.paced.is_empty()).then_some(self.next_read_ms)).min()
    }

    /// A connection ended: it learns no more, and answers nothing.
    pub(super) fn forget(&mut self, session: SessionId) {
        self.open.remove(&session);
        self.paced.retain(|learner| *learner != session);
        let failed: Vec<_> = self.owed.extract_if(.., |_, owed| owed.source == session).collect();
        for (_, owed) in &failed {
            if let Some(read) = self.read_of(owed) {
                read.unanswered = true;
            }
        }
    }

    /// The read that a question was for, unless it is over.
    fn read_of(&mut self, owed: &Owed) -> Option<&mut Read> {
        self.open.get_mut(&owed.learner).filter(|read| read.catch_up == owed.catch_up)
    }

    fn is_busy(&self, session: SessionId) -> bool {
        self.owed.values().any(|owed| owed.source == session)
    }

    /// Notes who is late. Returns who has been for too long.
    fn note_late(&mut self, now_ms: u64, holder_timeout_ms: u64) -> Vec<SessionId> {
        let mut given_up = Vec::new();
        for owed in self.owed.values_mut() {
            let waited_ms = now_ms.saturating_sub(owed.asked_ms);
            owed.late |= waited_ms >= holder_timeout_ms;
            if waited_ms >= LATE_TIMES_MAX * holder_timeout_ms {
                given_up.push(owed.source);
            }
        }
        given_up
    }
}

impl Coordinator {
    pub(super) fn begin_read(&mut self, learner: SessionId, catch_up: CatchUpId, wanted: Vec<WantedFile>) {
        let (found, tried) = (BTreeMap::new(), BTreeSet::new());
        let read = Read { catch_up, wanted, found, tried, unanswered: false, begun: false };
        self.reads.open.insert(learner, read);
        self.reads.paced.push_back(learner);
        self.begin_paced_reads();
    }

    /// Begins the reads that the rate allows.
    pub(super) fn begin_paced_reads(&mut self) {
        while self.reads.next_read_ms <= self.now.monotonic_ms
            && let Some(learner) = self.reads.paced.pop_front()
        {
            if let Some(read) = self.reads.open.get_mut(&learner) {
                read.begun = true;
            }
            self.advance_read(learner);
        }
    }

    /// Somebody is level, has answered, or is gone: whoever waits for files goes on.
    pub(super) fn advance_reads(&mut self) {
        let learners: Vec<_> = self.reads.open.keys().copied().collect();
        for learner in learners {
            self.advance_read(learner);
        }
    }

    /// Asks the next source; gives what was found when everybody has answered.
    fn advance_read(&mut self, learner: SessionId) {
        let Some(read) = self.reads.open.get(&learner).filter(|read| read.begun) else { return };
        if read.missing().is_empty() {
            return self.give(learner);
        }
        let is_for_it = |owed: &&Owed| owed.learner == learner && owed.catch_up == read.catch_up;
        let (awaits, awaits_in_time) = {
            let awaited = self.reads.owed.values().filter(is_for_it);
            awaited.fold((false, false), |(_, in_time), owed| (true, in_time || !owed.late))
        };
        if awaits_in_time {
            return;
        }
        match self.next_source(learner, read) {
            Source::Ask(source, session) => self.ask_source(learner, source, session),
            Source::Busy => {}
            Source::Nobody if awaits || read.tried.is_empty() => {}
            Source::Nobody => self.give(learner),
        }
    }

    /// First the replicators that are level; an app-server has a working copy, and may have what they lost.
    fn next_source(&self, learner: SessionId, read: &Read) -> Source {
        let replicators = self.members.level().map(|(id, link)| (HolderId::Replicator(id.clone()), link.session));
        match self.pick(learner, read, replicators) {
            Source::Nobody if !read.tried.is_empty() || self.is_the_only_voter(learner) => {
                let app_server = |session| Some((HolderId::AppServer(self.app_servers.id(session)?.clone()), session));
                self.pick(learner, read, self.app_servers.following().into_iter().filter_map(app_server))
            }
            source => source,
        }
    }

    /// Whether nobody else can be waited for.
    fn is_the_only_voter(&self, learner: SessionId) -> bool {
        let session = |member: &MemberId| self.members.link(member).map(|link| link.session);
        self.state.view.voters().all(|member| session(&member.id) == Some(learner))
    }

    fn pick(&self, learner: SessionId, read: &Read, holders: impl Iterator<Item = (HolderId, SessionId)>) -> Source {
        let may_ask = |(source, session): &(HolderId, SessionId)| {
            *session != learner && !read.tried.contains(source) && !self.catch_ups.leads(*session)
        };
        let mut source = Source::Nobody;
        for (holder, session) in holders.filter(may_ask) {
            if !self.reads.is_busy(session) {
                return Source::Ask(holder, session);
            }
            source = Source::Busy;
        }
        source
    }

    fn ask_source(&mut self, learner: SessionId, source: HolderId, session: SessionId) {
        let Some(read) = self.reads.open.get_mut(&learner) else { return };
        let to_app_server = matches!(source, HolderId::AppServer(_));
        read.tried.insert(source);
        let (catch_up, files) = (read.catch_up, read.missing());
        let request = self.reads.next_request();
        let asked_ms = self.now.monotonic_ms;
        self.reads.owed.insert(request, Owed { source: session, learner, catch_up, asked_ms, late: false });
        let question = HolderRequest::ReadFiles { request, files, anywhere: true };
        if to_app_server {
            self.tell(session, ToAppServer::Files(question));
        } else {
            self.say(session, ToReplicator::Files(question));
        }
    }

    /// Gives the learner what was found.
    fn give(&mut self, learner: SessionId) {
        let Some(read) = self.reads.open.remove(&learner) else { return };
        let (catch_up, exhaustive) = (read.catch_up, !read.unanswered);
        let bytes: u64 = read.found.values().map(Content::size).sum();
        self.catch_ups.note_given(learner, read.wanted.len(), read.found.len(), bytes);
        let paid_ms = bytes * 1_000 / self.settings.catch_up_bytes_per_second.max(1);
        self.reads.next_read_ms = self.reads.next_read_ms.max(self.now.monotonic_ms) + paid_ms;
        self.say_to_learner(learner, ToLearner::Files { catch_up, files: read.into_files(), exhaustive });
    }

    /// A holder has answered a question about its files: one of a read, of a restore, or of somebody who looks at a copy.
    pub(super) fn handle_files(&mut self, session: SessionId, answer: HolderAnswer) {
        let Some(answer) = self.take_copy(session, answer) else { return };
        let request = answer.request();
        if self.reads.owed.get(&request).is_none_or(|owed| owed.source != session) {
            if let Some(holder) = self.holder_of(session) {
                self.handle_holder(&holder, answer);
            }
            return;
        }
        let Some(owed) = self.reads.owed.remove(&request) else { return };
        if let Some(read) = self.reads.read_of(&owed) {
            match answer {
                HolderAnswer::FilesRead { files, .. } => {
                    let found = files.into_iter().filter_map(|file| file.content.map(|content| (file.wanted, content)));
                    read.found.extend(found);
                }
                _ => read.unanswered = true,
            }
        }
        self.advance_reads();
    }

    /// Where a source is late the next one is asked; one that is late for ever is sent away.
    pub(super) fn look_for_late_sources(&mut self) {
        let timeout_ms = self.settings.holder_timeout_ms;
        for session in self.reads.note_late(self.now.monotonic_ms, timeout_ms) {
            let waited_ms = LATE_TIMES_MAX * timeout_ms;
            let reason = format!("it did not answer a question about its files within {waited_ms} ms");
            match self.parties.get(&session).cloned() {
                Some(Party::Replicator(member)) => {
                    self.drop_member(&member, &reason);
                    self.abort_if_participant(&member, &reason);
                }
                _ => self.close(session, reason),
            }
            self.reads.forget(session);
        }
        self.advance_reads();
    }
}
