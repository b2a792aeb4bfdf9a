//! Cooperative termination: participants that are in doubt end a round among themselves where that is safe, and say why they
//! wait where it is not.
//!
//! ```text
//!   in doubt, no word of the coordinator --ask the other participants--> committed, aborted: known       --> concluded
//!                                    ^                                   refused, now or earlier         --> aborted
//!                                    '------- again, after a pause ----- in doubt too, cannot tell, silent
//! ```
//!
//! Whoever is asked about a round that it has not voted on refuses it, durably, before it says so: it never prepares a round that
//! it has refused, so that the coordinator never has all votes (rule Validity). Nothing is ever concluded from silence, nor from
//! all others being in doubt: then only the coordinator's log can tell.

use super::{Ended, Link, Replicator, ReplicatorEffect, ReplicatorRecord, Then};
use crate::mutant::Mutant;
use crate::{Now, SyncWhen};
use catalogue::Timestamp;
use protocol::{
    AbortCause, InDoubt, MemberId, Outcome, PROTOCOL_VERSION, PeerAnswer, PeerKnowledge, PeerQuestion, RoundId,
    Standing,
};
use std::collections::BTreeMap;

/// Pairs a peer's question with its answer. The driver makes one for each question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerRequest(pub u64);

/// When peers are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerPacing {
    /// So long a coordinator that is connected may leave a round in doubt, in milliseconds; without a connection the peers are
    /// asked at once. Far longer than a coordinator waits for votes: a peer that is asked before the prepare has reached it
    /// refuses the round.
    pub patience_ms: u64,
    /// So long after a question the next one follows, in milliseconds.
    pub ask_again_ms: u64,
}

impl Default for PeerPacing {
    fn default() -> Self {
        Self { patience_ms: 15_000, ask_again_ms: 2_000 }
    }
}

/// The round that this replicator is in doubt about, as its process sees it.
#[derive(Debug, Clone, Hash)]
pub(super) struct Doubt {
    round: RoundId,
    since: Now,
    asked_ms: Option<u64>,
    heard: BTreeMap<MemberId, Heard>,
}

/// What a peer has last said of the round, if that did not end it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Heard {
    Nothing,
    InDoubt,
    CannotTell(String),
    Silent(String),
}

/// What a question comes to.
enum Judgement {
    Say(PeerKnowledge),
    Refuse,
}

impl Replicator {
    /// The same replicator, asking its peers at other times.
    #[must_use]
    pub fn with_peer_pacing(mut self, pacing: PeerPacing) -> Self {
        self.pacing = pacing;
        self
    }

    /// The round that keeps this replicator waiting, and why; none while there is none, or the coordinator is still expected to
    /// settle it as usual.
    #[must_use]
    pub fn in_doubt(&self) -> Option<InDoubt> {
        let doubt = self.doubt().filter(|doubt| doubt.asked_ms.is_some())?;
        Some(InDoubt { round: doubt.round, since_ms: doubt.since.unix_ms, why: doubt.sentence() })
    }

    /// When [`Replicator::handle_timer`] is due at the latest, in milliseconds of the monotonic clock; 0 if it is due at once.
    #[must_use]
    pub fn next_timer_ms(&self) -> Option<u64> {
        self.state.prepared.as_ref()?;
        if self.doubt().is_none() { Some(0) } else { self.asks_at_ms() }
    }

    /// Time has passed: asks the other participants of a round in doubt, if it is time to.
    pub fn handle_timer(&mut self, now: Now) {
        let Some(prepare) = &self.state.prepared else {
            self.doubt = None;
            return;
        };
        if self.doubt().is_none() {
            self.doubt = Some(Doubt { round: prepare.round, since: now, asked_ms: None, heard: BTreeMap::new() });
        }
        if self.asks_at_ms().is_some_and(|at_ms| at_ms <= now.monotonic_ms) {
            self.ask_peers(now);
        }
    }

