//! Several app-servers on one cluster: reads of at least a version, and pages that come from another one.

use crate::server::{Answer, Server, book, file_of, patient, quick, send};
use app_server::Settings;
use protocol::{AppServerStatus, ToAppServer};
use reqwest::{Method, StatusCode};
use serde_json::json;
use service::access_token::AccessToken;

const AT_LEAST: &str = "Concordance-At-Least-Version";
const OTHERS_PAGE: &str = "http://127.0.0.1:7401";

async fn get_at_least(server: &Server, path: &str, version: &str) -> Answer {
    send(server.request(Method::GET, path).header(AT_LEAST, version)).await
}

/// One whose reads wait as long as it takes.
fn waiting() -> Settings {
    Settings { version_wait_ms: 30_000, ..patient() }
}

fn another() -> AppServerStatus {
    let address = Some(OTHERS_PAGE.parse().unwrap());
    AppServerStatus { id: "app-server-2".parse().unwrap(), address, connected: true }
}

async fn hear_of_another(server: &Server) {
    let own = AppServerStatus { id: "app-server".parse().unwrap(), address: None, connected: true };
    server.coordinator.say(ToAppServer::AppServers { app_servers: vec![own, another()] });
    server
        .wait_for("the list", || async {
            server.get("/cluster").await.body["app_servers"].as_array().unwrap().len() == 2
        })
        .await;
}

#[tokio::test]
async fn read_waits_for_the_version_that_it_asks_for() {
    let server = Server::start_with(waiting()).await;
    let (path, xml) = file_of(1, "Emma");
    let address = format!("/books/{}", path.id());
    let read = get_at_least(&server, &address, "1");
    let commit = async {
        // The read has arrived, or arrives later: it finds the book in either case.
        server.get("/books").await;
        server.coordinator.commit(vec![(path, Some(xml))]);
    };
    let (read, ()) = tokio::join!(read, commit);
    assert_eq!((read.status, &read.body["title"]), (StatusCode::OK, &json!("Emma")));
    assert_eq!(read.header("Concordance-Version"), Some("1"));
}

#[tokio::test]
async fn read_of_a_version_that_does_not_come_is_refused_with_both_versions() {
    let server = Server::start_with(Settings { version_wait_ms: 20, ..quick() }).await;
    server.create("Emma").await;
    for path in ["/books", "/books/x", "/exports"] {
        let refused = get_at_least(&server, path, "7").await;
        let sentence = refused.problem(503, "/problems/behind");
        assert!(sentence.contains("version 1") && sentence.contains("version 7"), "{sentence}");
        assert_eq!(refused.header("Retry-After"), Some("1"));
        assert_eq!(refused.header("Concordance-Version"), Some("1"));
    }
    assert_eq!(get_at_least(&server, "/books", "1").await.status, StatusCode::OK);
}

#[tokio::test]
async fn version_that_is_none_is_refused() {
    let server = Server::start().await;
    for version in ["", "-1", "+1", "1.0", "one", "18446744073709551616", "1, 2"] {
        let sentence = get_at_least(&server, "/books", version).await.problem(422, "/problems/invalid-request");
        assert!(sentence.contains(AT_LEAST), "{sentence}");
    }
}

#[tokio::test]
async fn answer_to_a_write_carries_the_version_that_it_made_also_when_it_is_given_again() {
    let server = Server::start().await;
    let created = server.create_with_key("Emma", "k").await;
    let address = format!("/books/{}", created.body["id"].as_str().unwrap());
    let replaced = server.put(&address, &book("Persuasion")).await;
    let deleted = send(server.request(Method::DELETE, &address)).await;
    let again = server.create_with_key("Emma", "k").await;
    let versions = [&created, &replaced, &deleted, &again].map(|answer| answer.header("Concordance-Version").unwrap());
    assert_eq!(versions, ["1", "2", "3", "1"]);
}

#[tokio::test]
async fn book_that_another_app_server_created_keeps_its_time_of_creation_when_it_is_replaced_here() {
    let server = Server::start_with(waiting()).await;
    let (path, xml) = file_of(1, "Emma");
    // The round is committed, and its news still on the way to here.
    let news = server.coordinator.commit_untold(vec![(path, Some(xml))]);
    let address = format!("/books/{}", path.id());
    let persuasion = book("Persuasion");
    let replace = server.put(&address, &persuasion);
    let tell = async {
        server.get("/cluster").await;
        server.coordinator.say(ToAppServer::Committed(news));
    };
    let (replaced, ()) = tokio::join!(replace, tell);
    assert_eq!(replaced.status, StatusCode::OK, "{}", replaced.body);
    assert_eq!(replaced.body["created"], json!("1970-01-01T00:00:00.000Z"));
}

#[tokio::test]
async fn whether_a_book_that_is_not_here_was_replaced_is_unknown_while_the_coordinator_is_gone() {
    let mut server = Server::start().await;
    server.coordinator.stop();
    server.wait_until_stale().await;
    let (path, _) = file_of(1, "Emma");
    let request = server.request(Method::PUT, &format!("/books/{}", path.id())).header("Idempotency-Key", "k");
    let answer = send(request.json(&book("Persuasion"))).await;
    assert_eq!((answer.status, answer.header("Location")), (StatusCode::ACCEPTED, Some("/api/v1/changes/k")));
}

