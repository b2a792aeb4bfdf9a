//! What clients send, read strictly: unknown members are refused, and errors name the field.

use super::App;
use crate::error::ApiError;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use catalogue::FieldError;
use serde::de::DeserializeOwned;
use std::error::Error as _;
use std::time::Duration;

/// Most items of a list that are sent at once.
const LIMIT_MAX: usize = 500;
const LIMIT_DEFAULT: usize = 50;

/// The name of one thing in an address. Of any type, as the library would take a plain struct for the parts of the whole address.
#[derive(axum::extract::FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub(super) struct Id<T>(pub(super) T);

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        let why = rejection.body_text();
        Self::NotFound { detail: format!("There is nothing at this address, which cannot be read: {why}.") }
    }
}

/// Reads the query of an address.
pub(super) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, ApiError> {
    let pairs = serde_urlencoded::Deserializer::new(form_pairs(uri));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let field = error.path().to_string();
        unfit(&field, &error.into_inner().to_string(), "query parameter")
    })
}

fn form_pairs(uri: &Uri) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
}

/// The `limit` of a list.
pub(super) fn limit(given: Option<usize>) -> Result<usize, ApiError> {
    match given.unwrap_or(LIMIT_DEFAULT) {
        limit @ 1..=LIMIT_MAX => Ok(limit),
        limit => Err(ApiError::field("limit", format!("is {limit}; give 1 to {LIMIT_MAX}"))),
    }
}

/// Reads a JSON body.
pub(super) async fn json<T: DeserializeOwned>(app: &App, parts: &Parts, body: Body) -> Result<T, ApiError> {
    if media_type(&parts.headers) != "application/json" {
        return Err(ApiError::UnsupportedMediaType { expected: "application/json" });
    }
    let bytes = bytes(body, app.settings.json_bytes_max, Duration::from_millis(app.settings.body_timeout_ms)).await?;
    // A list would be read as the fields of a struct in their order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        let detail = "The body is a list, but must be an object with named fields.".to_owned();
        return Err(ApiError::InvalidRequest { detail, errors: Vec::new() });
    }
    let mut reader = serde_json::Deserializer::from_slice(&bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = error.path().to_string();
        let error = error.into_inner();
        if error.is_data() {
            unfit(&field, &error.to_string(), "field")
        } else {
            ApiError::MalformedBody { detail: format!("The body is not JSON: {error}.") }
        }
    })?;
    reader.end().map_err(|error| ApiError::MalformedBody { detail: format!("The body is not JSON: {error}.") })?;
    Ok(value)
}

/// Reads a body of at most `bytes_max`, which must arrive in time.
pub(super) async fn bytes(body: Body, bytes_max: usize, timeout: Duration) -> Result<Bytes, ApiError> {
    let read = tokio::time::timeout(timeout, axum::body::to_bytes(body, bytes_max)).await;
    read.map_err(|_| ApiError::TooSlow)?.map_err(|error| {
        if error.source().is_some_and(|source| source.is::<http_body_util::LengthLimitError>()) {
            ApiError::TooLarge { bytes_max }
        } else {
            ApiError::MalformedBody { detail: "The body broke off; send it again.".to_owned() }
        }
    })
}

/// The type of a body, without its parameters, in lower case.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// An error of serde, as one that names the field. Where the field itself is what is wrong, its name stands in the message.
fn unfit(path: &str, message: &str, what: &str) -> ApiError {
    let message = message.split(" at line ").next().unwrap_or(message);
    let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split_once('`'));
    let inside = |name: &str| match path.rsplit_once('.').map_or("", |(before, _)| before) {
        _ if path == "." || path.is_empty() || path == name || path == "?" => name.to_owned(),
        before if path.ends_with(name) => {
            if before.is_empty() {
                name.to_owned()
            } else {
                format!("{before}.{name}")
            }
        }
        _ => format!("{path}.{name}"),
    };
    let error = match (unknown, missing) {
        (Some((name, rest)), _) => {
            let expected = rest.trim_start_matches(", ").to_owned();
            FieldError { field: inside(name), message: format!("is no {what} of this request; {expected}") }
        }
        (None, Some((name, _))) => FieldError { field: inside(name), message: "is missing; give it".to_owned() },
        (None, None) => FieldError { field: path.to_owned(), message: format!("does not fit: {message}") },
    };
    ApiError::InvalidRequest { detail: format!("{error}."), errors: vec![error] }
}
