//! What is passed on from the coordinator: the cluster, the rounds, the lab.

use crate::server::{Server, send};
use protocol::{RoundOutcome, RoundReport, Version};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::path::Path;

fn round(number: u64, outcome: RoundOutcome) -> RoundReport {
    RoundReport {
        round: format!("1-{number}").parse().unwrap(),
        outcome,
        version: (outcome == RoundOutcome::Committed).then_some(Version(number)),
        changes: 1,
        participants: vec!["replicator-1".parse().unwrap()],
        votes: Vec::new(),
        started_at_ms: 0,
        decided_after_us: Some(10),
        ended_after_us: None,
        reason: None,
    }
}

#[tokio::test]
async fn cluster_has_the_documented_shape() {
    let server = Server::start().await;
    server.create("Emma").await;
    let cluster = server.get("/cluster").await.body;
    for (member, value) in [
        ("epoch", json!(1)),
        ("version", json!(1)),
        ("min_in_sync", json!(2)),
        ("commit_policy", json!("all")),
        ("accepting_writes", json!(true)),
        ("why_not", json!(null)),
        ("lab", json!(true)),
        ("app_server", json!({ "id": "app-server", "version": 1, "level": true, "books": 1, "modified": 0 })),
        (
            "members",
            json!([{
                "id": "replicator-1", "state": "in_sync", "connected": true, "version": 1, "address": "127.0.0.1:7421",
                "role": "voter", "in_doubt_since": "1970-01-01T00:00:00.000Z", "in_doubt_round": "1-5", "detail": null,
                "catch_up": null, "last_seen": null, "scrub": null, "disk": { "free_bytes": 1_000, "total_bytes": 5_000 },
            }]),
        ),
    ] {
        assert_eq!(cluster[member], value, "{member}");
    }
    assert_eq!(cluster["root"].as_str().unwrap().len(), 64);
    assert_eq!(cluster["coordinator"]["connected"], json!(true));
    assert!(cluster["coordinator"]["address"].as_str().unwrap().starts_with("ws://127.0.0.1:"));
}

#[tokio::test]
async fn cluster_without_a_coordinator_says_so_and_shows_what_was_known() {
    let mut server = Server::start().await;
    server.get("/cluster").await;
    server.coordinator.stop();
    server.wait_until_stale().await;
    let cluster = server.get("/cluster").await.body;
    assert_eq!((&cluster["accepting_writes"], &cluster["coordinator"]["connected"]), (&json!(false), &json!(false)));
    assert!(cluster["why_not"].as_str().unwrap().contains("cannot be reached"));
    assert_eq!(
        (&cluster["members"][0]["id"], &cluster["members"][0]["connected"]),
        (&json!("replicator-1"), &json!(false))
    );
    server.coordinator.start_again().await;
    server.coordinator.truth().why_not = Some("replicator-2 is down".to_owned());
    server.wait_until_level().await;
    let cluster = server.get("/cluster").await.body;
    assert_eq!((&cluster["accepting_writes"], &cluster["why_not"]), (&json!(false), &json!("replicator-2 is down")));
}

#[tokio::test]
async fn rounds_are_paged_newest_first() {
    let server = Server::start().await;
    server.coordinator.truth().rounds =
        vec![round(3, RoundOutcome::InFlight), round(2, RoundOutcome::Aborted), round(1, RoundOutcome::Committed)];
    let ids =
        |list: &Value| list["items"].as_array().unwrap().iter().map(|round| round["id"].clone()).collect::<Vec<_>>();
    let first = server.get("/rounds?limit=2").await.body;
    assert_eq!((ids(&first), &first["total"]), (vec![json!("1-3"), json!("1-2")], &json!(3)));
    let second = server.get(&format!("/rounds?limit=2&cursor={}", first["next"].as_str().unwrap())).await.body;
    assert_eq!((ids(&second), &second["next"]), (vec![json!("1-1")], &json!(null)));
    assert_eq!(ids(&server.get("/rounds?outcome=aborted").await.body), [json!("1-2")]);
    let one = server.get("/rounds/1-1").await.body;
    let expected = json!({
        "id": "1-1", "epoch": 1, "number": 1, "outcome": "committed", "version": 1, "changes": 1,
        "participants": ["replicator-1"], "votes": [], "started_at": "1970-01-01T00:00:00.000Z", "decided_after_us": 10,
        "ended_after_us": null, "reason": null,
    });
    assert_eq!(one, expected);
    for id in ["1-9", "x", "1"] {
        server.get(&format!("/rounds/{id}")).await.problem(404, "/problems/not-found");
    }
    server.get("/rounds?outcome=lost").await.problem(422, "/problems/invalid-request");
    server.get("/rounds?cursor=x").await.problem(422, "/problems/invalid-request");
}

