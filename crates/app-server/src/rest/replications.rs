//! Replications: what somebody edited in the files on this server's disk, published as one round.

use super::App;
use super::request::{json, limit, query};
use super::write::{NotCommitted, PendingJson, commit_all, fingerprint, given_key};
use crate::described;
use crate::error::{ApiError, Problem};
use crate::working_copy::{Edit, EditState, Edits, book_of};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::Uri;
use catalogue::{BookId, BookPath};
use protocol::{
    Action, Change, Content, Digest, Precondition, Query, QueryAnswer, RoundId, Submission, Version, VoteReport,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// 1 to 500; 50 if left out.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// A file that is not what was committed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct EditJson {
    #[schema(value_type = String)]
    path: BookPath,
    #[schema(value_type = String)]
    id: BookId,
    state: EditState,
    #[schema(value_type = Option<String>, required = true)]
    committed_digest: Option<Digest>,
    #[schema(value_type = Option<String>, required = true)]
    found_digest: Option<Digest>,
    /// What it is, for people.
    detail: String,
}

/// A page of files.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct EditList {
    items: Vec<EditJson>,
    #[schema(required = true)]
    next: Option<String>,
    total: usize,
}

#[utoipa::path(get, path = "/replications", tag = "replications", operation_id = "list_edits", params(ListQuery), responses(
    (status = 200, body = EditList), (status = 422, body = Problem), (status = 503, body = Problem)
))]
pub(super) async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Json<EditList>, ApiError> {
    app.check_ready()?;
    let ListQuery { limit: given, cursor } = query(&uri)?;
    let limit = limit(given)?;
    let after = cursor.map(|text| {
        BookPath::parse(&text).map_err(|_| ApiError::field("cursor", "is not one of this list; begin again without"))
    });
    let after = after.transpose()?;
    let edits = search(&app).await?;
    let mut beyond = edits.iter().filter(|(path, _)| after.is_none_or(|after| **path > after));
    let items: Vec<_> = beyond.by_ref().take(limit).map(|(path, edit)| edit_json(*path, edit)).collect();
    let next = beyond.next().and_then(|_| items.last()).map(|last| last.path.to_string());
    Ok(Json(EditList { items, next, total: edits.len() }))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplicationInput {
    #[serde(default)]
    vote: WantedVote,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum WantedVote {
    /// Publish.
    #[default]
    Commit,
    /// Carry the round to the vote, and abort it then.
    Abort,
}

/// What became of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ReplicationJson {
    #[schema(value_type = described::ReplicationOutcome)]
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    round: Option<RoundId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64)]
    version: Option<Version>,
    changes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<described::Vote>)]
    votes: Option<Vec<VoteReport>>,
}

#[utoipa::path(post, path = "/replications", tag = "replications", operation_id = "replicate", request_body = ReplicationInput,
    params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 200, body = ReplicationJson), (status = 202, description = "Not known yet; ask the address in Location.", body = PendingJson, headers(("Location" = String))),
    (status = 409, body = Problem), (status = 412, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)
))]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<ReplicationJson>, NotCommitted> {
    app.check_ready()?;
    let (parts, body) = request.into_parts();
    let key = given_key(&parts.headers)?.unwrap_or_else(|| Uuid::now_v7().to_string());
    let ReplicationInput { vote } = json(&app, &parts, body).await?;
    let edits = search(&app).await?;
    let changes = {
        let (app, edits) = (Arc::clone(&app), Arc::clone(&edits));
        let built = tokio::task::spawn_blocking(move || changes_of(&app, &edits, &key)).await;
        built.expect("reading files does not panic")?
    };
    let count = changes.len();
    if changes.is_empty() {
        return Ok(Json(ReplicationJson {
            outcome: "nothing_to_do",
            round: None,
            version: None,
            changes: 0,
            votes: None,
        }));
    }
    let submission = Submission { changes, force_abort: vote == WantedVote::Abort };
    let answers = commit_all(&app, submission).await?;
    let newest = answers.iter().max_by_key(|answer| answer.version).expect("every change has an answer");
    let votes = match app.copy.ask(Query::Round { round: newest.round }).await {
        Ok(QueryAnswer::Round { round: Some(report) }) => report.votes,
        // Committed it is all the same; who voted when can be seen later among the rounds.
        _ => Vec::new(),
    };
    // The badges of what was published go at once, not with the next search.
    let _ = app.copy.search_edits().await;
    Ok(Json(ReplicationJson {
        outcome: "committed",
        round: Some(newest.round),
        version: Some(newest.version),
        changes: count,
        votes: Some(votes),
    }))
}

async fn search(app: &App) -> Result<Arc<Edits>, ApiError> {
    app.copy.search_edits().await.map_err(|reason| ApiError::NotReady { detail: format!("{reason}.") })
}

/// The changes that publish edits. What cannot be published stays in the list.
fn changes_of(app: &App, edits: &Edits, key: &str) -> Result<Vec<Change>, ApiError> {
    let mut changes = Vec::new();
    for (path, edit) in edits.iter().filter(|(_, edit)| matches!(edit.state, EditState::Modified | EditState::Added)) {
        let precondition = edit.committed.map_or(Precondition::Absent, Precondition::Digest);
        let bytes = app.copy.read_file(*path).map_err(|detail| ApiError::Disk { detail })?;
        // If it was changed again since it was looked at, the next search sees it.
        let Some(Ok(book)) = bytes.map(|bytes| book_of(*path, &bytes)) else { continue };
        let content = Content::from(book.to_xml());
        let digest = Digest::of(content.bytes());
        let id = format!("{key}/{}", path.id()).parse().expect("a key and the id of a book make a change id");
        let precondition_text = serde_json::to_vec(&precondition).expect("a precondition is plain text");
        let fingerprint = fingerprint(&[b"REPLICATE", path.id().as_bytes(), &precondition_text, &digest.0]);
        let action = Action::Put { content, digest };
        changes.push(Change { id, fingerprint, path: *path, precondition, answer: "{}".to_owned(), action });
    }
    Ok(changes)
}

fn edit_json(path: BookPath, edit: &Edit) -> EditJson {
    EditJson {
        path,
        id: path.id(),
        state: edit.state,
        committed_digest: edit.committed,
        found_digest: edit.found,
        detail: edit.detail.clone(),
    }
}
