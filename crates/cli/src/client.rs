//! Requests to an app-server, and what can become of them.
//!
//! A request that changes something and gets no answer is *unknown*, never a failure: it may have been carried out.

use std::time::Duration;

use reqwest::header::{ACCEPT, LOCATION};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use service::access_token::{AccessToken, TokenFileError};

use crate::arguments::Connection;
use crate::exit::Exit;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server may say nothing in the middle of an answer. Rounds wait for missing replicators less long.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// One app-server.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    server: Url,
    token: Option<AccessToken>,
}

/// An answer with a status below 400.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Where to ask on, for 202.
    pub(crate) location: Option<String>,
    pub(crate) body: Value,
}

impl Client {
    pub(crate) fn new(connection: &Connection) -> Result<Self, ClientError> {
        let wrong =
            |problem: &str| ClientError::Address { server: connection.server.clone(), problem: problem.to_owned() };
        let server = Url::parse(&connection.server).map_err(|error| wrong(&error.to_string()))?;
        if server.scheme() != "http" {
            return Err(wrong("only http:// is supported"));
        }
        if server.path() != "/" || server.query().is_some() || !server.username().is_empty() {
            return Err(wrong("it should be no more than http://host:port"));
        }
        let token = connection.token_file.as_deref().map(AccessToken::read).transpose()?;
        // A proxy of the environment is for the world outside; a cluster is addressed directly.
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .tcp_nodelay(true)
            .build()
            .map_err(|error| wrong(&error.to_string()))?;
        Ok(Client { http, server, token })
    }

    /// The server's address without a slash at the end.
    pub(crate) fn server(&self) -> &str {
        self.server.as_str().trim_end_matches('/')
    }

    /// The server's address, taken apart.
    pub(crate) fn server_url(&self) -> &Url {
        &self.server
    }

    pub(crate) fn token(&self) -> Option<&AccessToken> {
        self.token.as_ref()
    }

    /// A request to a path under `/api/v1`, or to a `Location` that the server gave.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let path = if path.starts_with("/api/") { path.to_owned() } else { format!("/api/v1{path}") };
        self.request_exactly(method, &path)
    }

    /// A request to a path as it is.
    pub(crate) fn request_exactly(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.http.request(method, format!("{}{path}", self.server()));
        if let Some(token) = &self.token {
            request = request.header(reqwest::header::AUTHORIZATION, token.header());
        }
        request.header(ACCEPT, "application/json, application/problem+json")
    }

    /// Asks for a path and gives the JSON that it answers with.
    pub(crate) async fn fetch(&self, path: &str) -> Result<Value, ClientError> {
        Ok(self.send(self.request(Method::GET, path)).await?.body)
    }

    /// Sends a request whose answer is JSON.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Answer, ClientError> {
        let (response, changes) = self.send_raw(request).await?;
        let status = response.status();
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
        let text = response.text().await.map_err(|error| self.interrupted(&error, changes))?;
        let body = if text.is_empty() { Value::Null } else { self.parse(&text)? };
        Ok(Answer { status, location, body })
    }

    /// Sends a request and gives the answer before its body was read, and whether the request could change anything.
    pub(crate) async fn send_raw(&self, request: RequestBuilder) -> Result<(Response, bool), ClientError> {
        let (http, request) = request.build_split();
        let request = request
            .map_err(|error| ClientError::Address { server: self.server().to_owned(), problem: describe(&error) })?;
        let changes = request.method() != Method::GET;
        let response = http.execute(request).await.map_err(|error| {
            if error.is_connect() {
                ClientError::Unreachable { server: self.server().to_owned(), problem: describe(&error) }
            } else {
                self.interrupted(&error, changes)
            }
        })?;
        if response.status().as_u16() < 400 {
            return Ok((response, changes));
        }
        let status = response.status();
        let text = response.text().await.map_err(|error| self.interrupted(&error, changes))?;
        match serde_json::from_str::<Value>(&text) {
            Ok(body) if body.get("detail").or(body.get("title")).is_some() => {
                Err(ClientError::Problem { status: status.as_u16(), body })
            }
            _ => Err(self.strange(format!("HTTP status {status} without a problem description"))),
        }
    }

    /// Reads an answer as what the command needs of it.
    pub(crate) fn read<T: DeserializeOwned>(&self, body: &Value) -> Result<T, ClientError> {
        T::deserialize(body).map_err(|error| self.strange(error.to_string()))
    }

    /// The connection was lost while an answer was on its way.
    pub(crate) fn interrupted(&self, error: &reqwest::Error, changes: bool) -> ClientError {
        ClientError::Interrupted { server: self.server().to_owned(), problem: describe(error), changes }
    }

    fn parse(&self, text: &str) -> Result<Value, ClientError> {
        serde_json::from_str(text).map_err(|error| self.strange(format!("its answer is no JSON ({error})")))
    }

    pub(crate) fn strange(&self, problem: String) -> ClientError {
        ClientError::Strange { server: self.server().to_owned(), problem }
    }
}

