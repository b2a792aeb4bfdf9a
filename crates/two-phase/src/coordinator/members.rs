//! The replicators' connections: what each has said of itself, and whether it can take part in a round.

use super::attendance::Attendance;
use super::effect::SessionId;
use super::scrubs::MemberScrub;
use crate::Now;
use crate::mutant::Mutant;
use protocol::{DiskSpace, MemberId, PreparedRound, ReplicatorHello, RoundId, SetDigest, Standing, Version, View};
use std::collections::BTreeMap;

/// How far a connected member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// It has not accepted the epoch, or its round in doubt is not settled, or it is left in peace.
    Arriving,
    /// It is being brought level, and is told of every round.
    Learning,
    /// It was level, and is told of every round.
    Following,
    /// It was told that it holds the committed state, and has not said that it knows.
    Confirming {
        /// When it is given up, in milliseconds of the monotonic clock.
        deadline_ms: u64,
    },
    /// It holds the committed state and takes part in rounds.
    Level,
}

/// One replicator's connection.
#[derive(Debug, Clone, Hash)]
pub(super) struct MemberLink {
    pub session: SessionId,
    pub hello: ReplicatorHello,
    /// It has made this coordinator's epoch durable.
    pub accepted: bool,
    /// It speaks for itself: its memory is whole, or was confirmed since.
    pub evidence: bool,
    /// What it has committed was found in the coordinator's log: it counts for the epoch.
    pub vouched: bool,
    pub version: Version,
    pub root: SetDigest,
    pub prepared: Option<PreparedRound>,
    pub place: Place,
    pub credit_bytes: u64,
    /// It could not take a round and is left in peace; none if it is not, or no longer.
    pub paused_until_ms: Option<u64>,
    pub detail: Option<String>,
    pub disk: Option<DiskSpace>,
    pub connected_at_unix_ms: u64,
}

/// What is remembered of a member, connected or not.
#[derive(Debug, Clone, Hash, Default)]
pub(super) struct MemberMemory {
    pub version: Version,
    pub address: Option<String>,
    pub in_doubt: Option<RoundId>,
    pub in_doubt_since_unix_ms: Option<u64>,
    pub last_seen_unix_ms: Option<u64>,
    pub detail: Option<String>,
    pub attendance: Attendance,
    pub scrub: MemberScrub,
}

/// All connections of replicators.
#[derive(Debug, Clone, Hash, Default)]
pub(super) struct Members {
    links: BTreeMap<MemberId, MemberLink>,
    memories: BTreeMap<MemberId, MemberMemory>,
}

impl MemberLink {
    pub(super) fn new(
        session: SessionId,
        hello: ReplicatorHello,
        same_memory: bool,
        vouched: bool,
        unix_ms: u64,
    ) -> Self {
        Self {
            session,
            accepted: false,
            evidence: same_memory && hello.standing == Standing::Trusted,
            vouched,
            version: hello.version,
            root: hello.root,
            prepared: hello.prepared,
            hello,
            place: Place::Arriving,
            credit_bytes: 1,
            paused_until_ms: None,
            detail: None,
            disk: None,
            connected_at_unix_ms: unix_ms,
        }
    }

    pub(super) fn is_level(&self) -> bool {
        self.place == Place::Level
    }

    /// Whether it is told of every round that is committed, with its bytes, if it has not voted on it.
    pub(super) fn follows(&self) -> bool {
        self.place != Place::Arriving
    }

    /// Why it cannot take part in a round now; none if it can.
    pub(super) fn obstacle(&self, now_ms: u64) -> Option<String> {
        if !self.accepted {
            return Some("has not accepted this coordinator's epoch yet".to_owned());
        }
        if let Some(prepared) = self.prepared.filter(|_| !self.is_level()) {
            return Some(format!("is in doubt about round {}", prepared.round));
        }
        if self.paused_until_ms.is_some_and(|until_ms| until_ms > now_ms) {
            let detail = self.detail.as_ref().map_or_else(String::new, |detail| format!(": {detail}"));
            return Some(format!("cannot take a round{detail}"));
        }
        if !self.is_level() {
            return Some("is being brought level".to_owned());
        }
        (self.credit_bytes == 0).then(|| "still writes earlier files".to_owned())
    }
}

