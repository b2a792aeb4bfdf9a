//! A replicator's files: they follow the log with a bounded backlog, and a checkpoint vouches for them once they are synced.

use crate::agenda::{Event, Node};
use crate::planted::PlantedBug;
use crate::violation::Held;
use crate::world::World;
use protocol::Version;
use two_phase::replicator::Capacity;
use two_phase::replicator::FileChange;
use two_phase::write_checkpoint;

impl World {
    pub(crate) fn queue_files(&mut self, index: usize, version: Version, files: Vec<FileChange>) -> Held {
        self.oracle.files_written(self.replicators[index].name.as_str(), version, &files)?;
        let blindly = self.planted == Some(PlantedBug::HealsBlindly);
        let node = &mut self.replicators[index];
        for task in node.file_tasks.iter_mut().filter(|_| !blindly) {
            task.leave_alone(&files);
        }
        node.applied = node.applied.max(version);
        node.backlog.push_back(files);
        if self.replicators[index].backlog.len() == 1 {
            self.write_back_later(index);
        }
        self.measure_quietly(index);
        Ok(())
    }

    fn write_back_later(&mut self, index: usize) {
        let delay_us = self.random.between(20, self.scenario.write_back_us);
        let boot = self.replicators[index].boot;
        self.agenda.after(delay_us, Event::WriteBack { node: Node::Replicator(index), boot });
    }

    pub(crate) fn replicator_writes_back(&mut self, index: usize) -> Held {
        let node = &mut self.replicators[index];
        if let Some(files) = node.backlog.pop_front() {
            node.write(files);
        }
        if !node.backlog.is_empty() {
            self.write_back_later(index);
        }
        self.measure(index)
    }

    /// Tells the core how much room there is.
    pub(crate) fn measure(&mut self, index: usize) -> Held {
        self.measure_quietly(index);
        self.drain_replicator(index)
    }

    fn measure_quietly(&mut self, index: usize) {
        let node = &mut self.replicators[index];
        let credit_bytes = self.scenario.backlog_bytes_max.saturating_sub(node.backlog_bytes());
        let disk_free_bytes = if node.disk_is_full { 100 } else { u64::MAX };
        if let Some(core) = node.core.as_mut() {
            core.handle_capacity(Capacity { disk_free_bytes, credit_bytes });
        }
    }

    /// Writes and syncs the files, saves a checkpoint, and trims the log behind it.
    pub(crate) fn replicator_checkpoint(&mut self, index: usize) -> Held {
        let planted = self.planted;
        let node = &mut self.replicators[index];
        let Some(core) = &node.core else { return Ok(()) };
        let Some(mut after) = core.checkpoint_sequence() else { return Ok(()) };
        if planted == Some(PlantedBug::LosesPreparedRounds) {
            after = node.log.durable();
        }
        let text = write_checkpoint(&core.state().header(), &core.state().manifest);
        if planted != Some(PlantedBug::TrimsUnsyncedFiles) {
            node.flush();
            node.files.sync();
        }
        if self.strikes(Node::Replicator(index)) {
            return self.crash(Node::Replicator(index));
        }
        let node = &mut self.replicators[index];
        node.log.save_checkpoint(after, text);
        self.note(&[37, index as u64, after.0], || format!("replicator-{}: checkpoint after {}", index + 1, after.0));
        self.figures.count("checkpoint of a replicator");
        if self.strikes(Node::Replicator(index)) {
            return self.crash(Node::Replicator(index));
        }
        self.replicators[index].log.trim(after.next());
        self.measure(index)
    }
}
