//! The clients of `bench`: one bare HTTP connection each, so that the load costs as little as it can of the machine that
//! it measures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalogue::BookDraft;
use catalogue::sample::SampleGenerator;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Tally;
use crate::client::Client;

/// The pause after a refusal or a broken connection; without it a cluster that says no is flooded.
const PAUSE: Duration = Duration::from_millis(20);
/// How long after the end the last answers are waited for; they are not counted.
const LAST_ANSWERS: Duration = Duration::from_secs(30);

/// Where and how writes go.
struct Target {
    host: String,
    port: u16,
    authorization: Option<hyper::header::HeaderValue>,
}

/// Lets `clients` write for `duration`: new books, or changes of `books` if there are any.
pub(super) async fn measure(client: &Client, clients: u32, duration: Duration, books: &[String]) -> Tally {
    let url = client.server_url();
    let target = Arc::new(Target {
        host: url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
        port: url.port_or_known_default().unwrap_or(80),
        authorization: client.token().map(|token| token.header()),
    });
    let until = Instant::now() + duration;
    let mut tasks = JoinSet::new();
    for number in 0..clients as usize {
        // Every client changes books of its own: two changes of one book do not fit into one round.
        let own: Vec<String> = books.iter().skip(number).step_by(clients as usize).cloned().collect();
        tasks.spawn(write_until(target.clone(), own, super::generator(), until));
    }
    let mut tally = Tally::new();
    let deadline = tokio::time::Instant::from_std(until + LAST_ANSWERS);
    while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, tasks.join_next()).await {
        match ended {
            Ok(one) => tally.add(one),
            Err(error) => refuse(&mut tally, format!("a client broke: {error}")),
        }
    }
    for _ in 0..tasks.len() {
        refuse(&mut tally, format!("no answer for {} s after the end", LAST_ANSWERS.as_secs()));
    }
    tally
}

async fn write_until(target: Arc<Target>, books: Vec<String>, mut drafts: SampleGenerator, until: Instant) -> Tally {
    let mut tally = Tally::new();
    let mut connection = None;
    let mut books = books.iter().cycle();
    while Instant::now() < until {
        let Some(draft) = drafts.next() else { break };
        let request = target.request(books.next().map(String::as_str), &draft);
        let started = Instant::now();
        let written = target.write(&mut connection, request).await;
        let elapsed = started.elapsed();
        if Instant::now() >= until {
            break;
        }
        match written {
            Ok((StatusCode::ACCEPTED, _)) => tally.unknown += 1,
            Ok((status, _)) if status.is_success() => {
                tally.latency.saturating_record(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX).max(1));
            }
            Ok((status, body)) => {
                refuse(&mut tally, describe(status, &body));
                tokio::time::sleep(PAUSE).await;
            }
            Err(problem) => {
                connection = None;
                refuse(&mut tally, problem);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    tally
}

fn refuse(tally: &mut Tally, why: String) {
    *tally.refused.entry(why).or_default() += 1;
}

/// The kind of the problem, not its detail, which names books and rounds and is never the same twice.
fn describe(status: StatusCode, body: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    match problem["type"].as_str() {
        Some(kind) => format!("{} {kind}", status.as_u16()),
        None => status.to_string(),
    }
}

impl Target {
    fn request(&self, book: Option<&str>, draft: &BookDraft) -> Request<Full<Bytes>> {
        let (method, path) = match book {
            Some(id) => (Method::PUT, format!("/api/v1/books/{id}")),
            None => (Method::POST, "/api/v1/books".to_owned()),
        };
        let body = serde_json::to_vec(draft).expect("a draft is plain data");
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, format!("{host}:{}", self.port))
            .header(CONTENT_TYPE, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request.body(Full::from(body)).expect("its parts come from an address and an id that a server gave")
    }

    async fn write(
        &self,
        connection: &mut Option<SendRequest<Full<Bytes>>>,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), String> {
        if connection.is_none() {
            *connection = Some(self.connect().await.map_err(|error| format!("cannot connect: {error}"))?);
        }
        let sender = connection.as_mut().ok_or("no connection")?;
        let broken = |error: hyper::Error| format!("the connection broke: {error}");
        sender.ready().await.map_err(broken)?;
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(broken)?.to_bytes();
        Ok((status, body))
    }

    async fn connect(&self) -> std::io::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        // Ends with the sender.
        tokio::spawn(connection);
        Ok(sender)
    }
}
