//! An app-server's half of the protocol: it follows the committed rounds, in order and without gaps, and has no vote.
//!
//! Nothing reaches it before its decision is durable at the coordinator, so that whatever it shows is committed (rule
//! NoPhantom). What it misses it catches up, as a replicator does, while rounds go on.

use crate::fence::{Admission, Fence};
use crate::learner::{Learner, LearnerStep, is_newest};
use crate::mutant::Mutant;
use crate::{Manifest, committed_record};
use catalogue::BookPath;
use protocol::{
    AppServerHello, AppServerId, CatchUpId, CatchUpTarget, ClusterId, CommittedRound, FetchedFile, FromAppServer,
    FromCoordinator, HealOutcome, HealResult, HolderAnswer, HolderRequest, Incarnation, PROTOCOL_VERSION, PageAddress,
    Repair, RequestId, SetDigest, ToAppServer, ToLearner, Version, WantedFile,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What an app-server knows of the cluster, apart from its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowerState {
    /// The cluster; none while the copy is new.
    pub cluster: Option<ClusterId>,
    /// Which coordinator it listens to.
    pub fence: Fence,
    /// The committed version that the copy shows.
    pub version: Version,
    /// The committed files of that version.
    pub manifest: Manifest,
}

/// The state without its manifest, as a checkpoint keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowerHeader {
    /// The cluster.
    pub cluster: Option<ClusterId>,
    /// The fence.
    pub fence: Fence,
    /// The version.
    pub version: Version,
    /// The root of the manifest.
    pub root: SetDigest,
}

impl FollowerState {
    /// The state of a new copy.
    #[must_use]
    pub fn empty() -> Self {
        Self { cluster: None, fence: Fence::default(), version: Version::ZERO, manifest: Manifest::default() }
    }

    /// The state that a checkpoint describes.
    #[must_use]
    pub fn from_checkpoint(header: FollowerHeader, manifest: Manifest) -> Self {
        Self { cluster: header.cluster, fence: header.fence, version: header.version, manifest }
    }

    /// What a checkpoint of this state says beside the manifest.
    #[must_use]
    pub fn header(&self) -> FollowerHeader {
        FollowerHeader { cluster: self.cluster, fence: self.fence, version: self.version, root: self.manifest.root() }
    }
}

/// One thing for the driver to do. Effects are done in order; each is finished before the next begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FollowerEffect {
    /// Make this fence durable, before anything that follows.
    PersistFence {
        /// The fence.
        fence: Fence,
        /// The cluster.
        cluster: ClusterId,
    },
    /// Say this to the coordinator.
    Send(FromAppServer),
    /// Show this round: update the index, write the files in the background, answer those who wait for its changes.
    Apply(CommittedRound),
    /// The copy shows the coordinator's version: reads may be served.
    Level {
        /// The version.
        version: Version,
    },
    /// An answer or an event for somebody in this process.
    Deliver(ToAppServer),
    /// End the connection and dial again.
    Disconnect {
        /// Why, for people.
        reason: String,
    },
    /// Tell which of these files are not on disk with these digests.
    FindMissing {
        /// The catch-up.
        catch_up: CatchUpId,
        /// The files.
        files: Vec<WantedFile>,
    },
    /// Write these fetched files.
    StoreFetched {
        /// The catch-up.
        catch_up: CatchUpId,
        /// The files; each has its content.
        files: Vec<FetchedFile>,
    },
    /// Remove these files, make all files durable, and then save a checkpoint of [`Follower::state_to_install`].
    Install {
        /// The catch-up.
        catch_up: CatchUpId,
        /// Files that are no longer in the catalogue.
        removed: Vec<BookPath>,
    },
    /// Answer a question about what is on disk.
    Inspect(HolderRequest),
    /// Put files right whose record is still the one that the repair names.
    Heal {
        /// Pairs the answer.
        request: RequestId,
        /// The repairs.
        repairs: Vec<Repair>,
        /// Foreign files to move to the quarantine.
        foreign: Vec<String>,
        /// Repairs that were left alone because their record has changed: part of the answer.
        left: Vec<HealResult>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Down,
    Up,
    Level,
}

/// An app-server's copy, without its disk and its network.
#[derive(Debug)]
pub struct Follower {
    app_server: AppServerId,
    incarnation: Incarnation,
    address: Option<PageAddress>,
    state: FollowerState,
    learner: Option<Learner>,
    distrusted: BTreeSet<BookPath>,
    later: Vec<CommittedRound>,
    link: Link,
    cluster_greeted: Option<ClusterId>,
    effects: Vec<FollowerEffect>,
}

impl Follower {
    /// A copy as its checkpoint says that it was.
    #[must_use]
    pub fn new(app_server: AppServerId, incarnation: Incarnation, state: FollowerState) -> Self {
        Self {
            app_server,
            incarnation,
            address: None,
            state,
            learner: None,
            distrusted: BTreeSet::new(),
            later: Vec::new(),
            link: Link::Down,
            cluster_greeted: None,
            effects: Vec::new(),
        }
    }

