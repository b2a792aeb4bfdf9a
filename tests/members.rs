//! Replicators are added and removed while writers go on.
//!
//! `CONCORDANCE_TEST_BOOKS` sets how many books there are before.

#![allow(clippy::unwrap_used, reason = "this is test code: what fails here is a failed test")]

use serde_json::json;
use std::time::Instant;
use system_tests::{Cluster, Copies, Options, Service, Writers};

/// The exit code of a replicator that must not be started again.
const NOT_WANTED: i32 = 3;

fn books() -> usize {
    std::env::var("CONCORDANCE_TEST_BOOKS").ok().and_then(|text| text.parse().ok()).unwrap_or(500)
}

/// A catalogue to begin with, as one import.
async fn fill(cluster: &Cluster, count: usize) {
    let rows: String = (0..count).map(|number| format!("Book {number},Ada Tester\n")).collect();
    let client = cluster.client();
    let request = client.request("POST", "/imports").header("content-type", "text/csv");
    let answer = client.ask(request.body(format!("title,authors\n{rows}"))).await.unwrap();
    assert!(matches!(answer.status, 200 | 202), "{answer:?}");
    Copies::wait_until_all_hold(cluster, count).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_are_added_and_the_first_is_removed_while_nobody_notices() {
    let mut cluster = Cluster::start(Options::default()).await;
    let client = cluster.client();
    fill(&cluster, books()).await;
    let writers = Writers::start(&client, "writer", 32);
    writers.commit_more(64).await;
    for _ in 0..2 {
        let began = Instant::now();
        let new = cluster.start_new_replicator();
        assert_eq!(client.add_member(&new.name(), "voter").await.status, 204);
        client.wait_until_in_sync(&new.name()).await;
        println!("{} is in sync after {:?}", new.name(), began.elapsed());
    }
    let first = Service::Replicator(1);
    let removed = client.remove_member(&first.name()).await;
    assert_eq!(removed.status, 204, "{removed:?}");
    assert_eq!(cluster.wait_until_gone(first).await, Some(NOT_WANTED), "it is told so and stops");
    writers.commit_more(64).await;
    assert_eq!(writers.troubled(), 0, "no write fails");
    let ledger = writers.finish().await;
    let status = client.cluster().await.unwrap();
    let members: Vec<_> = status["members"].as_array().unwrap().iter().map(|member| &member["id"]).collect();
    assert_eq!(members, ["replicator-2", "replicator-3", "replicator-4", "replicator-5"]);
    assert_eq!(status["min_in_sync"], 3);
    ledger.check(&Copies::wait_until_equal(&cluster).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_one_is_replaced() {
    let mut cluster = Cluster::start(Options::default()).await;
    let client = cluster.client();
    fill(&cluster, 50).await;
    cluster.kill(Service::Replicator(3));
    client.add_book("Without the third").await;
    let new = cluster.start_new_replicator();
    assert_eq!(client.add_member(&new.name(), "voter").await.status, 204);
    client.wait_until_in_sync(&new.name()).await;
    assert_eq!(client.remove_member("replicator-3").await.status, 204);
    let status = client.cluster().await.unwrap();
    assert_eq!((&status["min_in_sync"], &status["accepting_writes"]), (&json!(2), &json!(true)));
    // It comes back from the dead, and is told.
    cluster.start_service(Service::Replicator(3));
    assert_eq!(cluster.wait_until_gone(Service::Replicator(3)).await, Some(NOT_WANTED));
    Copies::wait_until_all_hold(&cluster, 51).await;
    // `--members` still names the first three: it is for a new cluster, and changes nothing in one that exists.
    cluster.stop(Service::Coordinator).await;
    cluster.start_service(Service::Coordinator);
    cluster.wait_until_ready().await;
    client.add_book("After a restart").await;
    Copies::wait_until_all_hold(&cluster, 52).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn observer_follows_without_a_vote_and_is_promoted() {
    let mut cluster = Cluster::start(Options::default()).await;
    let client = cluster.client();
    fill(&cluster, 20).await;
    let observer = cluster.start_new_replicator();
    assert_eq!(client.add_member(&observer.name(), "observer").await.status, 204);
    client.wait_until_in_sync(&observer.name()).await;
    client.add_book("Followed").await;
    Copies::wait_until_all_hold(&cluster, 21).await;
    assert_eq!(client.cluster().await.unwrap()["min_in_sync"], 2, "nobody counts on it");
    cluster.kill(observer);
    client.add_book("Missed").await;
    cluster.start_service(observer);
    Copies::wait_until_all_hold(&cluster, 22).await;

    let path = format!("/members/{}", observer.name());
    let promoted = client.send("PATCH", &path, None, Some(&json!({ "role": "voter" }))).await.unwrap();
    assert_eq!(promoted.status, 204, "{promoted:?}");
    client.wait_until_in_sync(&observer.name()).await;
    assert_eq!(client.member(&observer.name()).await.unwrap()["role"], "voter");
    assert_eq!(client.cluster().await.unwrap()["min_in_sync"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_removed_below_the_minimum_and_strangers_are_told_how_to_come_in() {
    let mut cluster = Cluster::start(Options::default()).await;
    let client = cluster.client();
    cluster.kill(Service::Replicator(3));
    client.add_book("With two").await;
    let refused = client.remove_member("replicator-2").await;
    assert_eq!(
        (refused.status, refused.body["type"].as_str()),
        (409, Some("/problems/members-refused")),
        "{refused:?}"
    );
    assert!(refused.body["detail"].as_str().unwrap().contains("add one first"), "{refused:?}");
    assert_eq!(client.remove_member("replicator-9").await.status, 409);
    assert_eq!(client.add_member("replicator-1", "voter").await.status, 409);
    assert_eq!(client.add_member("../x", "voter").await.status, 422);
    let stranger = cluster.start_new_replicator();
    cluster.process(stranger).wait_until_logged("concordance member add replicator-4").await;
}
