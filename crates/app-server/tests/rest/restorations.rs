//! Restores are led by the coordinator; here they are begun, awaited and told.

use crate::server::{Server, path};
use protocol::*;
use reqwest::StatusCode;
use serde_json::json;
use uuid::Uuid;

fn report(state: RestorationState, files: Vec<FileReport>) -> RestorationReport {
    RestorationReport {
        id: RestorationId(Uuid::nil()),
        state,
        dry_run: false,
        started_at_ms: 0,
        finished_at_ms: (state != RestorationState::Running).then_some(1_000),
        version: Version(12),
        progress: Progress { phase: Phase::Done, done: 1, total: 1 },
        summary: Summary { holders: 3, files: 30, intact: 29, damaged: 1, healed: 1, ..Summary::default() },
        not_compared: vec![NotCompared {
            holder: HolderId::Replicator("replicator-3".parse().unwrap()),
            reason: "it is down".to_owned(),
        }],
        files,
        detail: None,
    }
}

#[tokio::test]
async fn restore_that_ends_in_time_is_answered_with_its_report() {
    let server = Server::start().await;
    let book = server.create("Emma").await;
    let (id, digest) = (book["id"].as_str().unwrap().to_owned(), book["digest"].as_str().unwrap().to_owned());
    let replicator = HolderId::Replicator("replicator-2".parse().unwrap());
    let file = FileReport {
        name: path(&id).to_string(),
        record: Some(Record { digest: digest.parse().unwrap(), size: 9, version: Version(1) }),
        ballot: vec![HoldingReport {
            holder: replicator.clone(),
            holding: HoldingKind::Damaged,
            digest: Some(Digest::of(b"x")),
            size: Some(1),
            note: None,
        }],
        verdict: Basis::Proven,
        winner: Some(digest.parse().unwrap()),
        winner_is_absence: false,
        actions: vec![HealReport {
            holder: replicator,
            action: HealAction::Healed,
            detail: None,
            quarantined: Some("quarantine/x".to_owned()),
        }],
    };
    server.coordinator.truth().reports = vec![report(RestorationState::Done, vec![file])];
    let done = server.post("/restorations", &json!({ "dry_run": false })).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    let own = done.body["id"].as_str().unwrap();
    assert_eq!(done.header("location"), Some(format!("/api/v1/restorations/{own}").as_str()));
    let expected = json!({
        "id": own, "state": "done", "dry_run": false, "started_at": "1970-01-01T00:00:00.000Z",
        "finished_at": "1970-01-01T00:00:01.000Z", "version": 12, "detail": null,
        "progress": { "phase": "done", "done": 1, "total": 1 },
        "summary": { "members": 3, "files": 30, "intact": 29, "damaged": 1, "healed": 1, "lost": 0, "undecided": 0, "left": 0 },
        "not_compared": [{ "member": "replicator-3", "reason": "it is down" }],
        "files": [{
            "path": path(&id).to_string(), "id": id, "title": "Emma", "record": { "digest": digest, "version": 1 },
            "ballot": [{ "member": "replicator-2", "holding": "damaged", "digest": Digest::of(b"x"), "size": 1, "note": null }],
            "verdict": "proven", "winner": digest,
            "actions": [{ "member": "replicator-2", "action": "healed", "detail": null, "quarantined": "quarantine/x" }],
        }],
    });
    assert_eq!(done.body, expected);
    assert_eq!(server.get(&format!("/restorations/{own}")).await.body, expected);
    let list = server.get("/restorations").await;
    assert_eq!((&list.body["total"], &list.body["items"][0]["files"]), (&json!(1), &json!(null)));
}

#[tokio::test]
async fn restore_that_takes_longer_is_answered_with_its_address() {
    let server =
        Server::start_with(app_server::Settings { restoration_answer_wait_ms: 1, ..crate::server::quick() }).await;
    server.coordinator.truth().reports = vec![report(RestorationState::Running, Vec::new())];
    let running = server.post("/restorations", &json!({ "dry_run": true })).await;
    assert_eq!(running.status, StatusCode::ACCEPTED);
    assert_eq!((&running.body["state"], &running.body["dry_run"]), (&json!("running"), &json!(true)));
    assert_eq!(server.coordinator.truth().orders, ["restore dry_run=true"]);
}

#[tokio::test]
async fn restore_that_is_refused_says_why() {
    let mut server = Server::start().await;
    server.coordinator.truth().refuses_orders = Some("Another restore runs.".to_owned());
    let detail = server.post("/restorations", &json!({})).await.problem(409, "/problems/restoration-refused");
    assert_eq!(detail, "Another restore runs.");
    server.post("/restorations", &json!({ "dry": true })).await.problem(422, "/problems/invalid-request");
    server.get("/restorations/x").await.problem(404, "/problems/not-found");
    server.coordinator.stop();
    server.wait_until_stale().await;
    server.post("/restorations", &json!({})).await.problem(503, "/problems/coordinator-unreachable");
    server.get("/restorations").await.problem(503, "/problems/coordinator-unreachable");
}

#[tokio::test]
async fn copies_are_shown_as_plain_text_as_long_as_somebody_has_them() {
    let server = Server::start().await;
    let book = server.create("Emma").await;
    let (id, digest) = (book["id"].as_str().unwrap(), book["digest"].as_str().unwrap());
    let holding = |number: u8, holding, digest| HoldingReport {
        holder: HolderId::Replicator(format!("replicator-{number}").parse().unwrap()),
        holding,
        digest,
        size: None,
        note: None,
    };
    let file = FileReport {
        name: path(id).to_string(),
        record: None,
        ballot: vec![
            holding(1, HoldingKind::Intact, digest.parse().ok()),
            holding(2, HoldingKind::Damaged, Some(Digest::of(b"gone"))),
            holding(3, HoldingKind::Missing, None),
        ],
        verdict: Basis::Majority,
        winner: None,
        winner_is_absence: false,
        actions: Vec::new(),
    };
    server.coordinator.truth().reports = vec![report(RestorationState::Done, vec![file])];
    let copy = async |number: u8| {
        let id = Uuid::nil();
        server
            .get(&format!(
                "/restorations/{id}/copy?path={}&member=replicator-{number}",
                path(book["id"].as_str().unwrap())
            ))
            .await
    };
    let intact = copy(1).await;
    assert_eq!(intact.status, StatusCode::OK);
    assert_eq!(intact.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(String::from_utf8_lossy(&intact.bytes).contains("<title>Emma</title>"));
    assert!(copy(2).await.problem(404, "/problems/not-found").contains("no more"));
    assert!(copy(3).await.problem(404, "/problems/not-found").contains("held no such book file"));
    assert!(copy(4).await.problem(404, "/problems/not-found").contains("says nothing"));
}
