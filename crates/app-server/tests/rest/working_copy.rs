//! The copy across restarts: level again without fetching what is there, edits kept, nothing deleted comes back.

use crate::fake_coordinator::FakeCoordinator;
use crate::server::{Server, file_of, path, quick, xml_of};
use serde_json::json;
use std::fs;

async fn files_written(server: &Server, ids: &[String]) {
    server.wait_for("the files", || std::future::ready(ids.iter().all(|id| server.file(id).exists()))).await;
}

#[tokio::test]
async fn new_copy_is_brought_level_with_all_that_was_committed() {
    let coordinator = FakeCoordinator::start().await;
    for number in 0..40 {
        let (path, bytes) = file_of(number, &format!("Title {number}"));
        coordinator.commit(vec![(path, Some(bytes))]);
    }
    let server = Server::start_without_waiting(quick(), coordinator).await;
    server.wait_until_level().await;
    assert_eq!(server.get("/books").await.body["total"], json!(40));
    for (path, content) in server.coordinator.truth().files.clone() {
        assert_eq!(fs::read(server.data().join(path.to_string())).unwrap(), content.bytes());
    }
    assert_eq!(server.get("/replications").await.body["total"], json!(0));
}

#[tokio::test]
async fn restarted_copy_is_level_without_fetching_anything() {
    let mut server = Server::start().await;
    let book = server.create("Emma").await;
    server.stop().await;
    server.run(None).await;
    server.wait_until_level().await;
    assert_eq!(server.get("/books").await.body["items"], json!([book]));
    assert_eq!(server.coordinator.truth().fetched, 0);
}

#[tokio::test]
async fn what_was_committed_while_it_was_away_is_caught_up() {
    let mut server = Server::start().await;
    let gone = server.create("Gone").await["id"].as_str().unwrap().to_owned();
    server.create("Stays").await;
    server.stop().await;
    let (path_new, bytes) = file_of(1, "New");
    server.coordinator.commit(vec![(path_new, Some(bytes)), (path(&gone), None)]);
    server.run(None).await;
    server.wait_until_level().await;
    assert_eq!(server.get("/books").await.titles(), ["New", "Stays"]);
    assert!(!server.file(&gone).exists());
    assert_eq!(server.coordinator.truth().fetched, 1);
    assert_eq!(server.get("/replications").await.body["total"], json!(0));
}

#[tokio::test]
async fn edit_made_while_it_was_stopped_is_kept_as_an_edit_and_the_book_is_served_as_committed() {
    let mut server = Server::start().await;
    let book = server.create("Emma").await;
    let (id, missing) =
        (book["id"].as_str().unwrap().to_owned(), server.create("Dune").await["id"].as_str().unwrap().to_owned());
    server.stop().await;
    let edited = fs::read_to_string(server.file(&id)).unwrap().replace("Emma", "Emmma");
    fs::write(server.file(&id), &edited).unwrap();
    fs::remove_file(server.file(&missing)).unwrap();
    server.run(None).await;
    server.wait_until_level().await;
    assert_eq!(server.get("/books").await.titles(), ["Dune", "Emma"]);
    let list = server.get("/replications").await;
    let states: Vec<_> = list.body["items"].as_array().unwrap().iter().map(|edit| edit["state"].clone()).collect();
    assert_eq!(states.len(), 2, "{}", list.body);
    assert!(states.contains(&json!("modified")) && states.contains(&json!("missing")));
    assert_eq!(fs::read_to_string(server.file(&id)).unwrap(), edited);
    assert!(!server.file(&missing).exists());
    // And stopped again it is still so.
    server.stop().await;
    server.run(None).await;
    server.wait_until_level().await;
    assert_eq!(server.get("/replications").await.body["total"], json!(2));
}

#[tokio::test]
async fn edit_of_a_book_that_was_changed_meanwhile_and_back_is_set_aside_and_not_published_over_it() {
    let mut server = Server::start().await;
    let id = server.create("Emma").await["id"].as_str().unwrap().to_owned();
    server.stop().await;
    let committed = fs::read(server.file(&id)).unwrap();
    fs::write(server.file(&id), "my notes").unwrap();
    server.coordinator.commit(vec![(path(&id), Some(b"<other/>".to_vec()))]);
    server.coordinator.commit(vec![(path(&id), Some(committed.clone()))]);
    server.run(None).await;
    server.wait_until_level().await;
    assert_eq!(server.get(&format!("/books/{id}")).await.body["version"], json!(3));
    assert_eq!(fs::read(server.file(&id)).unwrap(), committed);
    let kept = fs::read_dir(server.data().join("quarantine")).unwrap().flatten();
    assert!(kept.map(|entry| fs::read_to_string(entry.path()).unwrap_or_default()).any(|text| text == "my notes"));
}

