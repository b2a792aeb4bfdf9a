//! Everything that can wake a replicator: the closed list of what its thread is told.

use crate::scrubber::Question;
use protocol::{
    CatchUpId, FromCoordinator, HolderAnswer, MemberId, PeerAnswer, PeerQuestion, RoundId, ScrubReport, ToReplicator,
    WantedFile,
};
use service::websocket::Outbox;
use two_phase::LogSequence;
use two_phase::replicator::PeerRequest;

/// Something that happened outside of the runtime thread.
#[derive(Debug)]
pub(crate) enum Event {
    /// The link to a coordinator is up.
    Connected { peer: String, outbox: Outbox },
    /// The coordinator said something.
    Message { message: Box<FromCoordinator<ToReplicator>> },
    /// The link ended.
    Disconnected { reason: String },
    /// A coordinator could not be dialled; the next try follows.
    NotReached { reason: String },
    /// A peer asks about a round.
    PeerAsks { request: PeerRequest, question: Box<PeerQuestion>, outbox: Outbox },
    /// A peer that was asked has answered.
    PeerAnswered { asked: MemberId, answer: PeerAnswer },
    /// A peer that was asked could not be reached, or did not answer.
    PeerSilent { asked: MemberId, round: RoundId, reason: String },
    /// A question about files was answered, or repairs were done.
    Answered { answer: HolderAnswer },
    /// The disk was searched for files of a catch-up.
    Missing { catch_up: CatchUpId, missing: Vec<WantedFile> },
    /// Files of a catch-up were written.
    Stored { catch_up: CatchUpId },
    /// The backlog of files has room again.
    BacklogFell,
    /// Files of a catch-up cannot be written as long as the disk is full.
    NoRoom { reason: String },
    /// Files cannot be written: nothing that follows could be believed.
    FilesFailed { reason: String },
    /// A checkpoint is durable: the log may be trimmed up to this record.
    CheckpointSaved { sequence: LogSequence },
    /// A checkpoint could not be saved.
    CheckpointFailed { reason: String },
    /// The scrub wants to know what files must hold.
    ScrubAsks(Question),
    /// The scrub got further, or has looked at every file.
    Scrubbed { report: ScrubReport },
    /// The process is to stop.
    Stop,
}
