//! A replicator's process: does what its core asks for, on files in memory.

use super::cluster::{Post, REPLICATORS, To, member};
use protocol::{Content, Incarnation, PeerQuestion, ScrubReport};
use simulator::{SimulatedFiles, holding};
use two_phase::LogSequence;
use two_phase::coordinator::SessionId;
use two_phase::replicator::{PeerRequest, Replicator, ReplicatorEffect, ReplicatorIdentity};
use uuid::Uuid;

pub(super) struct ReplicatorNode {
    pub(super) core: Replicator,
    /// It was told that it is no longer a member.
    pub(super) is_sent_away: bool,
    files: SimulatedFiles,
    index: usize,
    /// Who asked, by the number of the question.
    askers: Vec<usize>,
}

fn begin(index: usize, memory: u8) -> Replicator {
    let incarnation = Incarnation(Uuid::from_u128(1 + index as u128 + 16 * u128::from(memory)));
    let address = format!("127.0.0.1:{}", 7421 + index);
    Replicator::new(ReplicatorIdentity { member: member(index), incarnation, address }, LogSequence::ZERO)
}

impl ReplicatorNode {
    pub(super) fn new(index: usize) -> Self {
        Self { core: begin(index, 0), is_sent_away: false, files: SimulatedFiles::default(), index, askers: Vec::new() }
    }

    /// The process is started on an empty disk, or one with files only. Its connection is as it was: somebody else has it.
    pub(super) fn lose_memory(&mut self, detail: u8) {
        self.core = begin(self.index, detail);
        self.is_sent_away = false;
        if detail.is_multiple_of(2) {
            self.files = SimulatedFiles::default();
        }
        self.core.handle_connected();
    }

    /// Somebody edits a file.
    pub(super) fn damage(&mut self, detail: u8) {
        let path = self.files.all().nth(usize::from(detail) % 8).map(|(path, _)| *path);
        if let Some(path) = path {
            self.files.damage(path, (!detail.is_multiple_of(3)).then(|| Content::from(vec![detail; 10])));
        }
    }

    pub(super) fn is_asked(&mut self, asker: usize, question: &PeerQuestion) {
        self.askers.push(asker);
        self.core.handle_peer_question(PeerRequest(self.askers.len() as u64 - 1), question);
    }

    /// Does what the core asks for. Returns whether there was anything.
    pub(super) fn work(&mut self, link: Option<SessionId>, post: &mut Post) -> bool {
        let effects = self.core.take_effects();
        let worked = !effects.is_empty();
        let mut durable = None;
        for effect in effects {
            if let ReplicatorEffect::Append { sequence, .. } = &effect {
                durable = Some(*sequence);
            }
            self.carry_out(effect, link, post);
        }
        if let Some(sequence) = durable {
            self.core.handle_durable(sequence);
        }
        worked
    }

    fn carry_out(&mut self, effect: ReplicatorEffect, link: Option<SessionId>, post: &mut Post) {
        match effect {
            ReplicatorEffect::Append { record, .. } => {
                let text = serde_json::to_string(&record).unwrap();
                assert_eq!(serde_json::from_str(&text).ok().as_ref(), Some(&record), "{text}");
            }
            ReplicatorEffect::Send(message) => {
                if let Some(session) = link {
                    post.send(To::CoordinatorFromReplicator(session), &message);
                }
            }
            ReplicatorEffect::AskPeer { peer, question } => {
                match (0..REPLICATORS).find(|index| member(*index) == peer.id) {
                    Some(asked) => post.send(To::Asked { asked, asker: self.index }, &question),
                    None => {
                        self.core.handle_peer_silent(&peer.id, question.round, "there is no such process".to_owned());
                    }
                }
            }
            ReplicatorEffect::AnswerPeer { request, answer } => {
                let asker = self.askers[usize::try_from(request.0).unwrap()];
                post.send(To::Asker { asked: self.index, asker, round: answer.round }, &answer);
            }
            ReplicatorEffect::WriteFiles { files, .. } => {
                files.into_iter().for_each(|file| self.files.write(file.path, file.content));
            }
            ReplicatorEffect::Stop { .. } => {
                self.is_sent_away = true;
                post.closed.extend(link);
            }
            ReplicatorEffect::Disconnect { .. } => post.closed.extend(link),
            ReplicatorEffect::FindMissing { catch_up, mut files } => {
                files.retain(|file| self.files.matching(&file.path, file.digest).is_none());
                self.core.handle_missing(catch_up, files);
            }
            ReplicatorEffect::StoreFetched { catch_up, files } => {
                files.into_iter().for_each(|file| self.files.write(file.wanted.path, file.content));
                self.core.handle_stored(catch_up);
            }
            ReplicatorEffect::Install { catch_up, removed } => {
                removed.into_iter().for_each(|path| self.files.write(path, None));
                if let Some(state) = self.core.state_to_install(catch_up) {
                    self.core.handle_installed(catch_up, state);
                }
            }
            ReplicatorEffect::Inspect(request) => {
                let answer = holding::answer(&self.files, request, self.core.state().version, |_| None);
                self.core.handle_answer(answer);
            }
            ReplicatorEffect::Scrub => self.core.handle_scrubbed(ScrubReport::default()),
            ReplicatorEffect::Heal { request, repairs, left, .. } => {
                let (answer, _) = holding::heal(&mut self.files, request, repairs, left, false);
                self.core.handle_answer(answer);
            }
        }
    }
}