    /// Says from now on where browsers reach its page.
    pub fn advertise(&mut self, address: Option<PageAddress>) {
        self.address = address;
    }

    /// Files that may hold anything, or be there without a record: those found on the disk that its checkpoint does not know,
    /// after a crash. The next catch-up looks at each, and removes those that are not in the catalogue.
    pub fn distrust(&mut self, paths: impl IntoIterator<Item = BookPath>) {
        self.distrusted.extend(paths);
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> &FollowerState {
        &self.state
    }

    /// Whether it shows all that the coordinator has committed, as far as it has heard.
    #[must_use]
    pub fn is_level(&self) -> bool {
        self.link == Link::Level
    }

    /// What the driver is to do, in order.
    pub fn take_effects(&mut self) -> Vec<FollowerEffect> {
        std::mem::take(&mut self.effects)
    }

    /// There is a new connection: introduces itself.
    pub fn handle_connected(&mut self) {
        self.link = Link::Up;
        self.cluster_greeted = None;
        self.give_up_catch_up();
        let FollowerState { cluster, fence, version, ref manifest } = self.state;
        self.send(FromAppServer::Hello(AppServerHello {
            protocol: PROTOCOL_VERSION,
            app_server: self.app_server.clone(),
            incarnation: self.incarnation,
            cluster,
            epoch: fence.epoch,
            coordinator: fence.coordinator,
            version,
            root: manifest.root(),
            address: self.address.clone(),
        }));
    }

    /// The connection ended.
    pub fn handle_disconnected(&mut self) {
        self.link = Link::Down;
        self.give_up_catch_up();
    }

    /// A message of a coordinator, judged by its epoch first (rule EpochFence).
    pub fn handle_message(&mut self, message: FromCoordinator<ToAppServer>) {
        let FromCoordinator { epoch, coordinator, message } = message;
        match (self.state.fence.judge(epoch, coordinator), message) {
            // Whoever refuses is left, whatever its epoch; its reason says more than the epoch does.
            (_, ToAppServer::Refuse { reason }) => self.disconnect(reason),
            (Admission::Refused, _) => {
                let newer = self.state.fence.epoch;
                self.disconnect(format!("the coordinator of epoch {epoch} was replaced by that of epoch {newer}"));
            }
            (_, ToAppServer::Welcome { cluster, lab }) => {
                if let Some(own) = self.state.cluster.filter(|own| *own != cluster) {
                    self.disconnect(format!(
                        "the coordinator belongs to cluster {cluster}, this data to cluster {own}"
                    ));
                    return;
                }
                self.cluster_greeted = Some(cluster);
                self.effects.push(FollowerEffect::Deliver(ToAppServer::Welcome { cluster, lab }));
            }
            // A coordinator tells states only once a majority has accepted its epoch; from then on it is the one to follow. Before
            // that its answers are heard, and nobody is fenced off.
            (
                Admission::Newer,
                message @ (ToAppServer::Confirm { .. } | ToAppServer::CatchUp(ToLearner::Compare { .. })),
            ) => {
                let Some(cluster) = self.cluster_greeted else {
                    self.disconnect(format!("a coordinator of epoch {epoch} spoke before its welcome"));
                    return;
                };
                self.state.fence = Fence::raised_to(epoch, coordinator);
                self.state.cluster = Some(cluster);
                self.effects.push(FollowerEffect::PersistFence { fence: self.state.fence, cluster });
                self.handle_admitted(message);
            }
            (
                Admission::Newer,
                message @ (ToAppServer::Told { .. }
                | ToAppServer::Done { .. }
                | ToAppServer::Answered { .. }
                | ToAppServer::AppServers { .. }
                | ToAppServer::Event(_)),
            ) => self.effects.push(FollowerEffect::Deliver(message)),
            (Admission::Newer, _) => {
                self.disconnect(format!("a coordinator of epoch {epoch} told a state before it was open"))
            }
            (Admission::Accepted, message) => self.handle_admitted(message),
        }
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
    pub fn state_to_install(&self, catch_up: CatchUpId) -> Option<FollowerState> {
        let current = |learner: &&Learner| learner.catch_up() == catch_up && learner.is_complete();
        let learner = self.learner.as_ref().filter(current)?;
        let FollowerState { cluster, fence, .. } = self.state;
        Some(FollowerState { cluster, fence, version: learner.reached().version, manifest: learner.manifest().clone() })
    }

    /// The checkpoint of [`Follower::state_to_install`] is durable, and so are all files.
    pub fn handle_installed(&mut self, catch_up: CatchUpId, state: FollowerState) {
        if self.learner.take_if(|learner| learner.catch_up() == catch_up).is_none() {
            return;
        }
        self.state = state;
        self.distrusted.clear();
        let (version, root) = (self.state.version, self.state.manifest.root());
        for round in std::mem::take(&mut self.later) {
            self.apply(round);
        }
        self.send(FromAppServer::CatchUp(protocol::FromLearner::CaughtUp { catch_up, version, root }));
        self.become_level();
    }

    /// A question about files was answered.
    pub fn handle_answer(&mut self, answer: HolderAnswer) {
        self.send(FromAppServer::Files(answer));
    }

    fn handle_admitted(&mut self, message: ToAppServer) {
        match message {
            ToAppServer::Confirm { version, root }
                if version == self.state.version && root == self.state.manifest.root() =>
            {
                self.become_level();
            }
            ToAppServer::Confirm { version, .. } => {
                self.disconnect(format!(
                    "the coordinator confirmed version {version}, this copy is at {}",
                    self.state.version
                ));
            }
            ToAppServer::Committed(round) => self.handle_committed(round),
            ToAppServer::CatchUp(ToLearner::Compare { catch_up, target }) => self.begin_catch_up(catch_up, target),
            ToAppServer::CatchUp(message) => {
                if let Some(catch_up) = self.learner.as_ref().map(Learner::catch_up) {
                    self.step_learner(catch_up, |learner| learner.handle(message));
                }
            }
            ToAppServer::Files(HolderRequest::Heal { request, repairs, foreign }) => {
                self.heal(request, repairs, foreign)
            }
            ToAppServer::Files(request) => self.effects.push(FollowerEffect::Inspect(request)),
            other => self.effects.push(FollowerEffect::Deliver(other)),
        }
    }

    fn handle_committed(&mut self, round: CommittedRound) {
        if let Some(learner) = &mut self.learner {
            for change in &round.changes {
                learner.touch(change.path);
            }
            self.later.push(round);
        } else {
            self.apply(round);
        }
    }

    /// Rule Order: the next version and no other.
    fn apply(&mut self, round: CommittedRound) {
        if round.version <= self.state.version {
            return;
        }
        if round.version != self.state.version.next() && !Mutant::ShowsWithGaps.is_on() {
            self.disconnect(format!("version {} followed version {}", round.version, self.state.version));
            return;
        }
        for change in &round.changes {
            self.state.manifest.set(change.path, committed_record(change, round.version));
        }
        self.state.version = round.version;
        if self.state.manifest.root() != round.root {
            self.disconnect(format!("version {} has another root here; the copy is compared anew", round.version));
        }
        self.effects.push(FollowerEffect::Apply(round));
    }

    fn begin_catch_up(&mut self, catch_up: CatchUpId, target: CatchUpTarget) {
        self.give_up_catch_up();
        let (manifest, distrusted) = (self.state.manifest.clone(), self.distrusted.clone());
        let (learner, step) = Learner::begin(catch_up, target, manifest, distrusted);
        self.learner = Some(learner);
        self.do_learner_step(catch_up, step);
    }

    fn step_learner(&mut self, catch_up: CatchUpId, step: impl FnOnce(&mut Learner) -> Vec<LearnerStep>) {
        if let Some(learner) = self.learner.as_mut().filter(|learner| learner.catch_up() == catch_up) {
            for step in step(learner) {
                self.do_learner_step(catch_up, step);
            }
        }
    }

    fn do_learner_step(&mut self, catch_up: CatchUpId, step: LearnerStep) {
        match step {
            LearnerStep::Say(message) => self.send(FromAppServer::CatchUp(message)),
            LearnerStep::FindMissing(files) => self.effects.push(FollowerEffect::FindMissing { catch_up, files }),
            LearnerStep::Store(files) => self.effects.push(FollowerEffect::StoreFetched { catch_up, files }),
            // An app-server shows no round before the one that its copy holds: it keeps them, and applies them in the end.
            LearnerStep::Write(_) => unreachable!("an app-server's learner is not told of rounds"),
            LearnerStep::Install { removed } => self.effects.push(FollowerEffect::Install { catch_up, removed }),
            LearnerStep::Restart { reason } => self.disconnect(reason),
        }
    }

    fn heal(&mut self, request: RequestId, repairs: Vec<Repair>, foreign: Vec<String>) {
        let is_current = |repair: &Repair| is_newest(repair, &self.state.manifest, self.learner.as_ref());
        let (repairs, changed): (Vec<_>, Vec<_>) = repairs.into_iter().partition(is_current);
        let reason = "a newer round changes this file";
        let left = changed
            .into_iter()
            .map(|repair| HealResult {
                name: repair.path.to_string(),
                outcome: HealOutcome::Changed { reason: reason.to_owned() },
            })
            .collect();
        self.effects.push(FollowerEffect::Heal { request, repairs, foreign, left });
    }

    fn become_level(&mut self) {
        if self.link != Link::Down {
            self.link = Link::Level;
            self.effects.push(FollowerEffect::Level { version: self.state.version });
        }
    }

    /// What a catch-up that is given up has written stays on the disk.
    fn give_up_catch_up(&mut self) {
        if let Some(learner) = self.learner.take() {
            self.distrusted.extend(learner.into_distrusted());
        }
        self.later.clear();
    }

    fn send(&mut self, message: FromAppServer) {
        if self.link != Link::Down {
            self.effects.push(FollowerEffect::Send(message));
        }
    }

    fn disconnect(&mut self, reason: String) {
        self.link = Link::Down;
        self.give_up_catch_up();
        self.effects.push(FollowerEffect::Disconnect { reason });
    }
}
