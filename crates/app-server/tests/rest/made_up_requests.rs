//! Requests that nobody means, made of good ones: each is answered, never by a failure of the server, and what is refused changes
//! nothing. The same ones in every run; `CONCORDANCE_TEST_REQUESTS` sets how many.

use crate::server::{Answer, Server, book, file_of, quick};
use app_server::Settings;
use reqwest::{Method, StatusCode};
use serde_json::json;

const DEFAULT_REQUESTS: usize = 2_000;

/// What stands where something else should.
const WORDS: [&str; 20] = [
    "null",
    "18446744073709551615",
    "-1",
    "1e400",
    "\"\"",
    "[]",
    "{}",
    "\\u0000",
    "\\ud800",
    "%00",
    "%ff",
    "..%2f",
    "\u{feff}",
    "<!DOCTYPE a [<!ENTITY b \"c\">]>",
    "*",
    "W/\"a\"",
    "\"",
    ",",
    "=",
    "é",
];

#[derive(Debug, Clone)]
struct Request {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn good_requests() -> Vec<Request> {
    let id = "018bcfe5-6800-7101-8101-010101010101";
    let xml = String::from_utf8(file_of(1, "Emma").1).unwrap();
    let csv = "title,author,isbn\nEmma,Jane Austen,9780306406157\nDune,\"Herbert, Frank\",\n".to_owned();
    let full = json!({
        "title": "Emma", "authors": [{ "name": "Jane", "surname": "Austen" }], "isbn": "9780306406157", "publisher": "Murray",
        "published": 1815, "language": "en", "subjects": ["England"],
    });
    let json = ("content-type", "application/json".to_owned());
    let request = |method: Method, path: &str, headers: &[(&'static str, String)], body: String| Request {
        method,
        path: path.to_owned(),
        headers: headers.to_vec(),
        body: body.into_bytes(),
    };
    let key = ("idempotency-key", "a-key".to_owned());
    let matches = ("if-match", format!("\"{}\"", "0".repeat(64)));
    vec![
        request(Method::POST, "/books", &[json.clone(), key.clone()], full.to_string()),
        request(Method::POST, "/books", std::slice::from_ref(&json), book("Dune").to_string()),
        request(Method::PUT, &format!("/books/{id}"), &[json.clone(), matches.clone()], full.to_string()),
        request(Method::DELETE, &format!("/books/{id}"), &[matches], String::new()),
        request(
            Method::GET,
            "/books?q=emma&limit=5&sort=title",
            &[("accept", "application/xml".to_owned())],
            String::new(),
        ),
        request(Method::GET, &format!("/books/{id}"), &[("if-none-match", "\"a\"".to_owned())], String::new()),
        request(Method::POST, "/imports?on_error=skip", &[("content-type", "text/csv".to_owned()), key], csv),
        request(
            Method::POST,
            "/imports",
            &[("content-type", "application/xml".to_owned())],
            format!("<books>{}</books>", &xml[39..]),
        ),
        request(Method::POST, "/restorations", std::slice::from_ref(&json), json!({ "dry_run": true }).to_string()),
        request(
            Method::POST,
            "/lab/replicators/replicator-1/vote-abort",
            std::slice::from_ref(&json),
            json!({ "reason": "x" }).to_string(),
        ),
        request(Method::POST, "/replications", std::slice::from_ref(&json), json!({ "vote": "commit" }).to_string()),
        request(Method::GET, "/rounds?limit=3", &[], String::new()),
        request(Method::GET, "/changes/a-key", &[], String::new()),
    ]
}

/// Puts something else somewhere into a text.
fn change(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    let at = random.usize(0..=bytes.len());
    let some = random.usize(0..=(bytes.len() - at).min(20));
    match random.u8(0..5) {
        0 if at < bytes.len() => bytes[at] = random.u8(..),
        1 => drop(bytes.drain(at..at + some)),
        2 => {
            let piece = bytes[at..at + some].to_vec();
            bytes.splice(at..at, piece);
        }
        3 => bytes.truncate(at),
        _ => {
            bytes.splice(at..at + some, WORDS[random.usize(0..WORDS.len())].bytes());
        }
    }
}

fn change_text(text: &mut String, random: &mut fastrand::Rng) {
    let mut bytes = std::mem::take(text).into_bytes();
    change(&mut bytes, random);
    *text = String::from_utf8_lossy(&bytes).into_owned();
}

fn make_up(good: &Request, random: &mut fastrand::Rng) -> Request {
    let mut request = good.clone();
    for _ in 0..=random.u8(0..3) {
        match random.u8(0..10) {
            0 => change_text(&mut request.path, random),
            1 if !request.headers.is_empty() => {
                let index = random.usize(0..request.headers.len());
                change_text(&mut request.headers[index].1, random);
            }
            2 => {
                request.method = [Method::PUT, Method::POST, Method::PATCH, Method::DELETE][random.usize(0..4)].clone()
            }
            _ => change(&mut request.body, random),
        }
    }
    request
}

/// Sends it; none if it is nothing that HTTP can carry.
async fn send(server: &Server, request: &Request) -> Option<Answer> {
    let mut builder = server.request(request.method.clone(), &request.path);
    for (name, value) in &request.headers {
        let value = reqwest::header::HeaderValue::from_bytes(value.as_bytes()).ok()?;
        builder = builder.header(*name, value);
    }
    let builder = builder.body(request.body.clone());
    builder.try_clone().and_then(|builder| builder.build().ok())?;
    Some(crate::server::send(builder).await)
}

#[tokio::test]
async fn made_up_requests_are_answered_and_what_is_refused_changes_nothing() {
    let requests = std::env::var("CONCORDANCE_TEST_REQUESTS").map_or(DEFAULT_REQUESTS, |text| text.parse().unwrap());
    let settings = Settings { restoration_answer_wait_ms: 100, import_answer_wait_ms: 100, ..quick() };
    let server = Server::start_with(settings).await;
    let mut random = fastrand::Rng::with_seed(1);
    let good = good_requests();
    let (mut refused, mut accepted) = (0, 0);
    for _ in 0..requests {
        let request = make_up(&good[random.usize(0..good.len())], &mut random);
        let before = server.coordinator.truth().version;
        let Some(answer) = send(&server, &request).await else { continue };
        let context = format!("{request:?} {}: {}", String::from_utf8_lossy(&request.body), answer.body);
        assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{context}");
        if answer.status.is_success() {
            accepted += 1;
            continue;
        }
        refused += 1;
        let is_answer_of_ours = answer.header("content-type") == Some("application/problem+json");
        // What HTTP itself cannot make sense of is answered by its library, without a body.
        assert!(is_answer_of_ours || answer.bytes.is_empty(), "{context}");
        if answer.status.is_client_error() {
            assert_eq!(server.coordinator.truth().version, before, "{context}");
        }
    }
    assert!(refused > requests / 10 && accepted > 0, "{refused} refused, {accepted} accepted");
    assert_eq!(server.get("/books").await.status, StatusCode::OK, "it still serves");
}

#[tokio::test]
async fn address_that_is_no_text_is_answered_like_every_other_that_is_wrong() {
    let server = Server::start().await;
    let detail = server.get("/books/%ff").await.problem(404, "/problems/not-found");
    assert!(detail.contains("address"), "{detail}");
}
