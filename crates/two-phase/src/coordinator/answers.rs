//! The answers of committed changes, kept for clients that ask or send again (rule Once).

use super::Decision;
use crate::LogSequence;
use crate::mutant::Mutant;
use protocol::{ChangeId, CommittedAnswer, Digest, SetDigest, Version};
use std::collections::{HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The answers of committed changes, kept at least as long as the retention time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    by_change: HashMap<ChangeId, (Arc<Decision>, u32)>,
    by_age: VecDeque<(LogSequence, u64, Arc<Decision>)>,
}

/// The index is made of the decisions, and says nothing that they do not.
impl Hash for Answers {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.by_age.hash(state);
    }
}

/// What is known of a change id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It was not committed within the retention time.
    No,
    /// It was committed, by the same request: the first answer.
    Same(CommittedAnswer),
    /// It was committed by another request.
    Reused,
}

impl Answers {
    /// Remembers a committed round; `monotonic_ms` is when it was decided, or when it was read from the log.
    pub fn remember(&mut self, decision: Decision, sequence: LogSequence, monotonic_ms: u64) {
        let decision = Arc::new(decision);
        for (index, change) in decision.changes.iter().enumerate() {
            let index = u32::try_from(index).expect("a round has far fewer changes than four thousand million");
            self.by_change.insert(change.id.clone(), (Arc::clone(&decision), index));
        }
        // What a recovery found is known before older records are read from the log.
        let older = self.by_age.partition_point(|(_, _, other)| other.version < decision.version);
        self.by_age.insert(older, (sequence, monotonic_ms, decision));
    }

    /// Looks a change up.
    #[must_use]
    pub fn look_up(&self, id: &ChangeId, fingerprint: Digest) -> Known {
        match self.by_change.get(id).filter(|_| !Mutant::ForgetsAnswers.is_on()) {
            None => Known::No,
            Some((decision, index)) => {
                let change = &decision.changes[*index as usize];
                if change.fingerprint == fingerprint { Known::Same(change.answer(decision)) } else { Known::Reused }
            }
        }
    }

    /// The answer of a change, whoever asks.
    #[must_use]
    pub fn answer(&self, id: &ChangeId) -> Option<CommittedAnswer> {
        self.by_change.get(id).map(|(decision, index)| decision.changes[*index as usize].answer(decision))
    }

    /// Forgets what is older than the retention time.
    pub fn expire(&mut self, monotonic_ms: u64, retention_ms: u64) {
        while let Some((_, _, decision)) = self.by_age.pop_front_if(|(_, at, _)| *at + retention_ms < monotonic_ms) {
            for change in &decision.changes {
                self.by_change.remove(&change.id);
            }
        }
    }

    /// The record of the oldest decision whose answers are kept; those that a recovery found have none.
    #[must_use]
    pub fn oldest(&self) -> Option<LogSequence> {
        let in_log = |sequence: &LogSequence| *sequence > LogSequence::ZERO;
        self.by_age.iter().map(|(sequence, _, _)| *sequence).find(in_log)
    }

    /// The root of a version, if its decision is kept.
    #[must_use]
    pub fn root_of(&self, version: Version) -> Option<SetDigest> {
        let index = self.by_age.binary_search_by_key(&version, |(_, _, decision)| decision.version).ok()?;
        Some(self.by_age[index].2.root)
    }

    /// Earlier digests of a file among the decisions that are kept, newest first.
    pub fn decisions(&self) -> impl Iterator<Item = &Decision> {
        self.by_age.iter().rev().map(|(_, _, decision)| &**decision)
    }
}
