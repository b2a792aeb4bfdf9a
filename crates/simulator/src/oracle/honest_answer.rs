//! HonestAnswer: "committed" only after the decision; "aborted" and "refused" only when it can never commit.

use super::{CommittedFact, Oracle};
use crate::violation::{Held, Rule, ensure};
use catalogue::BookPath;
use protocol::{ChangeId, ChangeState, CommittedAnswer, Digest, Precondition, RequestId, Submission};
use std::collections::BTreeMap;
use two_phase::coordinator::Decision;

/// A request of a client: the app-server, its start, and the number that it gave the request.
pub(crate) type RequestKey = (usize, u64, RequestId);

/// All requests that clients have made, and how they were answered.
#[derive(Debug, Default)]
pub(super) struct Requests {
    changes_of: BTreeMap<RequestKey, Vec<(ChangeId, Digest)>>,
    /// Of each change, how many requests for it may still commit, or have.
    hopeful: BTreeMap<(ChangeId, Digest), u64>,
    /// Of each change, what was asked for, and on what condition.
    asked: BTreeMap<(ChangeId, Digest), (BookPath, Option<Digest>, Precondition)>,
}

impl Oracle {
    /// A client asks for changes.
    pub(crate) fn requested(&mut self, key: RequestKey, submission: &Submission) {
        let changes: Vec<_> = submission.changes.iter().map(|change| (change.id.clone(), change.fingerprint)).collect();
        for change in &submission.changes {
            let asked = (change.path, change.action.digest(), change.precondition);
            self.requests.asked.insert((change.id.clone(), change.fingerprint), asked);
        }
        for change in &changes {
            *self.requests.hopeful.entry(change.clone()).or_default() += 1;
        }
        self.requests.changes_of.insert(key, changes);
    }

    /// What is decided is what was asked for, and its condition was met by what had been committed before.
    pub(super) fn decided_as_asked(&self, decision: &Decision) -> Held {
        for change in &decision.changes {
            let Some((path, digest, precondition)) =
                self.requests.asked.get(&(change.id.clone(), change.fingerprint)).copied()
            else {
                continue; // Nobody asked for it, which is another check's business.
            };
            let current = self.manifest.record(&path).map(|record| record.digest);
            let met = match precondition {
                Precondition::None => digest.is_some() || current.is_some(),
                Precondition::Absent => current.is_none(),
                Precondition::Present => current.is_some(),
                Precondition::Digest(expected) => current == Some(expected),
            };
            ensure(met && (path, digest) == (change.path, change.digest), Rule::HonestAnswer, || {
                format!(
                    "{change:?} is decided on {current:?}, but {digest:?} of {path} was asked for if {precondition:?}"
                )
            })?;
        }
        Ok(())
    }

    /// Some request for each change of the decision may still commit: none was told the opposite.
    pub(super) fn decided_for_somebody(&self, decision: &Decision) -> Held {
        for change in &decision.changes {
            let hopeful = self.requests.hopeful.get(&(change.id.clone(), change.fingerprint)).copied();
            ensure(hopeful.unwrap_or_default() > 0, Rule::HonestAnswer, || {
                format!("change {} is committed, but everybody who asked for it was told that it is not", change.id)
            })?;
        }
        Ok(())
    }

    /// A client is told that its changes are not committed and never will be, but for those that earlier rounds have committed.
    ///
    /// # Errors
    /// If they are; or those are not.
    pub(crate) fn told_no(&mut self, key: RequestKey, but_for: &[CommittedAnswer], now_us: u64) -> Held {
        self.told_answers(but_for)?;
        for change in self.requests.changes_of.remove(&key).unwrap_or_default() {
            if but_for.iter().any(|answer| answer.change == change.0) {
                continue;
            }
            let hopeful = self.requests.hopeful.get_mut(&change).expect("a request is noted before it is answered");
            *hopeful -= 1;
            // Answers are kept for a time; a change that is sent again after it is judged as a new one.
            let is_kept =
                |fact: &&CommittedFact| !fact.forgotten && now_us.saturating_sub(fact.decided_us) < self.retention_us;
            let fact = self.committed.get(&change.0).filter(|fact| fact.fingerprint == change.1).filter(is_kept);
            ensure(*hopeful > 0 || fact.is_none(), Rule::HonestAnswer, || {
                format!("the client is told that change {} is not committed, but it is: {fact:?}", change.0)
            })?;
        }
        Ok(())
    }

    /// A client is told that its changes are committed.
    ///
    /// # Errors
    /// If one of them is not, or is not spoken of.
    pub(crate) fn told_committed(&mut self, key: RequestKey, answers: &[CommittedAnswer]) -> Held {
        for (change, _) in self.requests.changes_of.remove(&key).unwrap_or_default() {
            let answer = answers.iter().find(|answer| answer.change == change);
            ensure(answer.is_some(), Rule::HonestAnswer, || {
                format!("a client is told that its changes are committed, without a word on change {change}")
            })?;
        }
        self.told_answers(answers)
    }

    fn told_answers(&mut self, answers: &[CommittedAnswer]) -> Held {
        for answer in answers {
            ensure(self.committed.contains_key(&answer.change), Rule::HonestAnswer, || {
                format!("a client is told that change {} is committed, but no decision says so", answer.change)
            })?;
            self.repeats_the_first_answer(answer)?;
            self.acked = self.acked.max(answer.version);
        }
        Ok(())
    }

    /// A client is told what became of a change.
    ///
    /// # Errors
    /// If that is not so.
    pub(crate) fn told_state(&self, change: &ChangeId, state: &ChangeState, asked_us: u64, now_us: u64) -> Held {
        let fact = self.committed.get(change);
        match state {
            ChangeState::NotKnown => {
                let known =
                    fact.filter(|fact| fact.decided_us < asked_us && now_us - fact.decided_us < self.retention_us);
                let known = known.filter(|fact| !fact.forgotten);
                ensure(known.is_none(), Rule::HonestAnswer, || {
                    format!("a client is told that change {change} is not known, but it is committed: {known:?}")
                })
            }
            ChangeState::Committed(answer) => {
                ensure(answer.change == *change, Rule::HonestAnswer, || format!("asked about {change}: {answer:?}"))
            }
            ChangeState::Pending | ChangeState::Unknown => Ok(()),
        }
    }
}
