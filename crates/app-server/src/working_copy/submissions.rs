//! Changes that were handed in here and whose outcome is not known yet, and the outcomes of the last ones.
//!
//! A submission leaves this table in one of three ways: the coordinator has answered it; or its time is up and it was
//! surely never sent; or the process ends. Whoever waits for it is told "unknown" when the time is up and it was sent; the
//! submission stays, and is sent again on every new connection (rules HonestAnswer and Once).

use protocol::{
    ChangeId, CommittedAnswer, Refusal, RequestId, RoundId, Submission, SubmissionAnswer, Version, VoteReport,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// What became of a submission, as far as it is known when the one who waits must be told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum WriteOutcome {
    /// Committed, and shown by the index.
    Committed { answers: Vec<CommittedAnswer> },
    /// It can never commit, but for those of its changes that earlier rounds have committed.
    Aborted { round: RoundId, reason: String, votes: Vec<VoteReport>, committed: Vec<CommittedAnswer> },
    /// It was and will be in no round that commits, but for those of its changes that earlier rounds have committed.
    Refused { refusal: Refusal, committed: Vec<CommittedAnswer> },
    /// It was never sent, and will not be.
    NotSent { reason: String },
    /// It was sent, and may commit or not.
    Unknown,
}

/// What is remembered here of a change.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LocalOutcome {
    /// Its outcome is awaited.
    Pending,
    /// Committed.
    Committed { answer: CommittedAnswer },
    /// Aborted or refused, and not tried again.
    Dropped { round: Option<RoundId>, reason: String },
}

/// Bounds on what may wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct SubmissionBounds {
    pub(super) changes_max: usize,
    pub(super) bytes_max: usize,
    pub(super) outcomes_kept: usize,
}

#[derive(Debug)]
pub(super) struct Submissions {
    bounds: SubmissionBounds,
    pending: BTreeMap<RequestId, Pending>,
    deadlines: BTreeSet<(Instant, RequestId)>,
    /// Committed, but in a version that the index does not show yet.
    ahead: BTreeMap<RequestId, Vec<CommittedAnswer>>,
    changes: HashMap<ChangeId, u32>,
    waiting_changes: usize,
    waiting_bytes: usize,
    outcomes: HashMap<ChangeId, LocalOutcome>,
    outcomes_by_age: VecDeque<ChangeId>,
}

#[derive(Debug)]
struct Pending {
    submission: Submission,
    was_sent: bool,
    bytes: usize,
    waiting: Option<(Instant, oneshot::Sender<WriteOutcome>)>,
}

impl Submissions {
    pub(super) fn new(bounds: SubmissionBounds) -> Self {
        Self {
            bounds,
            pending: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            ahead: BTreeMap::new(),
            changes: HashMap::new(),
            waiting_changes: 0,
            waiting_bytes: 0,
            outcomes: HashMap::new(),
            outcomes_by_age: VecDeque::new(),
        }
    }

    /// Takes a submission in, or answers it at once if too much waits. Gives it back to be sent if it was taken in.
    pub(super) fn take_in(
        &mut self,
        request: RequestId,
        submission: Submission,
        deadline: Instant,
        reply: oneshot::Sender<WriteOutcome>,
    ) -> Option<&Submission> {
        let bytes = submission.changes.iter().map(|change| change.action.size() as usize).sum::<usize>();
        let SubmissionBounds { changes_max, bytes_max, .. } = self.bounds;
        if self.waiting_changes + submission.changes.len() > changes_max || self.waiting_bytes + bytes > bytes_max {
            let refusal = Refusal::QueueFull { retry_after_ms: Duration::from_secs(1).as_millis() as u64 };
            let outcome =
                self.unless_it_may_commit(&submission, WriteOutcome::Refused { refusal, committed: Vec::new() });
            // Whoever no longer waits does not need the answer: nothing was done.
            let _ = reply.send(outcome);
            return None;
        }
        self.waiting_changes += submission.changes.len();
        self.waiting_bytes += bytes;
        for change in &submission.changes {
            *self.changes.entry(change.id.clone()).or_default() += 1;
        }
        self.deadlines.insert((deadline, request));
        let pending = Pending { submission, was_sent: false, bytes, waiting: Some((deadline, reply)) };
        Some(&self.pending.entry(request).or_insert(pending).submission)
    }

