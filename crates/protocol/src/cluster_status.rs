//! What people are shown of the cluster.

use crate::{AppServerId, CommitPolicy, Epoch, MemberId, MemberState, RoundId, SetDigest, Version, ViewNumber};
use serde::{Deserialize, Serialize};

/// One member, as the coordinator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberStatus {
    /// Its name.
    pub id: MemberId,
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
