//! The files on this server's disk, edited by hand: seen, published, put back.

use crate::server::{Server, file_of, path, send, xml_of};
use catalogue::BookId;
use protocol::{Digest, Finding, HealOutcome, HolderAnswer, HolderRequest, Repair, RequestId, ToAppServer};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::fs;

async fn edit(server: &Server, id: &str, change: impl FnOnce(String) -> String) {
    // All of it: what is still being written would be written over the edit.
    let is_written = || {
        let truth = server.coordinator.truth();
        let committed = truth.files.get(&path(id)).map(|content| content.bytes().to_vec());
        committed.is_some() && fs::read(server.file(id)).ok() == committed
    };
    server.wait_for("the file", || std::future::ready(is_written())).await;
    let text = fs::read_to_string(server.file(id)).unwrap();
    fs::write(server.file(id), change(text)).unwrap();
}

async fn edits(server: &Server) -> Vec<(String, String)> {
    let list = server.get("/replications").await;
    assert_eq!(list.status, StatusCode::OK, "{}", list.body);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list.body["items"].as_array().unwrap().iter().map(|edit| (text(&edit["id"]), text(&edit["state"]))).collect()
}

#[tokio::test]
async fn every_kind_of_edit_is_listed_with_its_state() {
    let server = Server::start().await;
    let mut ids = Vec::new();
    for title in ["Modified", "Missing", "Invalid", "Untouched"] {
        ids.push(server.create(title).await["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(edits(&server).await, []);
    edit(&server, &ids[0], |text| text.replace("Modified", "Edited")).await;
    fs::remove_file(server.file(&ids[1])).unwrap();
    edit(&server, &ids[2], |text| text.replace("<title>", "<titel>")).await;
    let (added, bytes) = file_of(9, "Added");
    let place = server.data().join(added.to_string());
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(&place, bytes).unwrap();
    let mut expected = vec![
        (added.id().to_string(), "added".to_owned()),
        (ids[0].clone(), "modified".to_owned()),
        (ids[1].clone(), "missing".to_owned()),
        (ids[2].clone(), "invalid".to_owned()),
    ];
    let mut found = edits(&server).await;
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn edited_file_is_marked_but_what_was_committed_is_served() {
    let server = Server::start().await;
    let created = server.create("Emma").await;
    let id = created["id"].as_str().unwrap();
    edit(&server, id, |text| text.replace("Emma", "Emmma")).await;
    let address = format!("/books/{id}");
    server.wait_for("the badge", || async { server.get(&address).await.body["local"] == "modified" }).await;
    assert_eq!(server.get(&address).await.body["title"], json!("Emma"));
    let xml = send(server.request(Method::GET, &address).header("Accept", "application/xml")).await;
    assert_eq!(Digest::of(&xml.bytes).to_string(), created["digest"].as_str().unwrap());
    assert_eq!(server.get("/cluster").await.body["app_server"]["modified"], json!(1));
    let badge = || async { server.get("/books").await.body["items"][0]["local"].clone() };
    fs::write(server.file(id), "<book").unwrap();
    server.wait_for("the badge", || async { badge().await == "damaged" }).await;
    fs::remove_file(server.file(id)).unwrap();
    server.wait_for("the badge", || async { badge().await == "missing" }).await;
}

#[tokio::test]
async fn edits_are_published_as_one_round_with_what_they_replace_as_preconditions() {
    let server = Server::start().await;
    let one = server.create("One").await["id"].as_str().unwrap().to_owned();
    let two = server.create("Two").await["id"].as_str().unwrap().to_owned();
    // Not in canonical form: published as if it were, and the file is written anew.
    edit(&server, &one, |text| text.replace("One", "First").replace("  <title>", "\n\t<title>")).await;
    server.wait_for("the file", || std::future::ready(server.file(&two).exists())).await;
    fs::remove_file(server.file(&two)).unwrap();
    let published = server.post("/replications", &json!({ "vote": "commit" })).await;
    assert_eq!(published.status, StatusCode::OK, "{}", published.body);
    assert_eq!((&published.body["outcome"], &published.body["changes"]), (&json!("committed"), &json!(1)));
    assert_eq!((&published.body["version"], &published.body["round"]), (&json!(3), &json!("1-3")));
    // A missing file is damage and never a delete.
    assert_eq!(server.get("/books").await.titles(), ["First", "Two"]);
    let canonical = server.coordinator.truth().files[&path(&one)].bytes().to_vec();
    server
        .wait_for("the file", || std::future::ready(fs::read(server.file(&one)).is_ok_and(|file| file == canonical)))
        .await;
    assert_eq!(edits(&server).await, [(two, "missing".to_owned())]);
    let again = server.post("/replications", &json!({})).await;
    assert_eq!(again.body, json!({ "outcome": "nothing_to_do", "changes": 0 }));
}

#[tokio::test]
async fn vote_abort_carries_the_round_to_the_vote_and_changes_nothing() {
    let server = Server::start().await;
    let id = server.create("Emma").await["id"].as_str().unwrap().to_owned();
    edit(&server, &id, |text| text.replace("Emma", "Edited")).await;
    let aborted = server.post("/replications", &json!({ "vote": "abort" })).await;
    aborted.problem(409, "/problems/aborted");
    assert!(server.coordinator.truth().submissions.last().unwrap().force_abort);
    assert_eq!(server.get("/books").await.titles(), ["Emma"]);
    assert_eq!(edits(&server).await, [(id, "modified".to_owned())]);
    server.post("/replications", &json!({ "vote": "maybe" })).await.problem(422, "/problems/invalid-request");
}

#[tokio::test]
async fn round_that_touches_an_edited_file_moves_the_edit_to_the_quarantine_first() {
    let server = Server::start().await;
    let id = server.create("Emma").await["id"].as_str().unwrap().to_owned();
    edit(&server, &id, |_| "my notes".to_owned()).await;
    let newer = xml_of(BookId::parse(&id).unwrap(), "Newer");
    server.coordinator.commit(vec![(path(&id), Some(newer.clone()))]);
    server.wait_for("the file", || std::future::ready(fs::read(server.file(&id)).unwrap() == newer)).await;
    let kept = fs::read_dir(server.data().join("quarantine"))
        .unwrap()
        .flatten()
        .map(|entry| fs::read(entry.path()).unwrap_or_default());
    assert!(kept.into_iter().any(|bytes| bytes == b"my notes"));
}

#[tokio::test]
async fn restore_puts_an_edited_file_back_and_keeps_the_edit() {
    let server = Server::start().await;
    let id = server.create("Emma").await["id"].as_str().unwrap().to_owned();
    edit(&server, &id, |_| "damaged".to_owned()).await;
    let (record, content) = {
        let truth = server.coordinator.truth();
        (truth.manifest.record(&path(&id)).copied(), truth.files.get(&path(&id)).cloned())
    };
    let committed = content.clone().unwrap();
    let found = Some(Finding { digest: Digest::of(b"damaged"), size: 7 });
    let repair = Repair { path: path(&id), found, record, content };
    let request = RequestId(5);
    server.coordinator.say(ToAppServer::Files(HolderRequest::Heal {
        request,
        repairs: vec![repair],
        foreign: Vec::new(),
    }));
    server.wait_for_truth("the answer", |truth| !truth.file_answers.is_empty()).await;
    let answer = server.coordinator.truth().file_answers[0].clone();
    let HolderAnswer::Healed { results, .. } = answer else { panic!("{answer:?}") };
    assert!(matches!(results[0].outcome, HealOutcome::Healed { quarantined: Some(_) }), "{results:?}");
    assert_eq!(fs::read(server.file(&id)).unwrap(), committed.bytes());
    assert_eq!(edits(&server).await, []);
}

#[tokio::test]
async fn questions_about_files_are_answered_from_the_disk() {
    let server = Server::start().await;
    let id = server.create("Emma").await["id"].as_str().unwrap().to_owned();
    edit(&server, &id, |_| "damaged".to_owned()).await;
    server.coordinator.say(ToAppServer::Files(HolderRequest::Scan { request: RequestId(8) }));
    server.wait_for_truth("the answer", |truth| !truth.file_answers.is_empty()).await;
    let answer = server.coordinator.truth().file_answers[0].clone();
    let HolderAnswer::Scanned { request, summary } = answer else { panic!("{answer:?}") };
    assert_eq!((request, summary.files, summary.version.0), (RequestId(8), 1, 1));
    let element = Finding { digest: Digest::of(b"damaged"), size: 7 }.element(&path(&id));
    assert!(summary.sums.contains(&element));
}
