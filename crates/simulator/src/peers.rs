//! Replicators that ask each other about a round in doubt: questions and answers are late, lost, or come to a process that has
//! started anew.

use crate::agenda::Event;
use crate::violation::Held;
use crate::world::World;
use protocol::{MemberId, Participant, PeerAnswer, PeerKnowledge, PeerQuestion, RoundId};
use two_phase::Now;
use two_phase::replicator::{PeerPacing, PeerRequest};

/// So long a question waits for its answer, in microseconds.
const ANSWER_WITHIN_US: u64 = 140_000;

/// Short, so that rounds which are merely slow are asked about, too, and every order of question and prepare is met.
pub(crate) const PACING: PeerPacing = PeerPacing { patience_ms: 60, ask_again_ms: 150 };

/// What is said between two replicators, on its way.
#[derive(Debug, Clone)]
pub(crate) enum PeerWord {
    /// A question of the replicator `from`.
    Question { from: usize, from_boot: u64, question: PeerQuestion },
    /// An answer.
    Answer { asked: MemberId, answer: PeerAnswer },
    /// The question has got no answer in time.
    Silence { asked: MemberId, round: RoundId },
}

impl World {
    /// Feeds the time to a replicator, and arranges the next time.
    pub(crate) fn replicator_timer(&mut self, index: usize) -> Held {
        let now = Now { monotonic_ms: self.agenda.now_us() / 1_000, unix_ms: self.agenda.now_us() / 1_000 };
        let Some(core) = self.replicators[index].core.as_mut() else { return Ok(()) };
        core.handle_timer(now);
        self.replicator_timer_later(index);
        self.drain_replicator(index)
    }

    pub(crate) fn replicator_timer_later(&mut self, index: usize) {
        let boot = self.replicators[index].boot;
        let delay_us = self.random.between(1_000, 60_000);
        self.agenda.after(delay_us, Event::PeerTimer { replicator: index, boot });
    }

    pub(crate) fn ask_peer(&mut self, from: usize, peer: &Participant, question: PeerQuestion) {
        self.figures.count("question of a peer");
        let asked = peer.id.clone();
        let to = self.replicators.iter().position(|node| node.name == asked).expect("a participant is a replicator");
        let (from_boot, round) = (self.replicators[from].boot, question.round);
        self.say_to_peer(to, self.replicators[to].boot, PeerWord::Question { from, from_boot, question });
        let silence = PeerWord::Silence { asked, round };
        self.agenda.after(ANSWER_WITHIN_US, Event::PeerWord { to: from, boot: from_boot, word: Box::new(silence) });
    }

    pub(crate) fn answer_peer(&mut self, index: usize, request: PeerRequest, answer: PeerAnswer) {
        if let Some((to, boot)) = self.replicators[index].asking.remove(&request) {
            let asked = self.replicators[index].name.clone();
            self.say_to_peer(to, boot, PeerWord::Answer { asked, answer });
        }
    }

    fn say_to_peer(&mut self, to: usize, boot: u64, word: PeerWord) {
        if self.random.per_mille(100) {
            return;
        }
        let longest_us = if self.random.per_mille(100) { 3_000_000 } else { 20_000 };
        let delay_us = self.random.between(100, longest_us);
        self.agenda.after(delay_us, Event::PeerWord { to, boot, word: Box::new(word) });
    }

    pub(crate) fn peer_says(&mut self, index: usize, word: PeerWord) -> Held {
        let node = &mut self.replicators[index];
        let Some(core) = node.core.as_mut() else { return Ok(()) };
        match &word {
            PeerWord::Question { from, from_boot, question } => {
                node.next_request += 1;
                let request = PeerRequest(node.next_request);
                node.asking.insert(request, (*from, *from_boot));
                core.handle_peer_question(request, question);
            }
            PeerWord::Answer { asked, answer } => {
                self.figures.count(name_of(&answer.knowledge));
                let before = core.state().prepared.is_some();
                core.handle_peer_answer(asked, answer.clone());
                if before && core.state().prepared.is_none() {
                    self.figures.count("round ended by the word of a peer");
                }
            }
            PeerWord::Silence { asked, round } => core.handle_peer_silent(asked, *round, "no answer".to_owned()),
        }
        self.note(&[37, index as u64], || format!("replicator-{} hears {word:?}", index + 1));
        self.drain_replicator(index)
    }
}

fn name_of(knowledge: &PeerKnowledge) -> &'static str {
    match knowledge {
        PeerKnowledge::Committed => "answer of a peer: committed",
        PeerKnowledge::Aborted => "answer of a peer: aborted",
        PeerKnowledge::Refused => "answer of a peer: refused",
        PeerKnowledge::InDoubt => "answer of a peer: in doubt too",
        PeerKnowledge::CannotTell { .. } => "answer of a peer: cannot tell",
    }
}
