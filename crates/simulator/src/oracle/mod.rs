//! The oracle sees everything that is said and everything that becomes durable, and judges it rule by rule.
//!
//! It knows the protocol's promises, not its code: it keeps facts of its own (what is on whose disk, what was decided, who was told
//! what) and compares. One file a rule, named after it; each has the checks that `docs/protocol.md` names.

mod acked_never_lost;
mod agreement;
mod durable_decision;
mod durable_vote;
mod epoch_fence;
mod frozen_participants;
mod honest_answer;
mod min_in_sync;
mod no_amnesia;
mod no_phantom;
mod no_rollback;
mod no_stale_coordinator;
mod no_way_back;
mod once;
mod order;
mod safe_trim;
mod validity;
mod view_durable;

use crate::violation::{Held, Rule, ensure};
use catalogue::BookPath;
use honest_answer::Requests;
use protocol::{
    ChangeId, CoordinatorId, Digest, Epoch, FromCoordinator, MemberId, MemberRole, Outcome, Prepare, RoundId,
    SetDigest, Standing, ToAppServer, ToCoordinator, ToReplicator, Version, View, ViewNumber,
};
use std::collections::{BTreeMap, BTreeSet};
use two_phase::Manifest;
use two_phase::coordinator::{CoordinatorRecord, Decision};
use two_phase::replicator::{ReplicatorRecord, ReplicatorState};

/// What is known of one replicator.
#[derive(Debug)]
struct Disk {
    /// The fold of its durable records.
    state: ReplicatorState,
    /// The round that it has voted commit on without knowing the outcome.
    promised: Option<RoundId>,
    /// The highest epoch that it has made durable, since it last lost its memory.
    epoch: Epoch,
    /// It has lost its memory and has not caught up since.
    lost: bool,
    /// It has started again and the coordinator has not heard its hello: what the process before it said still counts.
    unheard: bool,
}

/// A committed change.
#[derive(Debug)]
struct CommittedFact {
    fingerprint: Digest,
    version: Version,
    round: RoundId,
    path: BookPath,
    digest: Option<Digest>,
    answer: String,
    decided_us: u64,
    /// Its answer was lost with the coordinator's log.
    forgotten: bool,
}

/// The facts of a run.
#[derive(Debug)]
pub(crate) struct Oracle {
    names: Vec<MemberId>,
    retention_us: u64,
    /// The coordinator runs on an old copy of its log.
    stale: bool,
    stale_epochs_seen: bool,
    /// What is heard is a coordinator's that hung and has a successor.
    predecessor: bool,
    outcomes: BTreeMap<RoundId, (Outcome, String)>,
    decisions: BTreeMap<Version, Decision>,
    versions: BTreeMap<RoundId, Version>,
    roots: BTreeMap<Version, SetDigest>,
    manifest: Manifest,
    prepared: BTreeMap<RoundId, BTreeSet<usize>>,
    participants: BTreeMap<RoundId, Vec<MemberId>>,
    disks: Vec<Disk>,
    epochs: BTreeMap<Epoch, CoordinatorId>,
    accepted: BTreeMap<(Epoch, CoordinatorId), BTreeSet<usize>>,
    follower_epochs: BTreeMap<usize, Epoch>,
    views: BTreeMap<ViewNumber, View>,
    /// Those who were rightly told that they are no members. The word may reach one that was let in again meanwhile.
    sent_away: BTreeSet<MemberId>,
    committed: BTreeMap<ChangeId, CommittedFact>,
    committed_bytes: BTreeSet<(BookPath, Digest)>,
    requests: Requests,
    acked: Version,
    /// Decided rounds that the coordinator has not forgotten.
    remembered: BTreeSet<RoundId>,
}

