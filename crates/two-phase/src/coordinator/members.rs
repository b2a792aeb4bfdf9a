//! The replicators' connections: what each has said of itself, and whether it can take part in a round.

use super::effect::SessionId;
use protocol::{MemberId, PreparedRound, ReplicatorHello, RoundId, SetDigest, Standing, Version};
use std::collections::BTreeMap;

/// One replicator's connection.
#[derive(Debug, Clone)]
pub(super) struct MemberLink {
    pub session: SessionId,
    pub hello: ReplicatorHello,
    /// It has made this coordinator's epoch durable.
    pub accepted: bool,
    /// It speaks for itself: its memory is whole, or was confirmed since.
    pub evidence: bool,
    pub version: Version,
    pub root: SetDigest,
    pub prepared: Option<PreparedRound>,
    /// It was told that its state is the committed one, and has not said yet that it knows.
    pub confirming: bool,
    /// It holds the committed state and takes part in rounds.
    pub level: bool,
    pub catching_up: bool,
    pub credit_bytes: u64,
    /// It could not take a round and is left in peace; none if it is not, or no longer.
    pub paused_until_ms: Option<u64>,
    pub detail: Option<String>,
    pub connected_at_unix_ms: u64,
}

/// What is remembered of a member that is not connected.
#[derive(Debug, Clone, Default)]
pub(super) struct MemberMemory {
    pub version: Version,
    pub address: Option<String>,
    pub in_doubt: Option<RoundId>,
    pub in_doubt_since_unix_ms: Option<u64>,
    pub detail: Option<String>,
}

/// All connections of replicators.
#[derive(Debug, Default)]
pub(super) struct Members {
    links: BTreeMap<MemberId, MemberLink>,
    memories: BTreeMap<MemberId, MemberMemory>,
}

impl MemberLink {
    pub(super) fn new(session: SessionId, hello: ReplicatorHello, evidence: bool, unix_ms: u64) -> Self {
        Self {
            session,
            accepted: false,
            evidence: evidence && hello.standing == Standing::Trusted,
            version: hello.version,
            root: hello.root,
            prepared: hello.prepared,
            hello,
            confirming: false,
            level: false,
            catching_up: false,
            credit_bytes: 1,
            paused_until_ms: None,
            detail: None,
            connected_at_unix_ms: unix_ms,
        }
    }

    /// Why it cannot take part in a round now; none if it can.
    pub(super) fn obstacle(&self, now_ms: u64) -> Option<String> {
        if !self.accepted {
            Some("has not accepted this coordinator's epoch yet".to_owned())
        } else if let Some(prepared) = self.prepared.filter(|_| !self.level) {
            Some(format!("is in doubt about round {}", prepared.round))
        } else if !self.level {
            Some("is being brought level".to_owned())
        } else if self.paused_until_ms.is_some_and(|until_ms| until_ms > now_ms) {
            Some(self.detail.clone().unwrap_or_else(|| "could not take the last round".to_owned()))
        } else if self.credit_bytes == 0 {
            Some("still writes earlier files".to_owned())
        } else {
            None
        }
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
        memory.detail = None;
        self.links.insert(link.hello.member.clone(), link)
    }

    pub(super) fn disconnect(&mut self, member: &MemberId, reason: String) {
        if let Some(link) = self.links.remove(member) {
            let memory = self.memories.entry(member.clone()).or_default();
            memory.version = link.version;
            memory.detail = Some(reason);
        }
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
    /// round that waits for it.
    pub(super) fn end_pauses(&mut self, now_ms: u64) {
        for link in self.links.values_mut() {
            link.paused_until_ms.take_if(|until_ms| *until_ms <= now_ms);
        }
    }

    pub(super) fn links(&self) -> impl Iterator<Item = (&MemberId, &MemberLink)> {
        self.links.iter()
    }

    pub(super) fn names(&self) -> Vec<MemberId> {
        self.links.keys().cloned().collect()
    }

    /// Those whose word about the epoch counts.
    pub(super) fn accepted(&self) -> Vec<MemberId> {
        self.links.iter().filter(|(_, link)| link.accepted && link.evidence).map(|(id, _)| id.clone()).collect()
    }

    /// Those who hold the committed state.
    pub(super) fn level(&self) -> impl Iterator<Item = (&MemberId, &MemberLink)> {
        self.links.iter().filter(|(_, link)| link.level)
    }
}
