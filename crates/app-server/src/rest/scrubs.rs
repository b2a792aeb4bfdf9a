//! Scrubs: what each replicator finds when it reads its own files in the background.

use super::App;
use super::request::query;
use crate::clock;
use crate::described;
use crate::error::{ApiError, Problem};
use crate::working_copy::Order;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use protocol::{MemberId, MemberStatus, Query, QueryAnswer, ScrubReport};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoQuery {}

/// One pass over all files of a replicator.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ScrubJson {
    started_at: String,
    /// Null while it runs.
    #[schema(required = true)]
    finished_at: Option<String>,
    files: u64,
    bytes: u64,
    clean: u64,
    damaged: u64,
    stale: u64,
    changing: u64,
    /// Files that could not be compared: never counted as clean.
    unknown: u64,
    extra: u64,
    /// Why something could not be compared, for people.
    #[schema(required = true)]
    detail: Option<String>,
    /// The damaged, stale and extra files, at most 100; left out in the list of members.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<FindingJson>)]
    findings: Option<Vec<FindingJson>>,
}

/// A file that a restore would put right.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct FindingJson {
    name: String,
    #[schema(value_type = described::FindingOutcome)]
    outcome: &'static str,
    #[schema(required = true)]
    detail: Option<String>,
}

/// What is known of one replicator's files.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct MemberScrubsJson {
    #[schema(value_type = String)]
    member: MemberId,
    connected: bool,
    /// The last pass that looked at every file.
    #[schema(required = true)]
    last: Option<ScrubJson>,
    /// The one that runs now.
    #[schema(required = true)]
    running: Option<ScrubJson>,
}

/// One entry a replicator, all in one page.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ScrubList {
    items: Vec<MemberScrubsJson>,
    #[schema(required = true)]
    next: Option<String>,
    total: usize,
}

#[utoipa::path(get, path = "/scrubs", tag = "scrubs", operation_id = "list_scrubs", responses(
    (status = 200, body = ScrubList), (status = 503, body = Problem)
))]
pub(super) async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Json<ScrubList>, ApiError> {
    let NoQuery {} = query(&uri)?;
    Ok(Json(known(&app).await?))
}

#[utoipa::path(post, path = "/scrubs", tag = "scrubs", operation_id = "start_scrubs", responses(
    (status = 202, body = ScrubList), (status = 409, body = Problem), (status = 503, body = Problem)
))]
pub(super) async fn create(State(app): State<Arc<App>>) -> Result<(StatusCode, Json<ScrubList>), ApiError> {
    // As it was before, so that a client can tell a new pass by its start.
    let before = known(&app).await?;
    app.copy.order(Order::Scrub).await?.map_err(|reason| ApiError::ScrubRefused { reason })?;
    Ok((StatusCode::ACCEPTED, Json(before)))
}

async fn known(app: &App) -> Result<ScrubList, ApiError> {
    let QueryAnswer::Cluster { status } = app.copy.ask(Query::Cluster).await? else {
        let detail = "The coordinator answered another question than was asked.".to_owned();
        return Err(ApiError::CoordinatorUnreachable { detail });
    };
    let items: Vec<_> = status.members.iter().map(member_json).collect();
    let total = items.len();
    Ok(ScrubList { items, next: None, total })
}

fn member_json(member: &MemberStatus) -> MemberScrubsJson {
    MemberScrubsJson {
        member: member.id.clone(),
        connected: member.connected,
        last: member.scrub.last.as_ref().map(|report| scrub_json(report, true)),
        running: member.scrub.running.as_ref().map(|report| scrub_json(report, true)),
    }
}

pub(super) fn scrub_json(report: &ScrubReport, with_findings: bool) -> ScrubJson {
    let finding = |finding: &protocol::ScrubFinding| FindingJson {
        name: finding.name.clone(),
        outcome: finding.outcome.as_str(),
        detail: finding.detail.clone(),
    };
    ScrubJson {
        started_at: clock::text(report.started_at_ms),
        finished_at: report.finished_at_ms.map(clock::text),
        files: report.files,
        bytes: report.bytes,
        clean: report.clean,
        damaged: report.damaged,
        stale: report.stale,
        changing: report.changing,
        unknown: report.unknown,
        extra: report.extra,
        detail: report.detail.clone(),
        findings: with_findings.then(|| report.findings.iter().map(finding).collect()),
    }
}