    /// A peer asks. The answer leaves when all that it rests on is durable.
    pub fn handle_peer_question(&mut self, request: PeerRequest, question: &PeerQuestion) {
        let round = question.round;
        let answer = |knowledge| PeerAnswer { member: self.identity.member.clone(), round, knowledge };
        match self.judge_question(question) {
            Judgement::Say(knowledge) => {
                let answer = answer(knowledge);
                self.once_durable(Then::AnswerPeer(request, answer));
            }
            Judgement::Refuse => {
                let answer = answer(PeerKnowledge::Refused);
                let reason = format!("{} was in doubt about it before it was voted on here", question.member);
                let record = ReplicatorRecord::Refused { round, cause: AbortCause::Mine { reason } };
                self.append(record, SyncWhen::Now, Then::AnswerPeer(request, answer));
            }
        }
    }

    /// The answer of a peer that was asked.
    pub fn handle_peer_answer(&mut self, asked: &MemberId, answer: PeerAnswer) {
        if !self.waits_for_word_on(answer.round) {
            return;
        }
        let heard = match answer.knowledge {
            _ if answer.member != *asked => Heard::Silent(format!("{} answers at its address", answer.member)),
            PeerKnowledge::Committed => return self.conclude_by_peer(answer.round, Outcome::Committed),
            PeerKnowledge::Aborted | PeerKnowledge::Refused => {
                return self.conclude_by_peer(answer.round, Outcome::Aborted);
            }
            PeerKnowledge::InDoubt => Heard::InDoubt,
            PeerKnowledge::CannotTell { reason } => Heard::CannotTell(reason),
        };
        self.note_heard(asked, heard);
        let guesses = |doubt: &Doubt| doubt.heard.values().all(|heard| *heard == Heard::InDoubt);
        if Mutant::GuessesWhenAllAreInDoubt.is_on() && self.doubt().is_some_and(guesses) {
            self.conclude_by_peer(answer.round, Outcome::Aborted);
        }
    }

    /// A peer that was asked about this round could not be reached, or has not answered in time.
    pub fn handle_peer_silent(&mut self, asked: &MemberId, round: RoundId, reason: String) {
        if self.waits_for_word_on(round) {
            self.note_heard(asked, Heard::Silent(reason));
        }
    }

    /// The hello of the present connection no longer holds, and the coordinator may be about to act on it: a catch-up that it begins
    /// now would run beside what has just been concluded. A new hello says what is true.
    fn conclude_by_peer(&mut self, round: RoundId, outcome: Outcome) {
        self.conclude(round, outcome);
        if self.link == Link::Up {
            self.disconnect(format!("round {round} was ended by the word of a peer; introducing itself anew"));
        }
    }

    /// What is known of the round in doubt; none before the first timer after the vote.
    fn doubt(&self) -> Option<&Doubt> {
        let prepare = self.state.prepared.as_ref()?;
        self.doubt.as_ref().filter(|doubt| doubt.round == prepare.round)
    }

    /// Whether a peer's word can end this round. A catch-up ends it as well, and what it fetches may be newer than the round.
    fn waits_for_word_on(&self, round: RoundId) -> bool {
        self.learner.is_none() && self.doubt().is_some_and(|doubt| doubt.round == round && doubt.asked_ms.is_some())
    }

    fn asks_at_ms(&self) -> Option<u64> {
        let doubt = self.doubt()?;
        let has_voted = self.prepared_sequence.is_none_or(|sequence| sequence <= self.awaiting.last_durable());
        if !has_voted || self.learner.is_some() {
            return None;
        }
        let since_ms = doubt.since.monotonic_ms;
        Some(match (doubt.asked_ms, self.link) {
            (Some(asked_ms), _) => asked_ms + self.pacing.ask_again_ms,
            (None, Link::Up) => since_ms + self.pacing.patience_ms,
            (None, Link::Down | Link::HelloDue) => since_ms,
        })
    }

    fn ask_peers(&mut self, now: Now) {
        let (Some(prepare), Some(doubt)) = (&self.state.prepared, &mut self.doubt) else { return };
        doubt.asked_ms = Some(now.monotonic_ms);
        let question = PeerQuestion {
            protocol: PROTOCOL_VERSION,
            cluster: self.state.cluster,
            member: self.identity.member.clone(),
            round: prepare.round,
            base_version: prepare.base_version,
            participants: prepare.participants.clone(),
        };
        for peer in prepare.participants.iter().filter(|peer| peer.id != self.identity.member) {
            doubt.heard.entry(peer.id.clone()).or_insert(Heard::Nothing);
            self.effects.push(ReplicatorEffect::AskPeer { peer: peer.clone(), question: question.clone() });
        }
    }

