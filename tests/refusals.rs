//! What is refused, by real processes: a clear sentence and a non-zero exit on the command line, a clear problem on HTTP; and
//! nothing is lost or changed by it.

#![allow(clippy::unwrap_used, reason = "this is test code: what fails here is a failed test")]

use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use system_tests::{
    Answer, Client, Cluster, Copies, Ledger, Options, Outcome, Process, Service, book, command, digest_of, eventually,
    write_token_file,
};
use tempfile::tempdir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ANY_PORT: &str = "127.0.0.1:0";
const PROGRAMS: [&str; 3] = ["coordinator", "replicator", "app-server"];
const TOKEN: &str = "correct-horse-battery-staple";
const OTHER_TOKEN: &str = "wrong-horse-battery-staple";

/// Longer than any reaction takes on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// The program ends with a failure, and the last that it says is a sentence with all of `parts`.
async fn refuses(command: Command, parts: &[&str]) {
    let folder = tempdir().unwrap();
    let program = Path::new(command.get_program()).file_name().unwrap().to_str().unwrap().to_owned();
    let mut process = Process::start(command, &folder.path().join("log"));
    assert!(!process.wait_until_dead().await.success(), "{}", process.log());
    let log = process.log();
    let (_, sentence) = log.rsplit_once(&format!("{program}: ")).unwrap_or_else(|| panic!("no sentence: {log}"));
    for part in parts {
        assert!(sentence.contains(part), "{part:?} is not in {sentence:?}");
    }
}

/// A program with a new data directory below `folder`.
fn program(name: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = command(name);
    command.arg("--exit-with-parent").arg("--data").arg(folder.join("data")).args(arguments);
    if name == "coordinator" {
        command.args(["--members", "replicator-1"]);
    }
    command
}

async fn small_cluster(replicators: usize) -> Cluster {
    small_cluster_with(replicators, "in-sync").await
}

