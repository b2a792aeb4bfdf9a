//! The coordinator's disk is lost, or put back to an old copy, while writers go on: nothing guesses, and `concordance recover` brings
//! back every acknowledged change.

#![allow(clippy::unwrap_used, reason = "this is test code: what fails here is a failed test")]

use serde_json::Value;
use std::process::Output;
use std::time::Duration;
use system_tests::{
    Cluster, Copies, Options, Service, Writers, command, copy_folder, eventually, flip_byte_in_the_middle,
    newest_segment,
};

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
async fn damaged_log_loses_nothing_that_was_acknowledged_and_is_put_aside() {
    let (mut cluster, plan) = recovered_after(|cluster| {
        cluster.kill(Service::Coordinator);
        flip_byte_in_the_middle(&newest_segment(&cluster.data(Service::Coordinator)));
        cluster.start_service(Service::Coordinator);
    })
    .await;
    assert!(plan["reason"].as_str().unwrap().contains("its decision log cannot be believed"), "{plan:#}");
    let log = cluster.data(Service::Coordinator).join("log");
    let names = std::fs::read_dir(log).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    assert_eq!(names.filter(|name| name.starts_with("damaged-")).count(), 1);
    cluster.kill(Service::Coordinator);
    cluster.start_service(Service::Coordinator);
    cluster.wait_until_ready().await;
}

/// A copy that was made between the votes and the decision has everything but that, and no version or epoch shows it: a coordinator
/// that did not know that it runs on a copy would abort what a client may have been told to be committed.
#[tokio::test(flavor = "multi_thread")]
async fn copy_that_may_lack_the_last_decision_does_not_guess_it() {
    let mut cluster = Cluster::start(Options::default()).await;
    let (client, data) = (cluster.client(), cluster.data(Service::Coordinator));
    let copy = cluster.folder().join("copy");
    client.add_book("First").await;
    cluster.stop(Service::Coordinator).await;
    cluster.start_pausing(Service::Coordinator, "votes_received");
    let waits = tokio::spawn(async move { client.post("/books", &system_tests::book("In doubt")).await });
    cluster.process(Service::Coordinator).wait_until_logged("crash point `votes_received` reached").await;
    copy_folder(&data, &copy);
    cluster.kill(Service::Coordinator);
    std::fs::remove_dir_all(&data).unwrap();
    copy_folder(&copy, &data);
    cluster.start_service(Service::Coordinator);
    nothing_is_guessed(&cluster).await;
    let done = recover(&cluster, &["--yes"]);
    assert!(done.status.success() && plan(&done)["open_round"]["commit"] == true, "{done:?}\n{}", cluster.logs());
    cluster.wait_until_ready().await;
    assert!(matches!(waits.await.unwrap().map(|answer| answer.status), Some(201 | 202)));
    Copies::wait_until_all_hold(&cluster, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn majority_that_has_lost_its_disks_is_recovered_from_the_log_and_the_one_that_is_left() {
    let mut cluster = Cluster::start(Options::default()).await;
    let writers = Writers::start(&cluster.client(), "before", 8);
    writers.commit_more(50).await;
    let ledger = writers.finish().await;
    Copies::wait_until_equal(&cluster).await;
    for service in [Service::Coordinator, Service::Replicator(1), Service::Replicator(2)] {
        cluster.kill(service);
    }
    for replicator in [Service::Replicator(1), Service::Replicator(2)] {
        std::fs::remove_dir_all(cluster.data(replicator)).unwrap();
    }
    for service in [Service::Coordinator, Service::Replicator(1), Service::Replicator(2)] {
        cluster.start_service(service);
    }
    eventually("the plan is known", Duration::from_secs(60), async || {
        let told = tokio::task::block_in_place(|| recover(&cluster, &["--wait-seconds", "1"]));
        // Nothing is told as long as the coordinator does not listen yet.
        let shown: Value = serde_json::from_slice(&told.stdout).ok()?;
        shown["reason"].as_str()?.contains("replicator-1, replicator-2 have lost their memory").then_some(())
    })
    .await;
    let done = recover(&cluster, &["--yes"]);
    assert!(done.status.success(), "{done:?}\n{}", cluster.logs());
    cluster.wait_until_ready().await;
    ledger.check(&Copies::wait_until_equal(&cluster).await);
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
