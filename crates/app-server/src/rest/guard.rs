//! What stands before every request: whose page it comes from, the access token, the headers that every answer carries.

use super::App;
use crate::clock;
use crate::error::ApiError;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

const VERSION: HeaderName = HeaderName::from_static("concordance-version");
const STALE: HeaderName = HeaderName::from_static("concordance-stale");

const CONTENT_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The names under which this server is reached. A page of another server could point its own name at this address, and
/// would then be allowed to read and write here; what tells the two apart is the name.
#[derive(Debug)]
pub(super) struct AllowedHosts {
    address: SocketAddr,
    names: Vec<String>,
}

impl AllowedHosts {
    pub(super) fn new(address: SocketAddr, names: &[String]) -> Self {
        let mut names: Vec<_> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        let port = address.port();
        names.extend(["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}")));
        names.push(address.to_string());
        // Clients leave out the port that is usual.
        if port == 80 {
            names.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
        }
        Self { address, names }
    }

    fn admits(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let without_port = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
        let is_named = |name: &String| *name == host || (*name == without_port && !name.contains(':'));
        self.names.iter().any(is_named) || self.is_own_address(&host)
    }

    /// A server that listens everywhere has addresses that it does not know. A number is nobody's name.
    fn is_own_address(&self, host: &str) -> bool {
        let parsed = host.parse::<SocketAddr>();
        self.address.ip().is_unspecified()
            && parsed.is_ok_and(|given| given.port() == self.address.port() && given.ip() != IpAddr::from([0, 0, 0, 0]))
    }
}

/// Refuses requests under another server's name, and changes that a page of another server asks for.
pub(super) async fn check_origin(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match refusal(&app.allowed_hosts, request.method(), request.headers(), request.uri().host()) {
        Some(detail) => ApiError::Forbidden { detail }.into_response(),
        None => next.run(request).await,
    }
}

fn refusal(allowed: &AllowedHosts, method: &Method, headers: &HeaderMap, uri_host: Option<&str>) -> Option<String> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).or(uri_host);
    match host {
        None => return Some("The request names no Host.".to_owned()),
        Some(host) if !allowed.admits(host) => {
            return Some(format!(
                "This server is not reached as {host}; use its own address, or start it with --allowed-hosts {host}."
            ));
        }
        Some(_) => {}
    }
    let changes_nothing = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let origin = headers.get(ORIGIN).filter(|_| !changes_nothing)?;
    let own = origin.to_str().ok().and_then(|origin| {
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))?;
        Some(allowed.admits(host))
    });
    (own != Some(true)).then(|| "Changes may be asked for only by pages of this server itself.".to_owned())
}

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
pub(super) async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(address: &str, names: &[&str]) -> AllowedHosts {
        AllowedHosts::new(address.parse().unwrap(), &names.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn only_the_servers_own_names_are_hosts() {
        let local = allowed("127.0.0.1:7400", &["books.example"]);
        for host in
            ["127.0.0.1:7400", "localhost:7400", "LOCALHOST:7400", "[::1]:7400", "books.example", "books.example:8080"]
        {
            assert!(local.admits(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:7400",
            "127.0.0.1:7401",
            "localhost",
            "192.0.2.1:7400",
            "",
            "localhost:7400.evil",
        ] {
            assert!(!local.admits(host), "{host}");
        }
    }

    #[test]
    fn server_that_listens_everywhere_is_reached_by_number_but_not_by_any_name() {
        let everywhere = allowed("0.0.0.0:7400", &[]);
        assert!(everywhere.admits("192.0.2.1:7400") && everywhere.admits("[2001:db8::1]:7400"));
        assert!(!everywhere.admits("192.0.2.1:80") && !everywhere.admits("evil.example:7400"));
    }

    #[test]
    fn changes_are_refused_to_pages_of_other_servers() {
        let local = allowed("127.0.0.1:7400", &[]);
        let refused = |method: Method, origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static("127.0.0.1:7400"));
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
            }
            refusal(&local, &method, &headers, None).is_some()
        };
        assert!(!refused(Method::POST, None) && !refused(Method::POST, Some("http://localhost:7400")));
        for origin in ["http://evil.example", "null", "http://127.0.0.1:9", "file://", "http://localhost:7400.evil"] {
            assert!(refused(Method::POST, Some(origin)) && refused(Method::DELETE, Some(origin)), "{origin}");
        }
        assert!(!refused(Method::GET, Some("http://evil.example")));
    }
}
