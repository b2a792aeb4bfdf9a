//! Whose page asks: under which names this server is reached, and which other servers' pages may ask here.
//!
//! A page of this server may do everything. So may the pages of the cluster's other app-servers, by the addresses that the
//! coordinator told: a page whose own server is gone goes on with the next one (CORS). Pages of anybody else may change
//! nothing, and browsers let them read nothing.

use super::{App, BASE};
use crate::error::ApiError;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use protocol::PageAddress;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The headers of requests that `docs/rest.md` knows, beside those that browsers send anyway.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "Accept, Authorization, Content-Type, Idempotency-Key, If-Match, Last-Event-ID, Prefer, Concordance-At-Least-Version",
);
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");
/// The headers of answers that a page needs.
const ANSWER_HEADERS: HeaderValue =
    HeaderValue::from_static("Concordance-Version, Concordance-Stale, ETag, Location, Retry-After");
/// How long a browser may remember that it may ask, in seconds: not much longer than an app-server is forgotten.
const REMEMBERED_S: HeaderValue = HeaderValue::from_static("600");

/// The names under which this server is reached. A page of another server could point its own name at this address, and
/// would then be allowed to read and write here; what tells the two apart is the name.
#[derive(Debug)]
pub(super) struct AllowedHosts {
    address: SocketAddr,
    names: Vec<String>,
}

impl AllowedHosts {
    pub(super) fn new(address: SocketAddr, names: &[String], advertised: Option<&PageAddress>) -> Self {
        let mut names: Vec<_> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        let port = address.port();
        names.extend(["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}")));
        names.push(address.to_string());
        names.extend(advertised.map(PageAddress::host));
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

/// Refuses requests under another server's name, and changes that a foreign page asks for; lets pages of the cluster's other
/// app-servers in.
pub(super) async fn check(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let others_page = request.uri().path().starts_with(BASE).then(|| app.others_page(request.headers())).flatten();
    let host = request.uri().host();
    if let Some(detail) = refusal(&app.allowed_hosts, request.method(), request.headers(), host, others_page.is_some())
    {
        return ApiError::Forbidden { detail }.into_response();
    }
    let Some(origin) = others_page else { return next.run(request).await };
    let is_question =
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_question { may_ask() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
    headers.append(VARY, HeaderValue::from(ORIGIN));
    response
}

fn may_ask() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
        (ACCESS_CONTROL_MAX_AGE, REMEMBERED_S),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

impl App {
    /// The `Origin` of the request, if that is a page of one of the cluster's app-servers.
    fn others_page(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        let text = origin.to_str().ok()?;
        self.copy.app_servers().addresses().any(|address| address.is_origin(text)).then(|| origin.clone())
    }
}

fn refusal(
    allowed: &AllowedHosts,
    method: &Method,
    headers: &HeaderMap,
    uri_host: Option<&str>,
    others_page: bool,
) -> Option<String> {
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
    let origin = headers.get(ORIGIN).filter(|_| !changes_nothing && !others_page)?;
    let own = origin.to_str().ok().and_then(|origin| {
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))?;
        Some(allowed.admits(host))
    });
    (own != Some(true)).then(|| "Changes may be asked for only by pages of this cluster's app-servers.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(address: &str, names: &[&str]) -> AllowedHosts {
        AllowedHosts::new(address.parse().unwrap(), &names.iter().map(ToString::to_string).collect::<Vec<_>>(), None)
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
            refusal(&local, &method, &headers, None, false).is_some()
        };
        assert!(!refused(Method::POST, None) && !refused(Method::POST, Some("http://localhost:7400")));
        for origin in ["http://evil.example", "null", "http://127.0.0.1:9", "file://", "http://localhost:7400.evil"] {
            assert!(refused(Method::POST, Some(origin)) && refused(Method::DELETE, Some(origin)), "{origin}");
        }
        assert!(!refused(Method::GET, Some("http://evil.example")));
    }
}
