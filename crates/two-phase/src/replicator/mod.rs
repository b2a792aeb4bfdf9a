//! The replicator's half of the protocol: it stages what it is asked to prepare, votes, and concludes.
//!
//! ```text
//!            prepare, judged well: Prepared (durable)  -> vote commit
//!   idle  ------------------------------------------------------------>  prepared (in doubt)
//!    ^ |                                                                     |
//!    | '-- prepare, judged ill: Refused (durable) -> vote abort              |
//!    | '-- asked by a peer in doubt: Refused (durable) -> answer             |
//!    '------------- Committed -> files, acknowledge | Aborted ---------------'
//!                   (the coordinator's word, or a peer's)
//! ```
//!
//! The driver feeds events in (`handle_*`) and drains [`Replicator::take_effects`]. It appends, syncs and says what it is told,
//! in that order, and decides nothing. What ends a round without the coordinator is in `peers`; catch-ups and repairs are in
//! `files`.

mod effect;
mod files;
mod fingerprint;
mod following;
mod outcomes;
mod peers;
mod record;
mod recovery;
mod scrubbing;
mod state;
mod voting;

pub use effect::{FileChange, ReplicatorEffect};
pub use outcomes::{Ended, RecentOutcomes};
pub use peers::{PeerPacing, PeerRequest};
pub use record::ReplicatorRecord;
use recovery::RecentDecisions;
pub use scrubbing::ExpectedFiles;
pub use state::{CommittedFiles, ReplicatorHeader, ReplicatorState};
pub use voting::Capacity;

use crate::fence::{Admission, Fence};
use crate::learner::Learner;
use crate::log_sequence::{AwaitingDurable, LogSequence, SyncWhen};
use crate::mutant::Mutant;
use catalogue::BookPath;
use peers::Doubt;
use protocol::{
    AbortCause, ClusterId, CoordinatorId, DiskSpace, Epoch, FromCoordinator, HolderRequest, Incarnation, MemberId,
    Outcome, PROTOCOL_VERSION, PeerAnswer, Prepare, PreparedRound, ReplicatorHello, RoundId, SetDigest, Standing,
    ToCoordinator, ToLearner, ToReplicator, Version, Vote,
};
use std::collections::BTreeSet;

/// Who this replicator is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReplicatorIdentity {
    /// Its name.
    pub member: MemberId,
    /// Its memory.
    pub incarnation: Incarnation,
    /// Where it listens for its peers.
    pub address: String,
}

/// How the log was found at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFound {
    /// It ends with an intact record.
    Whole,
    /// Its last record was torn, and was trimmed.
    TornTail,
}

/// How far the introduction on the present connection is. Nothing is said before the hello, and the hello reports only what is
/// durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Link {
    Down,
    HelloDue,
    Up,
}

/// What is done when a record is durable.
#[derive(Debug, Clone, Hash)]
enum Then {
    Say(ToCoordinator),
    Vote(RoundId, Vote),
    Conclude(Option<CommittedFiles>, ToCoordinator),
    AnswerPeer(PeerRequest, PeerAnswer),
    Nothing,
}

/// A replicator without its disk and its network.
#[derive(Debug, Clone)]
pub struct Replicator {
    identity: ReplicatorIdentity,
    state: ReplicatorState,
    prepared_sequence: Option<LogSequence>,
    awaiting: AwaitingDurable<Then>,
    learner: Option<Learner>,
    distrusted: BTreeSet<BookPath>,
    recent: RecentDecisions,
    capacity: Capacity,
    /// What was said of the disk on this connection.
    disk_told: Option<DiskSpace>,
    vote_abort_next: Option<String>,
    link: Link,
    doubt: Option<Doubt>,
    pacing: PeerPacing,
    effects: Vec<ReplicatorEffect>,
}

impl Replicator {
    /// A replicator whose memory is new or lost. It takes part once it has caught up (rule NoAmnesia).
    #[must_use]
    pub fn new(identity: ReplicatorIdentity, last: LogSequence) -> Self {
        let mut replicator = Self::with_state(identity, ReplicatorState::empty(), None, last);
        replicator.append(ReplicatorRecord::Lost, SyncWhen::Now, Then::Nothing);
        if Mutant::TrustsLostMemory.is_on() {
            replicator.append(
                ReplicatorRecord::Confirmed { version: Version::ZERO, root: SetDigest::EMPTY },
                SyncWhen::Now,
                Then::Nothing,
            );
        }
        replicator
    }

