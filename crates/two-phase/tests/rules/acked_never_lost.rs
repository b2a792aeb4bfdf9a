//! AckedNeverLost: a change that was answered as committed survives the crash of all processes at once, and the loss of any
//! minority of disks. A coordinator and three replicators talk to each other here, and every disk loses what was not synced.

use crate::fixture::Cluster;
use crate::replica::{Replica, replicator_identity, trusted_state};
use crate::spoken::answers;
use crate::values::{file, path, put};
use catalogue::BookPath;
use protocol::{
    Content, FetchedFile, HolderAnswer, HolderRequest, Incarnation, SubmissionAnswer, ToCoordinator, Version,
};
use std::collections::{BTreeMap, VecDeque};
use two_phase::SyncWhen;
use two_phase::coordinator::CoordinatorEffect;
use two_phase::replicator::{LogFound, Replicator, ReplicatorEffect, ReplicatorIdentity, ReplicatorState};

/// A coordinator and its replicators, numbered from 1, with the files that each has written.
struct Everybody {
    cluster: Cluster,
    replicas: BTreeMap<u8, Replica>,
    disks: BTreeMap<u8, BTreeMap<BookPath, Content>>,
    connected: Vec<u8>,
    answers: Vec<(u64, SubmissionAnswer)>,
}

impl Everybody {
    fn level() -> Self {
        let replicas = (1..=3).map(|number| (number, Replica::numbered(number, trusted_state()))).collect();
        let disks = (1..=3).map(|number| (number, BTreeMap::new())).collect();
        let (cluster, connected, answers) = (Cluster::starting(3), Vec::new(), Vec::new());
        let mut everybody = Self { cluster, replicas, disks, connected, answers };
        everybody.cluster.durable();
        everybody.cluster.app_server_joins();
        everybody.all_connect();
        everybody
    }

    fn all_connect(&mut self) {
        for number in 1..=3 {
            let effects = self.replicas.get_mut(&number).unwrap().connect();
            self.do_replica(number, effects);
        }
    }

    fn submit(&mut self, request: u64, book: u8, title: &str) {
        let effects = self.cluster.submit(request, vec![put(&format!("key-{request}"), book, title)]);
        self.run(effects);
    }

    /// Every process dies and starts again, on what was synced. Files are as the log says, or not there. The disk of one
    /// replicator may be empty when it is back.
    fn all_crash(&mut self, empty: Option<u8>) {
        self.connected.clear();
        self.cluster.restart();
        self.cluster.durable();
        for number in 1..=3 {
            self.disks.get_mut(&number).unwrap().clear();
            if empty == Some(number) {
                self.begins_anew(number);
            } else {
                let effects = self.replicas.get_mut(&number).unwrap().restart(LogFound::Whole);
                self.do_replica(number, effects);
            }
        }
        self.all_connect();
    }

    fn begins_anew(&mut self, number: u8) {
        let identity =
            ReplicatorIdentity { incarnation: Incarnation(uuid::Uuid::from_u128(99)), ..replicator_identity(number) };
        let mut replica = Replica::numbered(number, ReplicatorState::empty());
        replica.core = Replicator::new(identity, two_phase::LogSequence::ZERO);
        replica.take();
        replica.durable();
        self.replicas.insert(number, replica);
    }

    fn run(&mut self, effects: Vec<CoordinatorEffect>) {
        let mut queue: VecDeque<_> = effects.into();
        while let Some(effect) = queue.pop_front() {
            match effect {
                CoordinatorEffect::Append { .. } => queue.extend(self.cluster.durable()),
                CoordinatorEffect::ToReplicators { sessions, message } => {
                    for number in 1..=3 {
                        if sessions.iter().any(|session| self.cluster.has_session(number, *session)) {
                            let (epoch, coordinator, message) =
                                (message.epoch, message.coordinator, message.message.clone());
                            let replica = self.replicas.get_mut(&number).unwrap();
                            let effects = replica.hear_from(epoch, coordinator, message);
                            self.do_replica(number, effects);
                        }
                    }
                }
                effect => self.answers.extend(answers(&[effect])),
            }
        }
    }

