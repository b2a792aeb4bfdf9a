//! Bugs that drivers, disks or the network could have, planted to prove that each rule's check can fail.

use crate::network::Message;
use crate::violation::Rule;
use protocol::{MemberState, ToReplicator};
use two_phase::coordinator::CoordinatorRecord;

/// A planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlantedBug {
    /// A replicator is told to abort where the coordinator said commit.
    AbortsForCommit,
    /// The coordinator takes one replicator's vote for the vote of all.
    CountsOneVoteForAll,
    /// A replicator's driver reports records durable before they are.
    VotesBeforeDurable,
    /// The coordinator's driver reports decisions durable before they are.
    TellsCommitEarly,
    /// A replicator's checkpoint covers a prepared round, whose record is trimmed.
    LosesPreparedRounds,
    /// A prepare loses a participant on its way.
    ChangesParticipants,
    /// The coordinator's driver forgets which epochs were taken.
    ForgetsEpochs,
    /// The coordinator's driver reports its epoch durable before it is.
    UsesEpochEarly,
    /// What is called an old copy of the log is the newest: the coordinator works on it.
    CopiesTooLate,
    /// A replicator with an empty disk takes itself for a new one that has missed nothing.
    TrustsEmptyDisk,
    /// The coordinator's disk says that records are synced, and loses the last one in a crash.
    LosesSyncedRecords,
    /// The coordinator's driver reports views durable before they are.
    UsesViewEarly,
    /// A replicator trims its log behind files that are not synced.
    TrimsUnsyncedFiles,
    /// The coordinator's driver forgets the answers of committed changes.
    ForgetsAnswers,
    /// An app-server tells its client "committed" as soon as the changes are sent.
    AnswersWhenSent,
    /// An app-server tells its clients "aborted" when its connection ends.
    AbortsWhenDisconnected,
    /// A replicator writes the files of a round when it is asked to prepare it.
    WritesFilesAtPrepare,
    /// The coordinator's log is trimmed behind its checkpoint, whatever somebody may still ask for.
    TrimsTooMuch,
    /// A replicator's driver never syncs what nobody waits for.
    NeverSyncsSoon,
    /// The coordinator's views leave out one more member than they say.
    LeavesOutOneMore,
    /// A replicator mends a file without looking whether it still holds what it was judged by.
    HealsBlindly,
    /// A coordinator on a copy of its log does not know that it is one.
    TrustsItsCopy,
}

impl PlantedBug {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::AbortsForCommit,
        Self::CountsOneVoteForAll,
        Self::VotesBeforeDurable,
        Self::TellsCommitEarly,
        Self::LosesPreparedRounds,
        Self::ChangesParticipants,
        Self::ForgetsEpochs,
        Self::UsesEpochEarly,
        Self::CopiesTooLate,
        Self::TrustsEmptyDisk,
        Self::LosesSyncedRecords,
        Self::UsesViewEarly,
        Self::TrimsUnsyncedFiles,
        Self::ForgetsAnswers,
        Self::AnswersWhenSent,
        Self::AbortsWhenDisconnected,
        Self::WritesFilesAtPrepare,
        Self::TrimsTooMuch,
        Self::NeverSyncsSoon,
        Self::LeavesOutOneMore,
        Self::HealsBlindly,
        Self::TrustsItsCopy,
    ];

    /// The rule that it breaks.
    #[must_use]
    pub fn rule(self) -> Rule {
        match self {
            Self::AbortsForCommit => Rule::Agreement,
            Self::CountsOneVoteForAll => Rule::Validity,
            Self::VotesBeforeDurable => Rule::DurableVote,
            Self::TellsCommitEarly => Rule::DurableDecision,
            Self::LosesPreparedRounds => Rule::NoWayBack,
            Self::ChangesParticipants => Rule::FrozenParticipants,
            Self::ForgetsEpochs | Self::UsesEpochEarly => Rule::EpochFence,
            Self::CopiesTooLate => Rule::NoStaleCoordinator,
            Self::TrustsEmptyDisk => Rule::NoAmnesia,
            Self::LosesSyncedRecords => Rule::Order,
            Self::UsesViewEarly => Rule::ViewDurable,
            Self::TrimsUnsyncedFiles => Rule::AckedNeverLost,
            Self::ForgetsAnswers => Rule::Once,
            Self::AnswersWhenSent | Self::AbortsWhenDisconnected => Rule::HonestAnswer,
            Self::WritesFilesAtPrepare => Rule::NoPhantom,
            Self::TrimsTooMuch => Rule::SafeTrim,
            Self::NeverSyncsSoon => Rule::Liveness,
            Self::LeavesOutOneMore => Rule::MinInSync,
            Self::HealsBlindly => Rule::NoRollback,
            Self::TrustsItsCopy => Rule::Agreement,
        }
    }

    /// What becomes of a record on its way to the coordinator's log.
    pub(crate) fn falsify_record(self, record: &mut CoordinatorRecord) {
        if let (Self::LeavesOutOneMore, CoordinatorRecord::ViewChanged { view, .. }) = (self, record)
            && let Some(one) = view.members.iter_mut().rfind(|member| member.state == MemberState::InSync)
        {
            one.state = MemberState::Down;
        }
    }

    /// What becomes of a message on its way to the first replicator.
    pub(crate) fn falsify(self, message: &mut Message) {
        let Message::ToReplicator(envelope) = message else { return };
        match (self, &mut envelope.message) {
            (Self::AbortsForCommit, ToReplicator::Commit { round }) => {
                envelope.message = ToReplicator::Abort { round: *round };
            }
            (Self::ChangesParticipants, ToReplicator::Prepare(prepare)) => {
                prepare.participants.pop();
            }
            _ => {}
        }
    }
}