    /// A replicator as its checkpoint and the log behind it say that it was. The effects that it begins with write the files of
    /// all rounds that the log commits, because those may be torn or missing.
    #[must_use]
    pub fn recover(
        identity: ReplicatorIdentity,
        checkpoint: ReplicatorState,
        after: LogSequence,
        records: impl IntoIterator<Item = (LogSequence, ReplicatorRecord)>,
        found: LogFound,
    ) -> Self {
        let (mut state, mut last, mut prepared_sequence) = (checkpoint, after, None);
        let (mut redo, mut recent) = (Vec::new(), RecentDecisions::default());
        for (sequence, record) in records {
            last = sequence;
            if let ReplicatorRecord::Prepared(_) = record {
                prepared_sequence = Some(sequence);
            }
            if let (ReplicatorRecord::Committed { round }, Some(prepare)) = (&record, &state.prepared)
                && prepare.round == *round
            {
                recent.note(prepare);
            }
            redo.extend(state.apply(&record));
        }
        if state.prepared.is_none() {
            prepared_sequence = None;
        }
        let mut replicator = Self::with_state(identity, state, prepared_sequence, last);
        replicator.recent = recent;
        let writes =
            redo.into_iter().map(|CommittedFiles { version, files }| ReplicatorEffect::WriteFiles { version, files });
        replicator.effects.extend(writes);
        let is_torn = found == LogFound::TornTail && !Mutant::TrustsTornTail.is_on();
        if is_torn && replicator.state.standing == Standing::Trusted {
            replicator.append(ReplicatorRecord::Unconfirmed, SyncWhen::Now, Then::Nothing);
        }
        replicator
    }

    fn with_state(
        identity: ReplicatorIdentity,
        state: ReplicatorState,
        prepared_sequence: Option<LogSequence>,
        last: LogSequence,
    ) -> Self {
        Self {
            identity,
            state,
            prepared_sequence,
            awaiting: AwaitingDurable::after(last),
            learner: None,
            distrusted: BTreeSet::new(),
            recent: RecentDecisions::default(),
            capacity: Capacity { disk_free_bytes: u64::MAX, credit_bytes: u64::MAX },
            disk_told: None,
            vote_abort_next: None,
            link: Link::Down,
            doubt: None,
            pacing: PeerPacing::default(),
            effects: Vec::new(),
        }
    }

    // What it knows.

    /// Its state.
    #[must_use]
    pub fn state(&self) -> &ReplicatorState {
        &self.state
    }

    /// The last record that it has appended.
    #[must_use]
    pub fn last_appended(&self) -> LogSequence {
        self.awaiting.last_appended()
    }

    /// A checkpoint's place in the log: all records up to it are in [`Replicator::state`], and those after it lead from the
    /// checkpoint to the state. None while a record is not durable: a checkpoint must not cover a number that a crash may
    /// give to another record.
    #[must_use]
    pub fn checkpoint_sequence(&self) -> Option<LogSequence> {
        let settled = self.awaiting.last_durable() == self.awaiting.last_appended();
        let before_prepared = self.prepared_sequence.map(|sequence| LogSequence(sequence.0 - 1));
        settled.then(|| before_prepared.unwrap_or(self.awaiting.last_durable()))
    }

    /// What the driver is to do, in order.
    pub fn take_effects(&mut self) -> Vec<ReplicatorEffect> {
        std::mem::take(&mut self.effects)
    }

    // What happens.

    /// There is a new connection: introduces itself as soon as all that it would report is durable.
    pub fn handle_connected(&mut self) {
        self.give_up_catch_up();
        self.link = Link::HelloDue;
        self.disk_told = None;
        self.say_hello_if_durable();
    }

    fn say_hello_if_durable(&mut self) {
        if self.link == Link::HelloDue && self.awaiting.last_durable() == self.awaiting.last_appended() {
            self.link = Link::Up;
            self.send(ToCoordinator::Hello(self.hello()));
        }
    }

