//! Disks that refuse: syncs that fail, writes that fail, a file system that became read-only, and no room in the middle of a catch-up.
//! A process that cannot trust its disk ends and says why, the others go on, and nothing acknowledged is lost, whatever it had said.

#![allow(clippy::unwrap_used, reason = "this is test code: what fails here is a failed test")]

use std::time::Duration;
use system_tests::{Cluster, Copies, Options, Service, Writers, eventually};

const WRITERS: usize = 8;

const REPLICATOR: Service = Service::Replicator(2);

async fn start() -> (Cluster, Writers) {
    start_with(Vec::new()).await
}

async fn start_with(more: Vec<(String, String)>) -> (Cluster, Writers) {
    let setting = |name: &str, value: &str| (format!("CONCORDANCE_{name}"), value.to_owned());
    let mut environment = vec![setting("LOG_SEGMENT_BYTES", "262144"), setting("CHECKPOINT_LOG_BYTES", "131072")];
    environment.extend(more);
    let mut cluster = Cluster::start(Options { environment, disk_faults: true, ..Options::default() }).await;
    cluster.keep_if_it_fails();
    let writers = Writers::start(&cluster.client(), "refused", WRITERS);
    writers.commit_more(50).await;
    (cluster, writers)
}

/// Everybody is level again, and every answer that a client got is true.
async fn end(mut cluster: Cluster, writers: Writers) {
    cluster.wait_until_ready().await;
    writers.commit_more(50).await;
    let ledger = writers.finish().await;
    ledger.check(&Copies::wait_until_equal(&cluster).await);
    for service in cluster.services() {
        assert!(!cluster.has_died(service), "{service:?}: {}", cluster.log(service));
    }
}

/// The process ends with a sentence about its disk. When the disk is mended it is started again, and all is well.
async fn process_ends_and_comes_back(service: Service, faults: &str) {
    let (mut cluster, writers) = start().await;
    cluster.break_disk(service, faults);
    let status = cluster.wait_until_dead(service).await;
    assert_eq!(status.code(), Some(1), "it ends by itself, in due form: {}", cluster.log(service));
    let log = cluster.log(service);
    assert!(!log.contains("panicked"), "{log}");
    assert!(log.contains("os error"), "it says what the system said: {log}");
    if matches!(service, Service::Replicator(_)) {
        writers.commit_more(100).await;
    }
    cluster.mend_disk(service);
    cluster.start_service(service);
    end(cluster, writers).await;
}

macro_rules! ends_and_comes_back {
    ($($test:ident: $service:expr, $faults:literal;)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            process_ends_and_comes_back($service, $faults).await;
        })*
    };
}

ends_and_comes_back! {
    replicator_whose_log_cannot_be_synced: REPLICATOR, "log_sync io_error";
    replicator_whose_log_has_no_room_at_a_sync: REPLICATOR, "log_sync full";
    replicator_whose_log_cannot_be_written: REPLICATOR, "log_write io_error";
    replicator_whose_files_cannot_be_synced: REPLICATOR, "file_sync io_error";
    replicator_whose_files_have_no_room_at_a_sync: REPLICATOR, "file_sync full";
    replicator_whose_files_cannot_be_written: REPLICATOR, "file_write io_error";
    replicator_whose_disk_is_read_only: REPLICATOR, "all read_only";
    coordinator_whose_log_cannot_be_synced: Service::Coordinator, "log_sync io_error";
    coordinator_whose_log_has_no_room_at_a_sync: Service::Coordinator, "log_sync full";
    coordinator_whose_log_cannot_be_written: Service::Coordinator, "log_write io_error";
    coordinator_whose_disk_is_read_only: Service::Coordinator, "all read_only";
    app_server_whose_files_cannot_be_written: Service::AppServer, "file_write io_error";
    app_server_whose_disk_is_read_only: Service::AppServer, "all read_only";
}

/// Checkpoints only bound the log: without them everything goes on, and they are tried again.
async fn checkpoints_that_fail_do_no_harm(service: Service) {
    let (cluster, writers) = start().await;
    cluster.break_disk(service, "replace io_error");
    eventually("a checkpoint fails", Duration::from_secs(60), async || {
        cluster.log(service).contains("checkpoint").then_some(())
    })
    .await;
    writers.commit_more(200).await;
    cluster.mend_disk(service);
    writers.commit_more(200).await;
    end(cluster, writers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicator_that_cannot_save_a_checkpoint_goes_on() {
    checkpoints_that_fail_do_no_harm(REPLICATOR).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn coordinator_that_cannot_save_a_checkpoint_goes_on() {
    checkpoints_that_fail_do_no_harm(Service::Coordinator).await;
}

/// It was away, and has no room for what it missed: it says so, does not end, and comes back when there is room.
#[tokio::test(flavor = "multi_thread")]
async fn replicator_whose_disk_is_full_while_it_catches_up_goes_on() {
    let (mut cluster, writers) = start().await;
    cluster.kill(REPLICATOR);
    writers.commit_more(300).await;
    cluster.break_disk(REPLICATOR, "file_write full");
    cluster.start_service(REPLICATOR);
    cluster.process(REPLICATOR).wait_until_logged("leaving the coordinator").await;
    writers.commit_more(200).await;
    assert!(!cluster.has_died(REPLICATOR), "{}", cluster.log(REPLICATOR));
    cluster.mend_disk(REPLICATOR);
    end(cluster, writers).await;
}

/// What it cannot write waits in memory, which has an end, too: it goes stale, says why, and is brought level when there is room.
#[tokio::test(flavor = "multi_thread")]
async fn app_server_without_room_takes_in_no_more_than_it_can_keep_in_memory() {
    let small = ("CONCORDANCE_FILE_BACKLOG_BYTES_MAX".to_owned(), "20000".to_owned());
    let (cluster, writers) = start_with(vec![small]).await;
    cluster.break_disk(Service::AppServer, "file_write full");
    eventually("it says why it is not level", Duration::from_secs(60), async || {
        let reasons = cluster.readiness(Service::AppServer).await;
        reasons.iter().any(|reason| reason.contains("wait for it")).then_some(())
    })
    .await;
    let read = cluster.client().get("/books?limit=1").await.unwrap();
    assert_eq!(read.status, 200, "reads go on");
    assert!(read.header("Concordance-Stale").is_some(), "and say that they may be old: {read:?}");
    cluster.mend_disk(Service::AppServer);
    end(cluster, writers).await;
}
