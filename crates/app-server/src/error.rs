//! Errors as clients see them: problem+json (RFC 9457). The only place that knows which error has which HTTP status.

use crate::described;
use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use catalogue::{FieldError, InvalidBook};
use protocol::{ChangeId, Digest, Refusal, RoundId, Version, VoteReport};
use serde::Serialize;

/// A row of an import that cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct FailedRow {
    /// In a table the row as a spreadsheet counts, in XML the how-manieth book.
    pub(crate) row: u64,
    /// Everything that is wrong with it.
    pub(crate) error: String,
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ApiError {
    /// The book in it breaks rules.
    InvalidBook { errors: Vec<FieldError> },
    /// Something else in it is not as it must be.
    InvalidRequest { detail: String, errors: Vec<FieldError> },
    /// The body is not what its type says.
    MalformedBody { detail: String },
    /// The body has another type than is taken.
    UnsupportedMediaType { expected: &'static str },
    /// The body is too large.
    TooLarge { bytes_max: usize },
    /// The body did not arrive in time.
    TooSlow,
    /// There is no such thing.
    NotFound { detail: String },
    /// The address takes no such method.
    MethodNotAllowed,
    /// The book is not the one that `If-Match` names.
    PreconditionFailed { current: Option<Digest> },
    /// The key was used for another request.
    KeyReused { change: ChangeId },
    /// The round was aborted.
    Aborted { round: RoundId, reason: String, votes: Vec<VoteReport>, change: Option<ChangeId> },
    /// The whole import is refused because some rows cannot be imported.
    InvalidImport { detail: String, failed: Vec<FailedRow> },
    /// A restore was not begun.
    RestorationRefused { reason: String },
    /// The members were not changed.
    MembersRefused { reason: String },
    /// No scrub was begun.
    ScrubRefused { reason: String },
    /// The lab did not do it.
    LabRefused { reason: String },
    /// No round can be run.
    NoQuorum { reason: String, retry_after_ms: u64 },
    /// Too much waits already.
    QueueFull { detail: String, retry_after_ms: u64 },
    /// This copy was never level since the start.
    NotReady { detail: String },
    /// This copy does not show the version that was asked for.
    Behind { wanted: Version, shown: Version },
    /// The coordinator cannot be asked.
    CoordinatorUnreachable { detail: String },
    /// The request comes from a page of another server, or under another server's name.
    Forbidden { detail: String },
    /// The access token is missing or wrong.
    Unauthorized,
    /// This server's own disk does not do its part.
    Disk { detail: String },
}

/// The body of an error.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Problem {
    /// What kind of problem it is, such as `/problems/invalid-book`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The kind, in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened, to what, and what to do, in one sentence.
    detail: String,
    /// What is wrong, field by field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<described::FieldError>)]
    errors: Vec<FieldError>,
    /// The votes of the round that was aborted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<described::Vote>)]
    votes: Option<Vec<VoteReport>>,
    /// The round that was aborted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    round: Option<RoundId>,
    /// The change that this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    change: Option<ChangeId>,
    /// The digest that the book has now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    current: Option<Digest>,
    /// The rows of an import that cannot be imported.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<FailedRow>,
}

impl ApiError {
    /// The problem with one field of a request.
    pub(crate) fn field(field: &str, message: impl Into<String>) -> Self {
        let error = FieldError { field: field.to_owned(), message: message.into() };
        Self::InvalidRequest { detail: format!("{error}."), errors: vec![error] }
    }