/// The innermost cause says most: "Connection refused" rather than "error sending request".
fn describe(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// What became of a request that did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("`{server}` is not the address of a server: {problem}")]
    Address { server: String, problem: String },
    #[error(transparent)]
    Token(#[from] TokenFileError),
    #[error("cannot reach {server}: {problem}; is it running (`concordance up`), and is --server right?")]
    Unreachable { server: String, problem: String },
    #[error(
        "the connection to {server} broke before the answer came: {problem}{}",
        if *changes { "; whether the change was made is not known" } else { "" }
    )]
    Interrupted { server: String, problem: String, changes: bool },
    #[error("{}", describe_problem(body))]
    Problem { status: u16, body: Value },
    #[error("{server} does not answer as a Concordance app-server: {problem}")]
    Strange { server: String, problem: String },
}

impl ClientError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            ClientError::Interrupted { changes: true, .. } => Exit::Unknown,
            ClientError::Address { .. } => Exit::Usage,
            _ => Exit::Failure,
        }
    }

    /// The problem+json that the server answered with.
    pub(crate) fn problem(&self) -> Option<&Value> {
        match self {
            ClientError::Problem { body, .. } => Some(body),
            _ => None,
        }
    }

    /// Whether asking the same again later may succeed.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            ClientError::Unreachable { .. } | ClientError::Interrupted { .. } => true,
            ClientError::Problem { status, .. } => *status == 503,
            _ => false,
        }
    }
}

/// The detail of a problem, and under it the votes and the field errors it has.
fn describe_problem(body: &Value) -> String {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or("-").to_owned();
    let list = |key: &str| body[key].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut lines = vec![text(body, if body["detail"].is_string() { "detail" } else { "title" })];
    for vote in list("votes") {
        lines.push(format!("  {} voted {}: {}", text(vote, "member"), text(vote, "vote"), text(vote, "reason")));
    }
    for error in list("errors") {
        lines.push(format!("  {}: {}", text(error, "field"), text(error, "message")));
    }
    for row in list("failed") {
        lines.push(format!("  row {}: {}", row["row"], text(row, "error")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn client(server: &str) -> Result<Client, ClientError> {
        Client::new(&Connection { server: server.to_owned(), token_file: None })
    }

    #[test]
    fn addresses_that_are_no_server_are_refused() {
        for bad in ["127.0.0.1:7400", "https://host", "http://host/api", "http://user@host", "ftp://host", ""] {
            let error = client(bad).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage, "{bad}: {error}");
        }
        assert_eq!(client("http://127.0.0.1:7400/").unwrap().server(), "http://127.0.0.1:7400");
    }

    #[test]
    fn problem_is_told_with_its_votes_and_field_errors() {
        let told = describe_problem(&json!({
            "title": "aborted", "detail": "The round was aborted.",
            "votes": [{"member": "replicator-2", "vote": "abort", "reason": "disk full"}],
            "errors": [{"field": "title", "message": "too long"}],
        }));
        assert_eq!(told, "The round was aborted.\n  replicator-2 voted abort: disk full\n  title: too long");
    }
}
