//! Step by step (lab): holds the messages of rounds between the coordinator and the replicators until somebody releases them.
//!
//! To the protocol this is a slow network: each way of a link keeps its order, and what is held when a link ends is lost. Decides
//! nothing and sends nothing; gives back what is to go on.

use protocol::{ClusterEvent, HeldMessage, MemberId, RoundId, StepMessage, ToCoordinator, ToReplicator, Vote};
use service::websocket::Utf8Bytes;
use std::collections::HashMap;
use two_phase::coordinator::SessionId;

/// What waits to go on.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// From the coordinator.
    Out(Utf8Bytes),
    /// To it.
    In(Box<ToCoordinator>),
}

impl Waiting {
    fn way(&self) -> Way {
        match self {
            Self::Out(_) => Way::Out,
            Self::In(_) => Way::In,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Out,
    In,
}

#[derive(Debug)]
struct Held {
    id: u64,
    session: SessionId,
    /// What people step through; none for what only waits behind such a message.
    step: Option<(StepMessage, RoundId)>,
    waiting: Waiting,
}

impl Held {
    fn is_on(&self, session: SessionId, way: Way) -> bool {
        self.session == session && self.waiting.way() == way
    }
}

/// The messages that are held.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    is_on: bool,
    last_id: u64,
    names: HashMap<SessionId, MemberId>,
    held: Vec<Held>,
    news: Vec<ClusterEvent>,
}

impl Steps {
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether anything is held, so that time has to stand still.
    pub(crate) fn holds_any(&self) -> bool {
        !self.held.is_empty()
    }

    /// Begins to hold, or ends it; what was held then goes on, in its order.
    pub(crate) fn turn(&mut self, on: bool) -> Vec<(SessionId, Waiting)> {
        self.is_on = on;
        if on {
            return Vec::new();
        }
        let all: Vec<Held> = std::mem::take(&mut self.held);
        all.into_iter().map(|held| self.let_go(held)).collect()
    }

    /// Keeps a message to a replicator, if it is to be held. Whether it was.
    pub(crate) fn keep(&mut self, session: SessionId, message: &ToReplicator, text: &Utf8Bytes) -> bool {
        let step = step_to_replicator(message);
        let is_held = self.is_to_be_held(session, Way::Out, step.is_some());
        if is_held {
            self.hold(session, step, Waiting::Out(text.clone()));
        }
        is_held
    }

    /// Hears a message of a replicator; gives it back unless it is held.
    pub(crate) fn hear(&mut self, session: SessionId, message: Box<ToCoordinator>) -> Option<Box<ToCoordinator>> {
        if let ToCoordinator::Hello(hello) = &*message {
            self.names.insert(session, hello.member.clone());
        }
        let step = step_to_coordinator(&message);
        if self.is_to_be_held(session, Way::In, step.is_some()) {
            self.hold(session, step, Waiting::In(message));
            return None;
        }
        Some(message)
    }

    /// Lets a message go on, and what only waited behind it.
    ///
    /// # Errors
    /// A sentence, if there is no such message, or another one has to go first.
    pub(crate) fn release(&mut self, id: u64) -> Result<Vec<(SessionId, Waiting)>, String> {
        let Some(held) = self.held.iter().find(|held| held.id == id && held.step.is_some()) else {
            return Err(format!("no message {id} is held; it was released, or its link has ended"));
        };
        let (session, way) = (held.session, held.waiting.way());
        if self.first_on(session, way) != Some(id) {
            return Err(format!("an earlier message on the same link has to go before message {id}"));
        }
        let mut released = Vec::new();
        while let Some(place) = self.held.iter().position(|held| held.is_on(session, way)) {
            if self.held[place].step.is_some() && !released.is_empty() {
                break;
            }
            let held = self.held.remove(place);
            released.push(self.let_go(held));
        }
        Ok(released)
    }

    /// A link has ended: what was on its way is lost.
    pub(crate) fn forget(&mut self, session: SessionId) {
        self.names.remove(&session);
        self.held.retain(|held| held.session != session);
    }

    /// The messages that people step through, in the order in which they came.
    pub(crate) fn shown(&self) -> Vec<HeldMessage> {
        self.held.iter().filter_map(|held| self.show(held)).collect()
    }

    /// What was held and released since it was asked for last.
    pub(crate) fn take_news(&mut self) -> Vec<ClusterEvent> {
        std::mem::take(&mut self.news)
    }

    fn is_to_be_held(&self, session: SessionId, way: Way, is_step: bool) -> bool {
        self.is_on && is_step || self.first_on(session, way).is_some()
    }

    fn first_on(&self, session: SessionId, way: Way) -> Option<u64> {
        self.held.iter().find(|held| held.is_on(session, way)).map(|held| held.id)
    }

    fn hold(&mut self, session: SessionId, step: Option<(StepMessage, RoundId)>, waiting: Waiting) {
        self.last_id += 1;
        let held = Held { id: self.last_id, session, step, waiting };
        self.held.push(held);
        let shown = self.held.last().and_then(|held| self.show(held));
        self.news.extend(shown.map(|message| ClusterEvent::MessageHeld { message }));
    }

