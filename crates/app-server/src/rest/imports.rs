//! Imports: a file of books, put in as rounds of many.

use super::request::{Id, bytes, media_type, query};
use super::write::{fingerprint, given_key};
use super::{App, BASE};
use crate::error::{ApiError, Problem};
use crate::import_jobs::{Begun, ImportReport, ImportState, OnError, parse};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// An import is larger than other bodies, and may take so much longer to arrive.
const BODY_TIMEOUT_FACTOR: u64 = 20;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ImportQuery {
    /// `skip` imports the good rows, `fail` nothing unless all rows are good.
    #[serde(default)]
    #[param(inline)]
    on_error: OnError,
}

#[utoipa::path(post, path = "/imports", tag = "imports and exports", operation_id = "start_import",
    params(ImportQuery, ("Idempotency-Key" = Option<String>, Header), ("Prefer" = Option<String>, Header, example = "respond-async")),
    request_body(content((String = "text/csv"), (String = "application/xml"))),
    responses(
    (status = 200, body = ImportReport), (status = 202, body = ImportReport, headers(("Location" = String))),
    (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)
))]
pub(super) async fn create(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let ImportQuery { on_error } = query(&parts.uri)?;
    let key = given_key(&parts.headers)?;
    if !matches!(media_type(&parts.headers).as_str(), "text/csv" | "application/xml" | "text/xml") {
        return Err(ApiError::UnsupportedMediaType { expected: "text/csv or application/xml" });
    }
    let timeout = Duration::from_millis(app.settings.body_timeout_ms * BODY_TIMEOUT_FACTOR);
    let file = bytes(body, app.settings.import_bytes_max, timeout).await?;
    let how: &[u8] = if on_error == OnError::Fail { b"fail" } else { b"skip" };
    let (parsed, fingerprint) =
        tokio::task::spawn_blocking(move || (parse(&file), fingerprint(&[b"IMPORT", how, &file])))
            .await
            .expect("reading a file of books does not panic");
    let mut import =
        parsed.map_err(|error| ApiError::InvalidImport { detail: format!("{error}."), failed: Vec::new() })?;
    if on_error == OnError::Fail && !import.failed.is_empty() {
        return Err(refused(import.failed));
    }
    let job = match app.imports.begin(key, fingerprint, &import)? {
        Begun::Known(job) => job,
        Begun::New(job) => {
            let rows = std::mem::take(&mut import.rows);
            tokio::spawn(Arc::clone(&job).run(rows, app.settings.clone(), app.copy.clone(), app.hub.clone()));
            job
        }
    };
    if !prefers_async(&parts.headers) {
        let wait = Duration::from_millis(app.settings.import_answer_wait_ms);
        // Either it has ended by then, or it is answered as running.
        let _ = tokio::time::timeout(wait, job.ended()).await;
    }
    let report = job.report();
    let is_over = matches!(report.state, ImportState::Done | ImportState::Failed);
    let status = if is_over { StatusCode::OK } else { StatusCode::ACCEPTED };
    let location = HeaderValue::from_str(&format!("{BASE}/imports/{}", job.id)).expect("an address is plain ASCII");
    Ok((status, [(LOCATION, location)], Json(report)).into_response())
}

#[utoipa::path(get, path = "/imports/{id}", tag = "imports and exports", operation_id = "load_import", params(("id" = String, Path)), responses(
    (status = 200, body = ImportReport), (status = 404, body = Problem)
))]
pub(super) async fn load(State(app): State<Arc<App>>, Id(id): Id<String>) -> Result<Json<ImportReport>, ApiError> {
    let job = Uuid::parse_str(&id).ok().and_then(|id| app.imports.job(id));
    job.map(|job| Json(job.report())).ok_or_else(|| ApiError::NotFound {
        detail: format!(
            "There is no import {id} here; this server remembers the last ones until it is started anew. Send the file again \
             with the same Idempotency-Key to continue one."
        ),
    })
}

fn refused(failed: Vec<crate::error::FailedRow>) -> ApiError {
    let rows = if failed.len() == 1 { "1 row".to_owned() } else { format!("{} rows", failed.len()) };
    let detail =
        format!("{rows} cannot be imported, so nothing was; mend them, or import the others with on_error=skip.");
    ApiError::InvalidImport { detail, failed }
}

fn prefers_async(headers: &HeaderMap) -> bool {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|preference| preference.trim().eq_ignore_ascii_case("respond-async"))
}