    fn hello(&self) -> ReplicatorHello {
        let prepared = self.state.prepared.as_ref().map(|prepare| PreparedRound {
            round: prepare.round,
            base_version: prepare.base_version,
            expected_root: prepare.expected_root,
        });
        ReplicatorHello {
            protocol: PROTOCOL_VERSION,
            member: self.identity.member.clone(),
            incarnation: self.identity.incarnation,
            cluster: self.state.cluster,
            address: self.identity.address.clone(),
            epoch: self.state.fence.epoch,
            coordinator: self.state.fence.coordinator,
            version: self.state.version,
            root: self.state.manifest.root(),
            settled: self.state.settled,
            prepared,
            participants: self.participants(),
            standing: self.state.standing,
            view: self.state.view.clone(),
        }
    }

    fn participants(&self) -> Vec<MemberId> {
        let prepared = self.state.prepared.iter();
        prepared.flat_map(|prepare| &prepare.participants).map(|participant| participant.id.clone()).collect()
    }

    /// The connection ended. What is prepared stays prepared.
    pub fn handle_disconnected(&mut self) {
        if let (Some(prepare), true) = (&self.state.prepared, Mutant::GivesUpPreparedRound.is_on()) {
            self.append_conclusion(ReplicatorRecord::Aborted { round: prepare.round });
        }
        self.give_up_catch_up();
        self.link = Link::Down;
    }

    /// The driver measured the machine.
    pub fn handle_capacity(&mut self, capacity: Capacity) {
        if self.capacity.credit_bytes == 0 && capacity.credit_bytes > 0 {
            self.send(ToCoordinator::Credit { credit_bytes: capacity.credit_bytes });
        }
        self.capacity = capacity;
    }

    /// The driver looked at the disk. People are told now and then; nothing is decided by it here or elsewhere.
    pub fn handle_disk_space(&mut self, disk: DiskSpace) {
        let is_news = self.disk_told.is_none_or(|told| disk.is_news_after(told));
        if is_news && self.link == Link::Up {
            self.disk_told = Some(disk);
            self.send(ToCoordinator::Disk(disk));
        }
    }

    /// What is fetched cannot be stored, as the disk is full: the catch-up is given up with its connection, and begun anew with the
    /// next one.
    pub fn handle_no_room(&mut self, reason: String) {
        self.disconnect(reason);
    }

    /// All records up to `through` are durable.
    pub fn handle_durable(&mut self, through: LogSequence) {
        for then in self.awaiting.durable(through) {
            self.go_on(then);
        }
        self.say_hello_if_durable();
    }

    fn go_on(&mut self, then: Then) {
        match then {
            Then::Say(message) => self.send(message),
            Then::Vote(round, vote) => {
                // As it is now: an older credit would follow the news that there is room again.
                let credit_bytes = self.capacity.credit_bytes;
                // How long it took is for the driver to say: there is no clock here.
                self.send(ToCoordinator::Vote { round, vote, credit_bytes, took: None });
            }
            Then::Conclude(files, acknowledge) => {
                if let Some(CommittedFiles { version, files }) = files {
                    self.effects.push(ReplicatorEffect::WriteFiles { version, files });
                }
                self.send(acknowledge);
            }
            Then::AnswerPeer(request, answer) => self.effects.push(ReplicatorEffect::AnswerPeer { request, answer }),
            Then::Nothing => {}
        }
    }

    /// A message of a coordinator, judged by its epoch first (rule EpochFence).
    pub fn handle_message(&mut self, message: FromCoordinator<ToReplicator>) {
        let FromCoordinator { epoch, coordinator, message } = message;
        match (self.state.fence.judge(epoch, coordinator), message) {
            (_, ToReplicator::Recovery(question)) => self.answer_recovery(question),
            (Admission::Refused, message) => {
                let Fence { epoch, coordinator } = self.state.fence;
                self.send(ToCoordinator::EpochRefused { epoch, coordinator });
                // A coordinator that refuses tells why itself, which says more than its epoch.
                self.disconnect(match message {
                    ToReplicator::Refuse { reason } => reason,
                    _ => format!("the coordinator was replaced by that of epoch {epoch}"),
                });
            }
            (_, ToReplicator::Refuse { reason }) => self.disconnect(reason),
            (_, ToReplicator::Removed { reason }) => self.effects.push(ReplicatorEffect::Stop { reason }),
            (Admission::Newer, ToReplicator::Welcome { cluster, .. }) => self.accept_epoch(epoch, coordinator, cluster),
            (Admission::Newer, _) => {
                self.disconnect(format!("a coordinator of epoch {epoch} spoke before its welcome"))
            }
            (Admission::Accepted, message) => self.handle_admitted(message),
        }
    }

