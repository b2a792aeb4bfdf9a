//! The round in flight: who takes part, who voted what, and what follows from it.

use super::waiting::Queued;
use crate::mutant::Mutant;
use protocol::{
    AbortCause, Change, ChangeId, MemberId, Parent, Participant, RoundId, SetDigest, Version, ViewNumber, Vote,
    VoteReport,
};
use std::collections::{BTreeMap, HashSet};

/// How far the round is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// Votes are awaited.
    Preparing,
    /// The decision is on its way to the disk. Until it is there, nobody is told anything.
    Deciding,
}

/// The round in flight. Its participants never change (rule FrozenParticipants).
#[derive(Debug, Clone, Hash)]
pub(super) struct Round {
    pub id: RoundId,
    pub parent: Option<Parent>,
    pub version: Version,
    pub expected_root: SetDigest,
    pub view: ViewNumber,
    pub participants: Vec<Participant>,
    pub members: Vec<Queued>,
    pub stage: Stage,
    pub deadline_ms: u64,
    votes: BTreeMap<MemberId, Ballot>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Ballot {
    Voted(Vote),
    Gone(String),
}

/// What the votes say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tally {
    /// Somebody has not voted and can still.
    Open,
    /// All voted commit (rule Validity).
    AllCommit,
    /// Somebody did not.
    Abort,
}

/// What becomes of the submissions of an aborted round.
#[derive(Debug, Default)]
pub(super) struct Aftermath {
    /// These are answered: aborted.
    pub aborted: Vec<Queued>,
    /// These are tried again.
    pub again: Vec<Queued>,
    /// Participants that cannot take a round at present, and why.
    pub unable: Vec<(MemberId, String)>,
    /// Why, for people.
    pub reason: String,
}

impl Round {
    #[allow(clippy::too_many_arguments, reason = "a round is made in one place, and all of this is frozen there")]
    pub(super) fn new(
        id: RoundId,
        parent: Option<Parent>,
        version: Version,
        expected_root: SetDigest,
        view: ViewNumber,
        participants: Vec<Participant>,
        members: Vec<Queued>,
        deadline_ms: u64,
    ) -> Self {
        let votes = BTreeMap::new();
        Self {
            id,
            parent,
            version,
            expected_root,
            view,
            participants,
            members,
            stage: Stage::Preparing,
            deadline_ms,
            votes,
        }
    }

    pub(super) fn changes(&self) -> impl Iterator<Item = &Change> {
        self.members.iter().flat_map(|queued| &queued.changes)
    }

    pub(super) fn has_participant(&self, member: &MemberId) -> bool {
        self.participants.iter().any(|participant| participant.id == *member)
    }

    /// Whether it was asked to be carried to the vote and then aborted.
    pub(super) fn is_to_be_aborted(&self) -> bool {
        self.members.iter().any(|queued| queued.force_abort)
    }

    /// Notes a vote. The first one counts. Returns whether it did.
    pub(super) fn vote(&mut self, member: MemberId, vote: Vote) -> bool {
        let counts =
            self.stage == Stage::Preparing && self.has_participant(&member) && !self.votes.contains_key(&member);
        if counts {
            self.votes.insert(member, Ballot::Voted(vote));
        }
        counts
    }

    /// Notes that a participant will not vote any more.
    pub(super) fn lose(&mut self, member: &MemberId, reason: String) {
        if Mutant::ChangesParticipants.is_on() && self.stage == Stage::Preparing && self.participants.len() > 1 {
            self.participants.retain(|participant| participant.id != *member);
            self.votes.remove(member);
        }
        if self.stage == Stage::Preparing && self.has_participant(member) {
            self.votes.insert(member.clone(), Ballot::Gone(reason));
        }
    }

    /// Notes that the time for voting is over; returns those who did not vote.
    pub(super) fn close(&mut self, vote_timeout_ms: u64) -> Vec<MemberId> {
        let silent: Vec<_> =
            self.participants.iter().map(|one| one.id.clone()).filter(|id| !self.votes.contains_key(id)).collect();
        for member in &silent {
            self.lose(member, format!("it did not vote within {vote_timeout_ms} ms"));
        }
        silent
    }

    pub(super) fn tally(&self) -> Tally {
        let mut commits = usize::from(Mutant::CommitsWithoutOneVote.is_on());
        for ballot in self.votes.values() {
            match ballot {
                Ballot::Voted(Vote::Commit) => commits += 1,
                Ballot::Voted(Vote::Abort { .. }) => {}
                // Nobody waits for the others' votes once one cannot vote: the round is tried again anyway.
                Ballot::Gone(_) => return Tally::Abort,
            }
        }
        if Mutant::CommitsWithoutOneVote.is_on() && commits >= self.participants.len() {
            return Tally::AllCommit;
        }
        if self.votes.len() < self.participants.len() {
            Tally::Open
        } else if commits == self.participants.len() {
            Tally::AllCommit
        } else {
            Tally::Abort
        }
    }

    pub(super) fn vote_reports(&self) -> Vec<VoteReport> {
        let report = |participant: &Participant| {
            let member = participant.id.clone();
            let (vote, cause, reason) = match self.votes.get(&participant.id) {
                Some(Ballot::Voted(Vote::Commit)) => ("commit", None, None),
                Some(Ballot::Voted(Vote::Abort { cause })) => ("abort", Some(cause.word()), Some(cause.sentence())),
                Some(Ballot::Gone(reason)) => ("none", None, Some(reason.clone())),
                None => ("none", None, None),
            };
            VoteReport::new(member, vote, cause.map(str::to_owned), reason)
        };
        self.participants.iter().map(report).collect()
    }

    /// What becomes of its submissions, now that it is aborted.
    pub(super) fn into_aftermath(self) -> Aftermath {
        let mut aftermath = Aftermath::default();
        let (mut refused, mut forced) = (HashSet::<ChangeId>::new(), self.is_to_be_aborted());
        let mut reasons = Vec::new();
        if forced {
            reasons.push("it was asked to be aborted".to_owned());
        }
        for (member, ballot) in &self.votes {
            match ballot {
                Ballot::Voted(Vote::Commit) => {}
                Ballot::Voted(Vote::Abort { cause }) => {
                    reasons.push(format!("{member} voted abort: {}", cause.sentence()));
                    match cause {
                        AbortCause::Mine { reason } => aftermath.unable.push((member.clone(), reason.clone())),
                        AbortCause::Changes { faults } => {
                            refused.extend(faults.iter().map(|fault| fault.change.clone()))
                        }
                        AbortCause::Forced { .. } => forced = true,
                    }
                }
                Ballot::Gone(reason) => reasons.push(format!("{member} did not vote: {reason}")),
            }
        }
        let is_refused = |queued: &Queued| forced || queued.changes.iter().any(|change| refused.contains(&change.id));
        (aftermath.aborted, aftermath.again) = self.members.into_iter().partition(is_refused);
        aftermath.reason = reasons.join("; ");
        aftermath
    }
}
