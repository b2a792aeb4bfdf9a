//! `/livez`, `/readyz` and `/metrics`: what a supervisor and a monitoring system ask a process.
//!
//! Alive means that the process answers; ready means that it can do its work. A process that waits for the coordinator
//! is alive and not ready: restarting it would help nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use serde::{Deserialize, Serialize};

/// How often collected samples are folded into their histograms, which keeps them from growing between scrapes.
const METRICS_UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Whether this process can do its work, and if not, why. Clones share one state.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, String>>>);

impl Readiness {
    /// Not ready under the topic `starting`, for this reason, until `clear("starting")`.
    pub fn starting(reason: impl Into<String>) -> Self {
        Readiness(Arc::new(Mutex::new(BTreeMap::from([("starting", reason.into())]))))
    }

    /// Not ready until `clear(topic)`; the reason is a sentence for a person. Replaces the topic's earlier reason.
    pub fn block(&self, topic: &'static str, reason: impl Into<String>) {
        self.reasons().insert(topic, reason.into());
    }

    /// This topic no longer keeps the process from being ready.
    pub fn clear(&self, topic: &'static str) {
        self.reasons().remove(topic);
    }

    /// What `/readyz` answers now.
    pub fn report(&self) -> ReadinessReport {
        let reasons: Vec<String> = self.reasons().values().cloned().collect();
        ReadinessReport { ready: reasons.is_empty(), reasons }
    }

    fn reasons(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        // A map of sentences is consistent after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of `/readyz`: 200 when ready, 503 with the reasons when not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadinessReport {
    /// Whether the process can do its work.
    pub ready: bool,
    /// Why not: one sentence per topic.
    pub reasons: Vec<String>,
}

/// Collects the metrics of this process (macros of the `metrics` crate) from now on, and gives the handle that renders
/// them. Later calls give the same handle.
///
/// # Errors
/// If another recorder was installed by other means.
pub fn install_metrics() -> Result<PrometheusHandle, MetricsError> {
    static HANDLE: OnceLock<Result<PrometheusHandle, BuildError>> = OnceLock::new();
    let installed = HANDLE.get_or_init(|| {
        let handle = PrometheusBuilder::new().install_recorder()?;
        let upkeep = handle.clone();
        // A thread, as the recorder outlives any one tokio runtime.
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(METRICS_UPKEEP_EVERY);
                upkeep.run_upkeep();
            }
        });
        Ok(handle)
    });
    match installed {
        Ok(handle) => Ok(handle.clone()),
        Err(source) => Err(MetricsError { sentence: source.to_string() }),
    }
}

/// The metrics of this process cannot be collected.
#[derive(Debug, thiserror::Error)]
#[error("cannot collect metrics: {sentence}")]
pub struct MetricsError {
    sentence: String,
}

/// The routes `/livez`, `/readyz` and `/metrics`, open to everybody who can reach the port.
pub fn router(readiness: Readiness, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/livez", get(|| async { Json(serde_json::json!({ "alive": true })) }))
        .route("/readyz", get(readyz).with_state(readiness))
        .route("/metrics", get(move || std::future::ready(metrics.render())))
}

async fn readyz(State(readiness): State<Readiness>) -> (StatusCode, Json<ReadinessReport>) {
    let report = readiness.report();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use tower_service::Service;

    async fn get(router: &mut Router, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.call(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn process_is_ready_when_the_last_reason_is_gone() {
        let readiness = Readiness::starting("reading the log");
        let mut router = router(readiness.clone(), install_metrics().unwrap());
        readiness.block("coordinator", "the coordinator cannot be reached");
        readiness.clear("starting");
        let (status, body) = get(&mut router, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body, r#"{"ready":false,"reasons":["the coordinator cannot be reached"]}"#);
        assert_eq!(get(&mut router, "/livez").await.0, StatusCode::OK);
        readiness.clear("coordinator");
        assert_eq!(get(&mut router, "/readyz").await, (StatusCode::OK, r#"{"ready":true,"reasons":[]}"#.to_owned()));
    }

    #[tokio::test]
    async fn metrics_show_what_was_counted() {
        let mut router = router(Readiness::starting(""), install_metrics().unwrap());
        metrics::counter!("rounds_committed_total").increment(3);
        let (status, body) = get(&mut router, "/metrics").await;
        assert!(status.is_success() && body.contains("rounds_committed_total 3"), "{body}");
    }
}