    /// A submission that was not sent may still commit, if the same change was sent before (rule HonestAnswer).
    fn unless_it_may_commit(&self, submission: &Submission, outcome: WriteOutcome) -> WriteOutcome {
        let shares_a_change = |sent: &Submission| {
            sent.changes.iter().any(|change| submission.changes.iter().any(|other| other.id == change.id))
        };
        let is_repeated = submission.changes.iter().any(|change| self.changes.contains_key(&change.id));
        let may_commit = |pending: &Pending| pending.was_sent && shares_a_change(&pending.submission);
        if is_repeated && self.pending.values().any(may_commit) { WriteOutcome::Unknown } else { outcome }
    }

    /// From now on it may commit.
    pub(super) fn mark_sent(&mut self, request: RequestId) {
        if let Some(pending) = self.pending.get_mut(&request) {
            pending.was_sent = true;
        }
    }

    /// Everything that must be sent on a new connection, oldest first. All of it counts as sent from now on.
    pub(super) fn mark_all_sent(&mut self) -> Vec<(RequestId, Submission)> {
        let unanswered = self.pending.iter_mut().filter(|(request, _)| !self.ahead.contains_key(request));
        unanswered
            .map(|(request, pending)| {
                pending.was_sent = true;
                (*request, pending.submission.clone())
            })
            .collect()
    }

    /// The coordinator has answered; the index shows `shown`.
    pub(super) fn handle_answer(&mut self, request: RequestId, answer: SubmissionAnswer, shown: Version) {
        let outcome = match answer {
            SubmissionAnswer::Committed { answers } => {
                if answers.iter().any(|answer| answer.version > shown) {
                    self.ahead.insert(request, answers);
                    return;
                }
                WriteOutcome::Committed { answers }
            }
            SubmissionAnswer::Aborted { round, reason, votes, committed } => {
                WriteOutcome::Aborted { round, reason, votes, committed }
            }
            SubmissionAnswer::Refused { refusal, committed } => WriteOutcome::Refused { refusal, committed },
        };
        self.resolve(request, outcome);
    }

    /// The index shows a newer version now.
    pub(super) fn handle_shown(&mut self, shown: Version) {
        if self.ahead.is_empty() {
            return;
        }
        let is_shown = |answers: &Vec<CommittedAnswer>| answers.iter().all(|answer| answer.version <= shown);
        let ready: Vec<_> =
            self.ahead.iter().filter(|(_, answers)| is_shown(answers)).map(|(request, _)| *request).collect();
        for request in ready {
            if let Some(answers) = self.ahead.remove(&request) {
                self.resolve(request, WriteOutcome::Committed { answers });
            }
        }
    }

    /// When the next one who waits must be told something.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Tells those whose time is up; `why_not_sent` is for those that never left.
    pub(super) fn handle_time(&mut self, now: Instant, why_not_sent: &str) {
        while let Some((deadline, request)) = self.deadlines.first().copied().filter(|(deadline, _)| *deadline <= now) {
            self.deadlines.remove(&(deadline, request));
            let Some(pending) = self.pending.get_mut(&request) else { continue };
            if pending.was_sent {
                if let Some((_, reply)) = pending.waiting.take() {
                    // Whoever no longer waits asks again with the same key.
                    let _ = reply.send(WriteOutcome::Unknown);
                }
            } else {
                let outcome = WriteOutcome::NotSent { reason: why_not_sent.to_owned() };
                let outcome = self.unless_it_may_commit(&self.pending[&request].submission, outcome);
                self.resolve(request, outcome);
            }
        }
    }

    /// What is remembered of a change.
    pub(super) fn outcome_of(&self, change: &ChangeId) -> Option<LocalOutcome> {
        if self.changes.contains_key(change) {
            return Some(LocalOutcome::Pending);
        }
        self.outcomes.get(change).cloned()
    }

    /// How many changes wait.
    pub(super) fn waiting_changes(&self) -> usize {
        self.waiting_changes
    }

