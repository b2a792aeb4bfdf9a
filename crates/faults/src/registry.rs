//! Every place at which a process can be made to die: the one list that code, tests and the crash table of `docs/protocol.md` share.
//!
//! A point is named after what has just been done; what follows is what a crash there prevents. A place that is not in this list
//! cannot be marked, and one that no test reaches fails `tests/crash_points.rs`.

use std::str::FromStr;

macro_rules! crash_points {
    ($($(#[doc = $done:literal])+ $point:ident = $name:literal,)+) => {
        /// A place at which a process can be made to die, named after what has just been done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum CrashPoint {
            $($(#[doc = $done])+ $point,)+
        }

        impl CrashPoint {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$point),+];

            /// Its name, as tests, the lab and the documents have it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)+
                }
            }
        }
    };
}

crash_points! {
    // Coordinator: its start, and the view.
    /// The epoch of this start waits to be written.
    EpochAppended = "epoch_appended",
    /// The epoch of this start is on the disk; nobody has heard of it.
    EpochDurable = "epoch_durable",
    /// A change of the view waits to be written.
    ViewAppended = "view_appended",
    /// A change of the view is on the disk; nobody acts on it yet.
    ViewDurable = "view_durable",

    // Coordinator: a round.
    /// The prepare of a round was sent to all.
    PrepareSent = "prepare_sent",
    /// All votes are in; nothing is decided.
    VotesReceived = "votes_received",
    /// A decision waits to be written.
    DecisionAppended = "decision_appended",
    /// A decision is on the disk; nobody was told.
    DecisionDurable = "decision_durable",
    /// One participant was told of a decision.
    FirstCommitSent = "first_commit_sent",
    /// All participants were told of a decision, and no app-server.
    LastCommitSent = "last_commit_sent",
    /// The app-servers were told of a decision.
    AppServersTold = "app_servers_told",

    // Coordinator: recovery.
    /// The plan that an operator agreed to is kept; the state that it leads to is not.
    RecoveryPlanKept = "recovery_plan_kept",
    /// The state that a recovery leads to is on the disk; the coordinator has not started anew on it.
    RebuiltStateSaved = "rebuilt_state_saved",

    // Replicator: epochs and rounds.
    /// The acceptance of a coordinator's epoch waits to be written.
    EpochAcceptedAppended = "epoch_accepted_appended",
    /// The acceptance of a coordinator's epoch is on the disk; the coordinator was not told.
    EpochAcceptedDurable = "epoch_accepted_durable",
    /// A prepare has arrived; nothing was done with it.
    PrepareReceived = "prepare_received",
    /// A prepared round waits to be written.
    PrepareAppended = "prepare_appended",
    /// A prepared round is on the disk; the vote was not sent.
    PrepareDurable = "prepare_durable",
    /// A vote was sent.
    VoteSent = "vote_sent",
    /// The refusal of a round waits to be written.
    RefusalAppended = "refusal_appended",
    /// The refusal of a round is on the disk; nobody was told.
    RefusalDurable = "refusal_durable",
    /// The news that a round is committed has arrived; nothing was done with it.
    CommitReceived = "commit_received",
    /// The record that a round is committed waits to be written.
    CommitAppended = "commit_appended",
    /// The record that a round is committed is on the disk; no file was touched.
    CommitDurable = "commit_durable",
    /// The record that a round is aborted waits to be written.
    AbortAppended = "abort_appended",
    /// The record that a round is aborted is on the disk.
    AbortDurable = "abort_durable",
    /// The coordinator's word that this memory is right waits to be written.
    ConfirmationAppended = "confirmation_appended",
    /// The coordinator's word that this memory is right is on the disk; the coordinator does not know.
    ConfirmationDurable = "confirmation_durable",
    /// The coordinator was told what is committed here.
    AcknowledgeSent = "acknowledge_sent",
    /// A round that was committed without this replicator waits to be written.
    FollowedAppended = "followed_appended",
    /// A round that was committed without this replicator is on the disk; no file was touched.
    FollowedDurable = "followed_durable",
    /// A peer in doubt was told what is known here.
    PeerAnswered = "peer_answered",
    /// A peer's word on the round in doubt has arrived; nothing that follows from it was done.
    PeerHeard = "peer_heard",

    // App-server.
    /// Whom it follows from now on is on the disk; nothing was said to that coordinator.
    FenceKept = "fence_kept",
    /// Changes were sent to the coordinator.
    SubmissionSent = "submission_sent",
    /// A committed round is shown to readers; who has asked for it was not answered.
    RoundShown = "round_shown",
    /// The files of a committed round are handed to their writer.
    RoundHandedToFiles = "round_handed_to_files",

    // Whoever keeps book files.
    /// A book's file holds the first half of its new bytes.
    BookHalfWritten = "book_half_written",
    /// A book's file is written and not synced.
    BookWritten = "book_written",
    /// All files that waited are written and not synced: the first step of a checkpoint.
    FilesFlushed = "files_flushed",
    /// All files are synced; no checkpoint vouches for them.
    FilesSynced = "files_synced",
    /// The files that a catch-up needs are known.
    MissingFilesFound = "missing_files_found",
    /// Files of a catch-up have arrived; none is written.
    FetchedFilesReceived = "fetched_files_received",
    /// Files of a catch-up are written and not synced.
    FetchedFilesStored = "fetched_files_stored",
    /// A catch-up has all of its files; it is not installed.
    CatchUpComplete = "catch_up_complete",
    /// The checkpoint of a catch-up is on the disk; nobody was told.
    CatchUpInstalled = "catch_up_installed",
    /// A damaged file is written anew and not synced.
    RepairWritten = "repair_written",
    /// All repairs are synced; none was read back.
    RepairsSynced = "repairs_synced",
    /// A scrub has read one folder.
    ShelfScrubbed = "shelf_scrubbed",

    // Logs.
    /// The next segment has its name; nothing is in it.
    SegmentNamed = "segment_named",
    /// A segment that nobody needs is removed; others still are to be.
    SegmentRemoved = "segment_removed",
    /// A segment stands behind a torn tail.
    TornTailLeft = "torn_tail_left",
    /// A log has begun anew; the segments of the old one still lie there.
    LogBegunAnew = "log_begun_anew",

    // Files that are replaced as a whole.
    /// A new checkpoint is written beside the old one.
    CheckpointWrittenAside = "checkpoint_written_aside",
    /// A new checkpoint has taken the place of the old one; the log is not trimmed.
    CheckpointReplaced = "checkpoint_replaced",
    /// A new identity is written beside the old one.
    IdentityWrittenAside = "identity_written_aside",
    /// A new identity has taken the place of the old one: nobody counts on the old memory from here on.
    IdentityReplaced = "identity_replaced",
    /// A key is written beside the place where it belongs.
    KeyWrittenAside = "key_written_aside",
    /// A key is in its place.
    KeyReplaced = "key_replaced",
    /// The bytes that a repair replaces are written into the quarantine, without their name.
    QuarantineWrittenAside = "quarantine_written_aside",
    /// The bytes that a repair replaces are in the quarantine; the file still holds them.
    QuarantineReplaced = "quarantine_replaced",
    /// A report is written beside the place where it belongs.
    ReportWrittenAside = "report_written_aside",
    /// A report is in its place.
    ReportReplaced = "report_replaced",
}

impl FromStr for CrashPoint {
    type Err = UnknownCrashPoint;

    fn from_str(name: &str) -> Result<Self, UnknownCrashPoint> {
        let found = Self::ALL.iter().find(|point| point.name() == name);
        found.copied().ok_or_else(|| UnknownCrashPoint { name: name.to_owned() })
    }
}

/// There is no such point.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no crash point `{name}`; docs/protocol.md names them all")]
pub struct UnknownCrashPoint {
    name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_found_by_its_name_and_by_no_other() {
        for point in CrashPoint::ALL {
            assert_eq!(point.name().parse(), Ok(*point));
        }
        for none in ["", "nowhere", "Prepare_Sent", "prepare_sent "] {
            assert!(none.parse::<CrashPoint>().is_err(), "{none:?} was taken");
        }
    }
}
