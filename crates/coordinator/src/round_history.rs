//! The rounds that people are shown: the last ones, with each vote and its time. In memory only; the decisions are in the log.

use protocol::{ClusterEvent, MemberId, QueryAnswer, RoundId, RoundOutcome, RoundReport, VoteReport, VoteTook};
use std::collections::VecDeque;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// How many rounds are kept.
const ROUNDS_MAX: usize = 1_000;

/// The last rounds, oldest first.
pub(crate) struct RoundHistory {
    rounds: VecDeque<Kept>,
    started: Instant,
}

struct Kept {
    report: RoundReport,
    began_us: u64,
}

impl RoundHistory {
    pub(crate) fn new(started: Instant) -> Self {
        Self { rounds: VecDeque::new(), started }
    }

    /// Notes what an event says of a round.
    pub(crate) fn note(&mut self, event: &ClusterEvent) {
        let now_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        match event {
            ClusterEvent::RoundStarted { round, participants, changes } => {
                self.begin(*round, participants, *changes, now_us);
            }
            ClusterEvent::VoteReceived { round, member, commit, cause, reason, took } => {
                self.update(*round, now_us, |report, after_us| {
                    let vote = if *commit { "commit" } else { "abort" };
                    if let Some(report) = report.votes.iter_mut().find(|report| report.member == *member) {
                        (report.vote, report.cause) = (vote.to_owned(), cause.clone());
                        (report.reason, report.after_us) = (reason.clone(), Some(after_us));
                        note_times(report, after_us, *took);
                    }
                });
            }
            ClusterEvent::RoundAcknowledged { member, round } => self.acknowledge(member, *round, now_us),
            ClusterEvent::RoundCommitted { round, version } => self.update(*round, now_us, |report, after_us| {
                (report.outcome, report.version) = (RoundOutcome::Committed, Some(*version));
                report.decided_after_us = Some(after_us);
            }),
            ClusterEvent::RoundAborted { round, reason } => self.update(*round, now_us, |report, after_us| {
                (report.outcome, report.reason) = (RoundOutcome::Aborted, Some(reason.clone()));
                (report.decided_after_us, report.ended_after_us) = (Some(after_us), Some(after_us));
            }),
            ClusterEvent::RoundEnded { round } => {
                self.update(*round, now_us, |report, after_us| report.ended_after_us = Some(after_us));
            }
            _ => {}
        }
    }

    /// The newest rounds before `before`, of that outcome, at most `limit`.
    pub(crate) fn list(&self, before: Option<RoundId>, limit: u64, outcome: Option<RoundOutcome>) -> QueryAnswer {
        let of_outcome = |kept: &&Kept| outcome.is_none_or(|outcome| kept.report.outcome == outcome);
        let total = self.rounds.iter().filter(of_outcome).count() as u64;
        let earlier = |kept: &&Kept| before.is_none_or(|before| kept.report.round < before);
        let mut rest = self.rounds.iter().rev().filter(of_outcome).filter(earlier);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let rounds = rest.by_ref().take(limit).map(|kept| kept.report.clone()).collect();
        QueryAnswer::Rounds { rounds, total, more: rest.next().is_some() }
    }

    /// One round, if it is kept.
    pub(crate) fn round(&self, round: RoundId) -> Option<RoundReport> {
        self.find(round).map(|index| self.rounds[index].report.clone())
    }

    fn begin(&mut self, round: RoundId, participants: &[MemberId], changes: u64, began_us: u64) {
        if self.rounds.len() == ROUNDS_MAX {
            self.rounds.pop_front();
        }
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let silent = |member: &MemberId| VoteReport::new(member.clone(), "none", None, None);
        let report = RoundReport {
            round,
            outcome: RoundOutcome::InFlight,
            version: None,
            changes,
            participants: participants.to_vec(),
            votes: participants.iter().map(silent).collect(),
            started_at_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX),
            decided_after_us: None,
            ended_after_us: None,
            reason: None,
        };
        self.rounds.push_back(Kept { report, began_us });
    }

    fn update(&mut self, round: RoundId, now_us: u64, change: impl FnOnce(&mut RoundReport, u64)) {
        if let Some(index) = self.find(round) {
            let kept = &mut self.rounds[index];
            change(&mut kept.report, now_us - kept.began_us);
        }
    }

    /// Whoever knows how a round ended knows it of all before.
    fn acknowledge(&mut self, member: &MemberId, round: RoundId, now_us: u64) {
        let through = self.rounds.partition_point(|kept| kept.report.round <= round);
        for kept in self.rounds.range_mut(..through).rev() {
            let Some(report) = kept.report.votes.iter_mut().find(|report| report.member == *member) else { continue };
            if report.acknowledged_after_us.is_some() {
                break;
            }
            report.acknowledged_after_us = Some(now_us - kept.began_us);
        }
    }

    fn find(&self, round: RoundId) -> Option<usize> {
        self.rounds.binary_search_by(|kept| kept.report.round.cmp(&round)).ok()
    }
}