#[tokio::test]
async fn rounds_that_are_committed_during_a_catch_up_follow_on_it() {
    let coordinator = FakeCoordinator::start().await;
    let (first, bytes) = file_of(1, "First");
    let (second, second_bytes) = file_of(2, "Second");
    coordinator.commit(vec![(first, Some(bytes)), (second, Some(second_bytes))]);
    // It answers the fetch with a round that touches one of the files, before the files themselves.
    coordinator.truth().commits_during_fetch = vec![(first, Some(xml_of(first.id(), "Newer"))), (second, None)];
    let server = Server::start_without_waiting(quick(), coordinator).await;
    server.wait_until_level().await;
    assert_eq!(server.get("/books").await.titles(), ["Newer"]);
    assert_eq!(server.get("/cluster").await.body["app_server"]["version"], json!(2));
    server.wait_for("no edits", || async { server.get("/replications").await.body["total"] == 0 }).await;
    assert!(!server.file(&second.id().to_string()).exists());
}

#[tokio::test]
async fn no_resurrection_edit_of_a_book_that_was_deleted_meanwhile_is_set_aside() {
    let mut server = Server::start().await;
    let id = server.create("Emma").await["id"].as_str().unwrap().to_owned();
    server.stop().await;
    let edited = fs::read_to_string(server.file(&id)).unwrap().replace("Emma", "Emmma");
    fs::write(server.file(&id), &edited).unwrap();
    server.coordinator.commit(vec![(path(&id), None)]);
    server.run(None).await;
    server.wait_until_level().await;
    assert_eq!(server.get("/replications").await.body["total"], json!(0));
    assert!(!server.file(&id).exists());
    let kept = fs::read_dir(server.data().join("quarantine")).unwrap().flatten();
    assert!(kept.map(|entry| fs::read_to_string(entry.path()).unwrap_or_default()).any(|text| text == edited));
}

#[tokio::test]
async fn no_resurrection_leftovers_of_a_process_that_was_cut_off_are_set_aside() {
    let mut server = Server::start().await;
    let id = server.create("Deleted later").await["id"].as_str().unwrap().to_owned();
    files_written(&server, std::slice::from_ref(&id)).await;
    // The state as a process leaves it that was killed before it ever saved what it had.
    let crashed = tempfile::tempdir().unwrap();
    copy_directory(&server.data(), crashed.path());
    server.stop().await;
    fs::remove_dir_all(server.data()).unwrap();
    copy_directory(crashed.path(), &server.data());
    server.coordinator.commit(vec![(path(&id), None)]);
    server.run(None).await;
    server.wait_until_level().await;
    server.wait_for("it is set aside", || std::future::ready(!server.file(&id).exists())).await;
    assert_eq!(server.get("/replications").await.body["total"], json!(0));
    assert_eq!(server.get("/books").await.body["total"], json!(0));
}

#[tokio::test]
async fn added_file_of_a_copy_that_ended_well_stays_somebodys_addition() {
    let mut server = Server::start().await;
    server.create("Emma").await;
    server.stop().await;
    let (added, bytes) = file_of(3, "Added");
    let place = server.data().join(added.to_string());
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(&place, bytes).unwrap();
    server.run(None).await;
    server.wait_until_level().await;
    assert_eq!(server.get("/replications").await.body["items"][0]["state"], json!("added"));
    assert!(place.exists());
}

#[tokio::test]
async fn damaged_checkpoint_is_not_believed_and_all_is_compared_anew() {
    let mut server = Server::start().await;
    let book = server.create("Emma").await;
    server.stop().await;
    let checkpoint = server.data().join("catalogue");
    let text = fs::read_to_string(&checkpoint).unwrap().replace("books/", "bocks/");
    fs::write(&checkpoint, text).unwrap();
    server.run(None).await;
    server.wait_until_level().await;
    assert_eq!(server.get("/books").await.body["items"], json!([book]));
    assert_eq!(server.coordinator.truth().fetched, 0, "the file was there");
}

#[tokio::test]
async fn epoch_fence_coordinator_of_an_older_epoch_is_refused_also_after_a_restart() {
    let mut server = Server::start().await;
    server.coordinator.start_again().await;
    server.wait_until_level().await;
    server.stop().await;
    // An older one answers at the address.
    let older = FakeCoordinator::start().await;
    let newer = std::mem::replace(&mut server.coordinator, older);
    server.run(None).await;
    server
        .wait_for("it is refused", || async {
            let cluster = server.get("/cluster").await;
            cluster.body["why_not"].as_str().is_some_and(|why| why.contains("replaced by that of epoch 2"))
        })
        .await;
    drop(newer);
}

fn copy_directory(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