    // What it does about it.

    fn handle_admitted(&mut self, message: ToReplicator) {
        match message {
            ToReplicator::Welcome { cluster, .. } => {
                let fence = self.state.fence;
                let coordinator = fence.coordinator.expect("a message is admitted only from a known coordinator");
                self.accept_epoch(fence.epoch, coordinator, cluster);
            }
            ToReplicator::Confirm { version, root } => self.handle_confirm(version, root),
            ToReplicator::Prepare(prepare) => self.handle_prepare(prepare),
            ToReplicator::Commit { round } => self.conclude(round, Outcome::Committed),
            ToReplicator::Abort { round } => self.conclude(round, Outcome::Aborted),
            ToReplicator::Committed(round) => self.handle_committed(round),
            ToReplicator::CatchUp(ToLearner::Compare { catch_up, target }) => self.begin_catch_up(catch_up, target),
            ToReplicator::CatchUp(message) => {
                if let Some(catch_up) = self.learner.as_ref().map(Learner::catch_up) {
                    self.step_learner(catch_up, |learner| learner.handle(message));
                }
            }
            ToReplicator::Files(HolderRequest::Heal { request, repairs, foreign }) => {
                self.heal(request, repairs, foreign)
            }
            ToReplicator::Files(request) => self.effects.push(ReplicatorEffect::Inspect(request)),
            ToReplicator::Scrub => self.effects.push(ReplicatorEffect::Scrub),
            ToReplicator::VoteAbortNext { reason } => self.vote_abort_next = Some(reason),
            ToReplicator::View(view) => {
                self.append(ReplicatorRecord::ViewLearned(view), SyncWhen::Now, Then::Nothing);
            }
            ToReplicator::Refuse { .. } | ToReplicator::Removed { .. } | ToReplicator::Recovery(_) => {
                unreachable!("whoever is not let in is told so under any epoch that is not refused")
            }
        }
    }

    fn accept_epoch(&mut self, epoch: Epoch, coordinator: CoordinatorId, cluster: ClusterId) {
        let is_empty = self.state.standing == Standing::Lost;
        if let Some(own) = self.state.cluster.filter(|own| *own != cluster && !is_empty) {
            self.disconnect(format!("the coordinator belongs to cluster {cluster}, this data to cluster {own}"));
            return;
        }
        let record = ReplicatorRecord::EpochAccepted { epoch, coordinator, cluster };
        self.append(record, SyncWhen::Now, Then::Say(ToCoordinator::EpochAccepted { epoch, coordinator }));
    }

    /// Rule NoAmnesia: what a torn tail may have taken away is found to be nothing.
    fn handle_confirm(&mut self, version: protocol::Version, root: protocol::SetDigest) {
        let same = version == self.state.version && root == self.state.manifest.root();
        if !same {
            self.disconnect(format!(
                "the coordinator confirmed version {version}, this copy is at {}",
                self.state.version
            ));
        } else if self.state.standing != Standing::Trusted {
            self.append(
                ReplicatorRecord::Confirmed { version, root },
                SyncWhen::Now,
                Then::Say(self.acknowledgement()),
            );
        } else {
            self.acknowledge();
        }
    }

