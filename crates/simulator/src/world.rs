//! A cluster in one thread: all processes, their disks, the network between them, and the loop that moves time on.
//!
//! What a process does is in the file named after its driver; this file owns what they share: time, messages, crashes, syncs.

use crate::agenda::{Agenda, Event, Node};
use crate::app_server_driver::AppServerNode;
use crate::clients::Clients;
use crate::coordinator_driver::CoordinatorNode;
use crate::damage::Damage;
use crate::faults::Phase;
use crate::figures::Figures;
use crate::network::Network;
use crate::oracle::Oracle;
use crate::planted::PlantedBug;
use crate::random::Random;
use crate::replicator_driver::ReplicatorNode;
use crate::scenario::Scenario;
use crate::succession::Predecessor;
use crate::trace::Trace;
use crate::violation::{Held, Rule, Violation};
use protocol::{MemberId, View};
use two_phase::SyncWhen;

/// More events than any run needs: one that gets there goes round in circles.
const EVENTS_MAX: u64 = 3_000_000;

/// When a process is going to stop.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fuse {
    /// After so many effects.
    Effects(u32),
    /// After so many records that it writes, before it has done anything else.
    Appends(u32),
    /// When its next sync fails: what it was to make durable may be, or not.
    Sync,
}

/// The cluster and its surroundings.
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) random: Random,
    pub(crate) agenda: Agenda,
    pub(crate) trace: Trace,
    pub(crate) figures: Figures,
    pub(crate) network: Network,
    pub(crate) coordinator: CoordinatorNode,
    pub(crate) replicators: Vec<ReplicatorNode>,
    pub(crate) app_servers: Vec<AppServerNode>,
    pub(crate) clients: Clients,
    pub(crate) oracle: Oracle,
    pub(crate) damage: Damage,
    /// A coordinator that hung, and has a successor.
    pub(crate) predecessor: Option<Predecessor>,
    pub(crate) phase: Phase,
    pub(crate) planted: Option<PlantedBug>,
    /// When the present phase ends.
    pub(crate) phase_ends_us: u64,
    /// Until then a change of members may still be made.
    pub(crate) members_settle_at_us: u64,
    next_id: u128,
}

impl World {
    /// A new cluster, with every process about to start.
    pub(crate) fn new(seed: u64, trace: Trace, planted: Option<PlantedBug>) -> Self {
        let mut random = Random::new(seed);
        let scenario = Scenario::draw(&mut random);
        let name = |index: usize| Node::Replicator(index).to_string().parse::<MemberId>();
        let names: Vec<_> = (0..scenario.replicators).map(|index| name(index).expect("the name is legal")).collect();
        let view = View::first(names.clone(), scenario.settings.policy);
        let mut world = Self {
            oracle: Oracle::new(names.clone(), &view, scenario.settings.answer_retention_ms),
            coordinator: CoordinatorNode::new(view),
            replicators: names.into_iter().map(ReplicatorNode::new).collect(),
            app_servers: (0..scenario.app_servers).map(AppServerNode::new).collect(),
            clients: Clients::new(scenario.clients),
            damage: Damage::default(),
            predecessor: None,
            phase: Phase::Faulty,
            agenda: Agenda::default(),
            figures: Figures::default(),
            network: Network::default(),
            phase_ends_us: 0,
            members_settle_at_us: 0,
            next_id: 0,
            scenario,
            random,
            trace,
            planted,
        };
        for node in world.nodes() {
            let delay_us = world.random.below(20_000);
            world.agenda.after(delay_us, Event::Start { node });
        }
        for client in 0..world.scenario.clients {
            world.agenda.after(50_000, Event::ClientWakes { client });
        }
        world.agenda.after(world.scenario.fault_us, Event::Fault);
        world.agenda.after(100_000, Event::Look);
        world
    }

    /// Runs until everything is at rest after the faults.
    pub(crate) fn run(&mut self) -> Held {
        for _ in 0..EVENTS_MAX {
            let event = self.agenda.take_next().ok_or_else(|| Violation {
                rule: Rule::Liveness,
                sentence: "nothing is going to happen any more".to_owned(),
            })?;
            if let Some(event) = self.give_to_predecessor(event)? {
                self.happen(event)?;
            }
            if self.phase == Phase::Over {
                return Ok(());
            }
        }
        Err(Violation { rule: Rule::Liveness, sentence: format!("{EVENTS_MAX} events, and no end") })
    }

