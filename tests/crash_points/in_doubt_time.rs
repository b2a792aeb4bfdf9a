//! How long replicators stay in doubt once their coordinator is back. A figure that is printed, not a condition: it depends on
//! the machine.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use system_tests::{Cluster, Service, eventually};

/// The times that one test has measured.
#[derive(Debug, Default)]
pub(crate) struct InDoubtTimes(Vec<Duration>);

impl InDoubtTimes {
    /// Whether some replicator is in doubt, while its coordinator is gone. They notice that at once; a moment is left for it.
    pub(crate) async fn who(&self, cluster: &Cluster) -> bool {
        let end = Instant::now() + Duration::from_millis(100);
        while Instant::now() < end {
            if anybody_is_in_doubt(cluster).await {
                return true;
            }
        }
        false
    }

    /// Measures from now, when the coordinator was started, until nobody is in doubt.
    pub(crate) async fn measure(&mut self, cluster: &Cluster, was_in_doubt: bool) {
        let began = Instant::now();
        eventually("nobody is in doubt", Duration::from_secs(60), async || {
            (!anybody_is_in_doubt(cluster).await).then_some(())
        })
        .await;
        if was_in_doubt {
            self.0.push(began.elapsed());
            note(began.elapsed());
        }
    }

    /// The figures of this test, and of all tests of this run so far.
    pub(crate) fn summary(&self) -> String {
        if self.0.is_empty() {
            return "nobody was in doubt when the coordinator came back".to_owned();
        }
        format!(
            "in doubt after the coordinator's return: {}; in this run so far: {}",
            figures(&self.0),
            figures(&noted())
        )
    }
}

async fn anybody_is_in_doubt(cluster: &Cluster) -> bool {
    for replicator in (1..=3).map(Service::Replicator) {
        if cluster.status(replicator).await.is_some_and(|status| !status["in_doubt"].is_null()) {
            return true;
        }
    }
    false
}

fn figures(times: &[Duration]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort();
    let at = |share: usize| sorted[(sorted.len() * share).div_ceil(100).max(1) - 1].as_millis();
    format!("p50 {} ms, p99 {} ms, max {} ms of {}", at(50), at(99), at(100), sorted.len())
}

/// Tests run in processes of their own: what they measure comes together in a file of their run.
fn run_file() -> PathBuf {
    let run = std::env::var("NEXTEST_RUN_ID").unwrap_or_else(|_| std::process::id().to_string());
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("in-doubt-{run}"))
}

fn note(time: Duration) {
    let mut file = std::fs::File::options().create(true).append(true).open(run_file()).unwrap();
    // One short write each, so that those of several tests do not mix.
    file.write_all(format!("{}\n", time.as_micros()).as_bytes()).unwrap();
}

fn noted() -> Vec<Duration> {
    let text = std::fs::read_to_string(run_file()).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).map(Duration::from_micros).collect()
}
