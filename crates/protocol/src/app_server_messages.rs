//! What the coordinator and an app-server say to each other.

use crate::{Action, RoundOutcome};
use crate::{
    AppServerId, ChangeId, ClusterId, ClusterStatus, Content, CoordinatorId, Digest, Epoch, FromLearner, HeldMessage,
    HolderAnswer, HolderId, HolderRequest, Incarnation, LabAction, MemberId, Outcome, PageAddress, RequestId,
    RestorationId, RestorationReport, RoundId, RoundReport, SetDigest, Submission, TimedEvent, ToLearner, Version,
    VoteReport, WantedFile,
};
use catalogue::BookPath;
use serde::{Deserialize, Serialize};

/// How an app-server introduces itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppServerHello {
    /// The protocol that it speaks.
    pub protocol: u32,
    /// Its name.
    pub app_server: AppServerId,
    /// Its memory.
    pub incarnation: Incarnation,
    /// The cluster that its data belongs to; none while it is new.
    pub cluster: Option<ClusterId>,
    /// The highest epoch that it has seen.
    pub epoch: Epoch,
    /// Whose epoch that was.
    pub coordinator: Option<CoordinatorId>,
    /// The version of its copy.
    pub version: Version,
    /// The root of its copy.
    pub root: SetDigest,
    /// Where browsers reach its page; none if it does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<PageAddress>,
}

/// One app-server, as the coordinator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppServerStatus {
    /// Its name.
    pub id: AppServerId,
    /// Where browsers reach its page; none if it did not say.
    pub address: Option<PageAddress>,
    /// Whether there is a connection.
    pub connected: bool,
}

/// A question that is answered from what the coordinator knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "query", rename_all = "snake_case")]
pub enum Query {
    /// What became of a change.
    Change {
        /// The change.
        change: ChangeId,
    },
    /// Members, version, epoch.
    Cluster,
    /// Recent rounds, newest first.
    Rounds {
        /// Only rounds before this one.
        before: Option<RoundId>,
        /// At most so many.
        limit: u64,
        /// Only those that ended so.
        outcome: Option<RoundOutcome>,
    },
    /// One round.
    Round {
        /// The round.
        round: RoundId,
    },
    /// Restore reports, newest first, without their files.
    Restorations,
    /// One restore report.
    Restoration {
        /// The report.
        restoration: RestorationId,
    },
    /// The bytes that a holder has of a file, or has in quarantine.
    Copy {
        /// Who.
        holder: HolderId,
        /// Which bytes.
        wanted: WantedFile,
    },
    /// The messages that are held in the lab.
    Held,
}

/// What became of a change, as far as the coordinator knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ChangeState {
    /// Committed.
    Committed(CommittedAnswer),
    /// It waits, or its round is not decided yet.
    Pending,
    /// It did not commit and waits nowhere. A change that was refused or aborted is not remembered across a crash.
    NotKnown,
    /// The coordinator cannot say at present: it is not sure of its own log.
    Unknown,
}

/// The answer to a [`Query`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum QueryAnswer {
    /// To `Change`.
    Change {
        /// What became of it. Not flattened: both it and this have a field `answer`.
        state: ChangeState,
    },
    /// To `Cluster`.
    Cluster {
        /// The status.
        status: ClusterStatus,
    },
    /// To `Rounds`.
    Rounds {
        /// The rounds.
        rounds: Vec<RoundReport>,
        /// How many are kept in all (of that outcome).
        total: u64,
        /// Whether older ones follow.
        more: bool,
    },
    /// To `Round`; none if it is not kept.
    Round {
        /// The round.
        round: Option<Box<RoundReport>>,
    },
    /// To `Restorations`.
    Restorations {
        /// The reports.
        reports: Vec<RestorationReport>,
    },
    /// To `Restoration`; none if there is no such report.
    Restoration {
        /// The report.
        report: Option<Box<RestorationReport>>,
    },
    /// To `Copy`.
    Copy {
        /// The bytes; none if the holder does not have them, or cannot be asked.
        content: Option<Content>,
        /// Why there are none, for people.
        why_not: Option<String>,
    },
    /// To `Held`.
    Held {
        /// Whether messages are held.
        on: bool,
        /// Those that are, in the order in which they came.
        messages: Vec<HeldMessage>,
        /// The point of its next round at which the coordinator will die; none if it will not.
        crash_at: Option<String>,
    },
}

/// A change of who is a member.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum MembershipChange {
    /// A replicator that may come in: it is brought level, and then votes, or only follows as an observer.
    Add {
        /// Its name.
        member: MemberId,
        /// It is to have no vote.
        observer: bool,
    },
    /// A member that is to leave, for good.
    Remove {
        /// Its name.
        member: MemberId,
    },
    /// An observer that is to vote.
    Promote {
        /// Its name.
        member: MemberId,
    },
    /// A voter that is only to follow.
    Demote {
        /// Its name.
        member: MemberId,
    },
}

