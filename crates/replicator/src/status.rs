//! What the replicator tells people about itself: `/status`, its readiness, and a log line whenever the reason of a wait changes.
//!
//! It is the place to look when the coordinator cannot be asked.

use axum::routing::get;
use axum::{Json, Router};
use protocol::{InDoubt, MemberId, ReplicatorStatus, RoundId};
use service::health::Readiness;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use two_phase::Now;
use two_phase::replicator::{Ended, Replicator, ReplicatorState};

/// What `/status` shows. Clones share one state.
#[derive(Debug, Clone)]
pub(crate) struct StatusBoard(Arc<Mutex<ReplicatorStatus>>);

impl StatusBoard {
    pub(crate) fn new(member: MemberId) -> Self {
        let ReplicatorState { version, standing, .. } = ReplicatorState::empty();
        Self(Arc::new(Mutex::new(ReplicatorStatus { member, version, standing, in_doubt: None })))
    }

    /// The route `/status`, open like the other routes about a process's health.
    pub(crate) fn router(self) -> Router {
        Router::new().route("/status", get(move || std::future::ready(Json(self.status().clone()))))
    }

    /// Shows how the replicator is now.
    pub(crate) fn show(&self, core: &Replicator, readiness: &Readiness) {
        let (state, in_doubt) = (core.state(), core.in_doubt());
        let mut status = self.status();
        (status.version, status.standing) = (state.version, state.standing);
        if status.in_doubt != in_doubt {
            let before = std::mem::replace(&mut status.in_doubt, in_doubt.clone());
            drop(status);
            tell_of_doubt(before, in_doubt, state, readiness);
        }
    }

    /// How long the round that keeps it waiting has been in doubt.
    pub(crate) fn in_doubt_seconds(&self, now: Now) -> f64 {
        let since_ms = self.status().in_doubt.as_ref().map(|in_doubt| in_doubt.since_ms);
        since_ms.map_or(0.0, |since_ms| now.unix_ms.saturating_sub(since_ms) as f64 / 1_000.0)
    }

    fn status(&self) -> MutexGuard<'_, ReplicatorStatus> {
        // A status is consistent after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell_of_doubt(before: Option<InDoubt>, now: Option<InDoubt>, state: &ReplicatorState, readiness: &Readiness) {
    if let Some(before) = before.filter(|before| now.as_ref().is_none_or(|now| now.round != before.round)) {
        tracing::info!(round = %before.round, outcome = outcome(state, before.round), "no longer in doubt");
    }
    match now {
        Some(InDoubt { round, why, .. }) => {
            tracing::warn!(%round, why, "in doubt");
            readiness.block("in_doubt", why);
        }
        None => readiness.clear("in_doubt"),
    }
}

fn outcome(state: &ReplicatorState, round: RoundId) -> &'static str {
    match state.outcomes.of(round) {
        Some(Ended::Committed) => "committed",
        Some(Ended::Aborted | Ended::Refused) => "aborted",
        None => "made good by a catch-up",
    }
}