    pub(crate) fn happen(&mut self, event: Event) -> Held {
        match event {
            Event::Start { node } => self.start(node),
            Event::SyncDue { node, boot } => {
                if self.boot(node) == boot {
                    self.begin_sync(node);
                }
                Ok(())
            }
            Event::SyncEnds { node, boot } if self.boot(node) == boot => self.end_sync(node),
            Event::Delivery { session, to, message } => self.deliver(session, to, *message),
            Event::BreakNoticed { session, end } => self.notice_break(session, end),
            Event::Dial { node, boot } if self.boot(node) == boot => self.dial(node),
            Event::Timer { boot, at_us } if self.coordinator.boot == boot => self.coordinator_timer(at_us),
            Event::PeerTimer { replicator, boot } if self.replicators[replicator].boot == boot => {
                self.replicator_timer(replicator)
            }
            Event::PeerWord { to, boot, word } if self.replicators[to].boot == boot => self.peer_says(to, *word),
            Event::WriteBack { node, boot } if self.boot(node) == boot => self.write_back(node),
            Event::FileWork { replicator, boot } if self.replicators[replicator].boot == boot => {
                self.do_file_work(replicator)
            }
            Event::Checkpoint { node, boot } if self.boot(node) == boot => self.checkpoint(node),
            Event::ClientWakes { client } => self.client_wakes(client),
            Event::ClientGivesUp { client, turn } => {
                self.client_gives_up(client, turn);
                Ok(())
            }
            Event::Fault => self.fault(),
            Event::DiskHasRoom { replicator } => self.end_full_disk(replicator),
            Event::StaleRunEnds => self.end_stale_run(),
            Event::Abandoned { session } => {
                self.abandon(session);
                Ok(())
            }
            Event::GivenUp { session } => {
                self.break_connection(session);
                Ok(())
            }
            Event::PredecessorGoesOn => self.predecessor_goes_on(),
            Event::PredecessorEnds => self.end_predecessor(),
            Event::Look => self.look(),
            // For a process that has stopped since.
            _ => Ok(()),
        }
    }

    pub(crate) fn nodes(&self) -> Vec<Node> {
        let replicators = (0..self.replicators.len()).map(Node::Replicator);
        let app_servers = (0..self.app_servers.len()).map(Node::AppServer);
        std::iter::once(Node::Coordinator).chain(replicators).chain(app_servers).collect()
    }

    pub(crate) fn note(&mut self, numbers: &[u64], line: impl FnOnce() -> String) {
        self.trace.note(self.agenda.now_us(), numbers, line);
    }

    /// A number that nobody else has: ids of processes and memories are made of it.
    pub(crate) fn unique(&mut self) -> uuid::Uuid {
        self.next_id += 1;
        uuid::Uuid::from_u128(self.next_id)
    }

    // Processes.

    pub(crate) fn boot(&self, node: Node) -> u64 {
        match node {
            Node::Coordinator => self.coordinator.boot,
            Node::Replicator(index) => self.replicators[index].boot,
            Node::AppServer(index) => self.app_servers[index].boot,
        }
    }

    pub(crate) fn is_up(&self, node: Node) -> bool {
        match node {
            Node::Coordinator => self.coordinator.core.is_some(),
            Node::Replicator(index) => self.replicators[index].core.is_some(),
            Node::AppServer(index) => self.app_servers[index].core.is_some(),
        }
    }

    fn start(&mut self, node: Node) -> Held {
        if self.is_up(node) {
            return Ok(());
        }
        match node {
            Node::Coordinator => self.start_coordinator()?,
            Node::Replicator(index) if self.replicators[index].removed => {}
            Node::Replicator(index) => self.start_replicator(index)?,
            Node::AppServer(index) => self.start_app_server(index)?,
        }
        let boot = self.boot(node);
        let delay_us = self.random.interval(self.scenario.checkpoint_us);
        self.agenda.after(delay_us, Event::Checkpoint { node, boot });
        if node != Node::Coordinator && self.is_up(node) {
            self.dial_later(node);
        }
        Ok(())
    }

    fn fuse(&mut self, node: Node) -> &mut Option<Fuse> {
        match node {
            Node::Coordinator => &mut self.coordinator.fuse,
            Node::Replicator(index) => &mut self.replicators[index].fuse,
            Node::AppServer(index) => &mut self.app_servers[index].fuse,
        }
    }

