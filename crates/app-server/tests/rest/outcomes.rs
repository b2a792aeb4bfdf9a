//! Every row of the table of outcomes, and what becomes of a write whose answer did not come.

use crate::fake_coordinator::{FakeCoordinator, Manner};
use crate::server::{PATIENCE, Server, book, patient, quick, send};
use protocol::{Digest, Refusal};
use reqwest::{Method, StatusCode};
use serde_json::json;

#[tokio::test]
async fn aborted_write_is_409_with_votes_and_reason() {
    let server = Server::start().await;
    server.coordinator.truth().manner = Manner::Abort;
    let aborted = server.create_with_key("Emma", "k").await;
    let detail = aborted.problem(409, "/problems/aborted");
    assert!(detail.contains("1-77") && detail.contains("asked to in the lab"), "{detail}");
    assert_eq!(aborted.body["round"], json!("1-77"));
    let vote = json!({ "member": "replicator-2", "vote": "abort", "cause": "forced", "reason": "asked to in the lab.", "after_us": 1234 });
    assert_eq!(aborted.body["votes"], json!([vote]));
    let change = server.get("/changes/k").await;
    assert_eq!((&change.body["state"], &change.body["round"]), (&json!("aborted"), &json!("1-77")));
}

#[tokio::test]
async fn stale_etag_is_412_with_the_current_digest() {
    let server = Server::start().await;
    let created = server.create("Emma").await;
    let address = format!("/books/{}", created["id"].as_str().unwrap());
    let etag = format!("\"{}\"", Digest::of(b"another"));
    for request in [server.request(Method::PUT, &address).json(&book("New")), server.request(Method::DELETE, &address)]
    {
        let refused = send(request.header("If-Match", &etag)).await;
        refused.problem(412, "/problems/precondition-failed");
        assert_eq!(refused.body["current"], created["digest"]);
    }
    let malformed = send(server.request(Method::DELETE, &address).header("If-Match", "x")).await;
    malformed.problem(422, "/problems/invalid-request");
    assert_eq!(server.get(&address).await.body, created);
}

#[tokio::test]
async fn write_to_a_book_that_was_deleted_meanwhile_is_404() {
    let server = Server::start().await;
    let created = server.create("Emma").await;
    let address = format!("/books/{}", created["id"].as_str().unwrap());
    assert_eq!(send(server.request(Method::DELETE, &address)).await.status, StatusCode::NO_CONTENT);
    server.put(&address, &book("New")).await.problem(404, "/problems/not-found");
    send(server.request(Method::DELETE, &address)).await.problem(404, "/problems/not-found");
}