    fn resolve(&mut self, request: RequestId, outcome: WriteOutcome) {
        let Some(pending) = self.pending.remove(&request) else { return };
        self.waiting_changes -= pending.submission.changes.len();
        self.waiting_bytes -= pending.bytes;
        for change in &pending.submission.changes {
            if let Some(count) = self.changes.get_mut(&change.id) {
                *count -= 1;
                if *count == 0 {
                    self.changes.remove(&change.id);
                }
            }
        }
        self.remember(&pending.submission, &outcome);
        if let Some((deadline, reply)) = pending.waiting {
            self.deadlines.remove(&(deadline, request));
            // Whoever no longer waits finds the outcome among those that are remembered.
            let _ = reply.send(outcome);
        }
    }

    fn remember(&mut self, submission: &Submission, outcome: &WriteOutcome) {
        match outcome {
            WriteOutcome::Committed { answers } => self.keep_committed(answers),
            WriteOutcome::Aborted { round, reason, committed, .. } => {
                self.keep_dropped(submission, Some(*round), reason);
                self.keep_committed(committed);
            }
            // The change that the key belongs to is another one, and its outcome is not this one's.
            WriteOutcome::Refused { refusal: Refusal::KeyReused { .. }, committed } => self.keep_committed(committed),
            WriteOutcome::Refused { refusal, committed } => {
                self.keep_dropped(submission, None, &refusal_sentence(refusal));
                self.keep_committed(committed);
            }
            WriteOutcome::NotSent { .. } | WriteOutcome::Unknown => {}
        }
    }

    fn keep_committed(&mut self, answers: &[CommittedAnswer]) {
        for answer in answers {
            self.keep(answer.change.clone(), LocalOutcome::Committed { answer: answer.clone() });
        }
    }

    fn keep_dropped(&mut self, submission: &Submission, round: Option<RoundId>, reason: &str) {
        for change in &submission.changes {
            self.keep(change.id.clone(), LocalOutcome::Dropped { round, reason: reason.to_owned() });
        }
    }

    fn keep(&mut self, change: ChangeId, outcome: LocalOutcome) {
        if self.outcomes.insert(change.clone(), outcome).is_none() {
            self.outcomes_by_age.push_back(change);
        }
        while self.outcomes_by_age.len() > self.bounds.outcomes_kept {
            if let Some(oldest) = self.outcomes_by_age.pop_front() {
                self.outcomes.remove(&oldest);
            }
        }
    }
}