impl Oracle {
    /// An oracle of a new cluster.
    pub(crate) fn new(names: Vec<MemberId>, view: &View, retention_ms: u64) -> Self {
        let disk = || Disk {
            state: ReplicatorState::empty(),
            promised: None,
            epoch: Epoch::ZERO,
            lost: false,
            unheard: false,
        };
        Self {
            disks: names.iter().map(|_| disk()).collect(),
            names,
            retention_us: retention_ms * 1_000,
            stale: false,
            stale_epochs_seen: false,
            predecessor: false,
            outcomes: BTreeMap::new(),
            decisions: BTreeMap::new(),
            versions: BTreeMap::new(),
            roots: BTreeMap::from([(Version::ZERO, SetDigest::EMPTY)]),
            manifest: Manifest::default(),
            prepared: BTreeMap::new(),
            participants: BTreeMap::new(),
            epochs: BTreeMap::new(),
            accepted: BTreeMap::new(),
            follower_epochs: BTreeMap::new(),
            views: BTreeMap::from([(view.number, view.clone())]),
            sent_away: BTreeSet::new(),
            committed: BTreeMap::new(),
            committed_bytes: BTreeSet::new(),
            requests: Requests::default(),
            acked: Version::ZERO,
            remembered: BTreeSet::new(),
        }
    }

    // What it is asked.

    /// The committed version.
    pub(crate) fn version(&self) -> Version {
        self.decisions.last_key_value().map_or(Version::ZERO, |(version, _)| *version)
    }

    /// The committed files.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How many of these replicators hold this version durably.
    pub(crate) fn holders_of(&self, version: Version, among: &[usize]) -> usize {
        let holds = |index: &&usize| !self.disks[**index].lost && self.disks[**index].state.version >= version;
        among.iter().filter(holds).count()
    }

    /// Whether somebody else than this replicator holds the newest version durably, or what makes it of the one before: a round that
    /// was committed by a recovery may be on one disk only.
    pub(crate) fn newest_is_held_beside(&self, index: usize) -> bool {
        let newest = self.version();
        let holds = |disk: &Disk| {
            let prepared = disk.state.prepared.as_ref().is_some_and(|prepare| prepare.version() == newest);
            !disk.lost && (disk.state.version >= newest || prepared)
        };
        newest == Version::ZERO || self.disks.iter().enumerate().any(|(other, disk)| other != index && holds(disk))
    }

    /// Those who vote, by the newest view.
    pub(crate) fn voters(&self) -> Vec<usize> {
        let is_voter = |index: &usize| self.role(&self.names[*index]) == Some(MemberRole::Voter);
        (0..self.names.len()).filter(is_voter).collect()
    }

    /// What a member is there for, by the newest view; none if it is none.
    pub(crate) fn role(&self, member: &MemberId) -> Option<MemberRole> {
        let (_, view) = self.views.last_key_value()?;
        view.member(member).map(|member| member.role)
    }

    /// A replicator is told that it is no longer a member, at this moment. A coordinator that hung may have sent away somebody
    /// whom its successor, which knows nothing of that, still counts: whoever still hears it believes it.
    pub(crate) fn told_that_it_is_no_member(&mut self, member: &MemberId) {
        if self.predecessor || self.role(member).is_none() {
            self.sent_away.insert(member.clone());
        }
    }

    /// A replicator believes that it is no longer a member.
    ///
    /// # Errors
    /// If it was one when it was told.
    pub(crate) fn is_no_member(&mut self, member: &MemberId) -> Held {
        let rightly = self.sent_away.remove(member);
        ensure(rightly, Rule::ViewDurable, || format!("{member} is told to stop, and is a member"))
    }

    /// Whether this replicator has no memory: it has lost it and not caught up since, or never had one.
    pub(crate) fn has_lost(&self, index: usize) -> bool {
        let disk = &self.disks[index];
        disk.lost || (disk.state.standing == Standing::Lost && self.version() > Version::ZERO)
    }

    // What becomes durable.