    /// There is no book of that id.
    pub(crate) fn no_such_book(id: &str) -> Self {
        Self::NotFound { detail: format!("There is no book {id}; it may have been deleted.") }
    }

    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::InvalidBook { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "/problems/invalid-book", "The book is not valid")
            }
            Self::InvalidRequest { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "/problems/invalid-request", "The request is not valid")
            }
            Self::MalformedBody { .. } => {
                (StatusCode::BAD_REQUEST, "/problems/malformed-body", "The body cannot be read")
            }
            Self::UnsupportedMediaType { .. } => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "/problems/unsupported-media-type", "The body has the wrong type")
            }
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "/problems/too-large", "The body is too large"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "/problems/too-slow", "The body did not arrive in time"),
            Self::NotFound { .. } => (StatusCode::NOT_FOUND, "/problems/not-found", "Not found"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "/problems/method-not-allowed", "Method not allowed")
            }
            Self::PreconditionFailed { .. } => {
                (StatusCode::PRECONDITION_FAILED, "/problems/precondition-failed", "The book was changed meanwhile")
            }
            Self::KeyReused { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "/problems/key-reused", "The key was used for another request")
            }
            Self::Aborted { .. } => (StatusCode::CONFLICT, "/problems/aborted", "The round was aborted"),
            Self::InvalidImport { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "/problems/invalid-import", "The file was not imported")
            }
            Self::RestorationRefused { .. } => {
                (StatusCode::CONFLICT, "/problems/restoration-refused", "The restore was not begun")
            }
            Self::MembersRefused { .. } => {
                (StatusCode::CONFLICT, "/problems/members-refused", "The members were not changed")
            }
            Self::ScrubRefused { .. } => (StatusCode::CONFLICT, "/problems/scrub-refused", "No scrub was begun"),
            Self::LabRefused { .. } => (StatusCode::CONFLICT, "/problems/lab-refused", "The lab did not do it"),
            Self::NoQuorum { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "/problems/no-quorum", "No round can be run at present")
            }
            Self::QueueFull { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "/problems/queue-full", "Too much waits already")
            }
            Self::NotReady { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "/problems/not-ready", "This server is not ready yet")
            }
            Self::Behind { .. } => (StatusCode::SERVICE_UNAVAILABLE, "/problems/behind", "This server is behind"),
            Self::CoordinatorUnreachable { .. } => (
                StatusCode::SERVICE_UNAVAILABLE,
                "/problems/coordinator-unreachable",
                "The coordinator cannot be reached",
            ),
            Self::Forbidden { .. } => (StatusCode::FORBIDDEN, "/problems/forbidden", "Not allowed from there"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "/problems/unauthorized", "The access token is missing"),
            Self::Disk { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "/problems/disk", "This server's disk failed"),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::InvalidBook { errors } => {
                let all: Vec<_> = errors.iter().map(FieldError::to_string).collect();
                format!("{}.", all.join("; "))
            }
            Self::InvalidRequest { detail, .. }
            | Self::MalformedBody { detail }
            | Self::InvalidImport { detail, .. }
            | Self::NotFound { detail }
            | Self::QueueFull { detail, .. }
            | Self::NotReady { detail }
            | Self::CoordinatorUnreachable { detail }
            | Self::Forbidden { detail }
            | Self::Disk { detail } => detail.clone(),
            Self::UnsupportedMediaType { expected } => {
                format!("Send the body as {expected}, and say so in Content-Type.")
            }
            Self::TooLarge { bytes_max } => {
                format!("The body has more than {bytes_max} bytes, which is the limit; send less.")
            }
            Self::TooSlow => "The body of the request stopped arriving; send it again.".to_owned(),
            Self::MethodNotAllowed => "This address takes no such method; see /api/v1/openapi.json.".to_owned(),
            Self::PreconditionFailed { current: Some(current) } => {
                format!("The book has the digest {current} now; load it again, decide, and send again.")
            }
            Self::PreconditionFailed { current: None } => "There is no such book any more.".to_owned(),
            Self::KeyReused { change } => {
                format!("The Idempotency-Key {change} was used for another request; use a new key for a new request.")
            }
            Self::Aborted { round, reason, .. } => {
                format!(
                    "Round {round} was aborted and nothing was changed: {} Send it again with a new key.",
                    sentence(reason)
                )
            }
            Self::RestorationRefused { reason }
            | Self::MembersRefused { reason }
            | Self::ScrubRefused { reason }
            | Self::LabRefused { reason } => sentence(reason),
            Self::Behind { wanted, shown } => {
                format!(
                    "This server shows version {shown}, and version {wanted} was asked for; try again in a moment, or ask \
                     another app-server."
                )
            }
            Self::NoQuorum { reason, .. } => {
                format!(
                    "Nothing was changed: {} Send it again with the same key when that is mended.",
                    sentence(reason)
                )
            }
            Self::Unauthorized => "Send the cluster's access token as `Authorization: Bearer …`.".to_owned(),
        }
    }

    /// After how many seconds it makes sense to try again.
    fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::NoQuorum { retry_after_ms, .. } | Self::QueueFull { retry_after_ms, .. } => {
                Some(retry_after_ms.div_ceil(1_000).max(1))
            }
            Self::NotReady { .. } | Self::Behind { .. } | Self::CoordinatorUnreachable { .. } => Some(1),
            _ => None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let ((status, kind, title), detail, retry_after) = (self.kind(), self.detail(), self.retry_after_s());
        let mut problem = Problem {
            kind,
            title,
            status: status.as_u16(),
            detail,
            errors: Vec::new(),
            votes: None,
            round: None,
            change: None,
            current: None,
            failed: Vec::new(),
        };
        match self {
            Self::InvalidBook { errors } | Self::InvalidRequest { errors, .. } => problem.errors = errors,
            Self::PreconditionFailed { current } => problem.current = current,
            Self::KeyReused { change } => problem.change = Some(change),
            Self::Aborted { round, votes, change, .. } => {
                (problem.round, problem.votes, problem.change) = (Some(round), Some(votes), change);
            }
            Self::InvalidImport { failed, .. } => problem.failed = failed,
            _ => {}
        }
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(axum::http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Reasons come from many places, with and without a full stop.
pub(crate) fn sentence(reason: &str) -> String {
    if reason.ends_with(['.', '!', '?']) { reason.to_owned() } else { format!("{reason}.") }
}

impl From<InvalidBook> for ApiError {
    fn from(invalid: InvalidBook) -> Self {
        Self::InvalidBook { errors: invalid.errors }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::PreconditionFailed { path, current: None, .. } => Self::no_such_book(&path.id().to_string()),
            Refusal::PreconditionFailed { current, .. } => Self::PreconditionFailed { current },
            Refusal::KeyReused { change } => Self::KeyReused { change },
            Refusal::Invalid { reason } => Self::InvalidRequest { detail: reason, errors: Vec::new() },
            Refusal::QueueFull { retry_after_ms } => Self::QueueFull {
                detail: "As many changes wait as may wait, and nothing was changed; send it again with the same key."
                    .to_owned(),
                retry_after_ms,
            },
            Refusal::NoQuorum { reason, retry_after_ms } => Self::NoQuorum { reason, retry_after_ms },
        }
    }
}
