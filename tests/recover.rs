//! The coordinator's disk is lost, or put back to an old copy, while writers go on: nothing guesses, and `concordance recover` brings
//! back every acknowledged change.

#![allow(clippy::unwrap_used, reason = "this is test code: what fails here is a failed test")]

use serde_json::Value;
use std::process::Output;
use std::time::Duration;
use system_tests::{Cluster, Copies, Options, Service, Writers, command, copy_folder, eventually};

/// Runs `concordance recover` against the cluster's coordinator.
fn recover(cluster: &Cluster, flags: &[&str]) -> Output {
    let coordinator = format!("http://{}", cluster.address(Service::Coordinator));
    let mut command = command("concordance");
    command.args(["recover", "--json", "--coordinator", &coordinator]).args(flags);
    command.output().unwrap()
}

fn plan(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

async fn nothing_is_guessed(cluster: &Cluster) {
    let coordinator = cluster.process(Service::Coordinator);
    coordinator.wait_until_logged("The coordinator runs no rounds").await;
    let reads = cluster.client().get("/books?limit=1").await.unwrap();
    assert_eq!(reads.status, 200, "reads go on");
}

/// Damages the coordinator's directory under load, recovers, and checks every answer.
async fn recovered_after(damage: impl FnOnce(&mut Cluster)) -> (Cluster, Value) {
    let mut cluster = Cluster::start(Options::default()).await;
    let writers = Writers::start(&cluster.client(), "before", 16);
    writers.commit_more(200).await;
    damage(&mut cluster);
    nothing_is_guessed(&cluster).await;
    let shown = plan(&recover(&cluster, &[]));
    assert!(shown["obstacles"].as_array().unwrap().is_empty(), "{shown:#}");
    assert!(!shown["reason"].is_null() && shown["missing"].as_array().unwrap().is_empty(), "{shown:#}");
    let done = recover(&cluster, &["--yes"]);
    assert!(done.status.success(), "{done:?}\n{}", cluster.logs());
    cluster.wait_until_ready().await;
    writers.commit_more(100).await;
    let ledger = writers.finish().await;
    ledger.check(&Copies::wait_until_equal(&cluster).await);
    (cluster, shown)
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_directory_loses_nothing_that_was_acknowledged() {
    let (cluster, plan) = recovered_after(|cluster| {
        cluster.kill(Service::Coordinator);
        std::fs::remove_dir_all(cluster.data(Service::Coordinator)).unwrap();
        cluster.start_service(Service::Coordinator);
    })
    .await;
    assert!(plan["source"].is_string(), "{plan:#}");
    let kept = std::fs::read_dir(cluster.data(Service::Coordinator).join("recoveries")).unwrap().count();
    assert_eq!(kept, 1, "what was agreed to is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_copy_of_the_directory_loses_nothing_that_was_acknowledged() {
    recovered_after(|cluster| {
        let (data, copy) = (cluster.data(Service::Coordinator), cluster.folder().join("old copy"));
        cluster.kill(Service::Coordinator);
        copy_folder(&data, &copy);
        cluster.start_service(Service::Coordinator);
        let client = cluster.client();
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(eventually(
                "more is written",
                Duration::from_secs(60),
                async || {
                    (client.post("/books", &system_tests::book("After the copy")).await?.status == 201).then_some(())
                },
            ));
        });
        cluster.kill(Service::Coordinator);
        std::fs::remove_dir_all(&data).unwrap();
        copy_folder(&copy, &data);
        cluster.start_service(Service::Coordinator);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_minority_nothing_is_recovered_without_a_word_about_the_loss() {
    let mut cluster = Cluster::start(Options::default()).await;
    let client = cluster.client();
    client.add_book("Held by all").await;
    cluster.kill(Service::Coordinator);
    cluster.kill(Service::Replicator(2));
    cluster.kill(Service::Replicator(3));
    std::fs::remove_dir_all(cluster.data(Service::Coordinator)).unwrap();
    cluster.start_service(Service::Coordinator);
    nothing_is_guessed(&cluster).await;
    let refused = recover(&cluster, &["--yes", "--wait-seconds", "5"]);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    let obstacles = plan(&refused)["obstacles"].to_string();
    assert!(obstacles.contains("--accept-loss"), "{obstacles}");
    let done = recover(&cluster, &["--yes", "--accept-loss", "--wait-seconds", "5"]);
    assert!(done.status.success(), "{done:?}");
    cluster.start_service(Service::Replicator(2));
    cluster.start_service(Service::Replicator(3));
    cluster.wait_until_ready().await;
    Copies::wait_until_all_hold(&cluster, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn coordinator_that_is_sure_of_its_log_has_nothing_to_recover() {
    let cluster = Cluster::start(Options::default()).await;
    let output = recover(&cluster, &[]);
    assert!(output.status.success() && plan(&output)["reason"].is_null(), "{output:?}");
}
