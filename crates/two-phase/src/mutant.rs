//! Bugs in the protocol itself, one of which can be switched on: the simulator proves with them that a rule that is broken is found.
//!
//! Only with the feature `mutants`, which no service is built with; without it every one of them is off, and what it would do is not
//! even compiled.

/// A bug in the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mutant {
    /// A vote leaves before its record is durable.
    VotesBeforeDurable,
    /// A decision is told before it is durable.
    DecidesBeforeDurable,
    /// An acknowledgement leaves before what it says is durable.
    AcknowledgesBeforeDurable,
    /// A view is used before it is durable.
    UsesViewBeforeDurable,
    /// Members are let in before the epoch is durable.
    SpeaksBeforeEpochIsDurable,
    /// The number of a round that was aborted is used again.
    UsesRoundNumberAgain,
    /// A participant that is gone is taken out of the round.
    ChangesParticipants,
    /// One vote fewer than all is enough.
    CommitsWithoutOneVote,
    /// Lower epochs are listened to.
    AcceptsLowerEpoch,
    /// An equal epoch of another coordinator is listened to.
    AcceptsEqualEpoch,
    /// One member is enough to open an epoch.
    OpensWithOne,
    /// Members without a memory count for the epoch.
    CountsLostMemories,
    /// Signs of a newer log are overlooked.
    OverlooksNewerLog,
    /// A coordinator that is not sure of its log refuses what has waited too long.
    TakesUnknownForRefused,
    /// A round in doubt is aborted before the epoch is open.
    AbortsBeforeOpen,
    /// A decision that may be forgotten is presumed to be none.
    AbortsWhatIsForgotten,
    /// Decisions are forgotten before all have acknowledged them.
    ForgetsDecisions,
    /// Changes that were committed are not known again.
    ForgetsAnswers,
    /// Preconditions are not judged when a round is formed.
    OverlooksPreconditions,
    /// The in-sync set is made smaller than the minimum.
    EvictsBelowMinimum,
    /// The minimum is counted on those who are there.
    CountsMinimumOnThoseAlive,
    /// A round that ended here is prepared again.
    PreparesWhatHasEnded,
    /// A replicator writes the files of a round that it prepares.
    WritesFilesAtPrepare,
    /// A prepared round is given up when the connection ends.
    GivesUpPreparedRound,
    /// A memory with a torn tail is taken to be whole.
    TrustsTornTail,
    /// A memory that is lost is taken to be whole.
    TrustsLostMemory,
    /// A replicator that may have forgotten its vote refuses a round to a peer.
    RefusesWithoutMemory,
    /// A replicator concludes that a round is aborted because all peers are in doubt.
    GuessesWhenAllAreInDoubt,
    /// A fetched file is put over that of a newer round.
    FetchesOverNewer,
    /// A catch-up counts before its files are written.
    InstallsBeforeStored,
    /// A catch-up's root is not checked.
    OverlooksRootOfCatchUp,
    /// Rounds are followed although one is missing between.
    FollowsWithGaps,
    /// An app-server shows rounds although one is missing between.
    ShowsWithGaps,
    /// A repair is made although its record is no longer the newest.
    RepairsByOldRecord,
    /// A recovery never commits the round that is in doubt.
    RecoversWithoutOpenRound,
}

impl Mutant {
    /// Those that the simulator finds.
    pub const IN_RUNS: [Self; 29] = [
        Self::VotesBeforeDurable,
        Self::DecidesBeforeDurable,
        Self::AcknowledgesBeforeDurable,
        Self::UsesViewBeforeDurable,
        Self::SpeaksBeforeEpochIsDurable,
        Self::UsesRoundNumberAgain,
        Self::ChangesParticipants,
        Self::CommitsWithoutOneVote,
        Self::AcceptsLowerEpoch,
        Self::OpensWithOne,
        Self::CountsLostMemories,
        Self::OverlooksNewerLog,
        Self::AbortsWhatIsForgotten,
        Self::ForgetsDecisions,
        Self::ForgetsAnswers,
        Self::OverlooksPreconditions,
        Self::EvictsBelowMinimum,
        Self::CountsMinimumOnThoseAlive,
        Self::PreparesWhatHasEnded,
        Self::WritesFilesAtPrepare,
        Self::GivesUpPreparedRound,
        Self::TrustsTornTail,
        Self::TrustsLostMemory,
        Self::RefusesWithoutMemory,
        Self::GuessesWhenAllAreInDoubt,
        Self::FetchesOverNewer,
        Self::InstallsBeforeStored,
        Self::RepairsByOldRecord,
        Self::RecoversWithoutOpenRound,
    ];

    /// Guards behind which, or in front of which, another one stands in every run of the simulator. The tests on effects find them.
    pub const IN_EFFECTS: [Self; 6] = [
        Self::AcceptsEqualEpoch,
        Self::TakesUnknownForRefused,
        Self::AbortsBeforeOpen,
        Self::OverlooksRootOfCatchUp,
        Self::FollowsWithGaps,
        Self::ShowsWithGaps,
    ];

    /// Whether it is switched on in this thread.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub(crate) fn is_on(self) -> bool {
        switch::ON.get() == Some(self)
    }

    /// None is ever on.
    #[cfg(not(feature = "mutants"))]
    #[must_use]
    pub(crate) const fn is_on(self) -> bool {
        false
    }
}

#[cfg(feature = "mutants")]
pub use switch::switch_on;

#[cfg(feature = "mutants")]
mod switch {
    use super::Mutant;
    use std::cell::Cell;

    thread_local! {
        pub(super) static ON: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// Switches one on in this thread, and all others off; none switches all off.
    pub fn switch_on(mutant: Option<Mutant>) {
        ON.set(mutant);
    }
}
