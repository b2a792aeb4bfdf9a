//! An app-server's process without its clients: does what its core asks for, on files in memory.

use super::cluster::{Post, To};
use protocol::Incarnation;
use simulator::{SimulatedFiles, holding};
use two_phase::coordinator::SessionId;
use two_phase::follower::{Follower, FollowerEffect, FollowerState};
use uuid::Uuid;

pub(super) struct FollowerNode {
    pub(super) core: Follower,
    files: SimulatedFiles,
}

impl FollowerNode {
    pub(super) fn new() -> Self {
        let incarnation = Incarnation(Uuid::from_u128(900));
        let core = Follower::new("app-server-1".parse().unwrap(), incarnation, FollowerState::empty());
        Self { core, files: SimulatedFiles::default() }
    }

    /// Does what the core asks for. Returns whether there was anything.
    pub(super) fn work(&mut self, link: Option<SessionId>, post: &mut Post) -> bool {
        let effects = self.core.take_effects();
        let worked = !effects.is_empty();
        for effect in effects {
            match effect {
                FollowerEffect::Send(message) => {
                    if let Some(session) = link {
                        post.send(To::CoordinatorFromAppServer(session), &message);
                    }
                }
                FollowerEffect::Apply(round) => {
                    for change in round.changes {
                        self.files.write(change.path, change.action.content().cloned());
                    }
                }
                FollowerEffect::Disconnect { .. } => post.closed.extend(link),
                FollowerEffect::FindMissing { catch_up, mut files } => {
                    files.retain(|file| self.files.matching(&file.path, file.digest).is_none());
                    self.core.handle_missing(catch_up, files);
                }
                FollowerEffect::StoreFetched { catch_up, files } => {
                    files.into_iter().for_each(|file| self.files.write(file.wanted.path, file.content));
                    self.core.handle_stored(catch_up);
                }
                FollowerEffect::Install { catch_up, removed } => {
                    removed.into_iter().for_each(|path| self.files.write(path, None));
                    if let Some(state) = self.core.state_to_install(catch_up) {
                        self.core.handle_installed(catch_up, state);
                    }
                }
                FollowerEffect::Inspect(request) => {
                    let answer = holding::answer(&self.files, request, self.core.state().version, |_| None);
                    self.core.handle_answer(answer);
                }
                FollowerEffect::Heal { request, repairs, left, .. } => {
                    let (answer, _) = holding::heal(&mut self.files, request, repairs, left, false);
                    self.core.handle_answer(answer);
                }
                FollowerEffect::PersistFence { .. } | FollowerEffect::Level { .. } | FollowerEffect::Deliver(_) => {}
            }
        }
        worked
    }
}