#[tokio::test]
async fn refusals_before_any_round_are_503_with_retry_after() {
    let server = Server::start().await;
    let no_quorum = Refusal::NoQuorum { reason: "replicator-2 is down.".to_owned(), retry_after_ms: 2_500 };
    server.coordinator.truth().manner = Manner::Refuse(no_quorum);
    let refused = server.post("/books", &book("Emma")).await;
    assert!(refused.problem(503, "/problems/no-quorum").contains("replicator-2 is down"));
    assert_eq!(refused.header("retry-after"), Some("3"));
    server.coordinator.truth().manner = Manner::Refuse(Refusal::QueueFull { retry_after_ms: 100 });
    let refused = server.post("/books", &book("Emma")).await;
    refused.problem(503, "/problems/queue-full");
    assert_eq!(refused.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn once_same_key_and_request_get_the_first_answer_and_another_request_is_refused() {
    let server = Server::start().await;
    let first = server.create_with_key("Emma", "key-1").await;
    let again = server.create_with_key("Emma", "key-1").await;
    assert_eq!((again.status, &again.body), (StatusCode::CREATED, &first.body));
    assert_eq!(again.header("location"), first.header("location"));
    let other = server.create_with_key("Dune", "key-1").await;
    other.problem(422, "/problems/key-reused");
    assert_eq!(server.get("/books").await.body["total"], json!(1));
}

#[tokio::test]
async fn once_first_answer_is_given_even_after_the_book_was_changed_and_deleted() {
    let server = Server::start().await;
    let first = server.create_with_key("Emma", "key-1").await;
    let address = format!("/books/{}", first.body["id"].as_str().unwrap());
    server.put(&address, &book("Emma, revised")).await;
    assert_eq!(server.create_with_key("Emma", "key-1").await.body, first.body);
    let delete = || send(server.request(Method::DELETE, &address).header("Idempotency-Key", "key-2"));
    assert_eq!(delete().await.status, StatusCode::NO_CONTENT);
    assert_eq!(delete().await.status, StatusCode::NO_CONTENT);
    assert_eq!(server.create_with_key("Emma", "key-1").await.body, first.body);
}

#[tokio::test]
async fn once_first_answer_survives_a_restart_of_the_app_server() {
    let mut server = Server::start().await;
    let first = server.create_with_key("Emma", "key-1").await;
    server.stop().await;
    server.run(None).await;
    server.wait_until_level().await;
    assert_eq!(server.create_with_key("Emma", "key-1").await.body, first.body);
}

#[tokio::test]
async fn bad_keys_are_refused() {
    let server = Server::start().await;
    for key in ["a b", &"k".repeat(201)] {
        server.create_with_key("Emma", key).await.problem(422, "/problems/invalid-request");
    }
}

#[tokio::test]
async fn honest_answer_silence_is_202_and_the_change_can_be_asked_for() {
    let mut server = Server::start().await;
    server.coordinator.truth().manner = Manner::Silent;
    let unknown = server.create_with_key("Emma", "a/b?c").await;
    assert_eq!(unknown.status, StatusCode::ACCEPTED);
    assert_eq!((&unknown.body["change"], &unknown.body["state"]), (&json!("a/b?c"), &json!("unknown")));
    let location = unknown.header("location").unwrap().strip_prefix("/api/v1").unwrap().to_owned();
    assert_eq!(server.get(&location).await.body["state"], json!("unknown"));
    // The coordinator comes back: the change is sent again by itself, and commits.
    server.coordinator.truth().manner = Manner::Commit;
    server.coordinator.start_again().await;
    server.wait_for("committed", || async { server.get(&location).await.body["state"] == "committed" }).await;
    let change = server.get(&location).await;
    let book = server.get(&format!("/books/{}", change.body["id"].as_str().unwrap())).await;
    assert_eq!((&book.body["digest"], &book.body["version"]), (&change.body["digest"], &change.body["version"]));
}

#[tokio::test]
async fn once_commit_whose_answer_was_lost_is_answered_after_reconnecting() {
    let server = Server::start_with(patient()).await;
    server.coordinator.truth().manner = Manner::CommitThenDisconnect;
    let created = server.create_with_key("Emma", "k").await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    assert_eq!(server.coordinator.truth().submissions.len(), 2, "it was sent again");
    let list = server.get("/books").await;
    assert_eq!(list.body["items"], json!([created.body]));
}

#[tokio::test]
async fn write_waits_for_a_coordinator_that_comes_back_in_time() {
    let mut server = Server::start_with(patient()).await;
    server.coordinator.stop();
    server.wait_until_stale().await;
    let request = server.request(Method::POST, "/books").json(&book("Emma"));
    let write = tokio::spawn(send(request));
    server.coordinator.start_again().await;
    assert_eq!(tokio::time::timeout(PATIENCE, write).await.unwrap().unwrap().status, StatusCode::CREATED);
}

#[tokio::test]
async fn write_that_was_never_sent_is_503_and_does_not_commit_later() {
    let mut server = Server::start().await;
    server.coordinator.stop();
    server.wait_until_stale().await;
    let refused = server.create_with_key("Emma", "k").await;
    refused.problem(503, "/problems/no-quorum");
    assert!(refused.header("retry-after").is_some());
    server.coordinator.start_again().await;
    server.wait_until_level().await;
    server.create("Dune").await;
    assert_eq!(server.get("/books").await.titles(), ["Dune"]);
    server.get("/changes/k").await.problem(404, "/problems/not-found");
}

#[tokio::test]
async fn change_that_nobody_knows_is_404_and_unknown_while_nobody_can_be_asked() {
    let mut server = Server::start().await;
    server.get("/changes/never").await.problem(404, "/problems/not-found");
    server.coordinator.stop();
    server.wait_until_stale().await;
    assert_eq!(server.get("/changes/never").await.body["state"], json!("unknown"));
}

#[tokio::test]
async fn reads_go_on_without_the_coordinator_and_say_since_when_they_may_be_stale() {
    let mut server = Server::start().await;
    server.create("Emma").await;
    assert_eq!(server.get("/books").await.header("concordance-stale"), None);
    server.coordinator.stop();
    server.wait_until_stale().await;
    let list = server.get("/books").await;
    assert_eq!(list.titles(), ["Emma"]);
    assert_eq!(list.header("concordance-version"), Some("1"));
    let since = list.header("concordance-stale").unwrap().to_owned();
    assert!(catalogue::Timestamp::parse(&since).is_ok(), "{since}");
    assert_eq!(server.get("/readyz!").await.status, StatusCode::SERVICE_UNAVAILABLE);
    server.coordinator.start_again().await;
    server.wait_until_level().await;
    assert_eq!(server.get("/books").await.header("concordance-stale"), None);
}

#[tokio::test]
async fn nothing_is_served_before_the_copy_was_level_for_the_first_time() {
    let mut coordinator = FakeCoordinator::start().await;
    coordinator.stop();
    let mut server = Server::start_without_waiting(quick(), coordinator).await;
    let refused = server.get("/books").await;
    refused.problem(503, "/problems/not-ready");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(server.get("/livez!").await.status, StatusCode::OK);
    assert_eq!(server.get("/readyz!").await.status, StatusCode::SERVICE_UNAVAILABLE);
    server.coordinator.start_again().await;
    server.wait_until_level().await;
    assert_eq!(server.get("/books").await.status, StatusCode::OK);
    assert_eq!(server.get("/readyz!").await.status, StatusCode::OK);
}

#[tokio::test]
async fn too_many_pending_changes_are_refused_at_once() {
    let server = Server::start_with(app_server::Settings { pending_changes_max: 1, ..quick() }).await;
    server.coordinator.truth().manner = Manner::Silent;
    assert_eq!(server.create_with_key("Emma", "k1").await.status, StatusCode::ACCEPTED);
    server.create_with_key("Dune", "k2").await.problem(503, "/problems/queue-full");
}

#[tokio::test]
async fn stopping_answers_a_write_that_was_sent_with_unknown() {
    let mut server = Server::start_with(patient()).await;
    server.coordinator.truth().manner = Manner::Silent;
    let write = tokio::spawn(send(server.request(Method::POST, "/books").json(&book("Emma"))));
    server.wait_for_truth("it was sent", |truth| truth.submissions.len() == 1).await;
    server.settings.process.limits.shutdown_grace_ms = 1;
    server.stop().await;
    // Either the connection was dropped with the process, or it was answered; never with a failure.
    if let Ok(answer) = write.await {
        assert_eq!(answer.status, StatusCode::ACCEPTED);
    }
}
