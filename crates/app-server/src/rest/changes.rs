//! Changes: what became of one whose answer did not come in time.

use super::App;
use super::request::Id;
use crate::described;
use crate::error::{ApiError, Problem, sentence};
use crate::working_copy::LocalOutcome;
use axum::Json;
use axum::extract::State;
use catalogue::BookId;
use protocol::{ChangeId, ChangeState, CommittedAnswer, Digest, Query, QueryAnswer, RoundId, Version};
use serde::Serialize;
use std::sync::Arc;

/// What became of a change.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ChangeJson {
    /// The Idempotency-Key of the request, or the key that was made for it.
    #[schema(value_type = String)]
    change: ChangeId,
    #[schema(value_type = described::ChangeState)]
    state: &'static str,
    #[schema(value_type = Option<String>, required = true)]
    round: Option<RoundId>,
    #[schema(value_type = Option<u64>, required = true)]
    version: Option<Version>,
    /// The book's.
    #[schema(value_type = Option<String>, required = true)]
    id: Option<BookId>,
    /// The book's, after the change; null after a delete.
    #[schema(value_type = Option<String>, required = true)]
    digest: Option<Digest>,
    /// For people.
    detail: String,
}

#[utoipa::path(get, path = "/changes/{id}", tag = "changes", operation_id = "load_change", params(("id" = String, Path)), responses(
    (status = 200, body = ChangeJson), (status = 404, body = Problem)
))]
pub(super) async fn load(State(app): State<Arc<App>>, Id(id): Id<String>) -> Result<Json<ChangeJson>, ApiError> {
    let not_known = || ApiError::NotFound {
        detail: "This change is not known: it did not commit, and it waits nowhere. It may be sent again.".to_owned(),
    };
    let change: ChangeId = id.parse().map_err(|_| not_known())?;
    match app.copy.outcome_of(change.clone()).await {
        Some(LocalOutcome::Committed { answer }) => return Ok(Json(committed(&answer))),
        Some(LocalOutcome::Dropped { round, reason }) => return Ok(Json(aborted(change, round, &reason))),
        Some(LocalOutcome::Pending) => {
            let detail = "Its outcome is not known yet; this server follows it up. Ask again in a moment.";
            return Ok(Json(unknown(change, detail)));
        }
        None => {}
    }
    match app.copy.ask(Query::Change { change: change.clone() }).await {
        Ok(QueryAnswer::Change { state: ChangeState::Committed(answer) }) => Ok(Json(committed(&answer))),
        Ok(QueryAnswer::Change { state: ChangeState::Pending }) => {
            Ok(Json(unknown(change, "Its round is not decided yet; ask again in a moment.")))
        }
        Ok(QueryAnswer::Change { state: ChangeState::NotKnown }) => Err(not_known()),
        Ok(_) => Ok(Json(unknown(change, "The coordinator is not sure of its own log at present; ask again later."))),
        Err(_) => Ok(Json(unknown(
            change,
            "Only the coordinator knows, and it cannot be reached at present; ask again later.",
        ))),
    }
}

fn committed(answer: &CommittedAnswer) -> ChangeJson {
    ChangeJson {
        change: answer.change.clone(),
        state: "committed",
        round: Some(answer.round),
        version: Some(answer.version),
        id: Some(answer.path.id()),
        digest: answer.digest,
        detail: format!("Round {} committed it and made version {}.", answer.round, answer.version),
    }
}

fn aborted(change: ChangeId, round: Option<RoundId>, reason: &str) -> ChangeJson {
    let detail = format!("Nothing was changed: {}", sentence(reason));
    ChangeJson { change, state: "aborted", round, version: None, id: None, digest: None, detail }
}

fn unknown(change: ChangeId, detail: &str) -> ChangeJson {
    ChangeJson {
        change,
        state: "unknown",
        round: None,
        version: None,
        id: None,
        digest: None,
        detail: detail.to_owned(),
    }
}