async fn small_cluster_with(replicators: usize, policy: &str) -> Cluster {
    let environment = [
        ("CONCORDANCE_COMMIT_POLICY", policy),
        ("CONCORDANCE_CHANGE_WAIT_MS", "1000"),
        ("CONCORDANCE_ANSWER_WAIT_MS", "3000"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Cluster::start(Options { replicators, environment, ..Options::default() }).await
}

/// The cluster takes a book, after which every copy holds so many.
async fn goes_on(cluster: &Cluster, books: usize) {
    cluster.wait_until_ready().await;
    cluster.client().add_book("One more").await;
    Copies::wait_until_all_hold(cluster, books).await;
}

/// Checks a problem: its status, its type, and that its sentence has all of `parts`.
fn is_problem(answer: &Answer, status: u16, kind: &str, parts: &[&str]) {
    assert_eq!((answer.status, answer.body["type"].as_str()), (status, Some(kind)), "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let detail = answer.body["detail"].as_str().unwrap();
    for part in parts {
        assert!(detail.contains(part), "{part:?} is not in {detail:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn port_in_use_is_named() {
    let folder = tempdir().unwrap();
    let taken = TcpListener::bind(ANY_PORT).unwrap();
    let address = taken.local_addr().unwrap();
    for name in PROGRAMS {
        let command = program(name, folder.path(), &["--listen", &address.to_string()]);
        refuses(command, &[&format!("port {} on 127.0.0.1 is in use", address.port()), "choose another port"]).await;
    }
    assert!(!folder.path().join("data").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn listening_beyond_this_machine_without_a_token_is_refused() {
    let folder = tempdir().unwrap();
    for name in PROGRAMS {
        let command = program(name, folder.path(), &["--listen", "0.0.0.0:0"]);
        refuses(command, &["refusing to listen on 0.0.0.0:0", "--token-file"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn token_file_that_others_can_read_or_that_is_too_short_is_refused() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("token");
    for (token, mode, parts) in
        [(TOKEN, 0o644, ["mode 644", "chmod 600"]), ("fifteen-letters", 0o600, ["15 characters", "at least 16"])]
    {
        write_token_file(&file, token, mode);
        for name in PROGRAMS {
            let arguments = ["--listen", ANY_PORT, "--token-file", file.to_str().unwrap()];
            refuses(program(name, folder.path(), &arguments), &parts).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_file_with_a_wrong_key_or_value_is_refused_naming_it() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("my settings.toml");
    for (text, parts) in [
        ("vote_timout_ms = 5", ["`vote_timout_ms`", "my settings.toml"]),
        ("heartbeat_ms = \"often\"", ["`heartbeat_ms`", "my settings.toml"]),
        ("heartbeat_ms = ", ["cannot read the settings file", "my settings.toml"]),
    ] {
        fs::write(&file, text).unwrap();
        for name in PROGRAMS {
            let arguments = ["--listen", ANY_PORT, "--config", file.to_str().unwrap()];
            refuses(program(name, folder.path(), &arguments), &parts).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn coordinator_without_members_is_refused_saying_how_to_name_them() {
    let folder = tempdir().unwrap();
    let mut command = command("coordinator");
    command.args(["--listen", ANY_PORT, "--data"]).arg(folder.path().join("data"));
    refuses(command, &["--members is missing", "--members replicator-1,replicator-2,replicator-3"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_directory_in_use_or_of_somebody_else_is_refused() {
    let mut cluster = small_cluster(2).await;
    cluster.client().add_book("The first").await;
    for service in cluster.services() {
        let in_use = format!("in use by another process (process {})", cluster.process(service).id());
        refuses(cluster.command(service, &cluster.data(service), ANY_PORT), &[&in_use, "choose another directory"])
            .await;
    }
    let (one, two) = (Service::Replicator(1), Service::Replicator(2));
    cluster.stop(one).await;
    let others = cluster.command(two, &cluster.data(one), ANY_PORT);
    refuses(others, &["holds the data of replicator-1, not of replicator-2"]).await;
    let other_kind = cluster.command(Service::AppServer, &cluster.data(one), ANY_PORT);
    refuses(other_kind, &["holds replicator data and not app-server data"]).await;
    cluster.start_service(one);
    goes_on(&cluster, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_in_a_folder_with_spaces_and_letters_of_any_kind() {
    let folder = "Meine Bücher (neu) & \"alte\"".to_owned();
    let mut cluster = Cluster::start(Options { replicators: 1, folder, ..Options::default() }).await;
    cluster.client().add_book("The first").await;
    for service in cluster.services() {
        cluster.stop(service).await;
        cluster.start_service(service);
    }
    goes_on(&cluster, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_shows_the_token_takes_part() {
    let options = Options { replicators: 1, token: Some(TOKEN.to_owned()), ..Options::default() };
    let mut cluster = Cluster::start(options).await;
    cluster.client().add_book("The first").await;
    let app_server = format!("http://{}", cluster.address(Service::AppServer));
    for token in [None, Some(OTHER_TOKEN)] {
        let stranger = Client::new(app_server.clone(), token);
        for refused in [stranger.get("/books").await, stranger.post("/books", &book("Never")).await] {
            is_problem(&refused.unwrap(), 401, "/problems/unauthorized", &["Authorization: Bearer"]);
        }
    }

    let replicator = Service::Replicator(1);
    cluster.stop(replicator).await;
    write_token_file(&cluster.token_file(), OTHER_TOKEN, 0o600);
    cluster.start_service(replicator);
    cluster.process(replicator).wait_until_logged("refused the access token").await;
    assert_eq!(link_status(&cluster, Service::Coordinator, "/v1/replicators", OTHER_TOKEN).await, 401);
    assert_eq!(link_status(&cluster, replicator, "/v1/peers", TOKEN).await, 401);
    assert_eq!(cluster.client().cluster().await.unwrap()["members"][0]["connected"], false);

    // It went on trying all the while: now that the coordinator has the same token, it is let in.
    cluster.stop(Service::Coordinator).await;
    cluster.start_service(Service::Coordinator);
    cluster.stop(Service::AppServer).await;
    cluster.start_service(Service::AppServer);
    let client = Client::new(app_server, Some(OTHER_TOKEN));
    eventually("the replicator is let in", SOON, async || {
        (client.cluster().await?["accepting_writes"] == true).then_some(())
    })
    .await;
    client.add_book("The second").await;
    Copies::wait_until_all_hold(&cluster, 2).await;
}

/// What a service answers to one who wants a link at that path with that token.
async fn link_status(cluster: &Cluster, service: Service, path: &str, token: &str) -> u16 {
    let url = format!("http://{}{path}", cluster.address(service));
    let request = reqwest::Client::new().get(url).bearer_auth(token);
    let upgrade = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let request = upgrade.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn replicator_that_is_no_member_stays_out_and_says_why() {
    let cluster = small_cluster(1).await;
    cluster.client().add_book("The first").await;
    let data = cluster.folder().join("stranger");
    let command = cluster.command(Service::Replicator(9), &data, ANY_PORT);
    let stranger = Process::start(command, &cluster.folder().join("stranger.log"));
    stranger.wait_until_logged("replicator-9 is not a member; the members are replicator-1").await;
    goes_on(&cluster, 2).await;
    let members = cluster.client().cluster().await.unwrap()["members"].clone();
    assert_eq!(members.as_array().unwrap().len(), 1, "{members}");
    assert!(system_tests::book_files(&data).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn second_process_with_a_members_name_is_refused_while_the_first_is_alive() {
    let cluster = small_cluster(2).await;
    cluster.client().add_book("The first").await;
    let data = cluster.folder().join("second");
    let command = cluster.command(Service::Replicator(2), &data, ANY_PORT);
    let second = Process::start(command, &cluster.folder().join("second.log"));
    second.wait_until_logged("another process is connected as replicator-2; stop one of the two").await;
    goes_on(&cluster, 2).await;
    assert!(system_tests::book_files(&data).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn second_app_server_with_the_name_of_a_first_is_refused_while_the_first_is_alive() {
    let cluster = small_cluster(1).await;
    let data = cluster.folder().join("second");
    let command = cluster.command(Service::AppServer, &data, ANY_PORT);
    let second = Process::start(command, &cluster.folder().join("second.log"));
    second.wait_until_logged("another app-server is connected as app-server; stop one of the two").await;
    goes_on(&cluster, 1).await;
    assert!(system_tests::book_files(&data).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn replicator_of_another_cluster_is_refused_and_both_clusters_go_on() {
    let (mut ours, mut theirs) = (small_cluster(2).await, small_cluster(2).await);
    let member = Service::Replicator(2);
    ours.client().add_book("Ours").await;
    // More than we have: the number of another cluster's version says nothing about ours.
    for title in ["Theirs", "Theirs too", "And this"] {
        theirs.client().add_book(title).await;
    }
    Copies::wait_until_all_hold(&theirs, 3).await;
    theirs.stop(member).await;
    ours.stop(member).await;
    let command = ours.command(member, &theirs.data(member), ANY_PORT);
    let foreign = Process::start(command, &ours.folder().join("foreign.log"));
    foreign.wait_until_logged("its data belongs to another cluster").await;
    drop(foreign);
    ours.start_service(member);
    goes_on(&ours, 2).await;
    theirs.start_service(member);
    goes_on(&theirs, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_books_and_bodies_are_refused_naming_what_is_wrong() {
    let cluster = small_cluster(1).await;
    let client = cluster.client();
    let author = json!([{ "surname": "Tester" }]);
    let title = "x".repeat(10_000);
    for (body, parts) in [
        (json!({ "title": "x", "authors": author, "pages": 4 }), ["pages", "is no field"]),
        (json!({ "title": 5, "authors": author }), ["title", "string"]),
        (json!({ "title": "x", "authors": "Tester" }), ["authors", "sequence"]),
        (json!({ "title": title, "authors": author }), ["title", "1000"]),
        (json!({ "title": "x", "authors": author, "isbn": "978-3-16-148410-1" }), ["isbn", "check digit"]),
    ] {
        is_problem(&client.post("/books", &body).await.unwrap(), 422, "/problems/invalid-book", &parts);
    }
    let post = |kind: &str, body: String| client.request("POST", "/books").header("Content-Type", kind).body(body);
    let no_json = client.ask(post("application/json", "{\"title\":".to_owned())).await.unwrap();
    is_problem(&no_json, 400, "/problems/malformed-body", &["not JSON"]);
    let too_large = client.ask(post("application/json", "x".repeat(600_000))).await.unwrap();
    is_problem(&too_large, 413, "/problems/too-large", &["524288"]);
    let dtd = "<?xml version=\"1.0\"?><!DOCTYPE books [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><books><book>&b;</book></books>";
    let import = client.request("POST", "/imports").header("Content-Type", "application/xml").body(dtd);
    is_problem(&client.ask(import).await.unwrap(), 422, "/problems/invalid-import", &["line 1", "not allowed"]);
    Copies::wait_until_all_hold(&cluster, 0).await;
    goes_on(&cluster, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_are_none_and_path_tricks_find_nothing_and_touch_nothing() {
    let cluster = small_cluster(1).await;
    cluster.client().add_book("The first").await;
    Copies::wait_until_all_hold(&cluster, 1).await;
    let before = fs::read(cluster.data(Service::AppServer).join("format")).unwrap();
    // As they are, past the client's library, which would tidy them up.
    for id in ["1", "%2e%2e", "..%2f..%2fformat", "..%5c..%5cformat", "%00", "....//format", "%2fetc%2fpasswd", "%ff"] {
        for method in ["GET", "DELETE"] {
            let status = raw(&cluster, method, &format!("/api/v1/books/{id}"), &[]).await;
            assert!(matches!(status, 400 | 404), "{method} {id}: {status}");
        }
    }
    assert_eq!(fs::read(cluster.data(Service::AppServer).join("format")).unwrap(), before);
    goes_on(&cluster, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_under_another_name_or_from_another_page_are_refused() {
    let cluster = small_cluster(1).await;
    let client = cluster.client();
    let created = client.add_book("The first").await;
    let address = format!("/api/v1/books/{}", created["id"].as_str().unwrap());
    assert_eq!(raw(&cluster, "GET", "/api/v1/books", &[("Host", "evil.example")]).await, 403);
    assert_eq!(raw(&cluster, "DELETE", &address, &[("Host", "evil.example")]).await, 403);
    assert_eq!(raw(&cluster, "DELETE", &address, &[("Origin", "http://evil.example")]).await, 403);
    let request = client.request("POST", "/books").header("Origin", "http://evil.example").json(&book("Never"));
    is_problem(&client.ask(request).await.unwrap(), 403, "/problems/forbidden", &["pages of this cluster"]);
    goes_on(&cluster, 2).await;
}

/// Sends a request without a body as it is written, and gives the status.
async fn raw(cluster: &Cluster, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    let address = cluster.address(Service::AppServer);
    let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request += &format!("Host: {address}\r\n");
    }
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("no HTTP: {answer}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn unmet_preconditions_and_reused_keys_are_refused_and_change_nothing() {
    let cluster = small_cluster(1).await;
    let client = cluster.client();
    let first = client.send("POST", "/books", Some("key"), Some(&book("The first"))).await.unwrap();
    assert_eq!(first.status, 201);
    let again = client.send("POST", "/books", Some("key"), Some(&book("The first"))).await.unwrap();
    assert_eq!((again.status, &again.body["id"]), (201, &first.body["id"]), "the same request gets the first answer");
    let reused = client.send("POST", "/books", Some("key"), Some(&book("Another"))).await.unwrap();
    is_problem(&reused, 422, "/problems/key-reused", &["key", "new key"]);

    let address = format!("/books/{}", first.body["id"].as_str().unwrap());
    let stale = format!("\"{}\"", digest_of(b"what it never was"));
    for method in ["PUT", "DELETE"] {
        let request = client.request(method, &address).header("If-Match", &stale).json(&book("Never"));
        let refused = client.ask(request).await.unwrap();
        let current = first.body["digest"].as_str().unwrap();
        is_problem(&refused, 412, "/problems/precondition-failed", &[current]);
        assert_eq!(refused.body["current"], first.body["digest"]);
    }
    assert_eq!(client.get(&address).await.unwrap().body["digest"], first.body["digest"]);
    Copies::wait_until_all_hold(&cluster, 1).await;

    assert_eq!(client.send("DELETE", &address, None, None).await.unwrap().status, 204);
    let deleted_again = client.send("DELETE", &address, None, None).await.unwrap();
    is_problem(&deleted_again, 404, "/problems/not-found", &["no"]);
    let put = client.send("PUT", &address, None, Some(&book("Back"))).await.unwrap();
    is_problem(&put, 404, "/problems/not-found", &["no"]);
    Copies::wait_until_all_hold(&cluster, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_without_one_replicator_are_refused_where_all_are_needed_naming_it_and_go_on_with_it() {
    let mut cluster = small_cluster_with(3, "all").await;
    let client = cluster.client();
    client.add_book("The first").await;
    let missing = Service::Replicator(2);
    cluster.kill(missing);
    let began = Instant::now();
    let refused = client.send("POST", "/books", Some("key"), Some(&book("The second"))).await.unwrap();
    is_problem(&refused, 503, "/problems/no-quorum", &["replicator-2 is not connected", "same key"]);
    assert!(refused.header("retry-after").is_some());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let read = client.get("/books").await.unwrap();
    assert_eq!((read.status, &read.body["total"], read.header("concordance-stale")), (200, &json!(1), None));
    let status = client.cluster().await.unwrap();
    assert_eq!(
        (&status["accepting_writes"], &status["members"][1]["state"]),
        (&json!(false), &json!("down")),
        "{status}"
    );

    cluster.start_service(missing);
    cluster.wait_until_ready().await;
    assert_eq!(client.send("POST", "/books", Some("key"), Some(&book("The second"))).await.unwrap().status, 201);
    goes_on(&cluster, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn write_without_the_coordinator_never_fails_and_succeeds_later() {
    let mut cluster = small_cluster(2).await;
    let client = cluster.client();
    client.add_book("The first").await;
    let mut ledger = Ledger::default();
    // Some are in a round when the coordinator dies, others come later.
    cluster.kill(Service::Coordinator);
    cluster.start_armed(Service::Coordinator, Some("votes_received"));
    cluster.wait_until_ready().await;
    let early = send_many(&client, "early", 16);
    cluster.wait_until_dead(Service::Coordinator).await;
    let late = send_many(&client, "late", 4).await;
    for (key, answer) in early.await.into_iter().chain(late) {
        ledger.0.insert(key, outcome(answer));
    }
    assert!(ledger.count(|outcome| *outcome == Outcome::Unknown) > 0, "{ledger:?}");
    let (refused, known) = (Outcome::Refused, |key: &str| ledger.0[key].clone());
    assert_eq!((0..4).map(|number| known(&format!("late-{number}"))).collect::<Vec<_>>(), vec![refused; 4]);
    let read = client.get("/books?q=first").await.unwrap();
    assert_eq!((read.status, &read.body["total"]), (200, &json!(1)));
    assert!(read.header("concordance-stale").is_some(), "{read:?}");

    cluster.start_service(Service::Coordinator);
    cluster.wait_until_ready().await;
    assert!(client.get("/books").await.unwrap().header("concordance-stale").is_none());
    for (key, outcome) in &mut ledger.0 {
        if *outcome == Outcome::Unknown {
            *outcome = settled(&client, key).await;
        }
    }
    let committed = ledger.count(|outcome| matches!(outcome, Outcome::Committed { .. }));
    let files = Copies::wait_until_all_hold(&cluster, 1 + committed).await;
    ledger.check(&files);
}

/// Sends so many new books at the same time, each with its title as its key.
fn send_many(client: &Client, name: &str, count: usize) -> impl Future<Output = Vec<(String, Answer)>> + use<> {
    let send = |number| {
        let (client, key) = (client.clone(), format!("{name}-{number}"));
        tokio::spawn(async move {
            let answer = client.send("POST", "/books", Some(&key), Some(&book(&key))).await;
            (key, answer.expect("the app-server answers"))
        })
    };
    let tasks: Vec<_> = (0..count).map(send).collect();
    async move {
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        answers
    }
}

fn outcome(answer: Answer) -> Outcome {
    match answer.status {
        201 => committed(&answer.body),
        202 => Outcome::Unknown,
        503 => Outcome::Refused,
        _ => panic!("neither 201, 202 nor 503: {answer:?}"),
    }
}

fn committed(body: &Value) -> Outcome {
    let text = |field: &str| body[field].as_str().unwrap().to_owned();
    Outcome::Committed { id: text("id"), digest: text("digest") }
}

/// What became of a change that was answered as not known yet.
async fn settled(client: &Client, key: &str) -> Outcome {
    eventually("the outcome is known", SOON, async || {
        let change = client.get(&format!("/changes/{key}")).await?;
        match (change.status, change.body["state"].as_str()) {
            (404, _) | (200, Some("aborted")) => Some(Outcome::Refused),
            (200, Some("committed")) => {
                let id = change.body["id"].as_str()?;
                Some(committed(&client.get(&format!("/books/{id}")).await?.body))
            }
            _ => None,
        }
    })
    .await
}
