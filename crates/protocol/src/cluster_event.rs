//! What happens in the cluster, as it is told to people.

use crate::{Epoch, HeldMessage, HolderId, MemberId, RestorationId, RoundId, Version, ViewNumber, VoteTook};
use serde::{Deserialize, Serialize};

/// What an event is about: the name under which it is streamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A round.
    Round,
    /// A member or app-server came, went, or is in doubt.
    Member,
    /// Who is a member and who is in sync.
    View,
    /// Somebody is brought level.
    CatchUp,
    /// A restore.
    Restoration,
    /// A scrub.
    Scrub,
    /// A message was held in the lab, or goes on.
    Lab,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ClusterEvent {
    /// The coordinator may run rounds: a majority has accepted its epoch.
    EpochOpened {
        /// Who accepted it.
        members: Vec<MemberId>,
    },
    /// The coordinator is not sure of its log and runs no rounds.
    RecoveryNeeded {
        /// What it found, for people.
        reason: String,
    },
    /// A round began.
    RoundStarted {
        /// The round.
        round: RoundId,
        /// Who takes part.
        participants: Vec<MemberId>,
        /// How many files it changes.
        changes: u64,
    },
    /// A vote arrived.
    VoteReceived {
        /// The round.
        round: RoundId,
        /// Whose.
        member: MemberId,
        /// Whether it is to commit.
        commit: bool,
        /// One word: whose fault an abort is.
        cause: Option<String>,
        /// Why, for people.
        reason: Option<String>,
        /// How long it took there, if it says so.
        took: Option<VoteTook>,
    },
    /// A replicator has told that it durably knows how this round ended, and all before it.
    RoundAcknowledged {
        /// Who.
        member: MemberId,
        /// The round.
        round: RoundId,
    },
    /// The decision is durable.
    RoundCommitted {
        /// The round.
        round: RoundId,
        /// The version that it made.
        version: Version,
    },
    /// The round can never commit.
    RoundAborted {
        /// The round.
        round: RoundId,
        /// Why, for people.
        reason: String,
    },
    /// Every participant has acknowledged.
    RoundEnded {
        /// The round.
        round: RoundId,
    },
    /// A replicator connected.
    MemberConnected {
        /// Which.
        member: MemberId,
        /// The version that it reports.
        version: Version,
        /// The round that it is in doubt about.
        in_doubt: Option<RoundId>,
    },
    /// A replicator's connection ended.
    MemberDisconnected {
        /// Which.
        member: MemberId,
        /// Why, for people.
        reason: String,
    },
    /// A replicator was not let in.
    MemberRefused {
        /// The name that it gave.
        member: MemberId,
        /// Why, for people.
        reason: String,
    },
    /// A replicator is level and takes part.
    MemberLevel {
        /// Which.
        member: MemberId,
        /// The version.
        version: Version,
    },
    /// Somebody who was in doubt was told the outcome.
    InDoubtSettled {
        /// Who.
        member: MemberId,
        /// The round.
        round: RoundId,
        /// Whether it was committed.
        committed: bool,
    },
    /// A new view is in force.
    ViewChanged {
        /// Its number.
        view: ViewNumber,
        /// Why, for people.
        reason: String,
    },
    /// Somebody is being brought level.
    CatchUpStarted {
        /// Who.
        learner: HolderId,
        /// From which version.
        from: Version,
        /// To which.
        to: Version,
    },
    /// Somebody was brought level.
    CatchUpEnded {
        /// Who.
        learner: HolderId,
        /// The version.
        version: Version,
        /// How many files were sent.
        files: u64,
    },
    /// A restore began.
    RestorationStarted {
        /// Which.
        restoration: RestorationId,
        /// Whether it only reports.
        dry_run: bool,
    },
    /// A restore got further.
    RestorationProgressed {
        /// Which.
        restoration: RestorationId,
        /// What it does, and how far it is, for people.
        detail: String,
    },
    /// A restore ended.
    RestorationEnded {
        /// Which.
        restoration: RestorationId,
        /// What it found and did, for people.
        detail: String,
    },
    /// A scrub met the first file that a restore would put right.
    ScrubFoundDamage {
        /// Whose files.
        member: MemberId,
        /// What it found, and what is done about it, for people.
        detail: String,
    },
    /// A scrub has looked at every file.
    ScrubEnded {
        /// Whose files.
        member: MemberId,
        /// What it found, and what is done about it, for people.
        detail: String,
    },
    /// A message is held until somebody releases it (lab).
    MessageHeld {
        /// The message.
        #[serde(flatten)]
        message: HeldMessage,
    },
    /// A message that was held goes on (lab).
    MessageReleased {
        /// The message.
        #[serde(flatten)]
        message: HeldMessage,
    },
}

/// An event, when it happened and under which epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimedEvent {
    /// Milliseconds of Unix time.
    pub at_ms: u64,
    /// The coordinator's epoch.
    pub epoch: Epoch,
    /// What happened.
    #[serde(flatten)]
    pub event: ClusterEvent,
}

