//! Writers that run at the same time, each adding one book after the other, and remember every answer.

use crate::client::book;
use crate::{Answer, Client, Ledger, Outcome};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::task::JoinHandle;

/// Writers under way.
#[derive(Debug)]
pub struct Writers {
    stop: Arc<AtomicBool>,
    committed: Arc<AtomicU64>,
    troubled: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<Ledger>>,
}

impl Writers {
    /// Starts `count` writers. `name` makes their keys differ from those of others.
    #[must_use]
    pub fn start(client: &Client, name: &str, count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (committed, troubled) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let task = |writer| {
            let (client, stop) = (client.clone(), Arc::clone(&stop));
            let (committed, troubled) = (Arc::clone(&committed), Arc::clone(&troubled));
            let name = format!("{name}-{writer}");
            tokio::spawn(async move { write(&client, &name, &stop, &committed, &troubled).await })
        };
        let tasks = (0..count).map(task).collect();
        Self { stop, committed, troubled, tasks }
    }

    /// How many changes were committed so far.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::Relaxed)
    }

    /// How many answers were anything but "committed".
    #[must_use]
    pub fn troubled(&self) -> u64 {
        self.troubled.load(Ordering::Relaxed)
    }

    /// Waits until so many more changes are committed.
    pub async fn commit_more(&self, count: u64) {
        let goal = self.committed() + count;
        crate::eventually("writes go on", std::time::Duration::from_secs(60), async || {
            (self.committed() >= goal).then_some(())
        })
        .await;
    }

    /// Stops them and returns what they know.
    pub async fn finish(self) -> Ledger {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Ledger::default();
        for task in self.tasks {
            all.0.extend(task.await.unwrap().0);
        }
        all
    }
}

async fn write(client: &Client, name: &str, stop: &AtomicBool, committed: &AtomicU64, troubled: &AtomicU64) -> Ledger {
    let mut ledger = Ledger::default();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("{name}-{number}");
        let outcome = add(client, &key, stop, troubled).await;
        if let Outcome::Committed { .. } = outcome {
            committed.fetch_add(1, Ordering::Relaxed);
        }
        ledger.0.insert(key, outcome);
    }
    ledger
}

/// Adds one book. A request without an answer, or with an unknown outcome, is sent again with the same key: whatever became of
/// the first, it is applied at most once.
async fn add(client: &Client, key: &str, stop: &AtomicBool, troubled: &AtomicU64) -> Outcome {
    loop {
        let answer = client.send("POST", "/books", Some(key), Some(&book(key))).await;
        if answer.as_ref().is_none_or(|answer| answer.status != 201) {
            troubled.fetch_add(1, Ordering::Relaxed);
        }
        match answer {
            Some(Answer { status: 201, body, .. }) => {
                let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
                return Outcome::Committed { id: text("id"), digest: text("digest") };
            }
            Some(Answer { status: 409 | 412 | 422, .. }) => return Outcome::Refused,
            // 503: refused before any round; the next request is a new try of the same change.
            Some(Answer { status: 503, .. }) if stop.load(Ordering::Relaxed) => return Outcome::Unknown,
            Some(Answer { status: 202 | 503, .. }) | None => {
                if stop.load(Ordering::Relaxed) {
                    return Outcome::Unknown;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            Some(answer) => panic!("{key}: unexpected answer {answer:?}"),
        }
    }
}
