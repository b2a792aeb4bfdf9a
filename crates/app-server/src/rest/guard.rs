//! What stands before every request: the access token, the headers that every answer carries. Whose page asks is in `origin`.

use super::App;
use crate::clock;
use crate::error::ApiError;
use crate::working_copy::AppServers;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Instant;

const VERSION: HeaderName = HeaderName::from_static("concordance-version");
const STALE: HeaderName = HeaderName::from_static("concordance-stale");

const CONTENT_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     frame-ancestors 'none'; base-uri 'none'; connect-src 'self'";

/// Refuses requests without the access token, where there is one.
pub(super) async fn require_token(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match &app.token {
        Some(token) if !token.admits(request.headers()) => ApiError::Unauthorized.into_response(),
        _ => next.run(request).await,
    }
}

/// Says which version an answer shows, and whether it may be out of date.
pub(super) async fn tell_version(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let reads = request.method() == Method::GET;
    let before = app.copy.index().version();
    let mut response = next.run(request).await;
    // A read shows at least what was there when it came, a write at least what is there now.
    let version = if reads { before } else { app.copy.index().version() };
    let headers = response.headers_mut();
    headers.entry(VERSION).or_insert_with(|| HeaderValue::from(version.0));
    if let Some(since_ms) = app.copy.link().stale_since_ms {
        let since = clock::text(since_ms);
        headers.insert(STALE, HeaderValue::from_str(&since).expect("a time is plain ASCII"));
    }
    response
}

/// The header by which a handler says itself which version its answer shows.
pub(super) fn shows(version: protocol::Version) -> [(HeaderName, HeaderValue); 1] {
    [(VERSION, HeaderValue::from(version.0))]
}

/// Counts requests by route and status, and times writes.
pub(super) async fn measure(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", |path| path.as_str()).to_owned();
    let method = request.method().clone();
    let began = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    let labels = [("route", route.clone()), ("method", method.to_string()), ("status", status)];
    metrics::counter!("app_server_requests_total", &labels).increment(1);
    if !matches!(method, Method::GET | Method::HEAD | Method::OPTIONS) {
        metrics::histogram!("app_server_write_seconds", "route" => route).record(began.elapsed().as_secs_f64());
    }
    response
}

/// What keeps a browser from doing with an answer what it is not meant for.
pub(super) async fn harden(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, content_policy(&app.copy.app_servers()));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// A page may ask its own server, and the cluster's others for the time when that one is gone.
fn content_policy(others: &AppServers) -> HeaderValue {
    let mut policy = CONTENT_POLICY.to_owned();
    for address in others.addresses() {
        policy.push(' ');
        policy.push_str(&address.to_string());
    }
    HeaderValue::from_str(&policy).expect("addresses are plain ASCII")
}
