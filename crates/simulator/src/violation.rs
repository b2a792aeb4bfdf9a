//! What a run is judged by: the rules of the protocol by name, and a sentence for what broke one.

use std::fmt;

/// A rule of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// No two parties hold different outcomes for a round.
    Agreement,
    /// Committed only if every participant voted commit.
    Validity,
    /// A replicator says nothing that is not on its disk.
    DurableVote,
    /// The coordinator says nothing that is not on its disk.
    DurableDecision,
    /// A promise to commit is kept until the outcome is known.
    NoWayBack,
    /// The participants of a round never change.
    FrozenParticipants,
    /// A replaced coordinator is not listened to.
    EpochFence,
    /// A coordinator on an old log presumes nothing.
    NoStaleCoordinator,
    /// A replicator that lost its memory does not vote.
    NoAmnesia,
    /// Versions have no gaps, and every copy passes through the same states.
    Order,
    /// A view is durable before a round uses it.
    ViewDurable,
    /// The in-sync set is never smaller than the minimum.
    MinInSync,
    /// What was acknowledged survives.
    AckedNeverLost,
    /// A change is applied at most once, and the first answer is repeated.
    Once,
    /// "Committed", "aborted" and "refused" are true.
    HonestAnswer,
    /// Bytes that were not committed are nowhere.
    NoPhantom,
    /// A repair never puts older bytes over newer ones, and never brings a deleted file back.
    NoRollback,
    /// Nothing is forgotten that somebody may still ask for.
    SafeTrim,
    /// Once faults stop, everybody becomes level and every request is answered.
    Liveness,
    /// Log records are numbered without gaps, and the core asks of its driver only what can be done.
    Contract,
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// What happened.
    pub sentence: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.rule, self.sentence)
    }
}

/// Whether all rules still hold.
pub(crate) type Held = Result<(), Violation>;

/// Holds if `holds`; else says what happened.
pub(crate) fn ensure(holds: bool, rule: Rule, sentence: impl FnOnce() -> String) -> Held {
    if holds { Ok(()) } else { Err(Violation { rule, sentence: sentence() }) }
}