    fn note_heard(&mut self, asked: &MemberId, heard: Heard) {
        // Only who was asked is in there.
        if let Some(last) = self.doubt.as_mut().and_then(|doubt| doubt.heard.get_mut(asked)) {
            *last = heard;
        }
    }

    /// Judges a question by what is known here. Rule NoAmnesia: whoever may have forgotten a vote neither refuses nor bears witness.
    fn judge_question(&self, question: &PeerQuestion) -> Judgement {
        let (state, round) = (&self.state, question.round);
        if let Some(reason) = self.why_no_witness(question) {
            return Judgement::Say(PeerKnowledge::CannotTell { reason });
        }
        if let Some(ended) = state.outcomes.of(round) {
            return Judgement::Say(match ended {
                Ended::Committed => PeerKnowledge::Committed,
                Ended::Aborted => PeerKnowledge::Aborted,
                Ended::Refused => PeerKnowledge::Refused,
            });
        }
        match &state.prepared {
            Some(prepare) if prepare.round == round => Judgement::Say(PeerKnowledge::InDoubt),
            _ => self
                .why_no_refusal(question)
                .map_or(Judgement::Refuse, |reason| Judgement::Say(PeerKnowledge::CannotTell { reason })),
        }
    }

    /// Why its word on this round would be worth nothing; none if it counts.
    fn why_no_witness(&self, question: &PeerQuestion) -> Option<String> {
        let member = &self.identity.member;
        if question.protocol != PROTOCOL_VERSION {
            Some(format!("it speaks protocol {PROTOCOL_VERSION}, not {}; run the same release", question.protocol))
        } else if question.cluster.is_none() || question.cluster != self.state.cluster {
            Some("its data belongs to another cluster".to_owned())
        } else if !question.participants.iter().any(|participant| participant.id == *member) {
            Some(format!("{member} takes no part in that round"))
        } else if self.state.standing != Standing::Trusted && !Mutant::RefusesWithoutMemory.is_on() {
            Some("its memory is not confirmed".to_owned())
        } else {
            None
        }
    }

    /// Why a round that it knows nothing of cannot be refused; none if it can. A participant held the version that the round builds
    /// on, and had accepted its epoch: who has not, or has gone past the round, may have forgotten its vote.
    fn why_no_refusal(&self, question: &PeerQuestion) -> Option<String> {
        let (state, round) = (&self.state, question.round);
        if let Some(prepare) = &state.prepared {
            Some(format!("it is in doubt about round {} itself", prepare.round))
        } else if round <= state.settled {
            Some(format!("it has gone on to round {} and no longer remembers that one", state.settled))
        } else if round.epoch > state.fence.epoch {
            Some(format!("it knows epochs up to {} only", state.fence.epoch))
        } else if question.base_version != state.version {
            Some(format!("it is at version {}, the round builds on {}", state.version, question.base_version))
        } else if self.learner.is_some() {
            Some("it is catching up".to_owned())
        } else {
            None
        }
    }
}

impl Doubt {
    fn sentence(&self) -> String {
        let since = i64::try_from(self.since.unix_ms).ok().and_then(Timestamp::from_unix_millis);
        let since = since.map(|since| format!(" since {since}")).unwrap_or_default();
        let peers: Vec<_> = self.heard.iter().map(|(peer, heard)| heard.sentence(peer)).collect();
        let peers = if peers.is_empty() { "it has no peers".to_owned() } else { peers.join(", ") };
        let hope = if self.heard.values().all(|heard| *heard == Heard::InDoubt) {
            "only the coordinator's log can tell"
        } else {
            "waiting for the coordinator, or for a participant that can tell"
        };
        format!("round {} is in doubt{since}: {peers}; {hope}", self.round)
    }
}

impl Heard {
    fn sentence(&self, peer: &MemberId) -> String {
        match self {
            Self::Nothing => format!("{peer} was asked"),
            Self::InDoubt => format!("{peer} is in doubt too"),
            Self::CannotTell(reason) => format!("{peer} cannot tell ({reason})"),
            Self::Silent(reason) => format!("{peer} cannot be reached ({reason})"),
        }
    }
}