#[tokio::test]
async fn lab_passes_orders_on_and_is_not_there_without_the_lab() {
    let mut server = Server::start().await;
    let armed = server.post("/lab/replicators/replicator-2/vote-abort", &json!({ "reason": "because" })).await;
    assert_eq!(armed.status, StatusCode::NO_CONTENT, "{}", armed.body);
    let armed = server.post("/lab/coordinator/crash-at", &json!({ "point": "decision_durable" })).await;
    assert_eq!(armed.status, StatusCode::NO_CONTENT);
    assert_eq!(server.get("/lab").await.body["crash_at"], json!("votes_received"), "what the coordinator says");
    let disarmed = send(server.request(Method::DELETE, "/lab/coordinator/crash-at")).await;
    assert_eq!(disarmed.status, StatusCode::NO_CONTENT);
    assert_eq!(
        server.coordinator.truth().orders,
        [
            r#"{"action":"vote_abort","member":"replicator-2","reason":"because"}"#,
            r#"{"action":"crash_at","point":"decision_durable"}"#,
            r#"{"action":"crash_at","point":null}"#,
        ]
    );
    server
        .post("/lab/coordinator/crash-at", &json!({ "point": "now" }))
        .await
        .problem(422, "/problems/invalid-request");
    server.coordinator.truth().refuses_orders = Some("replicator-9 is not connected.".to_owned());
    server.post("/lab/replicators/replicator-9/vote-abort", &json!({})).await.problem(409, "/problems/lab-refused");
    server.coordinator.truth().lab = false;
    server.coordinator.start_again().await;
    server.wait_for("no lab", || async { server.get("/cluster").await.body["lab"] == false }).await;
    server
        .post("/lab/coordinator/crash-at", &json!({ "point": "prepare_sent" }))
        .await
        .problem(404, "/problems/not-found");
}

#[tokio::test]
async fn description_and_its_page_are_served() {
    let server = Server::start().await;
    let description = server.get("/openapi.json").await;
    for path in [
        "/books",
        "/books/{id}",
        "/changes/{id}",
        "/imports",
        "/imports/{id}",
        "/exports",
        "/replications",
        "/restorations",
        "/restorations/{id}",
        "/cluster",
        "/rounds",
        "/rounds/{id}",
        "/events",
        "/lab/replicators/{id}/vote-abort",
        "/lab/coordinator/crash-at",
        "/lab",
        "/lab/services/{name}",
        "/lab/services/{name}/link",
        "/lab/damage",
        "/lab/steps",
        "/lab/steps/release",
    ] {
        assert!(description.body["paths"][format!("/api/v1{path}")].is_object(), "{path}");
    }
    let page = server.get("/docs/").await;
    assert_eq!(page.status, StatusCode::OK);
    let html = String::from_utf8(page.bytes).unwrap();
    assert!(html.contains("swagger"), "{html}");
    assert!(!html.contains("http://") && !html.contains("https://"), "nothing is loaded from elsewhere: {html}");
}

/// The types of the page are generated from this file.
#[tokio::test]
async fn description_is_the_one_that_the_page_keeps() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../frontend/openapi.json");
    let served = Server::start().await.get("/openapi.json").await.body;
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&served).unwrap() + "\n").unwrap();
    }
    let kept: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(
        kept == served,
        "frontend/openapi.json is not what the server gives. Run `UPDATE_OPENAPI=1 cargo test -p app-server --test rest \
         description_is_the_one_that_the_page_keeps`, then `npm run types` in frontend/."
    );
}

#[tokio::test]
async fn metrics_count_requests_by_route() {
    let server = Server::start().await;
    server.create("Emma").await;
    let metrics = String::from_utf8(server.get("/metrics!").await.bytes).unwrap();
    assert!(metrics.contains(r#"route="/api/v1/books""#), "{metrics}");
    assert!(metrics.contains("app_server_write_seconds") && metrics.contains("app_server_copy_version"));
}

#[tokio::test]
async fn lab_holds_messages_at_the_coordinator() {
    let server = Server::start().await;
    let lab = server.get("/lab").await.body;
    let steps = json!({ "on": false, "messages": [] });
    let expected = json!({ "supervised": false, "services": [], "steps": steps, "crash_at": "votes_received" });
    assert_eq!(lab, expected);
    assert_eq!(server.put("/lab/steps", &json!({ "on": true })).await.status, StatusCode::NO_CONTENT);
    assert_eq!(server.post("/lab/steps/release", &json!({ "id": 7 })).await.status, StatusCode::NO_CONTENT);
    let orders = server.coordinator.truth().orders.clone();
    assert_eq!(orders, [r#"{"action":"step","on":true}"#, r#"{"action":"release","message":7}"#]);
    server.coordinator.truth().refuses_orders = Some("no message 7 is held".to_owned());
    server.post("/lab/steps/release", &json!({ "id": 7 })).await.problem(409, "/problems/lab-refused");
}

#[tokio::test]
async fn lab_changes_processes_links_and_files_only_in_a_supervised_cluster() {
    let server = Server::start().await;
    let book = server.create("Emma").await["id"].clone();
    let damage = json!({ "book": book, "replicators": ["replicator-1"], "how": "truncate" });
    let crash = json!({ "point": "prepare_sent", "stay_dead": true });
    for refused in [
        server.post("/lab/services/replicator-1", &json!({ "action": "kill" })).await,
        server.put("/lab/services/replicator-1/link", &json!({ "state": "cut" })).await,
        server.post("/lab/damage", &damage).await,
        server.post("/lab/coordinator/crash-at", &crash).await,
    ] {
        let detail = refused.problem(409, "/problems/lab-refused");
        assert!(detail.contains("concordance up --lab"), "{detail}");
    }
    assert!(server.coordinator.truth().orders.is_empty(), "nothing was armed that could not be kept dead");
    for wrong in [json!({ "state": "slow" }), json!({ "state": "cut", "delay_ms": 5 })] {
        server.put("/lab/services/replicator-1/link", &wrong).await.problem(422, "/problems/invalid-request");
    }
}
