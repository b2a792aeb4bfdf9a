//! Leads those who are behind.
//!
//! A *learner* compares manifests bucket by bucket and asks for the files that it lacks. The bytes come from a *source* (`reads`): a
//! replicator that is level, which reads them from its disk and checks their digest; if it cannot give them, the next one is
//! asked, and in the end the app-servers.

use super::members::Place;
use super::{Coordinator, Party, SessionId};
use crate::Manifest;
use protocol::{
    CatchUpId, CatchUpProgress, CatchUpTarget, ClusterEvent, Epoch, FromLearner, HolderId, MemberId, SetDigest,
    ToAppServer, ToLearner, ToReplicator, Version, WantedFile,
};
use std::collections::BTreeMap;

/// Most manifest entries in one message.
const ENTRIES_MAX: usize = 4_096;

/// Catch-ups under way.
#[derive(Debug, Clone, Hash, Default)]
pub(super) struct CatchUps {
    next_catch_up: CatchUpId,
    learners: BTreeMap<SessionId, Guide>,
}

#[derive(Debug, Clone, Hash)]
struct Guide {
    catch_up: CatchUpId,
    /// The manifest of the target: rounds go on meanwhile.
    manifest: Manifest,
    progress: CatchUpProgress,
}

impl CatchUps {
    /// No catch-ups yet. Their numbers carry the epoch, so that file work of a catch-up that an earlier coordinator led is never
    /// taken for that of a later one.
    pub(super) fn in_epoch(epoch: Epoch) -> Self {
        Self { next_catch_up: CatchUpId(epoch.0 << 32), ..Self::default() }
    }

    /// Whether this connection is being brought level.
    pub(super) fn leads(&self, session: SessionId) -> bool {
        self.learners.contains_key(&session)
    }

    pub(super) fn progress(&self, session: SessionId) -> Option<CatchUpProgress> {
        self.learners.get(&session).map(|guide| guide.progress)
    }

    /// A learner was given some of the files that it asked for.
    pub(super) fn note_given(&mut self, session: SessionId, wanted: usize, found: usize, bytes: u64) {
        if let Some(Guide { progress, .. }) = self.learners.get_mut(&session) {
            progress.files_left = progress.files_left.saturating_sub(wanted as u64);
            progress.files_sent += found as u64;
            progress.bytes_sent += bytes;
        }
    }

    /// A connection ended: it learns no more.
    pub(super) fn forget(&mut self, session: SessionId) {
        self.learners.remove(&session);
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
        let (version, root, round) = (self.state.version, self.state.manifest.root(), self.state.settled_through());
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

    /// A connection ended: it learns no more, and is no source.
    pub(super) fn stop_leading(&mut self, session: SessionId) {
        self.catch_ups.forget(session);
        self.reads.forget(session);
    }

    fn fetch(&mut self, learner: SessionId, catch_up: CatchUpId, wanted: Vec<WantedFile>, left: u64) {
        if let Some(guide) = self.catch_ups.learners.get_mut(&learner) {
            guide.progress.files_left = left.saturating_add(wanted.len() as u64);
        }
        self.begin_read(learner, catch_up, wanted);
    }

    pub(super) fn holder_of(&self, session: SessionId) -> Option<HolderId> {
        match self.parties.get(&session)? {
            Party::Replicator(member) => Some(HolderId::Replicator(member.clone())),
            Party::AppServer => self.app_servers.id(session).cloned().map(HolderId::AppServer),
            Party::Unknown | Party::Witness(_) => None,
        }
    }

    pub(super) fn say_to_learner(&mut self, session: SessionId, message: ToLearner) {
        if self.app_servers.contains(session) {
            self.tell(session, ToAppServer::CatchUp(message));
        } else {
            self.say(session, ToReplicator::CatchUp(message));
        }
    }
}
