//! The cluster: its members as the coordinator sees them, and this server.

use super::App;
use super::scrubs::{ScrubJson, scrub_json};
use crate::clock;
use crate::described;
use crate::working_copy::{LinkStage, LinkStatus};
use axum::Json;
use axum::extract::State;
use protocol::{
    AppServerId, AppServerStatus, CatchUpProgress, ClusterStatus, CommitPolicy, DiskSpace, Epoch, MemberId, MemberRole,
    MemberState, MemberStatus, PageAddress, Query, QueryAnswer, RoundId, SetDigest, Version,
};
use serde::Serialize;
use std::sync::Arc;

/// The cluster. While the coordinator cannot be reached, what it said last.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ClusterJson {
    #[schema(value_type = Option<u64>, required = true)]
    epoch: Option<Epoch>,
    #[schema(value_type = u64)]
    version: Version,
    #[schema(value_type = Option<String>, required = true)]
    root: Option<SetDigest>,
    #[schema(required = true)]
    min_in_sync: Option<u64>,
    #[schema(value_type = Option<described::CommitPolicy>, required = true)]
    commit_policy: Option<CommitPolicy>,
    accepting_writes: bool,
    /// Why not, for people.
    #[schema(required = true)]
    why_not: Option<String>,
    members: Vec<MemberJson>,
    coordinator: CoordinatorJson,
    app_server: AppServerJson,
    /// All app-servers of the cluster, this one too.
    app_servers: Vec<OtherAppServerJson>,
    lab: bool,
}

/// An app-server of the cluster.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct OtherAppServerJson {
    #[schema(value_type = String)]
    id: AppServerId,
    /// Where browsers reach its page; null if it did not say.
    #[schema(value_type = Option<String>, required = true)]
    address: Option<PageAddress>,
    connected: bool,
}

/// A replicator.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct MemberJson {
    #[schema(value_type = String)]
    id: MemberId,
    #[schema(value_type = described::MemberRole)]
    role: MemberRole,
    #[schema(value_type = described::MemberState)]
    state: MemberState,
    connected: bool,
    #[schema(value_type = u64)]
    version: Version,
    #[schema(required = true)]
    in_doubt_since: Option<String>,
    #[schema(value_type = Option<String>, required = true)]
    in_doubt_round: Option<RoundId>,
    #[schema(required = true)]
    address: Option<String>,
    #[schema(required = true)]
    detail: Option<String>,
    /// How far it is brought level; null unless it is.
    #[schema(required = true)]
    catch_up: Option<CatchUpJson>,
    /// When it was last connected; null while it is.
    #[schema(required = true)]
    last_seen: Option<String>,
    /// The last scrub that looked at every file, without the files' names; null if there was none.
    #[schema(required = true)]
    scrub: Option<ScrubJson>,
    /// The file system of its data directory; null while it is away, or before it has said so.
    #[schema(required = true)]
    disk: Option<DiskJson>,
}

/// Room on a file system.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct DiskJson {
    free_bytes: u64,
    total_bytes: u64,
}

impl From<DiskSpace> for DiskJson {
    fn from(DiskSpace { free_bytes, total_bytes }: DiskSpace) -> Self {
        Self { free_bytes, total_bytes }
    }
}

/// How far somebody is brought level.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct CatchUpJson {
    #[schema(value_type = u64)]
    to: Version,
    files_sent: u64,
    files_left: u64,
    bytes_sent: u64,
}

impl From<CatchUpProgress> for CatchUpJson {
    fn from(CatchUpProgress { to, files_sent, files_left, bytes_sent }: CatchUpProgress) -> Self {
        Self { to, files_sent, files_left, bytes_sent }
    }
}

/// The link to the coordinator.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct CoordinatorJson {
    connected: bool,
    /// Since when it is connected or not.
    since: String,
    #[schema(required = true)]
    address: Option<String>,
}

/// This server.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct AppServerJson {
    #[schema(value_type = String)]
    id: AppServerId,
    #[schema(value_type = u64)]
    version: Version,
    /// Whether it shows everything that is committed.
    level: bool,
    books: usize,
    /// Files on its disk that are not what was committed.
    modified: usize,
}

#[utoipa::path(get, path = "/cluster", tag = "cluster", operation_id = "load_cluster", responses((status = 200, body = ClusterJson)))]
pub(super) async fn load(State(app): State<Arc<App>>) -> Json<ClusterJson> {
    let answer = app.copy.ask(Query::Cluster).await;
    let status = match answer {
        Ok(QueryAnswer::Cluster { status }) => {
            app.remember_cluster(status.clone());
            Some(status)
        }
        _ => None,
    };
    let link = app.copy.link();
    let why_not = match &status {
        Some(status) => status.why_not.clone(),
        None => Some(format!("The coordinator cannot be reached{}.", problem(&link))),
    };
    let is_told = status.is_some();
    let status = status.or_else(|| app.last_cluster());
    let members = status.iter().flat_map(|status| &status.members).map(|member| member_json(member, is_told)).collect();
    let index = app.copy.index();
    let of = status.as_ref();
    Json(ClusterJson {
        epoch: of.map(|status| status.epoch),
        version: of.map_or(index.version(), |status| status.version),
        root: of.map(|status| status.root),
        min_in_sync: of.map(|status| status.min_in_sync),
        commit_policy: of.map(|status| status.policy),
        accepting_writes: why_not.is_none() && link.stage == LinkStage::Level,
        why_not,
        members,
        coordinator: CoordinatorJson {
            connected: link.is_connected(),
            since: clock::text(link.since_ms),
            address: link.address.clone(),
        },
        app_server: AppServerJson {
            id: app.settings.id.clone(),
            version: index.version(),
            level: link.stage == LinkStage::Level,
            books: index.len(),
            modified: app.copy.edits().len(),
        },
        app_servers: app_servers(&app, is_told),
        lab: link.lab,
    })
}

fn app_servers(app: &App, is_told: bool) -> Vec<OtherAppServerJson> {
    let known = app.copy.app_servers();
    let json = |status: &AppServerStatus| OtherAppServerJson {
        id: status.id.clone(),
        address: status.address.clone(),
        connected: status.connected && is_told,
    };
    known.iter().map(json).collect()
}

fn member_json(member: &MemberStatus, is_told: bool) -> MemberJson {
    MemberJson {
        id: member.id.clone(),
        role: member.role,
        state: member.state,
        connected: member.connected && is_told,
        version: member.version,
        in_doubt_since: member.in_doubt_since_ms.map(clock::text),
        in_doubt_round: member.in_doubt_round,
        address: member.address.clone(),
        detail: if is_told {
            member.detail.clone()
        } else {
            Some("not known while the coordinator cannot be reached".to_owned())
        },
        catch_up: member.catch_up.filter(|_| is_told).map(CatchUpJson::from),
        last_seen: member.last_seen_ms.map(clock::text),
        disk: member.disk.filter(|_| is_told).map(DiskJson::from),
        scrub: member.scrub.last.as_ref().map(|report| scrub_json(report, false)),
    }
}

fn problem(link: &LinkStatus) -> String {
    link.problem.as_ref().map(|problem| format!(" ({problem})")).unwrap_or_default()
}

impl App {
    fn remember_cluster(&self, status: ClusterStatus) {
        *self.cluster.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(status);
    }

    fn last_cluster(&self) -> Option<ClusterStatus> {
        self.cluster.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}