impl ClusterEvent {
    /// What it is about.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::RoundStarted { .. }
            | Self::VoteReceived { .. }
            | Self::RoundAcknowledged { .. }
            | Self::RoundCommitted { .. }
            | Self::RoundAborted { .. }
            | Self::RoundEnded { .. } => EventKind::Round,
            Self::MemberConnected { .. }
            | Self::MemberDisconnected { .. }
            | Self::MemberRefused { .. }
            | Self::MemberLevel { .. }
            | Self::InDoubtSettled { .. } => EventKind::Member,
            Self::EpochOpened { .. } | Self::RecoveryNeeded { .. } | Self::ViewChanged { .. } => EventKind::View,
            Self::CatchUpStarted { .. } | Self::CatchUpEnded { .. } => EventKind::CatchUp,
            Self::RestorationStarted { .. } | Self::RestorationProgressed { .. } | Self::RestorationEnded { .. } => {
                EventKind::Restoration
            }
            Self::ScrubFoundDamage { .. } | Self::ScrubEnded { .. } => EventKind::Scrub,
            Self::MessageHeld { .. } | Self::MessageReleased { .. } => EventKind::Lab,
        }
    }

    /// The round that it is about.
    #[must_use]
    pub fn round(&self) -> Option<RoundId> {
        match self {
            Self::RoundStarted { round, .. }
            | Self::VoteReceived { round, .. }
            | Self::RoundAcknowledged { round, .. }
            | Self::RoundCommitted { round, .. }
            | Self::RoundAborted { round, .. }
            | Self::RoundEnded { round }
            | Self::InDoubtSettled { round, .. } => Some(*round),
            Self::MemberConnected { in_doubt, .. } => *in_doubt,
            Self::MessageHeld { message } | Self::MessageReleased { message } => Some(message.round),
            _ => None,
        }
    }

    /// The names of those that it is about.
    #[must_use]
    pub fn parties(&self) -> Vec<String> {
        match self {
            Self::EpochOpened { members } | Self::RoundStarted { participants: members, .. } => {
                members.iter().map(ToString::to_string).collect()
            }
            Self::VoteReceived { member, .. }
            | Self::RoundAcknowledged { member, .. }
            | Self::MemberConnected { member, .. }
            | Self::MemberDisconnected { member, .. }
            | Self::MemberRefused { member, .. }
            | Self::MemberLevel { member, .. }
            | Self::InDoubtSettled { member, .. }
            | Self::ScrubFoundDamage { member, .. }
            | Self::ScrubEnded { member, .. } => vec![member.to_string()],
            Self::CatchUpStarted { learner, .. } | Self::CatchUpEnded { learner, .. } => vec![learner.to_string()],
            Self::MessageHeld { message } | Self::MessageReleased { message } => {
                vec![message.from.clone(), message.to.clone()]
            }
            _ => vec!["coordinator".to_owned()],
        }
    }

    /// What happened and why, as a sentence for people.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::EpochOpened { members } => {
                format!("The coordinator may run rounds: {} accepted its epoch.", names(members))
            }
            Self::RecoveryNeeded { reason } => format!("The coordinator runs no rounds: {reason}"),
            Self::RoundStarted { round, participants, changes } => {
                format!("Round {round} began: {} asked to prepare {}.", names(participants), files(*changes))
            }
            Self::VoteReceived { round, member, commit: true, .. } => {
                format!("{member} voted commit on round {round}: the files are durable there.")
            }
            Self::VoteReceived { round, member, reason, .. } => {
                format!("{member} voted abort on round {round}: {}", reason.as_deref().unwrap_or("no reason given."))
            }
            Self::RoundAcknowledged { member, round } => {
                format!("{member} durably knows how round {round} ended.")
            }
            Self::RoundCommitted { round, version } => {
                format!("Round {round} is committed: the decision is durable and makes version {version}.")
            }
            Self::RoundAborted { round, reason } => format!("Round {round} is aborted: {reason}"),
            Self::RoundEnded { round } => format!("Round {round} has ended: every participant acknowledged it."),
            Self::MemberConnected { member, version, in_doubt: Some(round) } => {
                format!("{member} connected at version {version}, in doubt about round {round}.")
            }
            Self::MemberConnected { member, version, in_doubt: None } => {
                format!("{member} connected at version {version}.")
            }
            Self::MemberDisconnected { member, reason } => format!("{member} disconnected: {reason}"),
            Self::MemberRefused { member, reason } => format!("{member} was not let in: {reason}"),
            Self::MemberLevel { member, version } => format!("{member} is level at version {version} and takes part."),
            Self::InDoubtSettled { member, round, committed } => {
                let outcome = if *committed { "committed" } else { "aborted" };
                format!("{member} was in doubt about round {round} and was told: {outcome}.")
            }
            Self::ViewChanged { view, reason } => format!("View {view} is in force: {reason}"),
            Self::CatchUpStarted { learner, from, to } => {
                format!("{learner} is brought level, from version {from} to version {to}.")
            }
            Self::CatchUpEnded { learner, version, files: sent } => {
                format!("{learner} was brought level at version {version}; {} sent.", files(*sent))
            }
            Self::RestorationStarted { dry_run: true, .. } => "A restore that only reports began.".to_owned(),
            Self::RestorationStarted { dry_run: false, .. } => "A restore began.".to_owned(),
            Self::MessageHeld { message } => format!("{} is held.", message.sentence()),
            Self::MessageReleased { message } => format!("{} goes on.", message.sentence()),
            Self::RestorationProgressed { detail, .. }
            | Self::RestorationEnded { detail, .. }
            | Self::ScrubFoundDamage { detail, .. }
            | Self::ScrubEnded { detail, .. } => detail.clone(),
        }
    }
}

fn names(members: &[MemberId]) -> String {
    members.iter().map(MemberId::as_str).collect::<Vec<_>>().join(", ")
}

fn files(count: u64) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_tells_its_reason_in_a_sentence() {
        let event = ClusterEvent::VoteReceived {
            round: "3-17".parse().unwrap(),
            member: "replicator-2".parse().unwrap(),
            commit: false,
            cause: Some("mine".to_owned()),
            reason: Some("its disk is full.".to_owned()),
            took: None,
        };
        assert_eq!(event.sentence(), "replicator-2 voted abort on round 3-17: its disk is full.");
        assert_eq!(event.round().unwrap().to_string(), "3-17");
    }
}
