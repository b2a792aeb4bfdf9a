//! Goal: every command says what the server said, with an exit code that scripts can use. Method: the real program
//! against a small server that answers what `docs/rest.md` says it may.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A server that gives one answer after the other, the last one for ever, and notes what it was asked.
struct Server {
    address: String,
    requests: Arc<Mutex<Vec<Asked>>>,
    _runtime: Runtime,
}

#[derive(Clone, Debug)]
struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

/// Status, headers, body.
type Given = (u16, Vec<(&'static str, &'static str)>, String);

fn json_answer(status: u16, body: Value) -> Given {
    let kind = if status < 400 { "application/json" } else { "application/problem+json" };
    (status, vec![("content-type", kind)], body.to_string())
}

impl Server {
    fn new(answers: Vec<Given>) -> Self {
        let runtime = Runtime::new().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let noted = requests.clone();
        let router = Router::new().fallback(move |request: Request| answer(request, answers.clone(), noted.clone()));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Server { address, requests, _runtime: runtime }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        run(&self.address, arguments)
    }

    fn requests(&self) -> Vec<Asked> {
        self.requests.lock().unwrap().clone()
    }
}

async fn answer(request: Request, answers: Vec<Given>, noted: Arc<Mutex<Vec<Asked>>>) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let number = {
        let mut noted = noted.lock().unwrap();
        noted.push(Asked { method: parts.method, uri: parts.uri, headers: parts.headers, body });
        noted.len() - 1
    };
    let (status, headers, body) = answers[number.min(answers.len() - 1)].clone();
    let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

