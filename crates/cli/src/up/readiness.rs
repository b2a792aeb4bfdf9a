//! Waits until every service answers its `/readyz` with yes.

use std::fmt;
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde::Deserialize;
use tokio::sync::watch;

use super::keeper::Kept;
use super::plan::ServicePlan;
use crate::output;

/// How often every service that is not ready is asked.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// How long a service may take to answer the question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a person is told who is waited for.
const TELL_EVERY: Duration = Duration::from_secs(3);

/// A service that is not ready, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    service: String,
    why: String,
}

impl fmt::Display for Waiting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.service, self.why)
    }
}

/// A service that is waited for, as long as it is kept alive: one that is no member any more is not.
#[derive(Debug)]
pub(crate) struct Awaited {
    pub(crate) plan: ServicePlan,
    pub(crate) kept: watch::Receiver<Kept>,
}

impl Awaited {
    fn is_to_come(&self) -> bool {
        *self.kept.borrow() != Kept::NotWanted
    }
}

#[derive(Deserialize)]
struct Readiness {
    ready: bool,
    #[serde(default)]
    reasons: Vec<String>,
}

/// Waits for all services; gives those that are not ready when the time is up.
pub(crate) async fn wait(services: &[Awaited], at_most: Duration) -> Vec<Waiting> {
    let http = reqwest::Client::builder().no_proxy().timeout(ANSWER_TIMEOUT).build().unwrap_or_default();
    let deadline = Instant::now() + at_most;
    let mut told = Instant::now();
    loop {
        let asked = join_all(services.iter().filter(|one| one.is_to_come()).map(|one| ask(&http, &one.plan))).await;
        let waiting: Vec<Waiting> = asked.into_iter().flatten().collect();
        if waiting.is_empty() || Instant::now() >= deadline {
            return waiting;
        }
        if told.elapsed() >= TELL_EVERY {
            for one in &waiting {
                output::say(&format!("waiting for {one}"));
            }
            told = Instant::now();
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

async fn ask(http: &reqwest::Client, service: &ServicePlan) -> Option<Waiting> {
    let waiting = |why: String| Some(Waiting { service: service.name.clone(), why });
    let Ok(response) = http.get(format!("http://{}/readyz", service.address)).send().await else {
        return waiting("does not answer yet".to_owned());
    };
    match response.json::<Readiness>().await {
        Ok(Readiness { ready: true, .. }) => None,
        Ok(Readiness { reasons, .. }) if !reasons.is_empty() => waiting(reasons.join("; ")),
        _ => waiting("is not ready".to_owned()),
    }
}
