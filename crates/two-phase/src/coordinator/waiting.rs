//! Changes that wait for a round, and how a round is formed from them.
//!
//! Idempotency is judged first, then preconditions; both when a round is formed, and again when it is formed anew. One
//! submission's unmet precondition never touches another one (rule Once).

use super::answers::{Answers, Known};
use super::effect::SessionId;
use super::settings::CoordinatorSettings;
use crate::Manifest;
use crate::mutant::Mutant;
use protocol::{Action, Change, ChangeId, CommittedAnswer, Digest, Precondition, Refusal, RequestId, Submission};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// How many submissions that must wait for a later round are looked past for some that need not.
const LOOK_AHEAD_MAX: usize = 4_096;

/// Somebody who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Requester {
    pub session: SessionId,
    pub request: RequestId,
}

/// A submission that was let in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Queued {
    /// What is still to be committed.
    pub changes: Vec<Change>,
    pub force_abort: bool,
    /// Who waits. More than one where it was sent again.
    pub requesters: Vec<Requester>,
    /// Answers of those of its changes that earlier rounds have committed.
    pub done: Vec<CommittedAnswer>,
    /// The order in which its changes were sent.
    pub order: Arc<[ChangeId]>,
    pub arrived_ms: u64,
}

impl Queued {
    fn bytes(&self) -> u64 {
        self.changes.iter().map(|change| change.action.size()).sum()
    }

    /// The answers in the order in which the changes were sent.
    pub(super) fn answers(&self, committed: &HashMap<ChangeId, CommittedAnswer>) -> Vec<CommittedAnswer> {
        let done = |id: &ChangeId| self.done.iter().find(|answer| answer.change == *id);
        self.order.iter().filter_map(|id| committed.get(id).or_else(|| done(id)).cloned()).collect()
    }
}

/// What becomes of a submission at its arrival.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It waits, or is already under way.
    Waits,
    /// All of it was committed before: the first answers.
    Done(Vec<CommittedAnswer>),
    /// It is refused, but for these, which earlier rounds have committed.
    Refused(Refusal, Vec<CommittedAnswer>),
}

/// What a round is made of.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Formed {
    pub members: Vec<Queued>,
    pub refused: Vec<(Queued, Refusal)>,
    pub done: Vec<Queued>,
}

/// The queue.
#[derive(Debug, Clone, Hash, Default)]
pub(super) struct Waiting {
    queue: VecDeque<Queued>,
    /// Every change that waits or is in flight, by id: its fingerprint, and the changes that it was sent with.
    active: BTreeMap<ChangeId, (Digest, Arc<[ChangeId]>)>,
    /// Who asked again for a change in flight.
    late_requesters: Vec<(ChangeId, Requester)>,
    changes: usize,
    bytes: u64,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn changes(&self) -> usize {
        self.changes
    }

    pub(super) fn is_active(&self, id: &ChangeId) -> bool {
        self.active.contains_key(id)
    }

    /// Judges a submission as it arrives.
    pub(super) fn arrive(
        &mut self,
        submission: Submission,
        requester: Requester,
        answers: &Answers,
        settings: &CoordinatorSettings,
        now_ms: u64,
    ) -> Arrival {
        let done = committed_before(&submission, answers);
        if let Some(reason) = fault_of(&submission, settings) {
            return Arrival::Refused(Refusal::Invalid { reason }, done);
        }
        let order: Arc<[_]> = submission.changes.iter().map(|change| change.id.clone()).collect();
        let fingerprints: Vec<_> = submission.changes.iter().map(|change| change.fingerprint).collect();
        let (mut changes, mut under_way) = (Vec::new(), 0);
        for change in submission.changes {
            let reused = Refusal::KeyReused { change: change.id.clone() };
            match (answers.look_up(&change.id, change.fingerprint), self.active.get(&change.id)) {
                (Known::Reused, _) => return Arrival::Refused(reused, done),
                (Known::Same(_), _) => {}
                (Known::No, Some((fingerprint, _))) if *fingerprint != change.fingerprint => {
                    return Arrival::Refused(reused, done);
                }
                (Known::No, Some(_)) => {
                    under_way += 1;
                    changes.push(change);
                }
                (Known::No, None) => changes.push(change),
            }
        }
        if changes.is_empty() {
            return Arrival::Done(done);
        }
        let same = |(_, sent_with): &(Digest, Arc<[ChangeId]>)| *sent_with == order;
        if under_way == changes.len() && self.active.get(&changes[0].id).is_some_and(same) {
            self.late_requesters.push((changes[0].id.clone(), requester));
            return Arrival::Waits;
        }
        if under_way > 0 {
            let reason =
                "some of its changes are already under way in another submission; send them as they were sent first";
            return Arrival::Refused(Refusal::Invalid { reason: reason.to_owned() }, done);
        }
        let force_abort = submission.force_abort;
        let queued = Queued { changes, force_abort, requesters: vec![requester], done, order, arrived_ms: now_ms };
        let full = self.changes + queued.changes.len() > settings.queue_changes_max
            || self.bytes + queued.bytes() > settings.queue_bytes_max;
        if full {
            return Arrival::Refused(Refusal::QueueFull { retry_after_ms: 1_000 }, queued.done);
        }
        // Also those that were committed before: their answers may be forgotten before the rest is decided.
        for (id, fingerprint) in queued.order.iter().zip(fingerprints) {
            self.active.insert(id.clone(), (fingerprint, Arc::clone(&queued.order)));
        }
        self.count_in(&queued);
        self.queue.push_back(queued);
        Arrival::Waits
    }

