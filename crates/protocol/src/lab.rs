//! The lab: what an instructor may ask of a coordinator, and what an app-server asks of the supervisor of a local cluster.
//!
//! The supervisor is `concordance up`. It is spoken to over a socket of its own: one line of JSON asks, one answers.

use crate::{MemberId, RoundId};
use serde::{Deserialize, Serialize};

/// What an instructor may ask for; refused unless the cluster runs with the lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum LabAction {
    /// This replicator votes abort on its next round.
    VoteAbort {
        /// The replicator.
        member: MemberId,
        /// The reason that it will give.
        reason: String,
    },
    /// The coordinator dies at this point of its next round, and at no other.
    CrashAt {
        /// The name of the point; without one it does not die any more.
        point: Option<String>,
    },
    /// From now on the coordinator holds each message of a round until it is released; or no longer.
    Step {
        /// Whether.
        on: bool,
    },
    /// A message that is held goes on.
    Release {
        /// Its number.
        message: u64,
    },
}

/// What a message of a round says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepMessage {
    /// Can you commit?
    Prepare,
    /// Yes.
    VoteCommit,
    /// No.
    VoteAbort,
    /// It is committed.
    Commit,
    /// It is aborted.
    Abort,
    /// The outcome is durably known.
    Acknowledge,
}

/// A message that is held between the coordinator and a replicator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldMessage {
    /// Its number.
    pub id: u64,
    /// Who sent it.
    pub from: String,
    /// Whom it is for.
    pub to: String,
    /// What it says.
    pub message: StepMessage,
    /// The round that it is about.
    pub round: RoundId,
    /// No other message on the same way has to go first.
    pub is_next: bool,
}

impl HeldMessage {
    /// What it is, for people; the beginning of a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let what = match self.message {
            StepMessage::Prepare => "prepare",
            StepMessage::VoteCommit => "vote commit",
            StepMessage::VoteAbort => "vote abort",
            StepMessage::Commit => "commit",
            StepMessage::Abort => "abort",
            StepMessage::Acknowledge => "acknowledge",
        };
        format!("The message `{what}` of round {} from {} to {}", self.round, self.from, self.to)
    }
}

/// What the supervisor is asked to do. Services are named as their directories are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum SupervisorOrder {
    /// Nothing: only to say how things stand.
    Look,
    /// Kill it. It stays dead until it is started.
    Kill {
        /// The service.
        service: String,
    },
    /// Start it again.
    Start {
        /// The service.
        service: String,
    },
    /// Let it stand still, as a machine does that hangs.
    Pause {
        /// The service.
        service: String,
    },
    /// Let it go on.
    Resume {
        /// The service.
        service: String,
    },
    /// Whether, when it dies next, it stays dead until it is started.
    StayDead {
        /// The service.
        service: String,
        /// Whether.
        stays: bool,
    },
    /// Change what the link between a replicator and the coordinator does.
    Link {
        /// The replicator.
        service: String,
        /// What it is to do.
        condition: LinkCondition,
    },
    /// Change the file of a book behind the back of replicators, as an editor or a bad disk would.
    Damage {
        /// The replicators.
        services: Vec<String>,
        /// The file, such as `books/3f/….xml`.
        path: String,
        /// How.
        how: FileDamage,
    },
}

/// What a link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LinkCondition {
    /// It carries what comes.
    Whole,
    /// Connections are broken, and new ones end at once.
    Cut,
    /// Everything arrives so much later.
    Slow {
        /// In milliseconds, each way.
        delay_ms: u64,
    },
}

/// How a file is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileDamage {
    /// One letter of its text becomes another.
    FlipLetter,
    /// Its second half is cut off.
    Truncate,
    /// It is removed.
    Delete,
    /// Nothing yet: its bytes are remembered for `PutBack`.
    Remember,
    /// It becomes what was remembered: an older version, when the book was changed meanwhile.
    PutBack,
}

/// How a process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// It runs.
    Running,
    /// It stands still.
    Paused,
    /// It died and is about to be started again.
    Restarting,
    /// It is dead, and stays so until it is started.
    Dead,
}

/// One process, and its link if it is a replicator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: ServiceState,
    /// What its link to the coordinator does.
    pub link: Option<LinkCondition>,
}

/// What the supervisor answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisorAnswer {
    /// Why it was not done, for people; none if it was.
    pub refused: Option<String>,
    /// How things stand afterwards.
    pub services: Vec<ServiceStatus>,
}
