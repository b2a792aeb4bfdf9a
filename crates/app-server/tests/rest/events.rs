//! The stream of events.

use crate::server::{PATIENCE, Server};
use protocol::{ClusterEvent, Epoch, TimedEvent, ToAppServer, Version};
use reqwest::{Method, Response};
use serde_json::{Value, json};

struct Events {
    response: Response,
    buffer: String,
}

struct Event {
    id: String,
    name: String,
    data: Value,
}

impl Events {
    async fn follow(server: &Server, last_event_id: Option<&str>) -> Self {
        let mut request = server.request(Method::GET, "/events");
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, buffer: String::new() }
    }

    async fn next(&mut self) -> Event {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.buffer = rest;
                let field = |name: &str| {
                    let line = block.lines().find_map(|line| line.strip_prefix(name));
                    line.map(|value| value.trim_start_matches(": ").to_owned()).unwrap_or_default()
                };
                if !field("data").is_empty() {
                    return Event {
                        id: field("id"),
                        name: field("event"),
                        data: serde_json::from_str(&field("data")).unwrap(),
                    };
                }
                continue;
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk())
                .await
                .unwrap()
                .unwrap()
                .expect("the stream goes on");
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn named(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await;
            if event.name == name {
                return event;
            }
        }
    }
}

#[tokio::test]
async fn events_of_the_cluster_are_passed_on_while_somebody_follows() {
    let server = Server::start().await;
    assert!(!server.coordinator.truth().streams_events);
    let mut events = Events::follow(&server, None).await;
    server.wait_for_truth("the coordinator streams", |truth| truth.streams_events).await;
    let event = ClusterEvent::RoundCommitted { round: "1-7".parse().unwrap(), version: Version(7) };
    server.coordinator.say(ToAppServer::Event(TimedEvent { at_ms: 0, epoch: Epoch(1), event }));
    let event = events.named("round").await;
    assert_eq!(
        (&event.data["round"], &event.data["kind"], &event.data["version"]),
        (&json!("1-7"), &json!("round"), &json!(7))
    );
    assert!(event.data["text"].as_str().unwrap().contains("1-7"));
    drop(events);
    server.wait_for_truth("nobody follows", |truth| !truth.streams_events).await;
}

#[tokio::test]
async fn own_changes_and_imports_are_events_too() {
    let server = Server::start().await;
    let mut events = Events::follow(&server, None).await;
    let book = server.create("Emma").await;
    let change = events.named("catalogue").await;
    assert_eq!(
        (&change.data["version"], &change.data["changed"], &change.data["more"]),
        (&json!(1), &json!([book["id"]]), &json!(0))
    );
    let import = server
        .request(Method::POST, "/imports")
        .header("Content-Type", "text/csv")
        .body("title,author\nDune,Frank Herbert\n");
    crate::server::send(import).await;
    let import = events.named("import").await;
    assert_eq!(import.data["total"], json!(1));
}

#[tokio::test]
async fn loss_and_return_of_the_coordinator_are_events_and_streaming_is_asked_for_again() {
    let mut server = Server::start().await;
    let mut events = Events::follow(&server, None).await;
    server.coordinator.stop();
    assert_eq!(events.named("link").await.data["connected"], json!(false));
    server.coordinator.truth().streams_events = false;
    server.coordinator.start_again().await;
    while events.named("link").await.data["level"] == json!(false) {}
    server.wait_for_truth("the coordinator streams", |truth| truth.streams_events).await;
}

#[tokio::test]
async fn client_that_comes_again_gets_what_it_missed() {
    let server = Server::start().await;
    let mut events = Events::follow(&server, None).await;
    server.create("One").await;
    let seen = events.named("catalogue").await.id;
    drop(events);
    server.create("Two").await;
    let mut again = Events::follow(&server, Some(&seen)).await;
    assert_eq!(again.named("catalogue").await.data["version"], json!(2));
}
