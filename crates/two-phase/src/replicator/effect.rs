//! What a replicator's core asks of its driver. There is no other way out of the core.

use super::{PeerRequest, ReplicatorRecord};
use crate::{LogSequence, SyncWhen};
use catalogue::BookPath;
use protocol::{
    Action, CatchUpId, Content, FetchedFile, HealResult, HolderRequest, Participant, PeerAnswer, PeerQuestion, Repair,
    RequestId, ToCoordinator, Version, WantedFile,
};

/// One thing for the driver to do. Effects are done in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplicatorEffect {
    /// Write this record to the log, and report when it is durable.
    Append {
        /// Its number.
        sequence: LogSequence,
        /// The record.
        record: ReplicatorRecord,
        /// How soon.
        sync: SyncWhen,
    },
    /// Say this to the coordinator, if there is a connection.
    Send(ToCoordinator),
    /// Ask a peer, and report its answer, or that it is silent: one of the two, within a time that the driver sets.
    AskPeer {
        /// Whom, and where.
        peer: Participant,
        /// What.
        question: PeerQuestion,
    },
    /// Answer a peer's question, if it still waits.
    AnswerPeer {
        /// The question.
        request: PeerRequest,
        /// The answer.
        answer: PeerAnswer,
    },
    /// The commit record of these changes is durable: write the files, in the background.
    WriteFiles {
        /// The version that the changes made.
        version: Version,
        /// The files.
        files: Vec<FileChange>,
    },
    /// This replicator is no longer a member: end the process, and do not start it again.
    Stop {
        /// Why, for people.
        reason: String,
    },
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
    /// Remove these files, make all files durable, sync the log, and then save a checkpoint of
    /// [`state_to_install`](super::Replicator::state_to_install) that covers every record appended so far. Between that question
    /// and [`handle_installed`](super::Replicator::handle_installed) nothing else is fed to the core: it would be forgotten.
    Install {
        /// The catch-up.
        catch_up: CatchUpId,
        /// Files that are no longer in the catalogue.
        removed: Vec<BookPath>,
    },
    /// Answer a question about what is on disk.
    Inspect(HolderRequest),
    /// Read all files and compare them, in the background, from the beginning.
    Scrub,
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

/// What a committed round leaves of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileChange {
    /// The file.
    pub path: BookPath,
    /// Its bytes; none after a delete.
    pub content: Option<Content>,
}

impl FileChange {
    /// What an action leaves of its file.
    #[must_use]
    pub fn of(path: BookPath, action: &Action) -> Self {
        Self { path, content: action.content().cloned() }
    }
}