fn run(server: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_concordance"))
        .env_remove("CONCORDANCE_SERVER")
        .env_remove("CONCORDANCE_TOKEN_FILE")
        .args(["--server", server])
        .args(arguments)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn cluster(accepting_writes: bool) -> Value {
    json!({
        "epoch": 3, "version": 12, "root": "abcdef", "min_in_sync": 3, "commit_policy": "all",
        "accepting_writes": accepting_writes,
        "why_not": if accepting_writes { Value::Null } else { json!("replicator-2 is down") },
        "members": [
            {"id": "replicator-1", "state": "in_sync", "connected": true, "version": 12, "in_doubt_since": null,
             "in_doubt_round": null, "address": "127.0.0.1:7421", "detail": null},
            {"id": "replicator-2", "state": if accepting_writes { "in_sync" } else { "down" }, "connected": accepting_writes,
             "version": 11, "in_doubt_since": null, "in_doubt_round": null, "address": null, "detail": "since 10:00"},
        ],
        "coordinator": {"connected": true, "since": "2026-11-20T10:00:00.000Z", "address": "ws://127.0.0.1:7410"},
        "app_server": {"id": "app-server", "version": 12, "level": true, "books": 30, "modified": 0}, "lab": false,
        "app_servers": [
            {"id": "app-server", "address": "http://127.0.0.1:7400", "connected": true},
            {"id": "app-server-2", "address": "http://127.0.0.1:7401", "connected": false},
        ],
    })
}

#[test]
fn status_is_success_when_all_is_well_and_a_finding_when_not() {
    let well = Server::new(vec![json_answer(200, cluster(true))]).run(&["status"]);
    assert_eq!(code(&well), 0, "{}", stderr(&well));
    assert!(stdout(&well).contains("replicator-1") && stdout(&well).contains("accepted"));
    let ill = Server::new(vec![json_answer(200, cluster(false))]).run(&["status"]);
    assert_eq!(code(&ill), 3);
    assert!(stdout(&ill).contains("replicator-2 is down") && stdout(&ill).contains("not connected"));
}

#[test]
fn status_lists_the_app_servers_and_says_which_one_answers() {
    let output = stdout(&Server::new(vec![json_answer(200, cluster(true))]).run(&["status"]));
    let line = |name: &str| output.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap();
    assert!(line("app-server-2").contains("not connected") && line("app-server-2").contains("http://127.0.0.1:7401"));
    let answers: Vec<_> = output.lines().filter(|line| line.contains("answers here")).collect();
    assert!(matches!(answers[..], [line] if line.contains("http://127.0.0.1:7400")), "{output}");
}

#[test]
fn json_is_what_the_server_said() {
    let server = Server::new(vec![json_answer(200, cluster(true))]);
    assert_eq!(serde_json::from_slice::<Value>(&server.run(&["status", "--json"]).stdout).unwrap(), cluster(true));
    let members = server.run(&["members", "--json"]);
    assert_eq!(serde_json::from_slice::<Value>(&members.stdout).unwrap(), cluster(true)["members"]);
}

#[test]
fn server_that_cannot_be_reached_is_a_failure_that_says_what_to_do() {
    let closed = {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for command in ["status", "replicate", "restore"] {
        let output = run(&closed, &[command]);
        assert_eq!(code(&output), 1);
        assert!(stderr(&output).contains(&closed) && stderr(&output).contains("concordance up"), "{}", stderr(&output));
    }
}

#[test]
fn other_servers_are_recognised() {
    let output = Server::new(vec![(200, vec![], "<html>".to_owned())]).run(&["status"]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("does not answer as a Concordance app-server"), "{}", stderr(&output));
    let output = Server::new(vec![(502, vec![], "bad gateway".to_owned())]).run(&["status"]);
    assert_eq!(code(&output), 1);
}

#[test]
fn wrong_command_lines_are_usage_errors() {
    let server = Server::new(vec![json_answer(200, json!({}))]);
    for wrong in
        [&["rounds", "../books"][..], &["rounds", "--limit", "0"], &["nonsense"], &["up", "--replicators", "0"]]
    {
        assert_eq!(code(&server.run(wrong)), 2, "{wrong:?}");
    }
    assert_eq!(code(&run("https://127.0.0.1", &["status"])), 2);
    assert!(server.requests().is_empty());
}

#[test]
fn token_goes_into_the_header() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "correct-horse-battery-staple\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::new(vec![json_answer(200, cluster(true))]);
    server.run(&["status", "--token-file", file.to_str().unwrap()]);
    assert_eq!(server.requests()[0].headers["authorization"], "Bearer correct-horse-battery-staple");
}

#[test]
fn round_is_shown_with_each_vote() {
    let round = json!({
        "id": "3-17", "epoch": 3, "number": 17, "outcome": "aborted", "version": null, "changes": 2,
        "participants": ["replicator-1", "replicator-2"],
        "votes": [{"member": "replicator-2", "vote": "abort", "cause": "mine", "reason": "disk full", "after_us": 1500}],
        "started_at": "2026-11-20T10:00:00.000Z", "decided_after_us": 2000, "ended_after_us": null, "reason": "a vote",
    });
    let server = Server::new(vec![json_answer(200, round.clone())]);
    let output = server.run(&["rounds", "3-17"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(server.requests()[0].uri.path(), "/api/v1/rounds/3-17");
    assert!(stdout(&output).contains("disk full") && stdout(&output).contains("1.50"), "{}", stdout(&output));
    let list = json!({"items": [round], "next": null, "total": 1});
    let output = Server::new(vec![json_answer(200, list)]).run(&["rounds", "--limit", "5"]);
    assert!(stdout(&output).contains("3-17") && stdout(&output).contains("aborted"));
}

fn restoration(state: &str, lost: u64) -> Value {
    json!({
        "id": "r1", "state": state, "dry_run": false, "detail": null,
        "progress": {"phase": "comparing", "done": 1, "total": 2},
        "summary": {"members": 3, "files": 30, "intact": 29, "damaged": 1, "healed": 1 - lost, "lost": lost, "undecided": 0, "left": 0},
        "not_compared": [], "files": [],
    })
}

#[test]
fn restore_is_followed_to_its_end() {
    let server = Server::new(vec![
        (202, vec![("location", "/api/v1/restorations/r1")], restoration("running", 0).to_string()),
        json_answer(200, restoration("running", 0)),
        json_answer(200, restoration("done", 0)),
    ]);
    let output = server.run(&["restore", "--dry-run"]);
    assert_eq!(server.requests()[0].body, json!({"dry_run": true}).to_string());
    assert_eq!(server.requests()[2].uri.path(), "/api/v1/restorations/r1");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("1 healed"), "{}", stdout(&output));
}

#[test]
fn lost_files_have_an_exit_code_of_their_own() {
    let output = Server::new(vec![json_answer(200, restoration("done", 1))]).run(&["restore"]);
    assert_eq!(code(&output), 3);
}

fn scrubs(started_at: &str, damaged: u64, unknown: u64) -> Value {
    let last = json!({
        "started_at": started_at, "finished_at": "2026-01-01T00:00:09.000Z", "files": 30, "bytes": 9_000, "clean": 30 - damaged - unknown,
        "damaged": damaged, "stale": 0, "changing": 0, "unknown": unknown, "extra": 0, "detail": null,
        "findings": [{"name": "books/3f/x.xml", "outcome": "damaged", "detail": "the file is missing"}],
    });
    json!({"items": [{"member": "replicator-1", "connected": true, "last": last, "running": null}], "next": null, "total": 1})
}

#[test]
fn scrub_waits_for_a_pass_that_began_since_and_shows_what_it_found() {
    let run = |damaged, unknown| {
        let server = Server::new(vec![
            json_answer(202, scrubs("2026-01-01T00:00:01.000Z", 0, 0)),
            json_answer(200, scrubs("2026-01-01T00:00:01.000Z", 0, 0)),
            json_answer(200, scrubs("2026-01-01T00:00:02.000Z", damaged, unknown)),
        ]);
        let output = server.run(&["scrub"]);
        assert_eq!(server.requests().len(), 3);
        output
    };
    assert_eq!(code(&run(0, 0)), 0);
    let damaged = run(1, 0);
    assert_eq!(code(&damaged), 3);
    for expected in ["replicator-1: books/3f/x.xml is damaged (the file is missing)", "concordance restore"] {
        assert!(stdout(&damaged).contains(expected), "{}", stdout(&damaged));
    }
    assert_eq!(code(&run(1, 1)), 4, "what could not be compared goes before what was found");
}

fn import(server: &Server, file: &Path, extra: &[&str]) -> Output {
    server.run(&[&["import", file.to_str().unwrap()], extra].concat())
}

#[test]
fn import_sends_the_file_and_lists_failed_rows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("books.csv");
    std::fs::write(&file, "title,author\n").unwrap();
    let running = json!({"id": "i1", "state": "running", "imported": 1, "failed": [], "total": 2, "rounds": 1});
    let done = json!({"id": "i1", "state": "done", "imported": 1, "failed": [{"row": 2, "error": "no title"}], "total": 2, "rounds": 1});
    let server = Server::new(vec![
        (202, vec![("location", "/api/v1/imports/i1")], running.to_string()),
        json_answer(200, running),
        json_answer(200, done),
    ]);
    let output = import(&server, &file, &["--key", "my-key", "--on-error", "skip"]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(stdout(&output).contains("no title") && stdout(&output).contains("1 row failed"), "{}", stdout(&output));
    let sent = &server.requests()[0];
    assert_eq!((sent.method.clone(), sent.uri.to_string()), (Method::POST, "/api/v1/imports?on_error=skip".to_owned()));
    assert_eq!(sent.headers["idempotency-key"], "my-key");
    assert_eq!(sent.headers["content-type"], "text/csv");
    assert_eq!(sent.body, "title,author\n");
}

#[test]
fn import_whose_end_is_not_known_says_how_to_continue() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("books.csv");
    std::fs::write(&file, "title,author\n").unwrap();
    let unknown = json!({"id": "i1", "state": "unknown", "imported": 1, "failed": [], "total": 2});
    let output = import(&Server::new(vec![json_answer(200, unknown)]), &file, &["--key", "my-key"]);
    assert_eq!(code(&output), 5);
    assert!(stderr(&output).contains("--key my-key"), "{}", stderr(&output));
}

#[test]
fn import_of_a_missing_file_is_a_failure_that_names_it() {
    let output = import(&Server::new(vec![json_answer(200, json!({}))]), Path::new("/nowhere/books.csv"), &[]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("/nowhere/books.csv"));
}

#[test]
fn export_goes_to_standard_output_or_whole_into_a_file() {
    let server = Server::new(vec![(200, vec![("content-type", "text/csv")], "title\nEmma\n".to_owned())]);
    assert_eq!(stdout(&server.run(&["export", "--format", "csv"])), "title\nEmma\n");
    assert_eq!(server.requests()[0].uri.to_string(), "/api/v1/exports?format=csv");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.csv");
    assert_eq!(code(&server.run(&["export", "-o", file.to_str().unwrap()])), 0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "title\nEmma\n");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn aborted_replication_is_a_failure_with_its_votes_unless_the_abort_was_asked_for() {
    let aborted = json!({
        "type": "/problems/aborted", "title": "Aborted", "status": 409, "detail": "Round 3-18 was aborted.", "round": "3-18",
        "votes": [{"member": "replicator-2", "vote": "abort", "cause": "forced", "reason": "lab", "after_us": 10}],
    });
    let server = Server::new(vec![json_answer(409, aborted.clone())]);
    let output = server.run(&["replicate"]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("replicator-2 voted abort: lab"), "{}", stderr(&output));
    let output = server.run(&["replicate", "--json"]);
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), aborted);
    let output = server.run(&["replicate", "--abort"]);
    assert_eq!(code(&output), 0);
    assert_eq!(server.requests()[2].body, json!({"vote": "abort"}).to_string());
}

#[test]
fn answer_that_never_comes_leaves_a_write_unknown_and_a_read_failed() {
    // Takes the request and hangs up.
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
        }
    });
    let write = run(&address, &["replicate"]);
    assert_eq!(code(&write), 5, "{}", stderr(&write));
    assert!(stderr(&write).contains("not known"));
    assert_eq!(code(&run(&address, &["status"])), 1);
}

#[test]
fn bench_counts_what_was_committed_and_tells_what_was_refused() {
    let server = Server::new(vec![json_answer(201, json!({"id": "x"}))]);
    let output = server.run(&["bench", "--clients", "1,4", "--seconds", "1", "--json"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let levels: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(levels[1]["clients"], 4);
    assert!(levels[0]["writes"].as_u64().unwrap() > 0 && levels[0]["latency_us"]["p99"].as_u64().unwrap() > 0);

    let busy = json!({"type": "/problems/queue-full", "title": "Queue full", "status": 503, "detail": "Wait."});
    let output = Server::new(vec![json_answer(503, busy)]).run(&["bench", "--clients", "1", "--seconds", "1"]);
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("503 /problems/queue-full"), "{}", stdout(&output));
}