/// What an app-server says to the coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromAppServer {
    /// The first message of a connection.
    Hello(AppServerHello),
    /// Changes, to be committed together. Sent again after a reconnection until they are resolved.
    Submit {
        /// Pairs the answer.
        request: RequestId,
        /// The changes.
        submission: Submission,
    },
    /// A question.
    Ask {
        /// Pairs the answer.
        request: RequestId,
        /// The question.
        query: Query,
    },
    /// Start a restore.
    Restore {
        /// Pairs the answer.
        request: RequestId,
        /// The id that the report will have.
        restoration: RestorationId,
        /// Only report.
        dry_run: bool,
    },
    /// Have every replicator that is connected begin a scrub.
    Scrub {
        /// Pairs the answer.
        request: RequestId,
    },
    /// Change who is a member.
    ChangeMembers {
        /// Pairs the answer.
        request: RequestId,
        /// How.
        change: MembershipChange,
    },
    /// For the lab.
    Lab {
        /// Pairs the answer.
        request: RequestId,
        /// What to do.
        action: LabAction,
    },
    /// Send events from now on, or no more.
    FollowEvents {
        /// Whether to send them.
        follow: bool,
    },
    /// Catching up.
    CatchUp(FromLearner),
    /// Answers about files.
    Files(HolderAnswer),
}

/// Why a submission was refused. Nothing of it was sent to any replicator in a round that may still commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum Refusal {
    /// The file is not what the change expects it to be.
    PreconditionFailed {
        /// The change.
        change: ChangeId,
        /// The file.
        path: BookPath,
        /// The digest of the file as it is; none if there is no such file.
        current: Option<Digest>,
    },
    /// The change id was used for another request.
    KeyReused {
        /// The change.
        change: ChangeId,
    },
    /// The submission can never be taken: too large, a path twice, nothing in it.
    Invalid {
        /// What is wrong, for people.
        reason: String,
    },
    /// As many changes wait as may wait.
    QueueFull {
        /// When to try again, in milliseconds.
        retry_after_ms: u64,
    },
    /// Not enough replicators can take part.
    NoQuorum {
        /// Who is missing and why, for people.
        reason: String,
        /// When to try again, in milliseconds.
        retry_after_ms: u64,
    },
}

/// The answer to a change that is committed: the first one, however often it is asked for (rule Once).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommittedAnswer {
    /// The change.
    pub change: ChangeId,
    /// The round that committed it.
    pub round: RoundId,
    /// The version that this round made.
    pub version: Version,
    /// The file.
    pub path: BookPath,
    /// The digest of the file after the change; none after a delete.
    pub digest: Option<Digest>,
    /// What the app-server wanted back.
    pub answer: String,
}

/// What became of a submission. Unknown is none of these: it is the absence of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum SubmissionAnswer {
    /// Committed; in one round, or in earlier ones where it was sent again.
    Committed {
        /// One answer a change, in the order of the submission.
        answers: Vec<CommittedAnswer>,
    },
    /// Aborted by a vote: it can never commit.
    Aborted {
        /// The round.
        round: RoundId,
        /// Why, for people.
        reason: String,
        /// Each vote.
        votes: Vec<VoteReport>,
        /// Those of its changes that earlier rounds have committed, as other submissions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        committed: Vec<CommittedAnswer>,
    },
    /// Refused: it was never and will never be in a round that commits.
    Refused {
        /// Why.
        #[serde(flatten)]
        refusal: Refusal,
        /// Those of its changes that earlier rounds have committed, as other submissions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        committed: Vec<CommittedAnswer>,
    },
}

/// A change of a committed round, with its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CommittedChange {
    /// The change.
    pub id: ChangeId,
    /// The file.
    pub path: BookPath,
    /// What the app-server wanted back.
    pub answer: String,
    /// What was done.
    #[serde(flatten)]
    pub action: Action,
}

/// A committed round, for those who follow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommittedRound {
    /// The round.
    pub round: RoundId,
    /// The version that it made.
    pub version: Version,
    /// The root of that version.
    pub root: SetDigest,
    /// What it changed.
    pub changes: Vec<CommittedChange>,
}

/// What the coordinator says to an app-server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToAppServer {
    /// The answer to a hello.
    Welcome {
        /// The cluster.
        cluster: ClusterId,
        /// Whether the lab is on.
        lab: bool,
    },
    /// You are level: this is the committed state.
    Confirm {
        /// Its version.
        version: Version,
        /// Its root.
        root: SetDigest,
    },
    /// A round was committed. Sent in order, without gaps, before any answer to its changes.
    Committed(CommittedRound),
    /// What became of a submission.
    Answered {
        /// The submission.
        request: RequestId,
        /// What became of it.
        #[serde(flatten)]
        answer: SubmissionAnswer,
    },
    /// The answer to a question.
    Told {
        /// The question.
        request: RequestId,
        /// The answer.
        answer: QueryAnswer,
    },
    /// Who serves this cluster's pages: sent when somebody comes or goes.
    AppServers {
        /// Those that are connected, and those that were lately.
        app_servers: Vec<AppServerStatus>,
    },
    /// A restore or scrubs were started, the members were changed, or something in the lab was done; or it was refused.
    Done {
        /// The request.
        request: RequestId,
        /// Why it was refused, for people; none if it was not.
        refused: Option<String>,
    },
    /// You are behind.
    CatchUp(ToLearner),
    /// Questions about files, and repairs.
    Files(HolderRequest),
    /// Something happened.
    Event(TimedEvent),
    /// You are not let in; the connection ends.
    Refuse {
        /// Why and what to do, for people.
        reason: String,
    },
}

impl From<Outcome> for RoundOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Committed => Self::Committed,
            Outcome::Aborted => Self::Aborted,
        }
    }
}
