//! Replicators die and come back while writes go on.
//!
//! `CONCORDANCE_TEST_MISSED` sets how many changes the one that is away misses.

#![allow(clippy::unwrap_used, reason = "this is test code: what fails here is a failed test")]

use serde_json::json;
use std::time::{Duration, Instant};
use system_tests::{Cluster, Copies, Options, Service, Writers, book, eventually};

const AWAY: Service = Service::Replicator(3);
const WRITERS: usize = 32;

fn missed() -> u64 {
    std::env::var("CONCORDANCE_TEST_MISSED").ok().and_then(|text| text.parse().ok()).unwrap_or(300)
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_go_on_without_one_of_three_and_it_catches_up_while_they_do() {
    let mut cluster = Cluster::start(Options::default()).await;
    let client = cluster.client();
    let mut doomed = Vec::new();
    for number in 0..20 {
        doomed.push(client.add_book(&format!("To be deleted {number}")).await["id"].as_str().unwrap().to_owned());
    }
    Copies::wait_until_all_hold(&cluster, doomed.len()).await;
    let writers = Writers::start(&client, "writer", WRITERS);
    writers.commit_more(64).await;

    cluster.kill(AWAY);
    writers.commit_more(missed()).await;
    for id in &doomed {
        let answer = client.send("DELETE", &format!("/books/{id}"), None, None).await.unwrap();
        assert_eq!(answer.status, 204, "{answer:?}");
    }
    let status = client.cluster().await.unwrap();
    assert_eq!((&status["accepting_writes"], &status["members"][2]["state"]), (&json!(true), &json!("down")));

    let began = Instant::now();
    let before = writers.committed();
    cluster.start_service(AWAY);
    client.wait_until_in_sync(&AWAY.name()).await;
    println!("in sync after {:?}, while {} changes were committed", began.elapsed(), writers.committed() - before);
    writers.commit_more(64).await;
    assert_eq!(writers.troubled(), 0, "a client sees a delay and no failure");
    let ledger = writers.finish().await;
    let files = Copies::wait_until_equal(&cluster).await;
    ledger.check(&files);
    let is_back = |id: &String| files.keys().any(|path| path.to_string_lossy().contains(id.as_str()));
    assert!(!doomed.iter().any(is_back), "a deleted book is back");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_two_of_three_away_writes_are_refused_in_time_and_resume_by_themselves() {
    let environment = [("CONCORDANCE_CHANGE_WAIT_MS", "1000"), ("CONCORDANCE_ANSWER_WAIT_MS", "3000")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let mut cluster = Cluster::start(Options { environment, ..Options::default() }).await;
    let client = cluster.client();
    client.add_book("The first").await;
    cluster.kill(AWAY);
    client.add_book("With two of three").await;
    cluster.kill(Service::Replicator(2));

    let began = Instant::now();
    let refused = client.send("POST", "/books", Some("key"), Some(&book("The third"))).await.unwrap();
    assert_eq!((refused.status, refused.body["type"].as_str()), (503, Some("/problems/no-quorum")), "{refused:?}");
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.contains("at least 2 replicators are needed: replicator-2 is not connected"), "{detail}");
    assert!(refused.header("retry-after").is_some());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let read = client.get("/books").await.unwrap();
    assert_eq!((read.status, &read.body["total"]), (200, &json!(2)), "reads go on");

    // It is not the one that the others count on, and must be brought level first; then it takes that one's place.
    cluster.start_service(AWAY);
    eventually("writes resume by themselves", Duration::from_secs(60), async || {
        let answer = client.send("POST", "/books", Some("key"), Some(&book("The third"))).await?;
        (answer.status == 201).then_some(())
    })
    .await;
    cluster.start_service(Service::Replicator(2));
    cluster.wait_until_ready().await;
    Copies::wait_until_all_hold(&cluster, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_lost_its_disk_is_brought_level_from_nothing_while_writes_go_on() {
    let mut cluster = Cluster::start(Options::default()).await;
    let writers = Writers::start(&cluster.client(), "writer", 8);
    writers.commit_more(100).await;
    cluster.kill(AWAY);
    std::fs::remove_dir_all(cluster.data(AWAY)).unwrap();
    writers.commit_more(50).await;
    cluster.start_service(AWAY);
    cluster.client().wait_until_in_sync(&AWAY.name()).await;
    assert_eq!(writers.troubled(), 0);
    let ledger = writers.finish().await;
    ledger.check(&Copies::wait_until_equal(&cluster).await);
}
