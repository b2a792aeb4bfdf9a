//! From waiting changes to a decision: forms a round, counts its votes, decides, tells.

use super::round::{Aftermath, Round, Stage, Tally};
use super::waiting::{Formed, Queued};
use super::{Coordinator, CoordinatorRecord, DecidedChange, Decision, LoggedDecision, Mandate, SessionId, Then};
use crate::LogSequence;
use crate::mutant::Mutant;
use protocol::{
    ClusterEvent, CommitPolicy, CommitRule, CommittedAnswer, CommittedChange, CommittedRound, MemberId, MemberState,
    Outcome, Parent, Participant, Prepare, Refusal, RoundId, SubmissionAnswer, ToAppServer, ToReplicator, View, Vote,
    VoteReport, VoteTook,
};
use std::collections::HashMap;

impl Coordinator {
    /// Why no round can be run now; none if one can.
    #[must_use]
    pub fn why_no_round(&self) -> Option<String> {
        match &self.mandate {
            Mandate::NeedsRecovery { reason } => {
                return Some(format!(
                    "the coordinator is not sure of its log and presumes nothing: {reason}; start it on the newest copy of its data directory, or see what can be done with: concordance recover"
                ));
            }
            Mandate::Taking => return Some("the coordinator is starting".to_owned()),
            Mandate::Opening => {
                let (accepted, majority) = (self.members.accepted(&self.state.view).len(), self.state.view.majority());
                let lost: Vec<_> = self.lost_memories().iter().map(ToString::to_string).collect();
                let lost = match lost.is_empty() {
                    true => String::new(),
                    false => format!(
                        "; {} have lost their memory: bring others back, or see what can be done with: concordance recover",
                        lost.join(", ")
                    ),
                };
                return Some(format!(
                    "{accepted} of the {majority} replicators that are needed have accepted this coordinator{lost}"
                ));
            }
            Mandate::Open => {}
        }
        if let Some(lack) = &self.no_room {
            return Some(format!("the coordinator's disk is full: {lack}; make room there"));
        }
        let obstacles: Vec<_> = self.needed().filter_map(|member| self.obstacle(member)).collect();
        if obstacles.is_empty() {
            return None;
        }
        let View { min_in_sync, policy, .. } = self.state.view;
        let needed = match policy {
            CommitPolicy::All => "every replicator is needed".to_owned(),
            CommitPolicy::InSync => format!("at least {min_in_sync} replicators are needed"),
        };
        Some(format!("{needed}: {}", obstacles.join("; ")))
    }

    /// The members without whom no round can be run.
    fn needed(&self) -> impl Iterator<Item = &MemberId> {
        let all = self.state.view.policy == CommitPolicy::All;
        self.state
            .view
            .voters()
            .filter(move |member| all || member.state == MemberState::InSync)
            .map(|member| &member.id)
    }

    /// Why a member cannot take part in a round now, as a clause with its name; none if it can.
    pub(super) fn obstacle(&self, member: &MemberId) -> Option<String> {
        match self.members.link(member) {
            None => Some(format!("{member} is not connected")),
            Some(link) => link.obstacle(self.now.monotonic_ms).map(|obstacle| format!("{member} {obstacle}")),
        }
    }

    /// Whether a round can be run now: what [`Coordinator::why_no_round`] says, without the words.
    fn can_run_round(&self) -> bool {
        self.mandate == Mandate::Open
            && self.no_room.is_none()
            && self.needed().all(|member| self.obstacle(member).is_none())
    }

    /// Starts the next round, if there is something for it and it can be run. Everything that waits goes into it. Before that, and
    /// only here, the in-sync set is looked after.
    pub(super) fn start_round(&mut self) {
        while self.round.is_none()
            && self.no_room.is_none()
            && !self.settle_in_sync_set()
            && !self.waiting.is_empty()
            && self.can_run_round()
        {
            let Formed { members, refused, done } =
                self.waiting.form(&self.state.manifest, &self.state.answers, &self.settings);
            for (queued, refusal) in refused {
                let committed = queued.done.clone();
                self.answer(queued, SubmissionAnswer::Refused { refusal, committed });
            }
            for queued in done {
                let answers = queued.answers(&HashMap::new());
                self.answer(queued, SubmissionAnswer::Committed { answers });
            }
            if !members.is_empty() {
                self.prepare(members);
            }
        }
    }

