//! Rounds: the last ones, newest first, with every vote.

use super::App;
use super::request::{Id, limit, query};
use crate::clock;
use crate::described;
use crate::error::{ApiError, Problem};
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use protocol::{
    Epoch, MemberId, Query, QueryAnswer, RoundId, RoundNumber, RoundOutcome, RoundReport, Version, VoteReport,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// 1 to 500; 50 if left out.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
    #[param(inline, value_type = Option<described::RoundOutcome>)]
    outcome: Option<RoundOutcome>,
}

/// A page of rounds.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct RoundList {
    items: Vec<RoundJson>,
    #[schema(required = true)]
    next: Option<String>,
    total: u64,
}

/// A round.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct RoundJson {
    #[schema(value_type = String)]
    id: RoundId,
    #[schema(value_type = u64)]
    epoch: Epoch,
    #[schema(value_type = u64)]
    number: RoundNumber,
    #[schema(value_type = described::RoundOutcome)]
    outcome: RoundOutcome,
    #[schema(value_type = Option<u64>, required = true)]
    version: Option<Version>,
    changes: u64,
    #[schema(value_type = Vec<String>)]
    participants: Vec<MemberId>,
    #[schema(value_type = Vec<described::Vote>)]
    votes: Vec<VoteReport>,
    started_at: String,
    #[schema(required = true)]
    decided_after_us: Option<u64>,
    #[schema(required = true)]
    ended_after_us: Option<u64>,
    #[schema(required = true)]
    reason: Option<String>,
}

#[utoipa::path(get, path = "/rounds", tag = "rounds", operation_id = "list_rounds", params(ListQuery), responses(
    (status = 200, body = RoundList), (status = 422, body = Problem), (status = 503, body = Problem)
))]
pub(super) async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Json<RoundList>, ApiError> {
    let ListQuery { limit: given, cursor, outcome } = query(&uri)?;
    let limit = limit(given)? as u64;
    let before = cursor.map(|text| {
        text.parse().map_err(|_| ApiError::field("cursor", "is not one of this list; begin again without"))
    });
    let answer = app.copy.ask(Query::Rounds { before: before.transpose()?, limit, outcome }).await?;
    let QueryAnswer::Rounds { rounds, total, more } = answer else { return Err(strange()) };
    let next = rounds.last().filter(|_| more).map(|round| round.round.to_string());
    Ok(Json(RoundList { items: rounds.into_iter().map(round_json).collect(), next, total }))
}

#[utoipa::path(get, path = "/rounds/{id}", tag = "rounds", operation_id = "load_round", params(("id" = String, Path, example = "3-17")), responses(
    (status = 200, body = RoundJson), (status = 404, body = Problem), (status = 503, body = Problem)
))]
pub(super) async fn load(State(app): State<Arc<App>>, Id(id): Id<String>) -> Result<Json<RoundJson>, ApiError> {
    let not_found = || ApiError::NotFound { detail: format!("There is no round {id}; only the last ones are kept.") };
    let round = id.parse().map_err(|_| not_found())?;
    match app.copy.ask(Query::Round { round }).await? {
        QueryAnswer::Round { round } => round.map(|round| Json(round_json(*round))).ok_or_else(not_found),
        _ => Err(strange()),
    }
}

fn strange() -> ApiError {
    ApiError::CoordinatorUnreachable { detail: "The coordinator answered another question than was asked.".to_owned() }
}

fn round_json(report: RoundReport) -> RoundJson {
    RoundJson {
        id: report.round,
        epoch: report.round.epoch,
        number: report.round.number,
        outcome: report.outcome,
        version: report.version,
        changes: report.changes,
        participants: report.participants,
        votes: report.votes,
        started_at: clock::text(report.started_at_ms),
        decided_after_us: report.decided_after_us,
        ended_after_us: report.ended_after_us,
        reason: report.reason,
    }
}