    fn let_go(&mut self, held: Held) -> (SessionId, Waiting) {
        let shown = self.show(&held);
        self.news.extend(shown.map(|message| ClusterEvent::MessageReleased { message }));
        (held.session, held.waiting)
    }

    fn show(&self, held: &Held) -> Option<HeldMessage> {
        let (message, round) = held.step?;
        let replicator = self.names.get(&held.session).map_or_else(|| "?".to_owned(), ToString::to_string);
        let coordinator = "coordinator".to_owned();
        let way = held.waiting.way();
        let (from, to) = if way == Way::Out { (coordinator, replicator) } else { (replicator, coordinator) };
        let is_next = self.first_on(held.session, way).is_none_or(|first| first == held.id);
        Some(HeldMessage { id: held.id, from, to, message, round, is_next })
    }
}

fn step_to_replicator(message: &ToReplicator) -> Option<(StepMessage, RoundId)> {
    match message {
        ToReplicator::Prepare(prepare) => Some((StepMessage::Prepare, prepare.round)),
        ToReplicator::Commit { round } => Some((StepMessage::Commit, *round)),
        ToReplicator::Abort { round } => Some((StepMessage::Abort, *round)),
        _ => None,
    }
}

fn step_to_coordinator(message: &ToCoordinator) -> Option<(StepMessage, RoundId)> {
    match message {
        ToCoordinator::Vote { round, vote: Vote::Commit, .. } => Some((StepMessage::VoteCommit, *round)),
        ToCoordinator::Vote { round, .. } => Some((StepMessage::VoteAbort, *round)),
        ToCoordinator::Acknowledge { settled, .. } => Some((StepMessage::Acknowledge, *settled)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: SessionId = SessionId(1);
    const SECOND: SessionId = SessionId(2);

    fn round(number: u64) -> RoundId {
        format!("1-{number}").parse().unwrap()
    }

    fn commit(number: u64) -> ToReplicator {
        ToReplicator::Commit { round: round(number) }
    }

    fn keep(steps: &mut Steps, session: SessionId, message: &ToReplicator) -> bool {
        steps.keep(session, message, &Utf8Bytes::from_static("text"))
    }

    fn held() -> Steps {
        let mut steps = Steps::default();
        steps.turn(true);
        steps
    }

    #[test]
    fn messages_of_rounds_are_held_and_others_are_not() {
        let mut steps = held();
        assert!(!keep(&mut steps, FIRST, &ToReplicator::Scrub));
        assert!(keep(&mut steps, FIRST, &commit(1)));
        let credit = Box::new(ToCoordinator::Credit { credit_bytes: 1 });
        assert!(steps.hear(FIRST, credit).is_some(), "the other way is free");
        assert_eq!(steps.shown().len(), 1);
        assert!(steps.holds_any());
    }

    #[test]
    fn each_way_of_each_link_keeps_its_order() {
        let mut steps = held();
        assert!(keep(&mut steps, FIRST, &commit(1)));
        assert!(keep(&mut steps, FIRST, &ToReplicator::Scrub), "it must not overtake");
        assert!(keep(&mut steps, FIRST, &commit(2)));
        assert!(keep(&mut steps, SECOND, &commit(1)));
        let shown = steps.shown();
        assert_eq!(shown.iter().map(|message| message.is_next).collect::<Vec<_>>(), [true, false, true]);
        assert!(steps.release(shown[1].id).unwrap_err().contains("earlier"));
        assert_eq!(steps.release(shown[0].id).unwrap().len(), 2, "what only waited goes with it");
        assert_eq!(steps.release(shown[1].id).unwrap().len(), 1);
        assert!(steps.release(shown[1].id).unwrap_err().contains("no message"));
    }

    #[test]
    fn what_is_held_when_a_link_ends_is_lost() {
        let mut steps = held();
        keep(&mut steps, FIRST, &commit(1));
        keep(&mut steps, SECOND, &commit(1));
        steps.forget(FIRST);
        assert_eq!(steps.shown().len(), 1);
    }

    #[test]
    fn everything_goes_on_when_holding_ends() {
        let mut steps = held();
        keep(&mut steps, FIRST, &commit(1));
        keep(&mut steps, FIRST, &ToReplicator::Scrub);
        assert_eq!(steps.turn(false).len(), 2);
        assert!(!steps.holds_any() && !keep(&mut steps, FIRST, &commit(2)));
    }

    #[test]
    fn each_message_that_is_held_or_released_is_told() {
        let mut steps = held();
        keep(&mut steps, FIRST, &commit(1));
        steps.release(1).unwrap();
        let news = steps.take_news();
        assert!(matches!(&news[0], ClusterEvent::MessageHeld { message } if message.message == StepMessage::Commit));
        assert!(matches!(&news[1], ClusterEvent::MessageReleased { message } if message.is_next));
        assert!(steps.take_news().is_empty());
    }
}