/// Why a change was refused, for people.
pub(crate) fn refusal_sentence(refusal: &Refusal) -> String {
    match refusal {
        Refusal::PreconditionFailed { path, current: None, .. } => format!("there is no {path}"),
        Refusal::PreconditionFailed { path, current: Some(current), .. } => {
            format!("{path} has the digest {current} now")
        }
        Refusal::KeyReused { change } => format!("the key {change} was used for another request"),
        Refusal::Invalid { reason } | Refusal::NoQuorum { reason, .. } => reason.clone(),
        Refusal::QueueFull { .. } => "as many changes wait as may wait".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalogue::BookId;
    use protocol::{Action, Change, Digest, Precondition};

    const BOUNDS: SubmissionBounds = SubmissionBounds { changes_max: 3, bytes_max: 1_000, outcomes_kept: 2 };

    fn submission(key: &str) -> Submission {
        let change = Change {
            id: key.parse().unwrap(),
            fingerprint: Digest::of(b""),
            path: BookId::from_parts(1, [1; 10]).into(),
            precondition: Precondition::Present,
            answer: String::new(),
            action: Action::Delete,
        };
        Submission { changes: vec![change], force_abort: false }
    }

    fn committed(key: &str, version: u64) -> SubmissionAnswer {
        let answer = CommittedAnswer {
            change: key.parse().unwrap(),
            round: "1-1".parse().unwrap(),
            version: Version(version),
            path: BookId::from_parts(1, [1; 10]).into(),
            digest: None,
            answer: String::new(),
        };
        SubmissionAnswer::Committed { answers: vec![answer] }
    }

    struct Table {
        submissions: Submissions,
        now: Instant,
    }

    impl Table {
        fn new() -> Self {
            Self { submissions: Submissions::new(BOUNDS), now: Instant::now() }
        }

        fn submit(&mut self, request: u64, key: &str) -> oneshot::Receiver<WriteOutcome> {
            let (reply, outcome) = oneshot::channel();
            let deadline = self.now + Duration::from_secs(10);
            self.submissions.take_in(RequestId(request), submission(key), deadline, reply);
            outcome
        }

        fn time_is_up(&mut self) {
            self.submissions.handle_time(self.now + Duration::from_secs(10), "there is no coordinator");
        }

        fn outcome_of(&self, key: &str) -> Option<LocalOutcome> {
            self.submissions.outcome_of(&key.parse().unwrap())
        }
    }

    #[test]
    fn what_was_never_sent_is_refused_and_forgotten_when_its_time_is_up() {
        let mut table = Table::new();
        let mut outcome = table.submit(1, "a");
        table.time_is_up();
        assert!(matches!(outcome.try_recv().unwrap(), WriteOutcome::NotSent { .. }));
        assert!(table.submissions.mark_all_sent().is_empty());
        assert_eq!(table.outcome_of("a"), None);
    }

    #[test]
    fn honest_answer_what_was_sent_is_unknown_when_its_time_is_up_and_is_sent_again() {
        let mut table = Table::new();
        let mut outcome = table.submit(1, "a");
        table.submissions.mark_sent(RequestId(1));
        table.time_is_up();
        assert_eq!(outcome.try_recv().unwrap(), WriteOutcome::Unknown);
        assert_eq!(table.outcome_of("a"), Some(LocalOutcome::Pending));
        assert_eq!(table.submissions.mark_all_sent().len(), 1);
        table.submissions.handle_answer(RequestId(1), committed("a", 1), Version(1));
        assert!(matches!(table.outcome_of("a"), Some(LocalOutcome::Committed { .. })));
        assert!(table.submissions.mark_all_sent().is_empty());
    }

    #[test]
    fn committed_change_is_answered_only_when_the_index_shows_it() {
        let mut table = Table::new();
        let mut outcome = table.submit(1, "a");
        table.submissions.handle_answer(RequestId(1), committed("a", 5), Version(4));
        assert!(outcome.try_recv().is_err());
        assert!(table.submissions.mark_all_sent().is_empty(), "it is answered, so it is not sent again");
        table.submissions.handle_shown(Version(5));
        assert!(matches!(outcome.try_recv().unwrap(), WriteOutcome::Committed { .. }));
    }

    #[test]
    fn one_more_than_may_wait_is_refused_at_once() {
        let mut table = Table::new();
        let _waiting: Vec<_> = (1..=3).map(|number| table.submit(number, &format!("k{number}"))).collect();
        let mut outcome = table.submit(4, "k4");
        let refused = outcome.try_recv().unwrap();
        assert!(matches!(refused, WriteOutcome::Refused { refusal: Refusal::QueueFull { .. }, .. }), "{refused:?}");
        table.submissions.handle_answer(RequestId(1), committed("k1", 1), Version(1));
        assert!(table.submit(5, "k5").try_recv().is_err(), "a place is free again");
    }

    #[test]
    fn same_change_handed_in_twice_is_pending_until_both_are_answered() {
        let mut table = Table::new();
        let mut first = table.submit(1, "a");
        let mut second = table.submit(2, "a");
        table.submissions.handle_answer(RequestId(1), committed("a", 1), Version(1));
        assert_eq!(table.outcome_of("a"), Some(LocalOutcome::Pending));
        table.submissions.handle_answer(RequestId(2), committed("a", 1), Version(1));
        assert_eq!(first.try_recv().unwrap(), second.try_recv().unwrap());
    }

    #[test]
    fn reused_key_does_not_hide_the_outcome_of_the_change_that_has_it() {
        let mut table = Table::new();
        let _first = table.submit(1, "a");
        table.submissions.handle_answer(RequestId(1), committed("a", 1), Version(1));
        let _second = table.submit(2, "a");
        let refusal = Refusal::KeyReused { change: "a".parse().unwrap() };
        table.submissions.handle_answer(
            RequestId(2),
            SubmissionAnswer::Refused { refusal, committed: Vec::new() },
            Version(1),
        );
        assert!(matches!(table.outcome_of("a"), Some(LocalOutcome::Committed { .. })));
    }

    #[test]
    fn only_the_last_outcomes_are_remembered() {
        let mut table = Table::new();
        for number in 1..=3 {
            let key = format!("k{number}");
            let _outcome = table.submit(number, &key);
            table.submissions.handle_answer(RequestId(number), committed(&key, 1), Version(1));
        }
        assert_eq!(table.outcome_of("k1"), None);
        assert!(table.outcome_of("k2").is_some() && table.outcome_of("k3").is_some());
    }
}
