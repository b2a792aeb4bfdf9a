//! Scrubs are the replicators'; here they are asked for and told.

use crate::server::Server;
use protocol::{ScrubFinding, ScrubOutcome, ScrubReport, ScrubStatus};
use reqwest::StatusCode;
use serde_json::json;

fn scrubbed() -> ScrubStatus {
    let mut report = ScrubReport { finished_at_ms: Some(1_000), ..ScrubReport::started(0) };
    for outcome in [ScrubOutcome::Clean, ScrubOutcome::Damaged, ScrubOutcome::Unknown] {
        report.add(outcome);
    }
    report.name(ScrubFinding { name: "books/3f/x.xml".to_owned(), outcome: ScrubOutcome::Damaged, detail: None });
    ScrubStatus { last: Some(report), running: None }
}

#[tokio::test]
async fn scrubs_have_the_documented_shape_and_the_cluster_shows_the_last_one_without_its_files() {
    let server = Server::start().await;
    server.coordinator.truth().scrub = scrubbed();
    let mut last = json!({
        "started_at": "1970-01-01T00:00:00.000Z", "finished_at": "1970-01-01T00:00:01.000Z", "files": 3, "bytes": 0,
        "clean": 1, "damaged": 1, "stale": 0, "changing": 0, "unknown": 1, "extra": 0, "detail": null,
        "findings": [{ "name": "books/3f/x.xml", "outcome": "damaged", "detail": null }],
    });
    let items = json!([{ "member": "replicator-1", "connected": true, "last": last, "running": null }]);
    assert_eq!(server.get("/scrubs").await.body, json!({ "items": items, "next": null, "total": 1 }));
    last.as_object_mut().unwrap().remove("findings");
    assert_eq!(server.get("/cluster").await.body["members"][0]["scrub"], last);
}

#[tokio::test]
async fn scrub_is_begun_by_the_coordinator_or_refused_with_its_reason() {
    let server = Server::start().await;
    let begun = server.post("/scrubs", &json!({})).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.body);
    assert_eq!(begun.body["items"][0]["last"], json!(null));
    assert_eq!(server.coordinator.truth().orders, ["scrub"]);
    server.coordinator.truth().refuses_orders = Some("no replicator is connected".to_owned());
    let refused = server.post("/scrubs", &json!({})).await;
    assert_eq!((refused.status, &refused.body["type"]), (StatusCode::CONFLICT, &json!("/problems/scrub-refused")));
    assert!(refused.body["detail"].as_str().unwrap().to_lowercase().contains("no replicator is connected"));
}
