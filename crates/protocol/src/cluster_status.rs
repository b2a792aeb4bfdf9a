//! What people are shown of the cluster.

use crate::{
    AppServerId, CommitPolicy, Epoch, MemberId, MemberRole, MemberState, RoundId, ScrubStatus, SetDigest, Version,
    ViewNumber,
};
use serde::{Deserialize, Serialize};

/// One member, as the coordinator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberStatus {
    /// Its name.
    pub id: MemberId,
    /// What it is there for.
    #[serde(default)]
    pub role: MemberRole,
    /// Whether it takes part.
    pub state: MemberState,
    /// Whether there is a connection.
    pub connected: bool,
    /// The committed version that it last reported.
    pub version: Version,
    /// Where it listens.
    pub address: Option<String>,
    /// The round that it is in doubt about.
    pub in_doubt_round: Option<RoundId>,
    /// Since when, in milliseconds of Unix time.
    pub in_doubt_since_ms: Option<u64>,
    /// What it waits for or lacks, for people.
    pub detail: Option<String>,
    /// How far it is brought level.
    #[serde(default)]
    pub catch_up: Option<CatchUpProgress>,
    /// When it was last connected, in milliseconds of Unix time; none while it is, or if it was not since the coordinator
    /// started.
    #[serde(default)]
    pub last_seen_ms: Option<u64>,
    /// What scrubs of its files have found.
    #[serde(default)]
    pub scrub: ScrubStatus,
    /// The file system of its data directory; none while it is away, or before it has said so.
    #[serde(default)]
    pub disk: Option<DiskSpace>,
}

/// The file system of a data directory, for people: what a vote rests on is judged by the replicator itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskSpace {
    /// Free for processes that are not root.
    pub free_bytes: u64,
    /// The whole of it.
    pub total_bytes: u64,
}

impl DiskSpace {
    /// Whether people want to hear of it who were told `before`: it differs by a hundredth of the whole.
    #[must_use]
    pub fn is_news_after(self, before: Self) -> bool {
        self.total_bytes != before.total_bytes
            || self.free_bytes.abs_diff(before.free_bytes) >= (self.total_bytes / 100).max(1)
    }
}

/// How far somebody is brought level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatchUpProgress {
    /// The version that it is led to; rounds committed since are told to it besides.
    pub to: Version,
    /// Files that were sent.
    pub files_sent: u64,
    /// Files that it still lacks, as far as it has found out.
    pub files_left: u64,
    /// Bytes that were sent.
    pub bytes_sent: u64,
}

/// The cluster, as the coordinator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterStatus {
    /// The coordinator's epoch.
    pub epoch: Epoch,
    /// The committed version.
    pub version: Version,
    /// Its root.
    pub root: SetDigest,
    /// The current view.
    pub view: ViewNumber,
    /// How many must be in sync.
    pub min_in_sync: u64,
    /// Which members a round needs.
    pub policy: CommitPolicy,
    /// Why no round can be run at present, for people; none if one can.
    pub why_not: Option<String>,
    /// Number of files.
    pub files: u64,
    /// The members.
    pub members: Vec<MemberStatus>,
    /// The app-servers that are connected.
    pub app_servers: Vec<AppServerId>,
    /// Whether the lab is on.
    pub lab: bool,
}