    /// Takes out what goes into the next round. A submission that touches a file of this round waits for the one after it; so
    /// does all that was sent later for the same file.
    pub(super) fn form(&mut self, manifest: &Manifest, answers: &Answers, settings: &CoordinatorSettings) -> Formed {
        let mut formed = Formed::default();
        let (mut paths, mut changes, mut bytes) = (HashSet::new(), 0, 0);
        let mut left = VecDeque::new();
        let mut full = false;
        while left.len() < LOOK_AHEAD_MAX
            && let Some(mut queued) = self.queue.pop_front()
        {
            let alone = queued.force_abort;
            let fits = changes == 0
                || (changes + queued.changes.len() <= settings.round_changes_max
                    && bytes + queued.bytes() <= settings.round_bytes_max
                    && !alone);
            full = full || !fits;
            let blocked = full || queued.changes.iter().any(|change| paths.contains(&change.path));
            if blocked {
                paths.extend(queued.changes.iter().map(|change| change.path));
                left.push_back(queued);
                if full {
                    break;
                }
                continue;
            }
            self.count_out(&queued);
            drop_committed(&mut queued, answers);
            if queued.changes.is_empty() {
                formed.done.push(queued);
            } else if let Some(refusal) = unmet_precondition(&queued, manifest) {
                formed.refused.push((queued, refusal));
            } else {
                changes += queued.changes.len();
                bytes += queued.bytes();
                paths.extend(queued.changes.iter().map(|change| change.path));
                formed.members.push(queued);
                full = alone;
            }
        }
        left.append(&mut self.queue);
        self.queue = left;
        formed
    }

    /// Puts submissions of an aborted round back to the front, in their order.
    pub(super) fn put_back(&mut self, members: Vec<Queued>) {
        for queued in members.into_iter().rev() {
            self.count_in(&queued);
            self.queue.push_front(queued);
        }
    }

    /// Notes that a submission is answered, and adds those who asked for it later to its requesters.
    pub(super) fn conclude(&mut self, queued: &mut Queued) {
        for id in queued.order.iter() {
            self.active.remove(id);
        }
        let order = &queued.order;
        let late = self.late_requesters.extract_if(.., |(id, _)| order.contains(id));
        queued.requesters.extend(late.map(|(_, requester)| requester));
    }

    /// Takes out what has waited since before `arrived_before_ms`.
    pub(super) fn expire(&mut self, arrived_before_ms: u64) -> Vec<Queued> {
        let mut expired = Vec::new();
        while let Some(queued) = self.queue.pop_front_if(|queued| queued.arrived_ms <= arrived_before_ms) {
            self.count_out(&queued);
            expired.push(queued);
        }
        expired
    }

    /// When the submission arrived that has waited longest.
    pub(super) fn oldest_arrival_ms(&self) -> Option<u64> {
        self.queue.front().map(|queued| queued.arrived_ms)
    }

    fn count_in(&mut self, queued: &Queued) {
        self.changes += queued.changes.len();
        self.bytes += queued.bytes();
    }

    fn count_out(&mut self, queued: &Queued) {
        self.changes -= queued.changes.len();
        self.bytes -= queued.bytes();
    }
}

/// Answers of those changes of a submission that earlier rounds have committed, by the same request. Whatever becomes of the
/// others, these are not told as refused (rule HonestAnswer).
fn committed_before(submission: &Submission, answers: &Answers) -> Vec<CommittedAnswer> {
    let known = submission.changes.iter().map(|change| answers.look_up(&change.id, change.fingerprint));
    known.filter_map(|known| if let Known::Same(answer) = known { Some(answer) } else { None }).collect()
}

/// Why a submission can never be taken.
fn fault_of(submission: &Submission, settings: &CoordinatorSettings) -> Option<String> {
    let changes = &submission.changes;
    let bytes: u64 = changes.iter().map(|change| change.action.size()).sum();
    let (mut paths, mut ids) = (HashSet::new(), HashSet::new());
    if changes.is_empty() {
        Some("it has no changes".to_owned())
    } else if changes.len() > settings.round_changes_max {
        Some(format!("it has {} changes; at most {} fit into a round", changes.len(), settings.round_changes_max))
    } else if bytes > settings.round_bytes_max {
        Some(format!("it has {bytes} bytes; at most {} fit into a round", settings.round_bytes_max))
    } else if !changes.iter().all(|change| paths.insert(change.path)) {
        Some("it has a path twice".to_owned())
    } else if !changes.iter().all(|change| ids.insert(&change.id)) {
        Some("it has a change id twice".to_owned())
    } else {
        None
    }
}

/// A change that was committed since it was queued (by a round that was tried again) is not committed a second time.
fn drop_committed(queued: &mut Queued, answers: &Answers) {
    let done = &mut queued.done;
    queued.changes.retain(|change| match answers.look_up(&change.id, change.fingerprint) {
        Known::Same(answer) => {
            done.push(answer);
            false
        }
        Known::No | Known::Reused => true,
    });
}

fn unmet_precondition(queued: &Queued, manifest: &Manifest) -> Option<Refusal> {
    queued.changes.iter().find_map(|change| {
        let current = manifest.record(&change.path).map(|record| record.digest);
        let met = match change.precondition {
            Precondition::None => !matches!(change.action, Action::Delete) || current.is_some(),
            Precondition::Absent => current.is_none(),
            Precondition::Present => current.is_some(),
            Precondition::Digest(expected) => current == Some(expected),
        };
        let is_judged = !Mutant::OverlooksPreconditions.is_on();
        (is_judged && !met).then(|| Refusal::PreconditionFailed {
            change: change.id.clone(),
            path: change.path,
            current,
        })
    })
}
