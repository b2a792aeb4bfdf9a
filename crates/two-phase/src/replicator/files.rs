//! The replicator's files, as far as the protocol goes: catch-ups, and repairs.
//!
//! Which file is right is decided by a record of the manifest, never by what is on the disk.

use super::{Replicator, ReplicatorEffect, ReplicatorState};
use crate::learner::{Learner, LearnerStep, is_newest};
use crate::mutant::Mutant;
use catalogue::BookPath;
use protocol::{
    CatchUpId, CatchUpTarget, FromLearner, HealOutcome, HealResult, HolderAnswer, Repair, RequestId, Standing,
    ToCoordinator, WantedFile,
};

impl Replicator {
    /// Files that may hold anything, or be there without a record: those found on the disk that its checkpoint does not know,
    /// after a crash. The next catch-up looks at each, and removes those that are not in the catalogue.
    pub fn distrust(&mut self, paths: impl IntoIterator<Item = BookPath>) {
        self.distrusted.extend(paths);
    }

    /// The disk was searched for the files of a catch-up.
    pub fn handle_missing(&mut self, catch_up: CatchUpId, missing: Vec<WantedFile>) {
        self.step_learner(catch_up, |learner| learner.handle_missing(missing));
    }

    /// Files of a catch-up were written.
    pub fn handle_stored(&mut self, catch_up: CatchUpId) {
        self.step_learner(catch_up, Learner::handle_stored);
    }

    /// The state that a checkpoint must hold for a catch-up to count; none if that catch-up is over.
    #[must_use]
    pub fn state_to_install(&self, catch_up: CatchUpId) -> Option<ReplicatorState> {
        let current = |learner: &&Learner| learner.catch_up() == catch_up && learner.is_complete();
        let learner = self.learner.as_ref().filter(current)?;
        let mut state = self.state.clone();
        state.install(learner.reached(), learner.manifest().clone());
        Some(state)
    }

    /// The checkpoint of [`Replicator::state_to_install`] is durable, and so are all files.
    pub fn handle_installed(&mut self, catch_up: CatchUpId, state: ReplicatorState) {
        self.state = state;
        self.prepared_sequence = None;
        let learner = self.learner.take_if(|learner| learner.catch_up() == catch_up);
        if let Some(learner) = learner {
            self.distrusted.clear();
            let (version, root) = (self.state.version, self.state.manifest.root());
            self.send(ToCoordinator::CatchUp(FromLearner::CaughtUp { catch_up, version, root }));
            for round in learner.into_later() {
                self.follow(round);
            }
        }
    }

    /// A question about files was answered.
    pub fn handle_answer(&mut self, answer: HolderAnswer) {
        self.send(ToCoordinator::Files(answer));
    }

    pub(super) fn begin_catch_up(&mut self, catch_up: CatchUpId, target: CatchUpTarget) {
        let own = if self.state.standing == Standing::Lost {
            crate::Manifest::default()
        } else {
            self.state.manifest.clone()
        };
        self.give_up_catch_up();
        let (learner, step) = Learner::begin(catch_up, target, own, self.distrusted.clone());
        self.learner = Some(learner);
        self.do_learner_step(catch_up, step);
    }

    /// What a catch-up that is given up has written stays on the disk.
    pub(super) fn give_up_catch_up(&mut self) {
        if let Some(learner) = self.learner.take() {
            self.distrusted.extend(learner.into_distrusted());
        }
    }

    pub(super) fn step_learner(&mut self, catch_up: CatchUpId, step: impl FnOnce(&mut Learner) -> Vec<LearnerStep>) {
        if let Some(learner) = self.learner.as_mut().filter(|learner| learner.catch_up() == catch_up) {
            for step in step(learner) {
                self.do_learner_step(catch_up, step);
            }
        }
    }

    fn do_learner_step(&mut self, catch_up: CatchUpId, step: LearnerStep) {
        match step {
            LearnerStep::Say(message) => self.send(ToCoordinator::CatchUp(message)),
            LearnerStep::FindMissing(files) => self.effects.push(ReplicatorEffect::FindMissing { catch_up, files }),
            LearnerStep::Store(files) => self.effects.push(ReplicatorEffect::StoreFetched { catch_up, files }),
            LearnerStep::Write(round) => self.write_on_top(&round),
            LearnerStep::Install { removed } => self.effects.push(ReplicatorEffect::Install { catch_up, removed }),
            LearnerStep::Restart { reason } => self.disconnect(reason),
        }
    }

    /// A repair is a compare-and-swap: only while its record is still the newest one, and neither a round nor a catch-up is about to
    /// change the file (rules NoRollback and NoResurrection). What a catch-up has found on the disk must stay there.
    pub(super) fn heal(&mut self, request: RequestId, repairs: Vec<Repair>, foreign: Vec<String>) {
        let (mut current, mut left) = (Vec::new(), Vec::new());
        for repair in repairs {
            let changing = self
                .state
                .prepared
                .iter()
                .flat_map(|prepare| &prepare.changes)
                .any(|change| change.path == repair.path);
            let is_blind = Mutant::RepairsByOldRecord.is_on();
            if is_blind || !changing && is_newest(&repair, &self.state.manifest, self.learner.as_ref()) {
                current.push(repair);
            } else {
                let reason = "a newer round changes this file".to_owned();
                left.push(HealResult { name: repair.path.to_string(), outcome: HealOutcome::Changed { reason } });
            }
        }
        self.effects.push(ReplicatorEffect::Heal { request, repairs: current, foreign, left });
    }
}