    /// Does what a replicator asks. A record that may share a sync waits for one that may not.
    fn do_replica(&mut self, number: u8, effects: Vec<ReplicatorEffect>) {
        let mut queue: VecDeque<_> = effects.into();
        while let Some(effect) = queue.pop_front() {
            let (replica, disk) = (self.replicas.get_mut(&number).unwrap(), self.disks.get_mut(&number).unwrap());
            match effect {
                ReplicatorEffect::Append { sync: SyncWhen::Now, .. } => queue.extend(replica.durable()),
                ReplicatorEffect::Append { sync: SyncWhen::Soon, .. } => {}
                ReplicatorEffect::Send(message) => self.say(number, message),
                ReplicatorEffect::WriteFiles { files, .. } => {
                    disk.extend(files.into_iter().filter_map(|one| Some((one.path, one.content?))));
                }
                ReplicatorEffect::FindMissing { catch_up, files } => {
                    let missing = files.into_iter().filter(|wanted| !disk.contains_key(&wanted.path)).collect();
                    replica.core.handle_missing(catch_up, missing);
                    queue.extend(replica.take());
                }
                ReplicatorEffect::StoreFetched { catch_up, files } => {
                    disk.extend(files.into_iter().filter_map(|file| Some((file.wanted.path, file.content?))));
                    replica.core.handle_stored(catch_up);
                    queue.extend(replica.take());
                }
                ReplicatorEffect::Install { catch_up, .. } => {
                    let state = replica.core.state_to_install(catch_up).unwrap();
                    replica.core.handle_installed(catch_up, state);
                    queue.extend(replica.take());
                }
                ReplicatorEffect::Inspect(HolderRequest::ReadFiles { request, files, .. }) => {
                    let read =
                        |wanted: protocol::WantedFile| FetchedFile { content: disk.get(&wanted.path).cloned(), wanted };
                    let files = files.into_iter().map(read).collect();
                    self.say(number, ToCoordinator::Files(HolderAnswer::FilesRead { request, files }));
                }
                other => panic!("replicator {number}: {other:?}"),
            }
        }
    }

    fn say(&mut self, number: u8, message: ToCoordinator) {
        let effects = match message {
            ToCoordinator::Hello(hello) if !self.connected.contains(&number) => {
                self.connected.push(number);
                self.cluster.connect(number, hello)
            }
            message => self.cluster.replicator_says(number, message),
        };
        self.run(effects);
    }

    /// All records that wait to share a sync are synced.
    fn all_sync(&mut self) {
        for number in 1..=3 {
            let effects = self.replicas.get_mut(&number).unwrap().durable();
            self.do_replica(number, effects);
        }
    }

    fn committed(&self) -> Vec<u64> {
        let is_committed = |answer: &SubmissionAnswer| matches!(answer, SubmissionAnswer::Committed { .. });
        self.answers.iter().filter(|(_, answer)| is_committed(answer)).map(|(request, _)| *request).collect()
    }

    fn assert_all_hold(&self, books: &[(u8, &str)]) {
        let expected: BTreeMap<_, _> = books.iter().map(|(book, title)| (path(*book), file(*book, title))).collect();
        let state = self.cluster.core.state();
        for number in 1..=3 {
            let copy = self.replicas[&number].core.state();
            assert_eq!((copy.version, copy.manifest.root()), (state.version, state.manifest.root()));
            assert_eq!(self.disks[&number], expected, "replicator {number}");
        }
    }
}

#[test]
fn answered_change_survives_the_crash_of_all_processes_at_once() {
    let mut everybody = Everybody::level();
    everybody.submit(1, 1, "Emma");
    everybody.submit(2, 2, "Persuasion");
    assert_eq!(everybody.committed(), [1, 2]);
    everybody.all_crash(None); // The commit records of the second round were never synced.
    everybody.all_sync();
    everybody.assert_all_hold(&[(1, "Emma"), (2, "Persuasion")]);
    assert_eq!(everybody.cluster.core.why_no_round(), None);
}

#[test]
fn answered_change_survives_crash_after_crash_before_anybody_acknowledged() {
    let mut everybody = Everybody::level();
    everybody.submit(1, 1, "Emma");
    for _ in 0..3 {
        everybody.all_crash(None);
    }
    everybody.all_sync();
    everybody.assert_all_hold(&[(1, "Emma")]);
}

#[test]
fn answered_change_survives_the_loss_of_a_minority_of_disks() {
    for number in 1..=3 {
        let mut everybody = Everybody::level();
        everybody.submit(1, 1, "Emma");
        everybody.submit(2, 2, "Persuasion");
        everybody.all_crash(Some(number));
        everybody.all_sync();
        everybody.all_sync();
        everybody.assert_all_hold(&[(1, "Emma"), (2, "Persuasion")]);
        assert_eq!(everybody.cluster.core.why_no_round(), None);
    }
}

#[test]
fn writes_go_on_after_a_crash_and_build_on_what_was_answered() {
    let mut everybody = Everybody::level();
    everybody.submit(1, 1, "Emma");
    everybody.all_crash(None);
    everybody.all_sync();
    everybody.cluster.app_server_joins();
    everybody.submit(2, 1, "Emma, revised");
    everybody.all_sync();
    assert_eq!(everybody.committed(), [1, 2]);
    everybody.assert_all_hold(&[(1, "Emma, revised")]);
    assert_eq!(everybody.cluster.core.state().version, Version(2));
}
