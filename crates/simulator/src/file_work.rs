//! The file work of a replicator that takes time: reading for others, and what a catch-up needs. It goes on beside the protocol,
//! one piece after the other.

use crate::agenda::{Event, Node};
use crate::holding;
use crate::planted::PlantedBug;
use crate::replicator_driver::ReplicatorNode;
use crate::violation::Held;
use crate::world::World;
use catalogue::BookPath;
use protocol::{
    Action, BucketNumber, CatchUpId, Content, Digest, FetchedFile, HealOutcome, HealResult, HolderRequest, Repair,
    RequestId, ScrubOutcome, ScrubReport, WantedFile,
};
use two_phase::replicator::{FileChange, ReplicatorRecord};
use two_phase::write_checkpoint;

/// A piece of file work.
#[derive(Debug)]
pub(crate) enum FileTask {
    FindMissing { catch_up: CatchUpId, files: Vec<WantedFile> },
    StoreFetched { catch_up: CatchUpId, files: Vec<FetchedFile> },
    Inspect(HolderRequest),
    Heal { request: RequestId, repairs: Vec<Repair>, left: Vec<HealResult> },
    Scrub,
}

impl FileTask {
    /// A round has touched these files since the task was given: a repair that was judged before leaves them alone, also where they
    /// hold again what was found.
    pub(crate) fn leave_alone(&mut self, touched: &[FileChange]) {
        let Self::Heal { repairs, left, .. } = self else { return };
        for repair in repairs.extract_if(.., |repair| touched.iter().any(|file| file.path == repair.path)) {
            let outcome = HealOutcome::Changed { reason: "a newer round changes this file".to_owned() };
            left.push(HealResult { name: repair.path.to_string(), outcome });
        }
    }
}

impl ReplicatorNode {
    fn missing(&self, files: Vec<WantedFile>) -> Vec<WantedFile> {
        files.into_iter().filter(|file| self.files.matching(&file.path, file.digest).is_none()).collect()
    }

    fn read_log(&self, wanted: WantedFile) -> Option<Content> {
        self.log.records().rev().find_map(|(_, record)| {
            let is_it = |path: BookPath, action: &Action| path == wanted.path && action.digest() == Some(wanted.digest);
            let action = match record {
                ReplicatorRecord::Prepared(prepare) => {
                    &prepare.changes.iter().find(|change| is_it(change.path, &change.action))?.action
                }
                ReplicatorRecord::Followed(round) => {
                    &round.changes.iter().find(|change| is_it(change.path, &change.action))?.action
                }
                _ => return None,
            };
            action.content().cloned()
        })
    }
}

impl World {
    pub(crate) fn queue_file_task(&mut self, index: usize, task: FileTask) {
        self.replicators[index].file_tasks.push_back(task);
        if self.replicators[index].file_tasks.len() == 1 {
            self.work_on_files_later(index);
        }
    }

    fn work_on_files_later(&mut self, index: usize) {
        let delay_us = self.random.between(50, self.scenario.file_work_us);
        let boot = self.replicators[index].boot;
        self.agenda.after(delay_us, Event::FileWork { replicator: index, boot });
    }

