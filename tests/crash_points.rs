//! The rows of the crash table in `docs/protocol.md`, with real processes that die at a named line.

use std::time::Duration;
use system_tests::{Cluster, Copies, Options, Outcome, Service, Writers, eventually};

/// A service dies at the point for the n-th time that it is reached, under load; then it is started again.
async fn dies_at(service: Service, point: &str) {
    let mut cluster = Cluster::start(Options::default()).await;
    for nth in [1, 4] {
        cluster.kill(service);
        cluster.start_armed(service, Some(&format!("{point}:{nth}")));
        let writers = Writers::start(&cluster.client(), &format!("{point}-{nth}"), 8);
        cluster.wait_until_dead(service).await;
        cluster.start_service(service);
        let before = writers.committed();
        eventually("writes go on", Duration::from_secs(60), async || (writers.committed() > before + 16).then_some(()))
            .await;
        let ledger = writers.finish().await;
        cluster.wait_until_ready().await;
        let files = Copies::wait_until_equal(&cluster).await;
        ledger.check(&files);
        assert!(ledger.count(|outcome| matches!(outcome, Outcome::Committed { .. })) > 16);
    }
}

macro_rules! crash_points {
    ($($test:ident: $service:expr, $point:literal;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                dies_at($service, $point).await;
            }
        )*
    };
}

crash_points! {
    coordinator_dies_when_the_prepare_is_sent: Service::Coordinator, "prepare_sent";
    coordinator_dies_when_all_votes_are_in: Service::Coordinator, "votes_received";
    coordinator_dies_when_the_decision_is_durable: Service::Coordinator, "decision_durable";
    coordinator_dies_when_the_first_commit_is_sent: Service::Coordinator, "first_commit_sent";
    replicator_dies_when_it_receives_a_prepare: Service::Replicator(1), "prepare_received";
    replicator_dies_before_its_prepare_is_durable: Service::Replicator(1), "prepare_appended";
    replicator_dies_when_its_records_are_durable: Service::Replicator(1), "records_durable";
    replicator_dies_when_it_is_told_to_commit: Service::Replicator(1), "commit_received";
    replicator_dies_before_its_commit_is_durable: Service::Replicator(1), "commit_appended";
    replicator_dies_before_it_writes_files: Service::Replicator(1), "before_files";
}