impl Members {
    pub(super) fn connect(&mut self, link: MemberLink) -> Option<MemberLink> {
        let memory = self.memories.entry(link.hello.member.clone()).or_default();
        memory.version = link.version;
        memory.address = Some(link.hello.address.clone());
        memory.in_doubt = link.prepared.map(|prepared| prepared.round);
        memory.in_doubt_since_unix_ms =
            memory.in_doubt.map(|_| memory.in_doubt_since_unix_ms.unwrap_or(link.connected_at_unix_ms));
        (memory.detail, memory.last_seen_unix_ms) = (None, None);
        self.links.insert(link.hello.member.clone(), link)
    }

    pub(super) fn disconnect(&mut self, member: &MemberId, reason: String, now: Now) {
        if let Some(link) = self.links.remove(member) {
            let memory = self.memories.entry(member.clone()).or_default();
            memory.version = link.version;
            memory.detail = Some(reason);
            memory.last_seen_unix_ms = Some(now.unix_ms);
            memory.scrub.status.running = None;
        }
    }

    /// It is no longer a member: nothing of it is remembered.
    pub(super) fn forget(&mut self, member: &MemberId) {
        self.links.remove(member);
        self.memories.remove(member);
    }

    pub(super) fn link(&self, member: &MemberId) -> Option<&MemberLink> {
        self.links.get(member)
    }

    pub(super) fn link_mut(&mut self, member: &MemberId) -> Option<&mut MemberLink> {
        self.links.get_mut(member)
    }

    pub(super) fn memory(&self, member: &MemberId) -> Option<&MemberMemory> {
        self.memories.get(member)
    }

    pub(super) fn attendance(&self, member: &MemberId) -> Attendance {
        self.memories.get(member).map(|memory| memory.attendance).unwrap_or_default()
    }

    pub(super) fn attendance_mut(&mut self, member: &MemberId) -> &mut Attendance {
        &mut self.memories.entry(member.clone()).or_default().attendance
    }

    pub(super) fn scrub_mut(&mut self, member: &MemberId) -> &mut MemberScrub {
        &mut self.memories.entry(member.clone()).or_default().scrub
    }

    /// What scrubs of each member's files have found.
    pub(super) fn scrubs(&self) -> impl Iterator<Item = (&MemberId, &MemberScrub)> {
        self.memories.iter().map(|(id, memory)| (id, &memory.scrub))
    }

    /// The member is no longer in doubt.
    pub(super) fn settle(&mut self, member: &MemberId) {
        if let Some(link) = self.links.get_mut(member) {
            link.prepared = None;
        }
        if let Some(memory) = self.memories.get_mut(member) {
            (memory.in_doubt, memory.in_doubt_since_unix_ms) = (None, None);
        }
    }

    /// Pauses that are over. Each is looked for by the timer, whatever else happens when it ends: nothing else may start the
    /// round that waits for it. Returns whose pause is over.
    pub(super) fn end_pauses(&mut self, now_ms: u64) -> Vec<MemberId> {
        let is_over = |link: &mut MemberLink| link.paused_until_ms.take_if(|until_ms| *until_ms <= now_ms).is_some();
        self.links.iter_mut().filter_map(|(id, link)| is_over(link).then(|| id.clone())).collect()
    }

    pub(super) fn links(&self) -> impl Iterator<Item = (&MemberId, &MemberLink)> {
        self.links.iter()
    }

    pub(super) fn names(&self) -> Vec<MemberId> {
        self.links.keys().cloned().collect()
    }

    /// Those of the voters whose word about the epoch counts.
    pub(super) fn accepted(&self, view: &View) -> Vec<MemberId> {
        let counts = |(id, link): &(&MemberId, &MemberLink)| {
            let counts = link.evidence || link.vouched || Mutant::CountsLostMemories.is_on();
            link.accepted && counts && view.is_voter(id)
        };
        self.links.iter().filter(counts).map(|(id, _)| id.clone()).collect()
    }

    /// Those who take part in rounds.
    pub(super) fn level(&self) -> impl Iterator<Item = (&MemberId, &MemberLink)> {
        self.links.iter().filter(|(_, link)| link.is_level())
    }
}
