//! How big a cluster is, how slow its disks and network are, and how often something breaks: all drawn from the seed.

use crate::fault_mix::FaultMix;
use crate::random::Random;
use protocol::CommitPolicy;
use two_phase::coordinator::CoordinatorSettings;

/// What a run is like. Times are in microseconds unless they say otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    /// Number of replicators.
    pub(crate) replicators: usize,
    /// Number of app-servers.
    pub(crate) app_servers: usize,
    /// Number of clients.
    pub(crate) clients: usize,
    /// How long a client thinks between two requests, on average.
    pub(crate) think_us: u64,
    /// Longest time that a message usually takes.
    pub(crate) latency_us: u64,
    /// Whether records are synced before anything else happens, or while the process goes on.
    pub(crate) sync_at_once: bool,
    /// Longest time that a sync usually takes.
    pub(crate) sync_us: u64,
    /// Longest time until a committed file is written.
    pub(crate) write_back_us: u64,
    /// Longest time that a piece of a replicator's file work takes.
    pub(crate) file_work_us: u64,
    /// Time between checkpoints, on average.
    pub(crate) checkpoint_us: u64,
    /// Time between faults, on average.
    pub(crate) fault_us: u64,
    /// Which faults.
    pub(crate) fault_mix: FaultMix,
    /// Bytes of committed files that may wait to be written by a replicator.
    pub(crate) backlog_bytes_max: u64,
    /// The faulty phase lasts for so many rounds at least, and so many faults.
    pub(crate) rounds_min: u64,
    /// See `rounds_min`.
    pub(crate) faults_min: u64,
    /// The coordinator's bounds and times.
    pub(crate) settings: CoordinatorSettings,
}

impl Scenario {
    /// The scenario of a seed.
    pub(crate) fn draw(random: &mut Random) -> Self {
        let retention_ms = if random.per_mille(300) { random.between(2_000, 20_000) } else { 24 * 60 * 60 * 1_000 };
        let file_work_us = *random.pick(&[1_000, 20_000, 20_000, 500_000]);
        let settings = CoordinatorSettings {
            vote_timeout_ms: random.between(50, 1_000),
            change_wait_ms: random.between(500, 5_000),
            pause_after_refusal_ms: random.between(20, 500),
            // Some sources are always late.
            holder_timeout_ms: if random.per_mille(400) { random.between(100, 4_000) } else { 15_000 },
            answer_retention_ms: retention_ms,
            round_changes_max: *random.pick(&[4, 8, 1_024]),
            queue_changes_max: *random.pick(&[6, 20, 65_536]),
            lab: true,
            policy: if random.per_mille(250) { CommitPolicy::All } else { CommitPolicy::InSync },
            catch_up_bytes_per_second: *random.pick(&[20_000, 1_000_000, 64_000_000]),
            scrub_heals: random.per_mille(300),
            ..CoordinatorSettings::default()
        };
        Self {
            replicators: *random.pick(&[3, 3, 3, 3, 3, 4, 5, 7]),
            app_servers: *random.pick(&[1, 2]),
            clients: random.between(3, 8) as usize,
            think_us: random.between(1_000, 60_000),
            latency_us: random.between(100, 5_000),
            sync_at_once: random.per_mille(300),
            sync_us: random.between(100, 10_000),
            write_back_us: random.between(100, 50_000),
            file_work_us,
            checkpoint_us: random.between(50_000, 1_000_000),
            fault_us: random.between(50_000, 600_000),
            fault_mix: FaultMix::draw(random),
            backlog_bytes_max: *random.pick(&[2_000, 10_000, 1_000_000]),
            rounds_min: 200,
            faults_min: 25,
            settings,
        }
    }
}