/// The moments at a participant, on the coordinator's clock: what the way there and back took is halved.
fn note_times(report: &mut VoteReport, after_us: u64, took: Option<VoteTook>) {
    let Some(VoteTook { staged_us, durable_us }) = took.filter(|took| took.durable_us <= after_us) else { return };
    let received_us = (after_us - durable_us) / 2;
    report.received_after_us = Some(received_us);
    report.staged_after_us = Some(received_us + staged_us.min(durable_us));
    report.durable_after_us = Some(received_us + durable_us);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(number: u64) -> ClusterEvent {
        let round = format!("1-{number}").parse().unwrap();
        ClusterEvent::RoundStarted { round, participants: vec!["replicator-1".parse().unwrap()], changes: 1 }
    }

    #[test]
    fn only_the_last_thousand_rounds_are_kept_and_listed_newest_first() {
        let mut history = RoundHistory::new(Instant::now());
        for number in 1..=1_500 {
            history.note(&started(number));
        }
        let QueryAnswer::Rounds { rounds, total, more } = history.list(None, 2, None) else { panic!() };
        assert_eq!((rounds[0].round.number.0, rounds[1].round.number.0, total, more), (1_500, 1_499, 1_000, true));
        let QueryAnswer::Rounds { rounds, more, .. } = history.list("1-503".parse().ok(), 500, None) else { panic!() };
        assert_eq!((rounds.len(), more), (2, false));
        assert!(history.round("1-500".parse().unwrap()).is_none());
    }

    #[test]
    fn what_a_participant_took_stands_in_the_middle_of_what_its_vote_took() {
        let mut report = VoteReport::new("replicator-1".parse().unwrap(), "commit", None, None);
        note_times(&mut report, 1_000, Some(VoteTook { staged_us: 100, durable_us: 600 }));
        let times = [report.received_after_us, report.staged_after_us, report.durable_after_us];
        assert_eq!(times, [Some(200), Some(300), Some(800)]);

        let mut report = VoteReport::new("replicator-1".parse().unwrap(), "commit", None, None);
        note_times(&mut report, 1_000, Some(VoteTook { staged_us: 0, durable_us: 1_001 }));
        assert_eq!(report.durable_after_us, None, "a clock that says more than passed here says nothing");
    }

    #[test]
    fn whoever_acknowledges_a_round_acknowledges_those_before() {
        let mut history = RoundHistory::new(Instant::now());
        (1..=3).for_each(|number| history.note(&started(number)));
        let (member, round) = ("replicator-1".parse().unwrap(), "1-2".parse().unwrap());
        history.note(&ClusterEvent::RoundAcknowledged { member, round });
        let has_acknowledged = |number: u64| {
            let report = history.round(format!("1-{number}").parse().unwrap()).unwrap();
            report.votes[0].acknowledged_after_us.is_some()
        };
        assert_eq!([1, 2, 3].map(has_acknowledged), [true, true, false]);
    }

    #[test]
    fn a_round_shows_each_vote_and_how_it_ended() {
        let mut history = RoundHistory::new(Instant::now());
        history.note(&started(1));
        let round = "1-1".parse().unwrap();
        let member: MemberId = "replicator-1".parse().unwrap();
        let (cause, reason) = (Some("mine".to_owned()), Some("its disk is full".to_owned()));
        history.note(&ClusterEvent::VoteReceived { round, member, commit: false, cause, reason, took: None });
        history.note(&ClusterEvent::RoundAborted { round, reason: "replicator-1 voted abort".to_owned() });
        let report = history.round(round).unwrap();
        assert_eq!((report.outcome, report.votes[0].vote.as_str()), (RoundOutcome::Aborted, "abort"));
        assert!(report.votes[0].after_us.is_some() && report.ended_after_us.is_some());
    }
}
