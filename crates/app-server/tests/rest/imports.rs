//! Imports: good rows in, bad ones listed, sent again they continue.

use crate::fake_coordinator::Manner;
use crate::server::{Answer, Server, quick, send};
use protocol::Refusal;
use reqwest::{Method, StatusCode};
use serde_json::json;

const FILE: &str = "title,author\nEmma,Jane Austen\n,Nobody\nDune,Frank Herbert\n";

async fn import(server: &Server, query: &str, key: Option<&str>, body: &str) -> Answer {
    let mut request = server
        .request(Method::POST, &format!("/imports{query}"))
        .header("Content-Type", "text/csv")
        .body(body.to_owned());
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    send(request).await
}

#[tokio::test]
async fn good_rows_are_imported_and_bad_ones_listed() {
    let server = Server::start().await;
    let done = import(&server, "", None, FILE).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    assert_eq!(done.body["state"], json!("done"));
    assert_eq!((&done.body["imported"], &done.body["total"], &done.body["rounds"]), (&json!(2), &json!(3), &json!(1)));
    assert_eq!(done.body["failed"][0]["row"], json!(3));
    assert!(done.body["failed"][0]["error"].as_str().unwrap().contains("title"));
    assert_eq!(server.get("/books").await.titles(), ["Dune", "Emma"]);
    let job = server.get(&format!("/imports/{}", done.body["id"].as_str().unwrap())).await;
    assert_eq!(job.body, done.body);
}

#[tokio::test]
async fn with_on_error_fail_nothing_is_sent_unless_every_row_is_valid() {
    let server = Server::start().await;
    let refused = import(&server, "?on_error=fail", None, FILE).await;
    refused.problem(422, "/problems/invalid-import");
    assert_eq!(refused.body["failed"][0]["row"], json!(3));
    assert!(server.coordinator.truth().submissions.is_empty());
    let good = import(&server, "?on_error=fail", None, "title,author\nEmma,Jane Austen\n").await;
    assert_eq!(good.body["imported"], json!(1));
}

#[tokio::test]
async fn import_in_the_background_is_answered_with_its_address() {
    let server = Server::start().await;
    let request =
        server.request(Method::POST, "/imports").header("Content-Type", "text/csv").header("Prefer", "respond-async");
    let begun = send(request.body(FILE)).await;
    let address = begun.header("location").unwrap().strip_prefix("/api/v1").unwrap();
    server.wait_for("done", || async { server.get(address).await.body["state"] == "done" }).await;
    assert_eq!(server.get(address).await.body["imported"], json!(2));
}

#[tokio::test]
async fn once_import_sent_again_with_its_key_puts_nothing_in_twice() {
    let mut server = Server::start().await;
    import(&server, "", Some("key"), FILE).await;
    let again = import(&server, "", Some("key"), FILE).await;
    assert_eq!((&again.body["state"], &again.body["imported"]), (&json!("done"), &json!(2)));
    // Also by a server that has forgotten it.
    server.stop().await;
    server.run(None).await;
    server.wait_until_level().await;
    let again = import(&server, "", Some("key"), FILE).await;
    assert_eq!((&again.body["state"], &again.body["imported"]), (&json!("done"), &json!(2)));
    assert_eq!(server.get("/books").await.body["total"], json!(2));
    let other = import(&server, "", Some("key"), "title,author\nOther,Jane Austen\n").await;
    other.problem(422, "/problems/key-reused");
}

#[tokio::test]
async fn import_that_broke_off_continues_where_it_ended() {
    let settings =
        app_server::Settings { import_changes_per_submission: 1, import_submissions_in_flight: 1, ..quick() };
    let server = Server::start_with(settings).await;
    let no_quorum = Refusal::NoQuorum { reason: "replicator-2 is down.".to_owned(), retry_after_ms: 50 };
    server.coordinator.truth().manner = Manner::Refuse(no_quorum);
    let failed = import(&server, "", Some("key"), FILE).await;
    assert_eq!((failed.status, &failed.body["state"]), (StatusCode::OK, &json!("failed")), "{}", failed.body);
    assert!(failed.body["detail"].as_str().unwrap().contains("replicator-2 is down"), "{}", failed.body);
    server.coordinator.truth().manner = Manner::Commit;
    let done = import(&server, "", Some("key"), FILE).await;
    assert_eq!(
        (&done.body["state"], &done.body["imported"], &done.body["rounds"]),
        (&json!("done"), &json!(2), &json!(2))
    );
}

#[tokio::test]
async fn honest_answer_import_whose_answers_do_not_come_is_unknown() {
    let server = Server::start().await;
    server.coordinator.truth().manner = Manner::Silent;
    let unknown = import(&server, "", Some("key"), FILE).await;
    assert_eq!((unknown.status, &unknown.body["state"]), (StatusCode::ACCEPTED, &json!("unknown")));
    assert!(unknown.body["detail"].as_str().unwrap().contains("Idempotency-Key"));
}

#[tokio::test]
async fn row_that_the_coordinator_aborts_is_listed_and_the_others_go_in() {
    let server = Server::start_with(app_server::Settings { import_changes_per_submission: 1, ..quick() }).await;
    server.coordinator.truth().manner = Manner::Abort;
    let done = import(&server, "", None, FILE).await;
    assert_eq!((&done.body["state"], &done.body["imported"]), (&json!("done"), &json!(0)));
    let rows: Vec<_> =
        done.body["failed"].as_array().unwrap().iter().map(|failed| failed["row"].as_u64().unwrap()).collect();
    assert_eq!(rows, [2, 3, 4]);
}

#[tokio::test]
async fn files_that_are_none_are_refused() {
    let server = Server::start().await;
    for body in ["", "no header here", "<!DOCTYPE x [<!ENTITY a \"b\">]><books/>", "<books>"] {
        import(&server, "", None, body).await.problem(422, "/problems/invalid-import");
    }
    let typed =
        send(server.request(Method::POST, "/imports").header("Content-Type", "application/pdf").body("x")).await;
    typed.problem(415, "/problems/unsupported-media-type");
    import(&server, "?on_error=shrug", None, FILE).await.problem(422, "/problems/invalid-request");
    server.get("/imports/x").await.problem(404, "/problems/not-found");
}
