//! What breaks, and when it stops breaking.

use crate::agenda::{Event, Node};
use crate::coordinator_driver::Doubt;
use crate::fault_mix::FaultKind;
use crate::network::End;
use crate::planted::PlantedBug;
use crate::violation::Held;
use crate::world::{Fuse, World};
use protocol::{FromAppServer, Version};
use two_phase::replicator::ReplicatorState;

/// After this the faulty phase ends, however few rounds there were.
const FAULTY_US_MAX: u64 = 240_000_000;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Things break.
    Faulty,
    /// Nothing breaks any more; clients go on for a while.
    Calm,
    /// Clients have stopped; everything must come to rest.
    Settling,
    /// It is at rest, and was found to be right.
    Over,
}

impl World {
    pub(crate) fn fault(&mut self) -> Held {
        if self.phase != Phase::Faulty {
            return Ok(());
        }
        let enough = self.figures.of("round begun") >= self.scenario.rounds_min
            && self.figures.faults() >= self.scenario.faults_min;
        if enough || self.agenda.now_us() > FAULTY_US_MAX {
            return self.end_faults();
        }
        let delay_us = self.random.interval(self.scenario.fault_us);
        self.agenda.after(delay_us, Event::Fault);
        match self.scenario.fault_mix.pick(&mut self.random) {
            FaultKind::CrashSoon => self.have_one_crash(),
            FaultKind::CrashNow => {
                let node = self.some_node();
                self.crash(node)
            }
            FaultKind::CrashAll => self.crash_all(),
            FaultKind::BreakConnection => self.break_some_connection(),
            FaultKind::CutOneWay => self.cut_one_way(),
            FaultKind::Isolate => self.isolate_some_node(),
            FaultKind::LoseMemory => self.lose_memory(),
            FaultKind::RotRecord => self.rot_record(),
            FaultKind::FillDisk => self.fill_disk(),
            FaultKind::DamageFiles => self.damage_files(),
            FaultKind::LoseCopy => self.lose_copy(),
            FaultKind::JumpClock => self.jump_clock(),
            FaultKind::HangCoordinator => self.hang_coordinator(),
            FaultKind::LoseCoordinatorDisk => self.lose_coordinator_disk(),
            FaultKind::KeepCopy => self.keep_copies(),
            FaultKind::RunOnOldCopy => self.run_on_old_copy(),
            FaultKind::ChangeMember => self.change_some_member(),
            FaultKind::AskForScrub => self.ask_for_scrub(),
        }
    }

    fn have_one_crash(&mut self) -> Held {
        let node = self.some_node();
        let fuse = match self.random.below(5) {
            0 | 1 => Fuse::Effects(self.random.between(1, 60) as u32),
            2 | 3 => Fuse::Appends(self.random.between(1, 8) as u32),
            _ => Fuse::Sync,
        };
        self.arm_crash(node, Some(fuse));
        Ok(())
    }

    fn jump_clock(&mut self) -> Held {
        self.coordinator.unix_offset_ms = self.random.between(0, 3_000_000_000_000);
        self.figures.count("fault: jump of the coordinator's clock");
        Ok(())
    }

    fn some_node(&mut self) -> Node {
        match self.random.below(10) {
            0..4 => Node::Coordinator,
            4..8 => Node::Replicator(self.random.index(self.replicators.len())),
            _ => Node::AppServer(self.random.index(self.app_servers.len())),
        }
    }

    fn break_some_connection(&mut self) -> Held {
        let sessions = self.network.sessions(self.coordinator.boot);
        if !sessions.is_empty() {
            let session = *self.random.pick(&sessions);
            self.note(&[60, session.0], || format!("connection {} breaks", session.0));
            self.figures.count("fault: broken connection");
            self.break_connection(session);
        }
        Ok(())
    }

    /// Nothing arrives one way any more, until somebody gives the connection up.
    fn cut_one_way(&mut self) -> Held {
        let sessions = self.network.sessions(self.coordinator.boot);
        if !sessions.is_empty() {
            let session = *self.random.pick(&sessions);
            let to = *self.random.pick(&[End::Coordinator, End::Dialler]);
            self.note(&[76, session.0], || format!("connection {} loses what goes to {to:?}", session.0));
            self.figures.count("fault: connection cut one way");
            self.network.cut_one_way(session, to, self.agenda.now_us());
            let noticed_us = self.random.between(10_000, 2_000_000);
            self.agenda.after(noticed_us, Event::GivenUp { session });
        }
        Ok(())
    }

