//! The logs of the coordinator and of every replicator stay bounded, however many rounds there are, and whoever is away.
//!
//! What is asked of the coordinator to keep answers for comes on top, and is bounded by time: here no answer is kept.
//!
//! `CONCORDANCE_TEST_ROUNDS` sets how many rounds there are.

use std::path::Path;
use std::time::{Duration, Instant};
use system_tests::{Cluster, Copies, Options, Outcome, Service, Writers, eventually};

/// Few, so that there are many rounds and not large ones.
const WRITERS: usize = 4;

const SEGMENT_BYTES: u64 = 256 << 10;

/// A checkpoint is begun when the log has grown by so much.
const CHECKPOINT_BYTES: u64 = 512 << 10;

/// What is kept when a checkpoint covers everything: the open segment, the one that is prewritten, and what a full one left.
const AT_REST_MAX: u64 = 4 * SEGMENT_BYTES;

/// While a checkpoint is written the log grows on. More than some checkpoints' worth means that none comes.
const PEAK_MAX: u64 = AT_REST_MAX + 8 * CHECKPOINT_BYTES;

/// The keeper of a log that only grows would have this many bytes a round at least: a record with a few digests.
const ROUND_BYTES_MIN: u64 = 500;

fn rounds() -> u64 {
    std::env::var("CONCORDANCE_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000)
}

fn settings() -> Vec<(String, String)> {
    let setting = |name: &str, value: u64| (format!("CONCORDANCE_{name}"), value.to_string());
    vec![
        setting("LOG_SEGMENT_BYTES", SEGMENT_BYTES),
        setting("CHECKPOINT_LOG_BYTES", CHECKPOINT_BYTES),
        setting("CHECKPOINT_IDLE_MS", 500),
        setting("ROUND_BYTES_MAX", 64 << 10),
        // The coordinator's log also has the answers that clients may ask for again, and those are kept for hours.
        setting("ANSWER_RETENTION_HOURS", 0),
    ]
}

/// Bytes of a folder's files. One that is removed while it is looked at does not count.
fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).filter(|file| file.is_file()).map(|file| file.len()).sum()
}

/// The largest that each log was.
struct Peaks(Vec<(Service, u64)>);

impl Peaks {
    fn of(cluster: &Cluster) -> Self {
        Self(cluster.services().into_iter().filter(|of| *of != Service::AppServer).map(|of| (of, 0)).collect())
    }

    fn look(&mut self, cluster: &Cluster) {
        for (service, peak) in &mut self.0 {
            *peak = (*peak).max(folder_bytes(&cluster.data(*service).join("log")));
        }
    }
}

/// How many rounds there were since the beginning, by the newest one's number.
async fn rounds_so_far(cluster: &Cluster) -> Option<u64> {
    let newest = cluster.client().get("/rounds?limit=1").await?;
    newest.body["items"][0]["number"].as_u64()
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_bounded_over_any_number_of_rounds() {
    let mut cluster = Cluster::start(Options { environment: settings(), ..Options::default() }).await;
    let writers = Writers::start(&cluster.client(), "bounded", WRITERS);
    let (mut peaks, began, goal) = (Peaks::of(&cluster), Instant::now(), rounds());
    let mut is_away = false;
    let done = loop {
        peaks.look(&cluster);
        let done = rounds_so_far(&cluster).await.unwrap_or(0);
        if done >= goal {
            break done;
        }
        // Who is away must not make the others keep what it missed.
        if !is_away && done >= goal / 3 {
            cluster.kill(Service::Replicator(3));
            is_away = true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let seconds = began.elapsed().as_secs_f64();
    cluster.start_service(Service::Replicator(3));
    let ledger = writers.finish().await;
    cluster.wait_until_ready().await;
    ledger.check(&Copies::wait_until_equal(&cluster).await);
    for (service, _) in &peaks.0 {
        let log = cluster.data(*service).join("log");
        eventually(&format!("the log of {service:?} is small at rest"), Duration::from_secs(60), async || {
            (folder_bytes(&log) <= AT_REST_MAX).then_some(())
        })
        .await;
    }
    let committed = ledger.count(|outcome| matches!(outcome, Outcome::Committed { .. }));
    println!("{done} rounds with {committed} changes in {seconds:.0} s; largest logs in bytes:");
    for (service, peak) in peaks.0 {
        println!("  {service:?}: {peak}, then at most {AT_REST_MAX}");
        assert!(peak <= PEAK_MAX, "the log of {service:?} had {peak} bytes");
    }
    assert!(goal * ROUND_BYTES_MIN > AT_REST_MAX * 9 / 10, "so few rounds would not show it");
}
