//! A coordinator that hangs, with real processes: replicators in doubt end the round among themselves where one of them can still
//! refuse it, and otherwise wait and say why. Nothing is lost, and everything goes on when the coordinator does.

#![allow(clippy::unwrap_used, reason = "this is test code: what fails here is a failed test")]

use std::time::Duration;
use system_tests::{Cluster, Copies, Options, Outcome, Service, Writers, eventually};

/// Longer than any reaction takes on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// Why the replicator says that it waits; none if it is not in doubt.
async fn why_in_doubt(cluster: &Cluster, number: usize) -> Option<String> {
    let status = cluster.status(Service::Replicator(number)).await?;
    status["in_doubt"]["why"].as_str().map(str::to_owned)
}

/// Waits until the replicator says that it is in doubt, for a reason with all of `parts`.
async fn waits_saying(cluster: &Cluster, number: usize, parts: &[&str]) {
    eventually(&format!("replicator-{number} says {parts:?}"), SOON, async || {
        let why = why_in_doubt(cluster, number).await?;
        parts.iter().all(|part| why.contains(part)).then_some(())
    })
    .await;
}

/// The write that was under way is answered in the end, and all copies hold what was answered.
async fn nothing_is_lost(cluster: &Cluster, writers: Writers) {
    eventually("the write is committed", SOON, async || (writers.committed() > 0).then_some(())).await;
    let ledger = writers.finish().await;
    cluster.wait_until_ready().await;
    ledger.check(&Copies::wait_until_equal(cluster).await);
    assert!(ledger.count(|outcome| matches!(outcome, Outcome::Committed { .. })) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicators_that_have_all_voted_wait_for_the_coordinator_that_hangs_and_say_why() {
    let mut cluster = Cluster::start(Options::default()).await;
    cluster.kill(Service::Coordinator);
    cluster.start_pausing(Service::Coordinator, "votes_received");
    cluster.wait_until_ready().await;
    let writers = Writers::start(&cluster.client(), "all-voted", 1);
    for number in 1..=3 {
        let others = (1..=3).filter(|peer| *peer != number);
        let peers: Vec<_> = others.map(|peer| format!("replicator-{peer} is in doubt too")).collect();
        let parts: Vec<_> = peers.iter().map(String::as_str).chain(["only the coordinator's log can tell"]).collect();
        waits_saying(&cluster, number, &parts).await;
        let reasons = cluster.readiness(Service::Replicator(number)).await;
        assert!(reasons.iter().any(|reason| reason.contains("is in doubt since")), "{reasons:?}");
    }
    cluster.process(Service::Coordinator).resume();
    nothing_is_lost(&cluster, writers).await;
    for number in 1..=3 {
        assert_eq!(why_in_doubt(&cluster, number).await, None);
        cluster.process(Service::Replicator(number)).wait_until_logged("no longer in doubt").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn participant_that_comes_back_without_having_voted_frees_the_others_while_the_coordinator_hangs() {
    let mut cluster =
        Cluster::start(Options { token: Some("correct-horse-battery-staple".to_owned()), ..Options::default() }).await;
    cluster.kill(Service::Replicator(1));
    cluster.start_armed(Service::Replicator(1), Some("prepare_received"));
    cluster.kill(Service::Coordinator);
    cluster.start_pausing(Service::Coordinator, "prepare_sent");
    cluster.wait_until_ready().await;
    let writers = Writers::start(&cluster.client(), "one-not-voted", 1);
    cluster.wait_until_dead(Service::Replicator(1)).await;
    for number in [2, 3] {
        waits_saying(&cluster, number, &["replicator-1 cannot be reached", "is in doubt too"]).await;
    }
    cluster.start_service(Service::Replicator(1));
    for number in [2, 3] {
        eventually("the others are no longer in doubt", SOON, async || {
            let status = cluster.status(Service::Replicator(number)).await?;
            status["in_doubt"].is_null().then_some(())
        })
        .await;
        let process = cluster.process(Service::Replicator(number));
        process.wait_until_logged("no longer in doubt").await;
        assert!(process.log().contains("aborted"), "{}", process.log());
    }
    cluster.process(Service::Coordinator).resume();
    nothing_is_lost(&cluster, writers).await;
}