    fn isolate_some_node(&mut self) -> Held {
        let until_us = self.agenda.now_us() + self.random.between(10_000, 2_500_000);
        let session = match self.some_node() {
            Node::Coordinator => None,
            Node::Replicator(index) => {
                self.replicators[index].isolated_until_us = until_us;
                self.replicators[index].session
            }
            Node::AppServer(index) => {
                self.app_servers[index].isolated_until_us = until_us;
                self.app_servers[index].session
            }
        };
        if let Some(session) = session {
            self.note(&[61, session.0], || format!("the node of connection {} is cut off", session.0));
            self.figures.count("fault: node cut off for a while");
            self.break_connection(session);
        }
        Ok(())
    }

    /// Whether one more replicator may lose its memory: they must stay a minority, and what was committed last be somewhere else. While
    /// the coordinator runs on an old copy of its log none may: those who know more are all that can tell.
    fn may_lose(&self, index: usize) -> bool {
        if !self.some_memory_may_be_lost() || self.damage.is_outstanding() || !self.oracle.newest_is_held_beside(index)
        {
            return false;
        }
        let voters = self.oracle.voters();
        if !voters.contains(&index) {
            return true;
        }
        let others = voters.iter().filter(|voter| **voter != index && !self.oracle.has_lost(**voter)).count();
        others > voters.len() / 2
    }

    /// While the members change, or the coordinator must not believe its log, what the members hold is all that there is.
    pub(crate) fn some_memory_may_be_lost(&self) -> bool {
        let is_sure =
            self.coordinator.newest.is_none() && self.coordinator.doubt.is_none() && self.predecessor.is_none();
        is_sure && self.agenda.now_us() >= self.members_settle_at_us
    }

    /// Voters that hold all that is committed, on disks that have not failed since.
    pub(crate) fn level_voters(&self) -> Vec<usize> {
        let version = self.oracle.version();
        let holds = |index: &usize| !self.oracle.has_lost(*index) && self.oracle.holders_of(version, &[*index]) == 1;
        self.oracle.voters().into_iter().filter(holds).collect()
    }

    /// A replicator stops, and its disk is replaced by an empty one, or by a copy that somebody made of it, which counts for nothing
    /// but its files; or its log is damaged inside.
    fn lose_memory(&mut self) -> Held {
        let index = self.random.index(self.replicators.len());
        if !self.may_lose(index) {
            return Ok(());
        }
        self.crash(Node::Replicator(index))?;
        let replicator = &mut self.replicators[index];
        replicator.log = Default::default();
        replicator.incarnation = None;
        self.figures.count(match self.random.below(10) {
            0..6 => {
                replicator.files = Default::default();
                "fault: disk lost"
            }
            6..8 => {
                replicator.files = replicator.copied_files.take().unwrap_or_default();
                "fault: replicator on an old copy of its disk"
            }
            _ => "fault: log of a replicator damaged",
        });
        self.oracle.replicator_lost_memory(index, ReplicatorState::empty());
        self.note(&[62, index as u64], || format!("replicator-{} loses its memory", index + 1));
        Ok(())
    }

    /// An app-server stops, and its disk is replaced by an empty one.
    fn lose_copy(&mut self) -> Held {
        let index = self.random.index(self.app_servers.len());
        self.crash(Node::AppServer(index))?;
        let app_server = &mut self.app_servers[index];
        (app_server.checkpoint, app_server.fence, app_server.incarnation) = (None, None, None);
        app_server.files = Default::default();
        self.oracle.app_server_lost_copy(index);
        self.note(&[68, index as u64], || format!("app-server-{} loses its disk", index + 1));
        self.figures.count("fault: copy of an app-server lost");
        Ok(())
    }

    /// A replicator stops, and the last synced record of its log is torn.
    fn rot_record(&mut self) -> Held {
        let index = self.random.index(self.replicators.len());
        let is_known = self.replicators[index].incarnation.is_some();
        if !is_known || !self.may_lose(index) {
            return Ok(());
        }
        self.crash(Node::Replicator(index))?;
        if !self.replicators[index].log.rot() {
            return Ok(());
        }
        let left = self.replicators[index].state_on_disk()?;
        self.oracle.replicator_lost_memory(index, left);
        self.note(&[63, index as u64], || format!("the last record of replicator-{} rots", index + 1));
        self.figures.count("fault: synced record lost to a torn tail");
        Ok(())
    }

    fn fill_disk(&mut self) -> Held {
        let replicator = self.random.index(self.replicators.len());
        let lasts_us = self.random.between(10_000, 800_000);
        self.replicators[replicator].disk_is_full = true;
        self.agenda.after(lasts_us, Event::DiskHasRoom { replicator });
        self.figures.count("fault: full disk");
        self.measure(replicator)
    }

    pub(crate) fn end_full_disk(&mut self, replicator: usize) -> Held {
        self.replicators[replicator].disk_is_full = false;
        self.measure(replicator)
    }

