//! A coordinator's process: does what its core asks for.

use super::cluster::{Post, REPLICATORS, To, member};
use protocol::{ClusterId, CommitPolicy, CoordinatorId, RecoveryOrder, View};
use two_phase::coordinator::{
    Coordinator, CoordinatorEffect, CoordinatorIdentity, CoordinatorSettings, CoordinatorState, SessionId,
};
use two_phase::{LogSequence, Now};
use uuid::Uuid;

pub(super) struct CoordinatorNode {
    pub(super) core: Coordinator,
    /// The fold of its records.
    state: CoordinatorState,
    last: LogSequence,
    starts: u64,
}

fn start(state: &CoordinatorState, last: LogSequence, starts: u64, now: Now) -> Coordinator {
    let coordinator = CoordinatorId(Uuid::from_u128(1_000 + u128::from(starts)));
    let identity = CoordinatorIdentity { coordinator, data_key: "0".repeat(64) };
    let settings = CoordinatorSettings { lab: true, round_changes_max: 4, ..CoordinatorSettings::default() };
    Coordinator::start(identity, settings, state.clone(), last, now)
}

impl CoordinatorNode {
    pub(super) fn first(now: Now) -> Self {
        let view = View::first((0..REPLICATORS - 1).map(member), CommitPolicy::InSync);
        let state = CoordinatorState::new(ClusterId(Uuid::from_u128(7)), view);
        Self { core: start(&state, LogSequence::ZERO, 1, now), state, last: LogSequence::ZERO, starts: 1 }
    }

    /// The process is started on its log again.
    pub(super) fn start_again(&mut self, now: Now) {
        self.starts += 1;
        self.core = start(&self.state, self.last, self.starts, now);
    }

    /// An operator looks at what can be done, and says yes to it.
    pub(super) fn recover(&mut self, now: Now, accept_loss: bool) {
        let plan = self.core.recovery_plan(accept_loss, now);
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str(&text).ok().as_ref(), Some(&plan), "{text}");
        let _ = self.core.recover(&RecoveryOrder { accept_loss, ..RecoveryOrder::yes_to(&plan) }, now);
    }

    /// Does what the core asks for. Returns whether there was anything.
    pub(super) fn work(&mut self, now: Now, links: &[Option<SessionId>; REPLICATORS], post: &mut Post) -> bool {
        let effects = self.core.take_effects();
        let (worked, before) = (!effects.is_empty(), self.last);
        for effect in effects {
            match effect {
                CoordinatorEffect::Append { sequence, record, .. } => {
                    let text = serde_json::to_string(&record).unwrap();
                    assert_eq!(serde_json::from_str(&text).ok().as_ref(), Some(&record), "{text}");
                    self.state.apply(record, sequence, now.monotonic_ms).expect("a coordinator writes what can follow");
                    self.last = sequence;
                }
                CoordinatorEffect::ToReplicators { sessions, message } => {
                    for session in sessions {
                        if let Some(index) = links.iter().position(|link| *link == Some(session)) {
                            post.send(To::Replicator(index, session), &message);
                        }
                    }
                }
                CoordinatorEffect::ToAppServers { sessions, message } => {
                    sessions.into_iter().for_each(|session| post.send(To::AppServer(session), &message));
                }
                CoordinatorEffect::Close { session, .. } => post.closed.push(session),
                CoordinatorEffect::Rebuild { state, .. } => {
                    self.state = *state;
                    post.closed.extend(links.iter().flatten());
                    self.start_again(now);
                    return true;
                }
                CoordinatorEffect::Happened(event) => {
                    serde_json::to_string(&event).unwrap();
                }
                CoordinatorEffect::KeepReport(report) => {
                    serde_json::to_string(&report).unwrap();
                }
            }
        }
        if self.last > before {
            self.core.handle_durable(self.last, now);
        }
        worked
    }
}