    /// Sets a process to stop between two of its next effects.
    pub(crate) fn arm_crash(&mut self, node: Node, fuse: Option<Fuse>) {
        *self.fuse(node) = fuse;
    }

    /// Whether the process stops here, between two effects.
    pub(crate) fn strikes(&mut self, node: Node) -> bool {
        let fuse = self.fuse(node);
        if let Some(Fuse::Effects(left)) = fuse {
            *left = left.saturating_sub(1);
        }
        let strikes = matches!(fuse, Some(Fuse::Effects(0) | Fuse::Appends(0)));
        if strikes {
            *fuse = None;
            self.figures.count("fault: crash between two effects");
        }
        strikes
    }

    /// Notes that a process has written a record, which is not durable yet.
    pub(crate) fn appended(&mut self, node: Node) {
        if let Some(Fuse::Appends(left)) = self.fuse(node) {
            *left = left.saturating_sub(1);
        }
    }

    /// Stops a process at once, and has it started again some time later.
    pub(crate) fn crash(&mut self, node: Node) -> Held {
        if !self.is_up(node) {
            return Ok(());
        }
        self.arm_crash(node, None);
        self.note(&[1, node.number()], || format!("{node} stops"));
        let sessions = match node {
            Node::Coordinator => self.network.sessions(self.coordinator.boot),
            Node::Replicator(index) => self.replicators[index].session.into_iter().collect(),
            Node::AppServer(index) => self.app_servers[index].session.into_iter().collect(),
        };
        for session in sessions {
            self.break_connection(session);
        }
        match node {
            Node::Coordinator => self.crash_coordinator()?,
            Node::Replicator(index) => self.crash_replicator(index)?,
            Node::AppServer(index) => self.crash_app_server(index),
        }
        let longest_us = if self.random.per_mille(100) { 4_000_000 } else { 300_000 };
        let delay_us = self.random.between(1_000, longest_us);
        self.agenda.after(delay_us, Event::Start { node });
        Ok(())
    }

    // Syncs.

    /// Arranges a sync of what a process has appended.
    pub(crate) fn want_sync(&mut self, node: Node, sync: SyncWhen) {
        let boot = self.boot(node);
        match sync {
            SyncWhen::Now => self.begin_sync(node),
            SyncWhen::Soon if self.planted == Some(PlantedBug::NeverSyncsSoon) => {}
            SyncWhen::Soon => {
                let delay_us = self.random.between(100, 3_000);
                self.agenda.after(delay_us, Event::SyncDue { node, boot });
            }
        }
    }

    fn begin_sync(&mut self, node: Node) {
        let begun = match node {
            Node::Coordinator => self.coordinator.log.begin_sync(),
            Node::Replicator(index) => self.replicators[index].log.begin_sync(),
            Node::AppServer(_) => false,
        };
        if begun {
            let slow = self.phase == Phase::Faulty && self.random.per_mille(8);
            let longest_us = if slow { 600_000 } else { self.scenario.sync_us };
            let delay_us = self.random.between(50, longest_us.max(50));
            let boot = self.boot(node);
            self.agenda.after(delay_us, Event::SyncEnds { node, boot });
        }
    }

    fn end_sync(&mut self, node: Node) -> Held {
        if matches!(self.fuse(node), Some(Fuse::Sync)) {
            self.note(&[79, node.number()], || format!("a sync of {node} fails"));
            self.figures.count("fault: failed sync");
            return self.crash(node);
        }
        match node {
            Node::Coordinator => self.coordinator_synced(),
            Node::Replicator(index) => self.replicator_synced(index),
            Node::AppServer(_) => Ok(()),
        }
    }

    fn write_back(&mut self, node: Node) -> Held {
        match node {
            Node::Coordinator => Ok(()),
            Node::Replicator(index) => self.replicator_writes_back(index),
            Node::AppServer(index) => self.app_server_writes_back(index),
        }
    }

    fn checkpoint(&mut self, node: Node) -> Held {
        match node {
            Node::Coordinator => self.coordinator_checkpoint()?,
            Node::Replicator(index) => self.replicator_checkpoint(index)?,
            Node::AppServer(index) => self.app_server_checkpoint(index)?,
        }
        let boot = self.boot(node);
        let delay_us = self.random.interval(self.scenario.checkpoint_us);
        self.agenda.after(delay_us, Event::Checkpoint { node, boot });
        Ok(())
    }
}