    fn crash_all(&mut self) -> Held {
        self.note(&[64], || "everything stops".to_owned());
        self.figures.count("fault: crash of all processes at once");
        for node in self.nodes() {
            self.crash(node)?;
        }
        Ok(())
    }

    /// Somebody asks for a scrub, over some app-server.
    fn ask_for_scrub(&mut self) -> Held {
        let app_server = self.random.index(self.app_servers.len());
        if self.app_servers[app_server].welcomed {
            let request = self.next_request(app_server);
            self.app_server_says(app_server, FromAppServer::Scrub { request });
        }
        Ok(())
    }

    /// Whether so many replicators know of a committed round that every majority has one who does.
    pub(crate) fn enough_know_of_a_round(&self) -> bool {
        let voters = self.oracle.voters();
        self.oracle.holders_of(Version::ZERO.next(), &voters) > voters.len() - (voters.len() / 2 + 1)
    }

    /// The coordinator's disk is lost, or the end of its log is damaged.
    fn lose_coordinator_disk(&mut self) -> Held {
        if !self.some_memory_may_be_lost() || !self.enough_know_of_a_round() {
            return Ok(());
        }
        self.crash(Node::Coordinator)?;
        if self.random.per_mille(500) {
            self.coordinator.lose_disk();
            self.figures.count("fault: disk of the coordinator lost");
        } else {
            self.coordinator.doubt = Some(Doubt::Damaged);
            for _ in 0..self.random.between(1, 5) {
                self.coordinator.log.rot();
            }
            self.figures.count("fault: log of the coordinator damaged");
        }
        self.oracle.is_unsure(true);
        self.note(&[77], || "the coordinator's disk is lost or damaged".to_owned());
        Ok(())
    }

    // Processes on old copies of their disks.

    fn keep_copies(&mut self) -> Held {
        let replicator = self.random.index(self.replicators.len());
        let replicator = &mut self.replicators[replicator];
        replicator.copied_files = Some(replicator.files.clone());
        if self.coordinator.newest.is_none() && self.coordinator.doubt.is_none() {
            let copy = (self.oracle.version(), self.oracle.voters(), self.coordinator.log.synced_copy());
            self.coordinator.old_copy = Some(copy);
        }
        Ok(())
    }

    /// Starts the coordinator on an old copy, if so many replicators know more that every majority has one who does.
    fn run_on_old_copy(&mut self) -> Held {
        let Some((version, voters, _)) = self.coordinator.old_copy.as_ref() else { return Ok(()) };
        let next: Version = version.next();
        let who_know = self.oracle.holders_of(next, voters);
        let majority = voters.len() / 2 + 1;
        // Where other members vote by now, those who do not any more cannot know.
        let others_vote = *voters != self.oracle.voters();
        let is_busy =
            self.coordinator.newest.is_some() || self.coordinator.doubt.is_some() || self.predecessor.is_some();
        if is_busy || others_vote || who_know <= voters.len() - majority {
            return Ok(());
        }
        self.crash(Node::Coordinator)?;
        let Some((_, _, mut copy)) = self.coordinator.old_copy.take() else { return Ok(()) };
        if self.planted == Some(PlantedBug::CopiesTooLate) {
            copy = self.coordinator.log.clone();
        }
        self.coordinator.newest = Some(std::mem::replace(&mut self.coordinator.log, copy));
        self.oracle.runs_on_old_copy(true);
        self.figures.count("fault: coordinator on an old copy of its log");
        let from = self.coordinator.log.last();
        self.note(&[65, from.0], || {
            format!("the coordinator's log is replaced by an old copy that ends at {}", from.0)
        });
        self.start_coordinator()?;
        let lasts_us = self.random.between(200_000, 4_000_000);
        self.agenda.after(lasts_us, Event::StaleRunEnds);
        Ok(())
    }

    /// The coordinator is stopped, and the old copy is put away.
    pub(crate) fn end_stale_run(&mut self) -> Held {
        if self.coordinator.newest.is_some() {
            self.crash(Node::Coordinator)?;
        }
        if let Some(newest) = self.coordinator.newest.take() {
            self.coordinator.log = newest;
            self.oracle.runs_on_old_copy(false);
            self.note(&[66], || "the coordinator has its newest log again".to_owned());
        }
        Ok(())
    }

    fn end_faults(&mut self) -> Held {
        self.note(&[67], || "faults end".to_owned());
        self.phase = Phase::Calm;
        for node in self.nodes() {
            self.arm_crash(node, None);
        }
        self.end_stale_run()?;
        self.end_predecessor()?;
        for index in 0..self.replicators.len() {
            self.replicators[index].isolated_until_us = 0;
            self.end_full_disk(index)?;
        }
        for app_server in &mut self.app_servers {
            app_server.isolated_until_us = 0;
        }
        self.calm_begins();
        Ok(())
    }
}
