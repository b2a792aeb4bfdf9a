//! What all writes have in common: the key that makes a retry safe, the precondition, and the outcome.

use super::{App, BASE};
use crate::described;
use crate::error::ApiError;
use crate::working_copy::WriteOutcome;
use axum::Json;
use axum::http::header::{HeaderName, IF_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use protocol::{Change, ChangeId, CommittedAnswer, Digest, Precondition, Submission};
use serde::Serialize;
use uuid::Uuid;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Longer keys are refused; what an import adds to its key still fits into a change id.
const KEY_CHARACTERS_MAX: usize = 200;

/// The client's key, if it sent one.
pub(super) fn given_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(KEY) else { return Ok(None) };
    let key = value.to_str().unwrap_or_default();
    if (1..=KEY_CHARACTERS_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(Some(key.to_owned()))
    } else {
        Err(ApiError::field("Idempotency-Key", format!("must be 1 to {KEY_CHARACTERS_MAX} visible ASCII characters")))
    }
}

/// The id of a request's change: the client's key, or a fresh one.
pub(super) fn change_id(headers: &HeaderMap) -> Result<ChangeId, ApiError> {
    let key = given_key(headers)?.unwrap_or_else(|| Uuid::now_v7().to_string());
    Ok(key.parse().expect("a checked key and a UUID are change ids"))
}

/// What must hold of the book before: what `If-Match` says, or only that there is one.
pub(super) fn precondition(headers: &HeaderMap) -> Result<Precondition, ApiError> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(Precondition::Present) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(Precondition::Present);
    }
    let digest = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    digest.map(Precondition::Digest).ok_or_else(|| {
        ApiError::field(
            "If-Match",
            "must be the ETag of the book as it was loaded: 64 hexadecimal digits in quotation marks",
        )
    })
}

/// A digest of a request: the same key with another request is refused (rule Once).
pub(super) fn fingerprint(parts: &[&[u8]]) -> Digest {
    let mut bytes = Vec::new();
    for part in parts {
        // The length keeps parts from running into each other.
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(*part);
    }
    Digest::of(&bytes)
}

/// A write that has no committed answer.
#[derive(Debug)]
pub(super) enum NotCommitted {
    /// It was refused or aborted, or is not a valid request.
    Error(ApiError),
    /// Whether it commits is not known yet.
    Unknown { change: ChangeId },
}

/// A change whose outcome is not known yet.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct PendingJson {
    #[schema(value_type = String)]
    change: ChangeId,
    #[schema(value_type = described::ChangeState)]
    state: &'static str,
    /// For people.
    detail: &'static str,
}

impl From<ApiError> for NotCommitted {
    fn from(error: ApiError) -> Self {
        Self::Error(error)
    }
}

impl IntoResponse for NotCommitted {
    fn into_response(self) -> Response {
        match self {
            Self::Error(error) => error.into_response(),
            Self::Unknown { change } => {
                let location = change_address(&change);
                let detail = "It is not known yet whether this was committed. Ask the address in Location, or send the same \
                              request again with the same Idempotency-Key.";
                let location = HeaderValue::from_str(&location).expect("an address is plain ASCII");
                let body = PendingJson { change, state: "unknown", detail };
                (StatusCode::ACCEPTED, [(LOCATION, location)], Json(body)).into_response()
            }
        }
    }
}

/// Commits one change, and gives its answer once the index shows it.
pub(super) async fn commit(app: &App, change: Change) -> Result<CommittedAnswer, NotCommitted> {
    let mut answers = commit_all(app, Submission { changes: vec![change], force_abort: false }).await?;
    Ok(answers.pop().expect("a committed submission has one answer a change"))
}

/// Commits changes together.
pub(super) async fn commit_all(app: &App, submission: Submission) -> Result<Vec<CommittedAnswer>, NotCommitted> {
    let change = submission.changes.first().map(|change| change.id.clone()).expect("nobody submits nothing");
    let error = match app.copy.submit(submission, app.settings.answer_wait()).await {
        WriteOutcome::Committed { answers } => return Ok(answers),
        WriteOutcome::Unknown => return Err(NotCommitted::Unknown { change }),
        WriteOutcome::Aborted { round, reason, votes, .. } => {
            ApiError::Aborted { round, reason, votes, change: Some(change) }
        }
        WriteOutcome::Refused { refusal, .. } => refusal.into(),
        WriteOutcome::NotSent { reason } => ApiError::NoQuorum { reason, retry_after_ms: 1_000 },
    };
    Err(error.into())
}

/// Where the outcome of a change is asked for.
fn change_address(change: &ChangeId) -> String {
    let mut address = format!("{BASE}/changes/");
    for byte in change.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            address.push(char::from(byte));
        } else {
            address.push_str(&format!("%{byte:02X}"));
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn key_is_up_to_200_visible_characters() {
        assert_eq!(given_key(&headers(KEY, "a/b?c#d%")).unwrap().unwrap(), "a/b?c#d%");
        assert!(given_key(&headers(KEY, &"k".repeat(200))).is_ok());
        for bad in ["", "a b", &"k".repeat(201), "é"] {
            assert!(given_key(&headers(KEY, bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn address_of_a_change_is_one_segment_whatever_its_key_is() {
        let change = "a/b?c#d%2F".parse().unwrap();
        assert_eq!(change_address(&change), "/api/v1/changes/a%2Fb%3Fc%23d%252F");
    }

    #[test]
    fn if_match_is_an_etag_or_a_star() {
        let digest = Digest::of(b"x");
        assert_eq!(precondition(&headers(IF_MATCH, &format!("\"{digest}\""))).unwrap(), Precondition::Digest(digest));
        assert_eq!(precondition(&headers(IF_MATCH, "*")).unwrap(), Precondition::Present);
        for bad in [digest.to_string(), "W/\"x\"".to_owned(), "\"\"".to_owned(), format!("\"{digest}\", \"{digest}\"")]
        {
            assert!(precondition(&headers(IF_MATCH, &bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn parts_of_a_fingerprint_cannot_run_into_each_other() {
        assert_ne!(fingerprint(&[b"ab", b"c"]), fingerprint(&[b"a", b"bc"]));
    }
}