    fn prepare(&mut self, members: Vec<Queued>) {
        let id = RoundId { epoch: self.epoch, number: self.next_number };
        self.next_number = self.next_number.next();
        let changes: Vec<_> = members.iter().flat_map(|queued| queued.changes.iter().cloned()).collect();
        let version = self.state.version.next();
        let expected_root = self.state.manifest.root_after(&changes, version);
        let (mut participants, mut sessions) = (Vec::new(), Vec::new());
        for (member, link) in self.members.level() {
            participants.push(Participant { id: member.clone(), address: link.hello.address.clone() });
            sessions.push(link.session);
        }
        self.happened(ClusterEvent::RoundStarted {
            round: id,
            participants: participants.iter().map(|participant| participant.id.clone()).collect(),
            changes: changes.len() as u64,
        });
        let deadline_ms = self.now.monotonic_ms + self.settings.vote_timeout_ms;
        let (parent, view) = (self.last_round, self.state.view.number);
        let round = Round::new(id, parent, version, expected_root, view, participants.clone(), members, deadline_ms);
        self.round = Some(round);
        self.say_to_all(
            sessions,
            ToReplicator::Prepare(Prepare {
                round: id,
                parent,
                base_version: self.state.version,
                base_root: self.state.manifest.root(),
                expected_root,
                view,
                participants,
                rule: CommitRule::DecisionRecord,
                changes,
            }),
        );
    }

    pub(super) fn handle_vote(
        &mut self,
        member: &MemberId,
        round_id: RoundId,
        vote: Vote,
        credit_bytes: u64,
        took: Option<VoteTook>,
    ) {
        if let Some(link) = self.members.link_mut(member) {
            link.credit_bytes = credit_bytes;
        }
        let Some(round) = self.round.as_mut().filter(|round| round.id == round_id) else { return };
        let (commit, cause, reason) = match &vote {
            Vote::Commit => (true, None, None),
            Vote::Abort { cause } => (false, Some(cause.word().to_owned()), Some(cause.sentence())),
        };
        if round.vote(member.clone(), vote) {
            self.happened(ClusterEvent::VoteReceived {
                round: round_id,
                member: member.clone(),
                commit,
                cause,
                reason,
                took,
            });
            self.conclude_vote();
        }
    }

    /// The vote of somebody whose connection ended is not waited for.
    pub(super) fn abort_if_participant(&mut self, member: &MemberId, reason: &str) {
        if let Some(round) = &mut self.round {
            round.lose(member, reason.to_owned());
            self.conclude_vote();
        }
    }

    pub(super) fn close_late_vote(&mut self) {
        let now_ms = self.now.monotonic_ms;
        let late = |round: &&mut Round| round.stage == Stage::Preparing && round.deadline_ms <= now_ms;
        let Some(round) = self.round.as_mut().filter(late) else { return };
        let silent = round.close(self.settings.vote_timeout_ms);
        let reason = format!("it did not vote within {} ms", self.settings.vote_timeout_ms);
        // Whoever is silent must introduce itself again, so that what it holds is known; the next round does without it.
        for member in &silent {
            self.members.attendance_mut(member).was_slow();
        }
        for member in &silent {
            self.drop_member(member, &reason);
        }
        self.conclude_vote();
        self.advance_reads();
    }

    fn conclude_vote(&mut self) {
        let Some(round) = self.round.as_ref().filter(|round| round.stage == Stage::Preparing) else { return };
        match round.tally() {
            Tally::Open => {}
            Tally::AllCommit if !round.is_to_be_aborted() => self.decide(),
            Tally::AllCommit | Tally::Abort => self.abort(),
        }
    }

    /// Rule Validity: all voted commit. Rule DurableDecision: the record goes to the disk, and nobody is told before it is there.
    fn decide(&mut self) {
        let Some(round) = &mut self.round else { return };
        round.stage = Stage::Deciding;
        let decision = Decision {
            round: round.id,
            parent: round.parent,
            version: round.version,
            root: round.expected_root,
            view: round.view,
            participants: round.participants.iter().map(|participant| participant.id.clone()).collect(),
            rule: CommitRule::DecisionRecord,
            changes: round.changes().map(DecidedChange::of).collect(),
            decided_at_ms: self.now.unix_ms,
        };
        let sequence = self.awaiting.last_appended().next();
        if Mutant::DecidesBeforeDurable.is_on() {
            self.append(CoordinatorRecord::Decided(decision.clone()), Then::Nothing);
            return self.tell_decision(decision, sequence);
        }
        self.append(CoordinatorRecord::Decided(decision.clone()), Then::Decided(Box::new(decision), sequence));
    }

