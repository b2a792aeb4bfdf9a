//! kill -9 of each service in the middle of 64 concurrent writers, again and again, and started in another order each time: no
//! acknowledged write is lost, no copy differs, none is applied twice, nothing stays in doubt, and all are in sync again after each.
//!
//! `CONCORDANCE_TEST_KILLS` sets how often each service is killed.

use std::time::Duration;
use system_tests::{Cluster, Copies, Ledger, Options, Outcome, Service, Writers, eventually};

const WRITERS: usize = 64;

fn kills() -> usize {
    std::env::var("CONCORDANCE_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(4)
}

/// Kills the services in turn while writers go on, and starts each again.
async fn kill_under_load(victims: &[Service]) {
    let mut cluster = Cluster::start(Options::default()).await;
    let (mut all, mut slowest) = (Ledger::default(), Duration::ZERO);
    for turn in 0..kills() {
        let writers = Writers::start(&cluster.client(), &format!("turn-{turn}"), WRITERS);
        let some = 100 + 37 * turn as u64;
        eventually("writes are committed", Duration::from_secs(60), async || {
            (writers.committed() >= some).then_some(())
        })
        .await;
        for victim in victims {
            cluster.kill(*victim);
        }
        let before = writers.committed();
        let started = std::time::Instant::now();
        for victim in in_some_order(victims, turn) {
            cluster.start_service(victim);
        }
        eventually("writes go on", Duration::from_secs(60), async || (writers.committed() > before + 64).then_some(()))
            .await;
        all.0.extend(writers.finish().await.0);
        cluster.wait_until_ready().await;
        slowest = slowest.max(started.elapsed());
    }
    cluster.wait_until_nothing_is_in_doubt().await;
    let files = Copies::wait_until_equal(&cluster).await;
    all.check(&files);
    let committed = all.count(|outcome| matches!(outcome, Outcome::Committed { .. }));
    println!(
        "{victims:?}: {} kills, {committed} acknowledged, {} files; all in sync after {} ms at most, with the writes between",
        kills(),
        files.len(),
        slowest.as_millis()
    );
    assert!(committed > 100 * kills());
}

/// The n-th order of these services, of as many as there are.
fn in_some_order(services: &[Service], mut number: usize) -> Vec<Service> {
    let mut left = services.to_vec();
    let mut order = Vec::new();
    while !left.is_empty() {
        order.push(left.remove(number % left.len()));
        number /= left.len() + 1;
    }
    order
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_coordinator_loses_nothing() {
    kill_under_load(&[Service::Coordinator]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_replicator_loses_nothing() {
    kill_under_load(&[Service::Replicator(2)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_app_server_loses_nothing() {
    kill_under_load(&[Service::AppServer]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_services_killed_at_once_lose_nothing() {
    let replicators = (1..=3).map(Service::Replicator);
    let all: Vec<_> = [Service::Coordinator, Service::AppServer].into_iter().chain(replicators).collect();
    kill_under_load(&all).await;
}
