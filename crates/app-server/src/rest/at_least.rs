//! Reads of at least a version: a client that comes from another app-server, or has heard of a write there, names the version
//! that it has seen, and waits until this copy shows it.

use super::App;
use crate::error::ApiError;
use axum::extract::{Request, State};
use axum::http::header::HeaderName;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use protocol::Version;
use std::sync::Arc;
use std::time::Duration;

pub(super) const AT_LEAST: HeaderName = HeaderName::from_static("concordance-at-least-version");

/// Holds a read up until the copy shows the version that it names. A write needs no such thing: it is judged by the coordinator.
pub(super) async fn wait(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let shown = match wanted(request.headers()) {
        Ok(Some(version)) if reads => app.show_at_least(version).await,
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    match shown {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn wanted(headers: &HeaderMap) -> Result<Option<Version>, ApiError> {
    let Some(value) = headers.get(AT_LEAST) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let number = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = number.and_then(|text| text.parse().ok()).ok_or_else(|| {
        ApiError::field(
            "Concordance-At-Least-Version",
            "must be a version as Concordance-Version gives it, a whole number such as 17",
        )
    });
    number.map(|number| Some(Version(number)))
}

impl App {
    /// Waits until the copy shows this version, as long as the settings allow.
    pub(super) async fn show_at_least(&self, version: Version) -> Result<(), ApiError> {
        let wait = Duration::from_millis(self.settings.version_wait_ms);
        if self.copy.wait_until_shown(version, wait).await {
            return Ok(());
        }
        Err(ApiError::Behind { wanted: version, shown: self.copy.index().version() })
    }
}