    /// A record of the coordinator's log is durable.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub(crate) fn coordinator_durable(&mut self, record: &CoordinatorRecord, now_us: u64) -> Held {
        if self.is_stale() {
            return self.stale_record(record);
        }
        match record {
            // What is on the disk of a coordinator that has a successor counts for nobody but itself.
            CoordinatorRecord::EpochTaken { .. } if self.predecessor => Ok(()),
            CoordinatorRecord::ViewChanged { view, .. } if self.predecessor => Self::leaves_enough(view),
            CoordinatorRecord::EpochTaken { epoch, coordinator, .. } => self.epoch_taken(*epoch, *coordinator),
            CoordinatorRecord::ViewChanged { view, .. } => self.view_changed(view),
            CoordinatorRecord::Decided(decision) => self.decided(decision, now_us),
        }
    }

    /// A decision is durable, in the log, or in that of a coordinator that has a successor.
    fn decided(&mut self, decision: &Decision, now_us: u64) -> Held {
        if self.decisions.get(&decision.version).is_some_and(|known| known.round == decision.round) {
            return self.state_in_order("another coordinator", decision.version, decision.root);
        }
        self.decided_validly(decision)?;
        self.decided_by_the_frozen(decision)?;
        if !self.predecessor {
            self.decided_in_view(decision)?;
            self.decided_by_enough(decision)?;
        }
        self.decided_as_asked(decision)?;
        self.decided_in_order(decision)?;
        self.decided_once(decision, now_us)?;
        self.decided_for_somebody(decision)?;
        self.hold(decision.round, Outcome::Committed, "the coordinator's log")
    }

    /// A record of a replicator's log is durable.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub(crate) fn replicator_durable(&mut self, index: usize, record: &ReplicatorRecord) -> Held {
        let before = self.disks[index].state.version;
        self.disks[index].state.apply(record);
        match record {
            ReplicatorRecord::EpochAccepted { epoch, coordinator, .. } => {
                self.epoch_accepted(index, *epoch, *coordinator)
            }
            ReplicatorRecord::Prepared(prepare) => {
                self.prepared.entry(prepare.round).or_default().insert(index);
                self.same_participants(prepare)
            }
            ReplicatorRecord::Committed { round } => {
                self.promise_ended(index, *round);
                self.hold(*round, Outcome::Committed, self.names[index].clone().as_str())?;
                self.one_version_on(index, before)
            }
            ReplicatorRecord::Aborted { round } => {
                self.promise_ended(index, *round);
                self.hold_aborted(index, *round)
            }
            ReplicatorRecord::Followed(round) => {
                self.promise_ended(index, round.round);
                self.tells_what_is_decided(round)?;
                self.hold(round.round, Outcome::Committed, self.names[index].clone().as_str())?;
                self.disks[index].lost &= round.version != self.version();
                self.one_version_on(index, before)
            }
            ReplicatorRecord::Lost => Ok(()),
            ReplicatorRecord::Confirmed { version, .. } => {
                self.disks[index].lost &= *version != self.version();
                Ok(())
            }
            // Whatever its peers make of it: a round that somebody has refused is not committed.
            ReplicatorRecord::Refused { round, .. } => self.hold_aborted(index, *round),
            // A coordinator on an old log may have told of a view of its own.
            ReplicatorRecord::ViewLearned(_) | ReplicatorRecord::Unconfirmed => Ok(()),
        }
    }

    /// A replicator's checkpoint after a catch-up is durable.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub(crate) fn replicator_installed(&mut self, index: usize, state: &ReplicatorState) -> Held {
        self.promise_survives_install(index, state)?;
        self.disks[index].state = state.clone();
        self.disks[index].lost = false;
        self.state_in_order(self.names[index].as_str(), state.version, state.manifest.root())
    }

    /// A replicator has started again on what its disk holds.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub(crate) fn replicator_recovered(&mut self, index: usize, state: &ReplicatorState) -> Held {
        self.promise_survives_restart(index, state)?;
        self.epoch_survives_restart(index, state)?;
        let disk = &self.disks[index].state;
        ensure(state == disk, Rule::SafeTrim, || {
            format!(
                "{} recovers version {} from its disk, which holds version {}",
                self.names[index], state.version, disk.version
            )
        })?;
        self.disks[index].state = state.clone();
        self.disks[index].unheard = true;
        self.state_in_order(self.names[index].as_str(), state.version, state.manifest.root())
    }

    /// A replicator's disk has lost what it held; `left` is what it holds now.
    pub(crate) fn replicator_lost_memory(&mut self, index: usize, left: ReplicatorState) {
        self.disks[index] = Disk { promised: None, epoch: left.fence.epoch, lost: true, unheard: true, state: left };
    }

    // What is said.

    /// The coordinator says something to a replicator.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub(crate) fn said_to_replicator(&mut self, message: &FromCoordinator<ToReplicator>) -> Held {
        if self.is_stale() {
            return self.stale_word(&message.message);
        }
        if self.predecessor {
            return self.predecessors_word(&message.message);
        }
        if !matches!(message.message, ToReplicator::Refuse { .. }) {
            self.speaks_with_its_epoch(message.epoch, message.coordinator)?;
        }
        match &message.message {
            ToReplicator::Prepare(prepare) => {
                self.same_participants(prepare)?;
                self.prepares_in_view(prepare)?;
                self.prepares_on_what_is_decided(prepare)?;
                self.prepares_in_an_open_epoch(prepare, message.coordinator)
            }
            ToReplicator::Commit { round } => self.commits_what_is_decided(*round),
            ToReplicator::Abort { round } => self.hold(*round, Outcome::Aborted, "the coordinator's word"),
            ToReplicator::Confirm { version, root } => self.confirms_what_is_decided(*version, *root),
            ToReplicator::CatchUp(step) => self.leads_to_what_is_decided(step),
            ToReplicator::View(view) => self.is_in_force(view.number, || "a replicator is told".to_owned()),
            ToReplicator::Committed(round) => self.tells_what_is_decided(round),
            ToReplicator::Welcome { view, .. } => self.welcomes_in_view(*view),
            ToReplicator::Files(_)
            | ToReplicator::Scrub
            | ToReplicator::VoteAbortNext { .. }
            | ToReplicator::Removed { .. }
            | ToReplicator::Recovery(_)
            | ToReplicator::Refuse { .. } => Ok(()),
        }
    }

    /// The coordinator says something to an app-server.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub(crate) fn said_to_app_server(&mut self, message: &FromCoordinator<ToAppServer>) -> Held {
        if self.is_stale() || self.predecessor {
            return Ok(());
        }
        if !matches!(message.message, ToAppServer::Refuse { .. }) {
            self.speaks_with_its_epoch(message.epoch, message.coordinator)?;
        }
        match &message.message {
            ToAppServer::Committed(round) => self.tells_what_is_decided(round),
            ToAppServer::Answered { answer, .. } => self.answers_what_is_decided(answer),
            ToAppServer::Confirm { version, root } => self.confirms_what_is_decided(*version, *root),
            ToAppServer::CatchUp(step) => self.leads_to_what_is_decided(step),
            ToAppServer::Told { answer, .. } => self.knows_its_changes(answer),
            _ => Ok(()),
        }
    }

    /// A replicator says something to the coordinator.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub(crate) fn said_by_replicator(&mut self, index: usize, message: &ToCoordinator) -> Held {
        self.says_what_is_durable(index, message)?;
        match message {
            ToCoordinator::Vote { round, vote, .. } => {
                self.votes_with_its_memory(index, *round)?;
                self.votes_within_its_epoch(index, *round)?;
                self.promises(index, *round, vote);
                Ok(())
            }
            ToCoordinator::Hello(hello) => self.introduces_its_promise(index, hello),
            _ => Ok(()),
        }
    }

    fn refers_to(&self, prepare: &Prepare) -> String {
        format!("round {} on version {}", prepare.round, prepare.base_version)
    }
}
