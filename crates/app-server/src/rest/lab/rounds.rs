//! Faults of the next round: a forced vote, and a coordinator that dies at a named place.

use super::super::App;
use super::super::request::{Id, json};
use super::{check_lab, order, stage};
use crate::error::{ApiError, Problem};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use faults::CrashPoint;
use protocol::{LabAction, SupervisorOrder};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Its name in a local cluster.
const COORDINATOR: &str = "coordinator";

/// The points at which a demonstration makes a coordinator die.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CrashPoint)]
pub(super) enum ShownCrashPoint {
    PrepareSent,
    VotesReceived,
    DecisionDurable,
    FirstCommitSent,
}

impl From<ShownCrashPoint> for CrashPoint {
    fn from(point: ShownCrashPoint) -> Self {
        match point {
            ShownCrashPoint::PrepareSent => Self::PrepareSent,
            ShownCrashPoint::VotesReceived => Self::VotesReceived,
            ShownCrashPoint::DecisionDurable => Self::DecisionDurable,
            ShownCrashPoint::FirstCommitSent => Self::FirstCommitSent,
        }
    }
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VoteAbortInput {
    /// What it will give as its reason.
    #[serde(default = "default_reason")]
    reason: String,
}

fn default_reason() -> String {
    "asked to in the lab".to_owned()
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CrashAtInput {
    point: ShownCrashPoint,
    /// Whether it stays dead until it is started in the lab; else it is started again at once.
    #[serde(default)]
    stay_dead: bool,
}

#[utoipa::path(post, path = "/lab/replicators/{id}/vote-abort", tag = "lab", operation_id = "lab_vote_abort", params(("id" = String, Path)),
    request_body = VoteAbortInput, responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn vote_abort(
    State(app): State<Arc<App>>,
    Id(id): Id<String>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    check_lab(&app)?;
    let member = id.parse().map_err(|_| ApiError::NotFound { detail: format!("There is no replicator {id}.") })?;
    let (parts, body) = request.into_parts();
    let VoteAbortInput { reason } = json(&app, &parts, body).await?;
    order(&app, LabAction::VoteAbort { member, reason }).await
}

#[utoipa::path(post, path = "/lab/coordinator/crash-at", tag = "lab", operation_id = "lab_crash_at", request_body = CrashAtInput,
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn crash_at(State(app): State<Arc<App>>, request: Request) -> Result<StatusCode, ApiError> {
    check_lab(&app)?;
    let (parts, body) = request.into_parts();
    let CrashAtInput { point, stay_dead } = json(&app, &parts, body).await?;
    if stay_dead {
        stays_dead(&app, true).await?;
    }
    let armed = order(&app, LabAction::CrashAt { point: Some(CrashPoint::from(point).name().to_owned()) }).await;
    if armed.is_err() && stay_dead {
        // It was not armed: its next death is one like any other.
        stays_dead(&app, false).await?;
    }
    armed
}

#[utoipa::path(delete, path = "/lab/coordinator/crash-at", tag = "lab", operation_id = "lab_crash_nowhere",
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn crash_nowhere(State(app): State<Arc<App>>) -> Result<StatusCode, ApiError> {
    check_lab(&app)?;
    let disarmed = order(&app, LabAction::CrashAt { point: None }).await?;
    if app.settings.lab_socket.is_some() {
        stays_dead(&app, false).await?;
    }
    Ok(disarmed)
}

async fn stays_dead(app: &App, stays: bool) -> Result<(), ApiError> {
    stage::ask(app, &SupervisorOrder::StayDead { service: COORDINATOR.to_owned(), stays }).await.map(|_| ())
}

impl ShownCrashPoint {
    /// The one of that name; none for points that no demonstration uses.
    pub(super) fn named(name: &str) -> Option<Self> {
        let all = [Self::PrepareSent, Self::VotesReceived, Self::DecisionDurable, Self::FirstCommitSent];
        all.into_iter().find(|point| CrashPoint::from(*point).name() == name)
    }
}