#[tokio::test]
async fn page_is_told_where_the_others_are_and_may_ask_them() {
    let server = Server::start().await;
    hear_of_another(&server).await;
    let cluster = server.get("/cluster").await.body;
    assert_eq!(
        cluster["app_servers"],
        json!([
            { "id": "app-server", "address": null, "connected": true },
            { "id": "app-server-2", "address": OTHERS_PAGE, "connected": true },
        ])
    );
    let page = server.get("/!").await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.ends_with(&format!("connect-src 'self' {OTHERS_PAGE}")), "{policy}");
}

#[tokio::test]
async fn pages_of_the_clusters_app_servers_may_read_and_write_here() {
    let server = Server::start().await;
    hear_of_another(&server).await;
    for origin in [OTHERS_PAGE, "http://localhost:7401"] {
        let asks = server.request(Method::OPTIONS, "/books").header("Origin", origin);
        let may = send(asks.header("Access-Control-Request-Method", "POST")).await;
        assert_eq!((may.status, may.header("Access-Control-Allow-Origin")), (StatusCode::NO_CONTENT, Some(origin)));
        assert!(may.header("Access-Control-Allow-Headers").unwrap().contains("Idempotency-Key"));
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            assert!(may.header("Access-Control-Allow-Methods").unwrap().contains(method), "{method}");
        }
        let created = send(server.request(Method::POST, "/books").header("Origin", origin).json(&book("Emma"))).await;
        assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
        let read = send(server.request(Method::GET, "/books").header("Origin", origin)).await;
        for answer in [created, read] {
            assert_eq!(answer.header("Access-Control-Allow-Origin"), Some(origin));
            assert_eq!(answer.header("Vary"), Some("origin"));
            assert!(answer.header("Access-Control-Expose-Headers").unwrap().contains("Concordance-Version"));
        }
    }
}

#[tokio::test]
async fn pages_of_other_app_servers_must_show_the_token_as_everybody_must() {
    let mut server = Server::start().await;
    hear_of_another(&server).await;
    server.stop().await;
    server.run(Some(AccessToken::parse("correct-horse-battery-staple").unwrap())).await;
    let request = |method| server.request(method, "/books").header("Origin", OTHERS_PAGE);
    let told = || async {
        // Said anew to the one that connected anew.
        server.coordinator.say(ToAppServer::AppServers { app_servers: vec![another()] });
        send(request(Method::GET)).await.header("Access-Control-Allow-Origin").is_some()
    };
    server.wait_for("the list", told).await;
    let asks = request(Method::OPTIONS).header("Access-Control-Request-Method", "POST");
    assert_eq!(send(asks).await.status, StatusCode::NO_CONTENT);
    send(request(Method::GET)).await.problem(401, "/problems/unauthorized");
    send(request(Method::POST).json(&book("x"))).await.problem(401, "/problems/unauthorized");
}

#[tokio::test]
async fn pages_of_anybody_else_are_let_in_nowhere() {
    let server = Server::start().await;
    hear_of_another(&server).await;
    for origin in
        ["http://evil.example", "null", "https://127.0.0.1:7401", "http://127.0.0.1:7402", "http://127.0.0.1:7401.evil"]
    {
        let asks = server.request(Method::OPTIONS, "/books").header("Origin", origin);
        let may = send(asks.header("Access-Control-Request-Method", "POST")).await;
        let read = send(server.request(Method::GET, "/books").header("Origin", origin)).await;
        let write = send(server.request(Method::POST, "/books").header("Origin", origin).json(&book("x"))).await;
        write.problem(403, "/problems/forbidden");
        for answer in [may, read, write] {
            assert_eq!(answer.header("Access-Control-Allow-Origin"), None, "{origin}");
            assert_eq!(answer.header("Access-Control-Allow-Methods"), None, "{origin}");
        }
    }
    // The page itself is nobody else's to read.
    let page = send(server.request(Method::GET, "/!").header("Origin", OTHERS_PAGE)).await;
    assert_eq!(page.header("Access-Control-Allow-Origin"), None);
}

#[tokio::test]
async fn app_server_says_where_its_page_is() {
    let server = Server::start().await;
    let own = format!("http://{}", server.address);
    assert_eq!(server.coordinator.truth().advertised.as_ref().map(ToString::to_string), Some(own));

    let settings = Settings { advertise: Some("http://books.example".parse().unwrap()), ..quick() };
    let server = Server::start_with(settings).await;
    let advertised = server.coordinator.truth().advertised.as_ref().map(ToString::to_string);
    assert_eq!(advertised.as_deref(), Some("http://books.example"));
    let under_its_name = send(server.request(Method::GET, "/books").header("Host", "books.example")).await;
    assert_eq!(under_its_name.status, StatusCode::OK);
}
