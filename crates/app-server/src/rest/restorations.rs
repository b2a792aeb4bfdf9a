//! Restorations: damaged copies, put right by the vote; led by the coordinator, told here.

use super::request::{Id, json, query};
use super::restoration_json::{BegunRestorationJson, RestorationJson, RunningRestorationJson, report_json};
use super::{App, BASE};
use crate::error::{ApiError, Problem};
use crate::working_copy::Order;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use catalogue::BookPath;
use protocol::{Query, QueryAnswer, RestorationId, RestorationReport, RestorationState, WantedFile};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// How often a restore is asked how far it is, while somebody waits for it.
const ASK_EVERY: Duration = Duration::from_millis(100);

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RestorationInput {
    /// Only report.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoQuery {}

/// All reports that are kept, newest first, without their files.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct RestorationList {
    items: Vec<RestorationJson>,
    #[schema(required = true)]
    next: Option<String>,
    total: usize,
}

#[utoipa::path(get, path = "/restorations", tag = "restorations", operation_id = "list_restorations", responses(
    (status = 200, body = RestorationList), (status = 503, body = Problem)
))]
pub(super) async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Json<RestorationList>, ApiError> {
    let NoQuery {} = query(&uri)?;
    let QueryAnswer::Restorations { reports } = app.copy.ask(Query::Restorations).await? else {
        return Err(strange());
    };
    let index = app.copy.index();
    let items: Vec<_> = reports.iter().map(|report| report_json(report, &index, false)).collect();
    let total = items.len();
    Ok(Json(RestorationList { items, next: None, total }))
}

#[utoipa::path(get, path = "/restorations/{id}", tag = "restorations", operation_id = "load_restoration", params(("id" = String, Path)), responses(
    (status = 200, body = RestorationJson), (status = 404, body = Problem), (status = 503, body = Problem)
))]
pub(super) async fn load(State(app): State<Arc<App>>, Id(id): Id<String>) -> Result<Json<RestorationJson>, ApiError> {
    let not_found =
        || ApiError::NotFound { detail: format!("There is no report {id}; only the newest ones are kept.") };
    let restoration = id.parse().map_err(|_| not_found())?;
    let report = report(&app, restoration).await?.ok_or_else(not_found)?;
    Ok(Json(report_json(&report, &app.copy.index(), true)))
}

#[utoipa::path(post, path = "/restorations", tag = "restorations", operation_id = "start_restoration", request_body = RestorationInput, responses(
    (status = 200, body = RestorationJson, headers(("Location" = String))),
    (status = 202, description = "It runs; ask the address in Location. The report so far is in the answer if it is known.", body = RunningRestorationJson,
        headers(("Location" = String))),
    (status = 409, body = Problem), (status = 503, body = Problem)
))]
pub(super) async fn create(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let RestorationInput { dry_run } = json(&app, &parts, body).await?;
    let restoration = RestorationId(Uuid::now_v7());
    let begun = app.copy.order(Order::Restore { restoration, dry_run }).await;
    begun
        .map_err(|_| ApiError::CoordinatorUnreachable {
            detail: "The coordinator leads restores and cannot be reached at present. If this one was begun all the same, it is \
                     in the list of restores later."
                .to_owned(),
        })?
        .map_err(|reason| ApiError::RestorationRefused { reason })?;
    let deadline = Instant::now() + Duration::from_millis(app.settings.restoration_answer_wait_ms);
    let mut newest = None;
    while Instant::now() < deadline {
        if let Ok(Some(report)) = report(&app, restoration).await {
            let is_over = report.state != RestorationState::Running;
            newest = Some(report);
            if is_over {
                break;
            }
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
    let location = format!("{BASE}/restorations/{restoration}");
    let location = [(LOCATION, HeaderValue::from_str(&location).expect("an address is plain ASCII"))];
    Ok(match newest {
        Some(report) if report.state != RestorationState::Running => {
            (StatusCode::OK, location, Json(report_json(&report, &app.copy.index(), true))).into_response()
        }
        Some(report) => {
            let so_far = report_json(&report, &app.copy.index(), true);
            (StatusCode::ACCEPTED, location, Json(RunningRestorationJson::Report(Box::new(so_far)))).into_response()
        }
        None => {
            let begun = BegunRestorationJson::new(restoration, dry_run);
            (StatusCode::ACCEPTED, location, Json(RunningRestorationJson::Begun(begun))).into_response()
        }
    })
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CopyQuery {
    /// The file, as the report names it.
    path: String,
    /// Whose copy.
    member: String,
}

/// Always as plain text: a browser must not take damaged bytes for a page.
const COPY_TYPE: (HeaderName, HeaderValue) = (CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));

#[utoipa::path(get, path = "/restorations/{id}/copy", tag = "restorations", operation_id = "load_copy", params(("id" = String, Path), CopyQuery), responses(
    (status = 200, description = "The bytes that the ballot is about, as long as they are there or in quarantine.", content_type = "text/plain", body = String),
    (status = 404, body = Problem), (status = 503, body = Problem)
))]
pub(super) async fn load_copy(State(app): State<Arc<App>>, Id(id): Id<String>, uri: Uri) -> Result<Response, ApiError> {
    let CopyQuery { path, member } = query(&uri)?;
    let not_found = |detail: String| ApiError::NotFound { detail };
    let missing = || not_found(format!("Report {id} says nothing of what {member} holds of {path}."));
    let restoration = id.parse().map_err(|_| missing())?;
    let report = report(&app, restoration).await?.ok_or_else(missing)?;
    let file = report.files.iter().find(|file| file.name == path).ok_or_else(missing)?;
    let vote = file.ballot.iter().find(|vote| vote.holder.to_string() == member).ok_or_else(missing)?;
    let wanted = BookPath::parse(&path).ok().zip(vote.digest);
    let Some((path, digest)) = wanted else {
        return Err(not_found(format!("{member} held no such book file.")));
    };
    let wanted = WantedFile { path, digest };
    match app.copy.ask(Query::Copy { holder: vote.holder.clone(), wanted }).await? {
        QueryAnswer::Copy { content: Some(content), .. } => Ok(([COPY_TYPE], content.bytes().to_vec()).into_response()),
        QueryAnswer::Copy { why_not, .. } => {
            let why_not = why_not.unwrap_or_default();
            Err(not_found(format!("What {member} held of {path} cannot be shown any more: {why_not}.")))
        }
        _ => Err(strange()),
    }
}

async fn report(app: &App, restoration: RestorationId) -> Result<Option<RestorationReport>, ApiError> {
    match app.copy.ask(Query::Restoration { restoration }).await? {
        QueryAnswer::Restoration { report } => Ok(report.map(|report| *report)),
        _ => Err(strange()),
    }
}

fn strange() -> ApiError {
    ApiError::CoordinatorUnreachable { detail: "The coordinator answered another question than was asked.".to_owned() }
}
