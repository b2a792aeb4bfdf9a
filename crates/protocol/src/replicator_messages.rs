//! What the coordinator and a replicator say to each other.

use crate::{
    ClusterId, CommittedRound, CoordinatorId, DiskSpace, Epoch, FromLearner, HolderAnswer, HolderRequest, Incarnation,
    MemberId, Prepare, RecoveryAnswer, RecoveryQuestion, RoundId, ScrubReport, SetDigest, ToLearner, Version, View,
    ViewNumber, Vote,
};
use serde::{Deserialize, Serialize};

/// Everything that a coordinator says, to anybody: never without its epoch and its id (rule EpochFence).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromCoordinator<M> {
    /// The coordinator's epoch.
    pub epoch: Epoch,
    /// The coordinator.
    pub coordinator: CoordinatorId,
    /// What it says.
    pub message: M,
}

/// What the coordinator says to a replicator.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToReplicator {
    /// The answer to a hello: the epoch in the envelope is to be made durable and accepted.
    Welcome {
        /// The cluster.
        cluster: ClusterId,
        /// The current view.
        view: ViewNumber,
        /// The key under which manifests carry their MAC, 64 hexadecimal digits.
        data_key: String,
    },
    /// You are level: this is the committed state, by the coordinator's own log.
    Confirm {
        /// Its version.
        version: Version,
        /// Its root.
        root: SetDigest,
    },
    /// First phase.
    Prepare(Prepare),
    /// Second phase.
    Commit {
        /// The round.
        round: RoundId,
    },
    /// Second phase.
    Abort {
        /// The round.
        round: RoundId,
    },
    /// You are behind.
    CatchUp(ToLearner),
    /// A round was committed without you. Told in order and without gaps, from the moment on at which you are said to be
    /// level or are led to be so.
    Committed(CommittedRound),
    /// A new view is in force: remember it, in case that the coordinator's log is lost.
    View(View),
    /// A coordinator without its log asks what is known. Answered whatever its epoch: nothing is changed by it.
    Recovery(RecoveryQuestion),
    /// Questions about files, and repairs.
    Files(HolderRequest),
    /// Begin a scrub now; one that runs begins again.
    Scrub,
    /// Vote abort on the next round (lab).
    VoteAbortNext {
        /// What to give as the reason.
        reason: String,
    },
    /// You are not let in; the connection ends.
    Refuse {
        /// Why and what to do, for people.
        reason: String,
    },
    /// You are no longer a member: stop.
    Removed {
        /// A sentence for people.
        reason: String,
    },
}

/// What a replicator that comes back knows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Its memory is whole.
    Trusted,
    /// Its log ended in a torn record: it says nothing about rounds before the coordinator has confirmed its state.
    Unconfirmed,
    /// Its memory is gone or damaged: it must catch up.
    Lost,
}

/// A round that a replicator has voted commit on, without knowing the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreparedRound {
    /// The round.
    pub round: RoundId,
    /// The version that it builds on.
    pub base_version: Version,
    /// The root after it.
    pub expected_root: SetDigest,
}

/// How a replicator introduces itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicatorHello {
    /// The protocol that it speaks.
    pub protocol: u32,
    /// Its name.
    pub member: MemberId,
    /// Its memory.
    pub incarnation: Incarnation,
    /// The cluster that its data belongs to; none while it is new.
    pub cluster: Option<ClusterId>,
    /// Where it listens for its peers.
    pub address: String,
    /// The highest epoch that it has accepted.
    pub epoch: Epoch,
    /// Whose epoch that was.
    pub coordinator: Option<CoordinatorId>,
    /// Its committed version.
    pub version: Version,
    /// The root of that version.
    pub root: SetDigest,
    /// The highest round that it knows to be decided or refused.
    pub settled: RoundId,
    /// The round that it is in doubt about.
    pub prepared: Option<PreparedRound>,
    /// Who takes part in that round.
    #[serde(default)]
    pub participants: Vec<MemberId>,
    /// What it knows of itself.
    pub standing: Standing,
    /// The newest view that it was told.
    #[serde(default)]
    pub view: Option<View>,
}

/// How long a replicator took from the arrival of a prepare, by its own clock, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoteTook {
    /// Until the record that the vote rests on was handed to the disk.
    pub staged_us: u64,
    /// Until it was durable.
    pub durable_us: u64,
}

/// What a replicator says to the coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToCoordinator {
    /// The first message of a connection.
    Hello(ReplicatorHello),
    /// The epoch is durable here; a lower one will be refused from now on.
    EpochAccepted {
        /// The epoch.
        epoch: Epoch,
        /// Its coordinator.
        coordinator: CoordinatorId,
    },
    /// The message came from a coordinator that another one has replaced.
    EpochRefused {
        /// The epoch that is in force here.
        epoch: Epoch,
        /// Its coordinator.
        coordinator: Option<CoordinatorId>,
    },
    /// A vote, durable here.
    Vote {
        /// The round.
        round: RoundId,
        /// The vote.
        vote: Vote,
        /// How many more bytes of committed files may wait to be written here; 0: no round at present.
        credit_bytes: u64,
        /// How long that took here. For people only: nothing is decided by it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        took: Option<VoteTook>,
    },
    /// This replicator's committed state, durable here.
    Acknowledge {
        /// The newest round that is durably known here to be decided or refused.
        settled: RoundId,
        /// The committed version.
        version: Version,
        /// Its root.
        root: SetDigest,
    },
    /// Files were written: the backlog has room again.
    Credit {
        /// How many more bytes of committed files may wait to be written here.
        credit_bytes: u64,
    },
    /// Its disk: when it comes, and when that has changed. For people only: nothing is decided by it.
    Disk(DiskSpace),
    /// Catching up.
    CatchUp(FromLearner),
    /// Answers to a coordinator without its log.
    Recovery(RecoveryAnswer),
    /// Answers about files.
    Files(HolderAnswer),
    /// What a scrub has found so far, now and then; and at its end.
    Scrubbed(ScrubReport),
}