    fn handle_prepare(&mut self, prepare: Prepare) {
        if let (Some(parent), Some(prepared)) = (prepare.parent, &self.state.prepared)
            && parent.round == prepared.round
        {
            self.conclude(parent.round, parent.outcome);
        }
        let forgets = Mutant::PreparesWhatHasEnded.is_on();
        let is_refused = self.state.outcomes.of(prepare.round) == Some(Ended::Refused) && !forgets;
        if is_refused && self.state.standing == Standing::Trusted {
            self.repeat_refusal(prepare.round);
            return;
        }
        let has_ended = prepare.round <= self.state.settled && !forgets;
        let repeated = self.state.prepared.as_ref().is_some_and(|prepared| prepared.round == prepare.round);
        if repeated || has_ended || self.state.standing != Standing::Trusted {
            return;
        }
        let forced = self.vote_abort_next.take().map(|reason| AbortCause::Forced { reason });
        let judged = forced.map_or_else(|| voting::judge(&self.state, &prepare, self.capacity), Err);
        let round = prepare.round;
        if let (Ok(()), true) = (&judged, Mutant::WritesFilesAtPrepare.is_on()) {
            let files = prepare.changes.iter().map(|change| FileChange::of(change.path, &change.action)).collect();
            self.effects.push(ReplicatorEffect::WriteFiles { version: prepare.version(), files });
        }
        let (record, vote) = match judged {
            Ok(()) => (ReplicatorRecord::Prepared(prepare), Vote::Commit),
            Err(cause) => (ReplicatorRecord::Refused { round, cause: cause.clone() }, Vote::Abort { cause }),
        };
        if Mutant::VotesBeforeDurable.is_on() {
            self.go_on(Then::Vote(round, vote.clone()));
        }
        // Rule DurableVote: the vote leaves only when the record that it rests on is durable.
        self.append(record, SyncWhen::Now, Then::Vote(round, vote));
    }

    /// A peer that was in doubt has asked before the prepare came: the coordinator need not wait for this vote in vain.
    fn repeat_refusal(&mut self, round: RoundId) {
        let reason = "it had refused this round before it was asked to prepare it".to_owned();
        self.once_durable(Then::Vote(round, Vote::Abort { cause: AbortCause::Mine { reason } }));
    }

    fn conclude(&mut self, round: RoundId, outcome: Outcome) {
        let prepared = self.state.prepared.as_ref().is_some_and(|prepare| prepare.round == round);
        if !prepared && round <= self.state.settled {
            self.acknowledge();
            return;
        }
        match outcome {
            Outcome::Committed if prepared => self.append_conclusion(ReplicatorRecord::Committed { round }),
            Outcome::Committed => self.disconnect(format!("round {round} is committed, but was not prepared here")),
            Outcome::Aborted => self.append_conclusion(ReplicatorRecord::Aborted { round }),
        }
    }

    /// The commit record shares the sync of the next prepare; the files are written and the acknowledgement said after it.
    fn append_conclusion(&mut self, record: ReplicatorRecord) {
        if let (ReplicatorRecord::Committed { .. }, Some(prepare)) = (&record, &self.state.prepared) {
            self.recent.note(prepare);
        }
        let files = self.state.apply(&record);
        self.prepared_sequence = None;
        if Mutant::AcknowledgesBeforeDurable.is_on() {
            self.send(self.acknowledgement());
        }
        let sequence = self.awaiting.append(Then::Conclude(files, self.acknowledgement()));
        self.effects.push(ReplicatorEffect::Append { sequence, record, sync: SyncWhen::Soon });
    }

    /// Tells the committed state, once all of it is durable (rule DurableVote).
    fn acknowledge(&mut self) {
        if Mutant::AcknowledgesBeforeDurable.is_on() {
            return self.send(self.acknowledgement());
        }
        self.once_durable(Then::Say(self.acknowledgement()));
    }

    /// Does what rests on no record of its own, once all that was appended so far is durable.
    fn once_durable(&mut self, then: Then) {
        if let Some(then) = self.awaiting.after_all(then) {
            self.go_on(then);
        }
    }

    fn acknowledgement(&self) -> ToCoordinator {
        ToCoordinator::Acknowledge {
            settled: self.state.settled,
            version: self.state.version,
            root: self.state.manifest.root(),
        }
    }

    fn append(&mut self, record: ReplicatorRecord, sync: SyncWhen, then: Then) {
        self.state.apply(&record);
        let sequence = self.awaiting.append(then);
        if let ReplicatorRecord::Prepared(_) = record {
            self.prepared_sequence = Some(sequence);
        }
        self.effects.push(ReplicatorEffect::Append { sequence, record, sync });
    }

    fn send(&mut self, message: ToCoordinator) {
        if self.link == Link::Up {
            self.effects.push(ReplicatorEffect::Send(message));
        }
    }

    fn disconnect(&mut self, reason: String) {
        self.give_up_catch_up();
        self.link = Link::Down;
        self.effects.push(ReplicatorEffect::Disconnect { reason });
    }
}
