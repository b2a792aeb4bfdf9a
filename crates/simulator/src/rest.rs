//! The end of a run: once nothing breaks any more, everybody becomes level, and every copy holds what was committed.

use crate::agenda::Event;
use crate::faults::Phase;
use crate::replicator_driver::ReplicatorNode;
use crate::violation::{Held, Rule, Violation, ensure};
use crate::world::World;
use protocol::{MemberState, Standing};

/// How long clients go on after the faults.
const CALM_US: u64 = 1_500_000;
/// How long everything may take to come to rest after that.
const SETTLING_US_MAX: u64 = 60_000_000;
/// How often the run is looked at; the operator looks as often.
const LOOK_US: u64 = 100_000;

impl World {
    pub(crate) fn calm_begins(&mut self) {
        self.phase_ends_us = self.agenda.now_us() + CALM_US;
    }

    /// Looks at the run's progress, now and then.
    pub(crate) fn look(&mut self) -> Held {
        self.agenda.after(LOOK_US, Event::Look);
        self.forget_late_restore();
        self.operate()?;
        match self.phase {
            Phase::Calm if self.agenda.now_us() >= self.phase_ends_us => {
                self.phase = Phase::Settling;
                self.clients.done = true;
                self.phase_ends_us = self.agenda.now_us() + SETTLING_US_MAX;
                Ok(())
            }
            Phase::Settling => match self.obstacle_to_rest() {
                None => self.end(),
                Some(obstacle) => ensure(self.agenda.now_us() < self.phase_ends_us, Rule::Liveness, || {
                    format!("{} ms after clients stopped, {obstacle}", SETTLING_US_MAX / 1_000)
                }),
            },
            Phase::Faulty | Phase::Calm | Phase::Over => Ok(()),
        }
    }

    /// Why it is not over; none if it is.
    fn obstacle_to_rest(&self) -> Option<String> {
        let Some(coordinator) = &self.coordinator.core else { return Some("the coordinator is down".to_owned()) };
        let (version, root) = (coordinator.state().version, coordinator.state().manifest.root());
        if let Some(reason) = coordinator.why_no_round() {
            return Some(format!("no round can be run: {reason}"));
        }
        if coordinator.changes_waiting() > 0 {
            return Some(format!("{} changes still wait for a round", coordinator.changes_waiting()));
        }
        if self.damage.is_outstanding() {
            return Some("files are damaged and not restored".to_owned());
        }
        if !coordinator.state().retained.is_empty() {
            return Some(format!("{} decisions are still retained", coordinator.state().retained.len()));
        }
        let outside = coordinator.status().members.into_iter().find(|member| member.state != MemberState::InSync);
        if let Some(member) = outside {
            return Some(format!("{} is not in sync: {}", member.id, member.detail.unwrap_or_default()));
        }
        let is_member = |replicator: &&ReplicatorNode| self.oracle.role(&replicator.name).is_some();
        for replicator in self.replicators.iter().filter(is_member) {
            let Some(core) = &replicator.core else { return Some(format!("{} is down", replicator.name)) };
            if replicator.log.durable() < replicator.log.last() {
                return Some(format!("{} has not synced what it says", replicator.name));
            }
            let state = core.state();
            if let Some(prepared) = &state.prepared {
                return Some(format!("{} is in doubt about round {}", replicator.name, prepared.round));
            }
            if (state.version, state.manifest.root(), state.standing) != (version, root, Standing::Trusted) {
                return Some(format!("{} is at version {}, not {version}", replicator.name, state.version));
            }
        }
        for app_server in &self.app_servers {
            let name = app_server.name();
            let Some(core) = &app_server.core else { return Some(format!("{name} is down")) };
            if !core.is_level() || core.state().version != version {
                return Some(format!("{name} is at version {}, not {version}", core.state().version));
            }
            if let Some((_, pending)) = app_server.pending.first_key_value() {
                return Some(format!("{name} still waits for an answer to {:?}", pending.submission));
            }
        }
        None
    }

    /// Everything is at rest: compares every copy with what was committed.
    fn end(&mut self) -> Held {
        for index in 0..self.replicators.len() {
            if self.oracle.role(&self.replicators[index].name).is_none() {
                continue;
            }
            self.replicators[index].flush();
            let replicator = &self.replicators[index];
            self.oracle.files_are_as_committed(replicator.name.as_str(), &replicator.files)?;
        }
        for index in 0..self.app_servers.len() {
            self.app_server_writes_back(index)?;
            let app_server = &self.app_servers[index];
            self.oracle.files_are_as_committed(&app_server.name(), &app_server.files)?;
        }
        let coordinator = self.coordinator.core.as_ref().ok_or_else(|| Violation {
            rule: Rule::Liveness,
            sentence: "the coordinator went down at the end".to_owned(),
        })?;
        let same = coordinator.state().manifest.root() == self.oracle.manifest().root();
        self.phase = Phase::Over;
        ensure(same, Rule::AckedNeverLost, || "the coordinator's manifest is not what was committed".to_owned())
    }
}