    pub(crate) fn do_file_work(&mut self, index: usize) -> Held {
        let Some(task) = self.replicators[index].file_tasks.pop_front() else { return Ok(()) };
        if !self.replicators[index].file_tasks.is_empty() {
            self.work_on_files_later(index);
        }
        self.note(&[40, index as u64], || format!("replicator-{}: {task:?}", index + 1));
        let node = &mut self.replicators[index];
        node.flush();
        let Some(core) = node.core.as_mut() else { return Ok(()) };
        match task {
            FileTask::FindMissing { catch_up, files } => {
                let missing = node.missing(files);
                let core = node.core.as_mut().expect("it was there a moment ago");
                core.handle_missing(catch_up, missing);
            }
            FileTask::StoreFetched { catch_up, files } => {
                for file in files {
                    node.files.write(file.wanted.path, file.content);
                }
                core.handle_stored(catch_up);
            }
            FileTask::Inspect(request) => {
                let answer = holding::answer(&node.files, request, node.applied, |wanted| node.read_log(wanted));
                let core = node.core.as_mut().expect("it was there a moment ago");
                core.handle_answer(answer);
            }
            FileTask::Heal { request, repairs, left } => {
                let blindly = self.planted == Some(PlantedBug::HealsBlindly);
                let (answer, written) = holding::heal(&mut node.files, request, repairs, left, blindly);
                let (name, applied) = (node.name.to_string(), node.applied);
                let core = node.core.as_mut().expect("it was there a moment ago");
                core.handle_answer(answer);
                let held = core.state().version;
                written
                    .iter()
                    .try_for_each(|(path, digest)| self.oracle.healed(&name, held, applied, path, *digest))?;
            }
            FileTask::Scrub => self.scrub(index),
        }
        self.measure(index)
    }

    /// Reads all files at once, where the real one takes its time; what is not certain is not judged.
    fn scrub(&mut self, index: usize) {
        let node = &mut self.replicators[index];
        let all_is_written = node.log.durable() == node.log.last();
        let Some(core) = node.core.as_mut() else { return };
        let expected = core.expected_files(&BucketNumber::all().collect::<Vec<_>>()).filter(|_| all_is_written);
        let mut report = ScrubReport::started(self.agenda.now_us());
        match expected {
            None => report.add(ScrubOutcome::Unknown),
            Some(expected) => {
                for (path, record) in &expected.records {
                    let found = node.files.read(path).map(|content| Digest::of(content.bytes()));
                    let is_right = found == Some(record.digest);
                    report.add(if is_right { ScrubOutcome::Clean } else { ScrubOutcome::Damaged });
                }
                let is_extra =
                    |path: &BookPath| !expected.records.contains_key(path) && !expected.distrusted.contains(path);
                node.files.all().filter(|(path, _)| is_extra(path)).for_each(|_| report.add(ScrubOutcome::Extra));
            }
        }
        report.finished_at_ms = Some(self.agenda.now_us());
        self.figures.count("scrub of a replicator");
        core.handle_scrubbed(report);
    }

    /// First the files, then the log, then the checkpoint that vouches for both. From the question what to install to its end
    /// nothing else is fed to the core.
    pub(crate) fn install(&mut self, index: usize, catch_up: CatchUpId, removed: Vec<BookPath>) -> Held {
        let node = Node::Replicator(index);
        self.replicators[index].flush();
        for path in removed {
            self.replicators[index].files.write(path, None);
        }
        self.replicators[index].files.sync();
        if self.strikes(node) {
            return self.crash(node);
        }
        self.sync_replicator(index, self.replicators[index].log.last())?;
        self.drain_replicator(index)?;
        let replicator = &mut self.replicators[index];
        let Some(core) = replicator.core.as_mut() else { return Ok(()) };
        let Some(state) = core.state_to_install(catch_up) else { return Ok(()) };
        if core.last_appended() > replicator.log.durable() {
            // What followed from the sync asks for another one.
            self.sync_replicator(index, self.replicators[index].log.last())?;
        }
        let replicator = &mut self.replicators[index];
        let (after, text) = (replicator.log.durable(), write_checkpoint(&state.header(), &state.manifest));
        replicator.log.save_checkpoint(after, text);
        self.oracle.replicator_installed(index, &state)?;
        self.figures.count("catch-up installed by a replicator");
        if self.strikes(node) {
            return self.crash(node);
        }
        let replicator = &mut self.replicators[index];
        replicator.applied = state.version;
        replicator.log.trim(after.next());
        if let Some(core) = replicator.core.as_mut() {
            core.handle_installed(catch_up, state);
        }
        self.measure(index)
    }
}
