//! What the copy thread does: the effects of the follower core.

use super::LinkStage;
use super::file_worker::{FileJob, digests};
use super::thread::{CopyThread, Waiting};
use crate::clock;
use catalogue::BookPath;
use faults::{CrashPoint, crash_point};
use protocol::{CatchUpId, CommittedRound, Digest, FetchedFile, HealResult, Repair, RequestId, ToAppServer, Version};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use two_phase::follower::FollowerEffect;

impl CopyThread {
    /// Does what the core wants done, until it wants nothing more.
    pub(super) fn do_effects(&mut self) {
        loop {
            let effects = self.follower.take_effects();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                self.do_effect(effect);
            }
        }
    }

    fn do_effect(&mut self, effect: FollowerEffect) {
        match effect {
            FollowerEffect::PersistFence { fence, cluster } => {
                let kept = self.identity.change(|identity| {
                    identity.fence = fence;
                    identity.cluster = Some(cluster);
                });
                match kept {
                    Ok(()) => crash_point::reach(CrashPoint::FenceKept),
                    Err(error) => {
                        self.failure.report(error.to_string());
                        self.disconnect("the app-server cannot write down whom it follows".to_owned());
                    }
                }
            }
            FollowerEffect::Send(message) => self.send(&message),
            FollowerEffect::Apply(round) => self.apply(round),
            FollowerEffect::Level { version } => self.become_level(version),
            FollowerEffect::Deliver(message) => self.deliver(message),
            FollowerEffect::Disconnect { reason } => self.disconnect(reason),
            FollowerEffect::FindMissing { catch_up, files } => {
                self.shared.settled.store(false, Ordering::Relaxed);
                // Until the catch-up is over, its files may be there without a record.
                self.is_accounted_for = false;
                self.files.hand_in(FileJob::FindMissing { catch_up, files });
            }
            FollowerEffect::StoreFetched { catch_up, files } => self.store(catch_up, files),
            FollowerEffect::Install { catch_up, removed } => self.install(catch_up, removed),
            FollowerEffect::Inspect(question) => {
                let version = self.follower.state().version;
                self.files.hand_in(FileJob::Inspect { question, version });
            }
            FollowerEffect::Heal { request, repairs, foreign, left } => self.heal(request, repairs, foreign, left),
        }
    }

    fn apply(&mut self, round: CommittedRound) {
        let (version, changed) = (round.version, round.changes.iter().map(|change| change.path.id()).collect());
        self.books.show(&round);
        crash_point::reach(CrashPoint::RoundShown);
        self.submissions.handle_shown(version);
        self.hub.catalogue_changed(version, changed);
        // After the answers: nobody waits for files.
        self.books.write_behind(round);
        crash_point::reach(CrashPoint::RoundHandedToFiles);
    }

    fn become_level(&mut self, version: Version) {
        self.books.publish();
        self.shared.settled.store(true, Ordering::Relaxed);
        self.is_accounted_for = true;
        let was_level = self.link.stage == LinkStage::Level;
        if !was_level {
            tracing::info!(version = version.0, "level with the coordinator");
            self.link.stage = LinkStage::Level;
            self.link.was_level = true;
            self.link.stale_since_ms = None;
            self.link.problem = None;
            self.readiness.clear("starting");
        }
        self.show_link();
        self.submissions.handle_shown(self.books.version());
        if !was_level {
            for (request, submission) in self.submissions.mark_all_sent() {
                self.send(&protocol::FromAppServer::Submit { request, submission });
            }
        }
    }

    fn deliver(&mut self, message: ToAppServer) {
        match message {
            ToAppServer::Welcome { lab, .. } => {
                self.link.stage = LinkStage::Welcomed;
                self.link.since_ms = clock::unix_ms();
                self.link.lab = lab;
                self.show_link();
                self.follow_events_if_wanted();
            }
            ToAppServer::Answered { request, answer } => {
                self.submissions.handle_answer(request, answer, self.books.version());
            }
            ToAppServer::Told { request, answer } => {
                if let Some(Waiting::Answer(reply)) = self.questions.remove(&request) {
                    // Whoever asked may have lost patience.
                    let _ = reply.send(answer);
                }
            }
            ToAppServer::Done { request, refused } => {
                if let Some(Waiting::Done(reply)) = self.questions.remove(&request) {
                    let _ = reply.send(refused.map_or(Ok(()), Err));
                }
            }
            ToAppServer::AppServers { app_servers } => self.shared.hear_app_servers(app_servers),
            ToAppServer::Event(event) => self.hub.cluster_event(&event),
            // The core keeps these to itself.
            ToAppServer::Confirm { .. }
            | ToAppServer::Committed(_)
            | ToAppServer::CatchUp(_)
            | ToAppServer::Files(_)
            | ToAppServer::Refuse { .. } => {}
        }
    }

    fn store(&mut self, catch_up: CatchUpId, files: Vec<FetchedFile>) {
        // Bytes that were committed all along are for the index: what the file holds instead is somebody's edit.
        let is_edit = |file: &FetchedFile| self.books.is_edit(&file.wanted.path);
        let (untouched, files): (Vec<_>, Vec<_>) = files.into_iter().partition(is_edit);
        let paths: Vec<_> = files.iter().map(|file| file.wanted.path).collect();
        let expected = self.expected(&paths);
        let claim = self.books.holder.claim(paths);
        self.files.hand_in(FileJob::Store { catch_up, claim, files, expected, untouched });
    }

    fn install(&mut self, catch_up: CatchUpId, mut removed: Vec<BookPath>) {
        let Some(state) = self.follower.state_to_install(catch_up) else { return };
        self.shared.settled.store(false, Ordering::Relaxed);
        self.is_accounted_for = false;
        // An edit of a book that is deleted by now must not look like a new book.
        removed.extend(self.books.withheld.keys().filter(|path| state.manifest.record(path).is_none()));
        let expected = self.expected(&removed);
        let claim = self.books.holder.claim(removed.iter().copied());
        self.files.hand_in(FileJob::Install { catch_up, claim, removed, expected, state: Box::new(state) });
    }

    fn heal(&mut self, request: RequestId, repairs: Vec<Repair>, foreign: Vec<String>, left: Vec<HealResult>) {
        let claim = self.books.holder.claim(repairs.iter().map(|repair| repair.path));
        self.files.hand_in(FileJob::Heal { claim, request, repairs, foreign, left });
    }

    /// What files were last known to hold.
    fn expected(&self, paths: &[BookPath]) -> HashMap<BookPath, Digest> {
        let manifest = &self.follower.state().manifest;
        let record = |path| manifest.record(path).or_else(|| self.books.withheld.get(path));
        digests(paths.iter().filter_map(|path| Some((path, record(path)?))))
    }
}
