//! Step by step: each message of a round waits until it is released.

use super::super::App;
use super::super::request::json;
use super::{check_lab, order};
use crate::described;
use crate::error::{ApiError, Problem};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use protocol::{HeldMessage, LabAction, RoundId, StepMessage};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The messages that are held.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct StepsJson {
    /// Whether messages are held.
    on: bool,
    /// In the order in which they came.
    messages: Vec<HeldMessageJson>,
}

/// A message that is held between the coordinator and a replicator.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct HeldMessageJson {
    id: u64,
    from: String,
    to: String,
    #[schema(value_type = described::StepMessage)]
    message: StepMessage,
    #[schema(value_type = String)]
    round: RoundId,
    /// No other message on the same way has to go first.
    is_next: bool,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct StepsInput {
    on: bool,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ReleaseInput {
    /// The message.
    id: u64,
}

#[utoipa::path(put, path = "/lab/steps", tag = "lab", operation_id = "lab_steps", request_body = StepsInput,
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn turn(State(app): State<Arc<App>>, request: Request) -> Result<StatusCode, ApiError> {
    check_lab(&app)?;
    let (parts, body) = request.into_parts();
    let StepsInput { on } = json(&app, &parts, body).await?;
    order(&app, LabAction::Step { on }).await
}

#[utoipa::path(post, path = "/lab/steps/release", tag = "lab", operation_id = "lab_release", request_body = ReleaseInput,
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn release(State(app): State<Arc<App>>, request: Request) -> Result<StatusCode, ApiError> {
    check_lab(&app)?;
    let (parts, body) = request.into_parts();
    let ReleaseInput { id } = json(&app, &parts, body).await?;
    order(&app, LabAction::Release { message: id }).await
}

impl StepsJson {
    pub(super) fn new(on: bool, messages: Vec<HeldMessage>) -> Self {
        Self { on, messages: messages.into_iter().map(HeldMessageJson::from).collect() }
    }
}

impl From<HeldMessage> for HeldMessageJson {
    fn from(held: HeldMessage) -> Self {
        let HeldMessage { id, from, to, message, round, is_next } = held;
        Self { id, from, to, message, round, is_next }
    }
}
