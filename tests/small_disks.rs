//! Disks that are full, real ones: nothing acknowledged is lost, everybody is told why, nobody ends, and all goes on when there is room
//! again. Says so and passes where this machine lets no test mount.

use std::time::Duration;
use system_tests::{Cluster, Copies, Ledger, Options, Service, Writers, eventually, why_no_small_disks};

const WRITERS: usize = 8;

const DISK_BYTES: u64 = 48 << 20;

const RESERVE_BYTES: u64 = 4 << 20;

const REPLICATOR: Service = Service::Replicator(2);

/// A cluster in which this service has a small disk, with writers; none where there are no small disks.
async fn start(service: Service) -> Option<(Cluster, Writers)> {
    if let Some(why) = why_no_small_disks() {
        println!("not tested, as this machine gives no disks to a test: {why}");
        return None;
    }
    let setting = |name: &str, value: u64| (format!("CONCORDANCE_{name}"), value.to_string());
    let environment = vec![
        setting("DISK_RESERVE_BYTES", RESERVE_BYTES),
        setting("LOG_SEGMENT_BYTES", 256 << 10),
        setting("CHECKPOINT_LOG_BYTES", 1 << 20),
        setting("ROUND_BYTES_MAX", 64 << 10),
        setting("CHANGE_WAIT_MS", 1_000),
        setting("ANSWER_RETENTION_HOURS", 0),
    ];
    let small_disks = vec![(service, DISK_BYTES)];
    let cluster = Cluster::start(Options { environment, small_disks, ..Options::default() }).await;
    let writers = Writers::start(&cluster.client(), "small", WRITERS);
    writers.commit_more(50).await;
    Some((cluster, writers))
}

async fn end(mut cluster: Cluster, writers: Writers, service: Service) -> Ledger {
    writers.commit_more(50).await;
    let ledger = writers.finish().await;
    cluster.wait_until_ready().await;
    assert!(!cluster.has_died(service), "it has gone on by itself");
    ledger.check(&Copies::wait_until_equal(&cluster).await);
    ledger
}

async fn detail_of(cluster: &Cluster, service: Service) -> Option<String> {
    let member = cluster.client().member(&service.name()).await?;
    member["detail"].as_str().map(str::to_owned)
}

/// Not a byte is left, or less than the reserve: the others go on, and it comes back.
async fn replicator_runs_out_of_room(free_bytes: u64) {
    let Some((cluster, writers)) = start(REPLICATOR).await else { return };
    let disk = cluster.small_disk(REPLICATOR);
    disk.fill(free_bytes);
    eventually("it is said that its disk is full", Duration::from_secs(60), async || {
        detail_of(&cluster, REPLICATOR).await.filter(|detail| detail.contains("disk is full"))
    })
    .await;
    writers.commit_more(200).await;
    disk.make_room();
    end(cluster, writers, REPLICATOR).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicator_has_no_room_at_all() {
    replicator_runs_out_of_room(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicator_has_only_its_reserve() {
    replicator_runs_out_of_room(RESERVE_BYTES / 2).await;
}

async fn coordinator_runs_out_of_room(free_bytes: u64) {
    let Some((cluster, writers)) = start(Service::Coordinator).await else { return };
    let disk = cluster.small_disk(Service::Coordinator);
    disk.fill(free_bytes);
    let client = cluster.client();
    let why = eventually("no round is begun", Duration::from_secs(60), async || {
        client.cluster().await?["why_not"].as_str().map(str::to_owned)
    })
    .await;
    assert!(why.contains("the coordinator's disk is full"), "{why}");
    let body = system_tests::book("refused");
    let refused = client.send("POST", "/books", Some("refused"), Some(&body)).await.expect("it is answered");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.body["detail"].as_str().is_some_and(|detail| detail.contains("disk is full")), "{refused:?}");
    assert_eq!(client.get("/books?limit=1").await.map(|answer| answer.status), Some(200), "reads go on");
    disk.make_room();
    end(cluster, writers, Service::Coordinator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn coordinator_has_no_room_at_all() {
    coordinator_runs_out_of_room(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn coordinator_has_only_its_reserve() {
    coordinator_runs_out_of_room(RESERVE_BYTES / 2).await;
}

/// Its copy is a working copy: writes go on, and what could not be written is written later.
#[tokio::test(flavor = "multi_thread")]
async fn app_server_has_no_room_at_all() {
    let Some((cluster, writers)) = start(Service::AppServer).await else { return };
    let disk = cluster.small_disk(Service::AppServer);
    disk.fill(0);
    writers.commit_more(200).await;
    disk.make_room();
    end(cluster, writers, Service::AppServer).await;
}