    /// The decision is durable: everybody is told, and the next round begins.
    pub(super) fn tell_decision(&mut self, decision: Decision, sequence: LogSequence) {
        let logged = LoggedDecision::from_log(&decision);
        let round = self.round.take().expect("a decision is made for the round in flight, which ends only here");
        let id = decision.round;
        let answers: HashMap<_, _> =
            decision.changes.iter().map(|change| (change.id.clone(), change.answer(&decision))).collect();
        let committed = committed_round(&round, &decision);
        self.state.expire_answers(self.now.monotonic_ms, self.settings.answer_retention_ms);
        self.state
            .apply(CoordinatorRecord::Decided(decision), sequence, self.now.monotonic_ms)
            .expect("the round was formed on this very state, which no other record can have changed");
        self.last_round = Some(Parent { round: id, outcome: Outcome::Committed });
        self.happened(ClusterEvent::RoundCommitted { round: id, version: committed.version });
        let sessions = self.sessions_to_tell(&round);
        self.say_to_all(sessions, logged.commit_message());
        let absent = self.followers_without(&round);
        if !absent.is_empty() {
            self.say_to_all(absent, ToReplicator::Committed(committed.clone()));
        }
        let followers = self.app_servers.following();
        self.tell_all(followers, ToAppServer::Committed(committed));
        self.answer_committed(round, &answers);
        self.start_round();
    }

    fn answer_committed(&mut self, round: Round, answers: &HashMap<protocol::ChangeId, CommittedAnswer>) {
        for queued in round.members {
            let answers = queued.answers(answers);
            self.answer(queued, SubmissionAnswer::Committed { answers });
        }
    }

    /// Presumed abort: there is no record of it.
    fn abort(&mut self) {
        let Some(round) = self.round.take() else { return };
        let (id, votes, sessions) = (round.id, round.vote_reports(), self.sessions_to_tell(&round));
        let Aftermath { aborted, again, unable, reason } = round.into_aftermath();
        if Mutant::UsesRoundNumberAgain.is_on() {
            self.next_number = id.number;
        }
        self.last_round = Some(Parent { round: id, outcome: Outcome::Aborted });
        self.happened(ClusterEvent::RoundAborted { round: id, reason: reason.clone() });
        self.say_to_all(sessions, ToReplicator::Abort { round: id });
        for (member, detail) in unable {
            self.members.attendance_mut(&member).was_slow();
            if let Some(link) = self.members.link_mut(&member) {
                link.paused_until_ms = Some(self.now.monotonic_ms + self.settings.pause_after_refusal_ms);
                link.detail = Some(detail);
            }
        }
        self.waiting.put_back(again);
        self.answer_aborted(aborted, id, &reason, &votes);
        self.refuse_those_who_waited_too_long();
        self.start_round();
    }

    fn answer_aborted(&mut self, aborted: Vec<Queued>, round: RoundId, reason: &str, votes: &[VoteReport]) {
        for queued in aborted {
            let (reason, votes, committed) = (reason.to_owned(), votes.to_vec(), queued.done.clone());
            self.answer(queued, SubmissionAnswer::Aborted { round, reason, votes, committed });
        }
    }

    /// Participants that can be spoken to: those who have accepted the epoch on their present connection.
    fn sessions_to_tell(&self, round: &Round) -> Vec<SessionId> {
        let links = round.participants.iter().filter_map(|participant| self.members.link(&participant.id));
        links.filter(|link| link.accepted).map(|link| link.session).collect()
    }

    /// Members that are told of every round, and did not take part in this one.
    fn followers_without(&self, round: &Round) -> Vec<SessionId> {
        let links = self.members.links().filter(|(id, link)| link.follows() && !round.has_participant(id));
        links.map(|(_, link)| link.session).collect()
    }

    /// Changes that found no round in time are refused. They are in no round, and never will be. Only a coordinator that is sure
    /// of its log knows that (rule HonestAnswer).
    pub(super) fn refuse_those_who_waited_too_long(&mut self) {
        if self.mandate != Mandate::Open && !Mutant::TakesUnknownForRefused.is_on() {
            return;
        }
        let Some(arrived_before_ms) = self.now.monotonic_ms.checked_sub(self.settings.change_wait_ms) else { return };
        let expired = self.waiting.expire(arrived_before_ms);
        if expired.is_empty() {
            return;
        }
        let reason = self.why_no_round().unwrap_or_else(|| "no round took it in time".to_owned());
        for queued in expired {
            let refusal = Refusal::NoQuorum { reason: reason.clone(), retry_after_ms: self.settings.change_wait_ms };
            let committed = queued.done.clone();
            self.answer(queued, SubmissionAnswer::Refused { refusal, committed });
        }
    }

    fn answer(&mut self, mut queued: Queued, answer: SubmissionAnswer) {
        self.waiting.conclude(&mut queued);
        for requester in queued.requesters {
            self.tell(requester.session, ToAppServer::Answered { request: requester.request, answer: answer.clone() });
        }
    }
}

fn committed_round(round: &Round, decision: &Decision) -> CommittedRound {
    let committed = |change: &protocol::Change| CommittedChange {
        id: change.id.clone(),
        path: change.path,
        answer: change.answer.clone(),
        action: change.action.clone(),
    };
    CommittedRound {
        round: decision.round,
        version: decision.version,
        root: decision.root,
        changes: round.changes().map(committed).collect(),
    }
}
