//! EpochFence: every start takes a new epoch, durable before use and opened at a majority; lower epochs, and an equal one of
//! another coordinator, are refused for every kind of message.

use crate::fixture::Cluster;
use crate::replica::{Replica, follower, follower_hears, shows};
use crate::spoken::told;
use crate::values::{cluster, coordinator, incarnation, put, round};
use protocol::{
    CatchUpId, CatchUpTarget, ClusterEvent, CommittedRound, Epoch, FromCoordinator, HolderRequest, QueryAnswer,
    RequestId, RoundId, SetDigest, SubmissionAnswer, ToAppServer, ToCoordinator, ToLearner, ToReplicator, Version,
    ViewNumber,
};
use two_phase::coordinator::{CoordinatorEffect, CoordinatorRecord, Mandate};
use two_phase::follower::{Follower, FollowerEffect};
use two_phase::replicator::{LogFound, ReplicatorEffect};
use two_phase::{Fence, LogSequence, SyncWhen};

fn compare() -> ToLearner {
    let target = CatchUpTarget { version: Version(9), root: SetDigest::of_element(&[b"x"]), round: round(9, 9) };
    ToLearner::Compare { catch_up: CatchUpId(1), target }
}

fn everything_for_a_replicator(replica: &Replica) -> Vec<ToReplicator> {
    let root = replica.core.state().manifest.root();
    vec![
        ToReplicator::Welcome { cluster: cluster(), view: ViewNumber(9), data_key: String::new() },
        ToReplicator::Confirm { version: replica.core.state().version, root },
        ToReplicator::Prepare(replica.prepare(9, vec![put("z", 9, "Lady Susan")])),
        ToReplicator::Commit { round: round(1, 1) },
        ToReplicator::Abort { round: round(1, 1) },
        ToReplicator::CatchUp(compare()),
        ToReplicator::Files(HolderRequest::Scan { request: RequestId(1) }),
        ToReplicator::VoteAbortNext { reason: "the class asked".to_owned() },
        ToReplicator::Refuse { reason: "go away".to_owned() },
    ]
}

#[test]
pub(crate) fn replicator_refuses_an_old_coordinator_and_a_rival_whatever_they_say() {
    let (epoch, accepted) = (Epoch(5), coordinator(5));
    let mut replica = Replica::level();
    replica.in_doubt(1, vec![put("a", 1, "Emma")]);
    let welcome = ToReplicator::Welcome { cluster: cluster(), view: ViewNumber(1), data_key: String::new() };
    replica.hear_from(epoch, accepted, welcome);
    replica.durable();
    let before = replica.core.state().clone();
    for message in everything_for_a_replicator(&replica) {
        for (from, who) in [(Epoch(4), coordinator(4)), (Epoch(4), accepted), (epoch, coordinator(6))] {
            replica.connect();
            let effects = replica.hear_from(from, who, message.clone());
            let refused = ToCoordinator::EpochRefused { epoch, coordinator: Some(accepted) };
            assert_eq!(effects[0], ReplicatorEffect::Send(refused), "{message:?}");
            assert!(matches!(effects[1..], [ReplicatorEffect::Disconnect { .. }]), "{message:?}: {effects:?}");
            assert_eq!(*replica.core.state(), before, "{message:?}");
        }
    }
}

#[test]
fn replicator_hears_a_newer_coordinator_only_after_its_welcome() {
    let mut replica = Replica::level();
    for message in everything_for_a_replicator(&replica).split_off(1) {
        replica.connect();
        let before = replica.core.state().clone();
        let effects = replica.hear_from(Epoch(2), coordinator(2), message.clone());
        assert!(matches!(effects.as_slice(), [ReplicatorEffect::Disconnect { .. }]), "{message:?}: {effects:?}");
        assert_eq!(*replica.core.state(), before);
    }
}

#[test]
fn replicator_keeps_its_fence_across_restarts() {
    let mut replica = Replica::level();
    let welcome = ToReplicator::Welcome { cluster: cluster(), view: ViewNumber(1), data_key: String::new() };
    replica.hear_from(Epoch(5), coordinator(5), welcome);
    replica.durable();
    replica.restart(LogFound::Whole);
    assert_eq!(replica.core.state().fence, Fence::raised_to(Epoch(5), coordinator(5)));
}

#[test]
fn replicator_of_another_cluster_accepts_no_epoch() {
    let mut replica = Replica::level();
    let other = protocol::ClusterId(incarnation(99).0);
    let welcome = ToReplicator::Welcome { cluster: other, view: ViewNumber(1), data_key: String::new() };
    let effects = replica.hear_from(Epoch(5), coordinator(5), welcome);
    assert!(matches!(effects.as_slice(), [ReplicatorEffect::Disconnect { .. }]), "{effects:?}");
    assert_eq!(replica.core.state().fence.epoch, Epoch(1));
}

fn everything_for_an_app_server() -> Vec<ToAppServer> {
    let committed =
        CommittedRound { round: round(1, 1), version: Version(1), root: SetDigest::EMPTY, changes: Vec::new() };
    vec![
        ToAppServer::Welcome { cluster: cluster(), lab: false },
        ToAppServer::Confirm { version: Version::ZERO, root: SetDigest::EMPTY },
        ToAppServer::Committed(committed),
        ToAppServer::Answered { request: RequestId(1), answer: SubmissionAnswer::Committed { answers: Vec::new() } },
        ToAppServer::Told { request: RequestId(1), answer: QueryAnswer::Round { round: None } },
        ToAppServer::Done { request: RequestId(1), refused: None },
        ToAppServer::AppServers { app_servers: Vec::new() },
        ToAppServer::CatchUp(compare()),
        ToAppServer::Files(HolderRequest::Scan { request: RequestId(1) }),
        ToAppServer::Refuse { reason: "go away".to_owned() },
    ]
}

#[test]
fn app_server_refuses_an_old_coordinator_and_a_rival_whatever_they_say() {
    for message in everything_for_an_app_server() {
        for (epoch, who) in [(Epoch::ZERO, coordinator(1)), (Epoch(1), coordinator(2))] {
            let mut follower = follower();
            let before = follower.state().clone();
            follower.handle_message(FromCoordinator { epoch, coordinator: who, message: message.clone() });
            let effects = follower.take_effects();
            assert!(matches!(effects.as_slice(), [FollowerEffect::Disconnect { .. }]), "{message:?}: {effects:?}");
            assert_eq!(*follower.state(), before);
        }
    }
}

#[test]
fn app_server_makes_the_fence_durable_before_it_believes_a_state() {
    let mut follower = follower();
    let mut hear = |message| {
        follower.handle_message(FromCoordinator { epoch: Epoch(2), coordinator: coordinator(2), message });
        follower.take_effects()
    };
    hear(ToAppServer::Welcome { cluster: cluster(), lab: false });
    let effects = hear(ToAppServer::Confirm { version: Version::ZERO, root: SetDigest::EMPTY });
    let fence = Fence::raised_to(Epoch(2), coordinator(2));
    assert_eq!(
        effects,
        [FollowerEffect::PersistFence { fence, cluster: cluster() }, FollowerEffect::Level { version: Version::ZERO }]
    );
}

#[test]
fn app_server_believes_no_state_of_a_newer_coordinator_that_did_not_welcome_it() {
    for message in everything_for_an_app_server() {
        let mut follower: Follower = follower();
        let is_state =
            matches!(message, ToAppServer::Confirm { .. } | ToAppServer::Committed(_) | ToAppServer::CatchUp(_));
        if is_state {
            follower.handle_message(FromCoordinator { epoch: Epoch(2), coordinator: coordinator(2), message });
            let effects = follower.take_effects();
            assert!(matches!(effects.as_slice(), [FollowerEffect::Disconnect { .. }]), "{effects:?}");
            assert_eq!(shows(&follower), (Version::ZERO, false));
        }
    }
    let mut accepted = follower();
    follower_hears(&mut accepted, ToAppServer::Confirm { version: Version::ZERO, root: SetDigest::EMPTY });
    assert_eq!(shows(&accepted), (Version::ZERO, true));
}

#[test]
fn app_server_hears_of_the_others_before_the_epoch_is_open_and_fences_nobody_off_by_it() {
    let mut follower = follower();
    let before = follower.state().clone();
    let message = ToAppServer::AppServers { app_servers: Vec::new() };
    let said = FromCoordinator { epoch: Epoch(2), coordinator: coordinator(2), message: message.clone() };
    follower.handle_message(said);
    assert_eq!(follower.take_effects(), [FollowerEffect::Deliver(message)]);
    assert_eq!(*follower.state(), before);
}

#[test]
fn every_start_takes_the_next_epoch_before_anything_else() {
    let mut cluster = Cluster::level(2);
    let last = cluster.records().last().unwrap().0;
    let effects = cluster.restart();
    let record = CoordinatorRecord::EpochTaken {
        epoch: Epoch(2),
        coordinator: coordinator(2),
        cluster: crate::values::cluster(),
    };
    let sequence = LogSequence(last.0 + 1);
    assert_eq!(effects, [CoordinatorEffect::Append { sequence, record, sync: SyncWhen::Now }]);
}

#[test]
fn epoch_opens_when_a_majority_of_the_registered_has_accepted_it() {
    let mut cluster = Cluster::level(5);
    cluster.restart();
    cluster.durable();
    for number in 1..=2 {
        let hello = cluster.hello(number);
        cluster.connect(number, hello);
        cluster.accept_epoch(number);
        assert_eq!(*cluster.core.mandate(), Mandate::Opening);
    }
    let hello = cluster.hello(3);
    cluster.connect(3, hello);
    assert_eq!(*cluster.core.mandate(), Mandate::Opening, "a hello is not yet an acceptance");
    let effects = cluster.accept_epoch(3);
    let members = (1..=3).map(crate::values::member).collect();
    assert!(effects.contains(&CoordinatorEffect::Happened(ClusterEvent::EpochOpened { members })), "{effects:?}");
}

#[test]
fn acceptance_of_another_epoch_does_not_count() {
    let mut cluster = Cluster::starting(1);
    cluster.durable();
    let hello = cluster.hello(1);
    cluster.connect(1, hello);
    cluster.durable();
    for (epoch, who) in [(Epoch::ZERO, coordinator(1)), (Epoch(1), coordinator(2)), (Epoch(2), coordinator(1))] {
        let accepted = ToCoordinator::EpochAccepted { epoch, coordinator: who };
        assert_eq!(cluster.replicator_says(1, accepted), []);
    }
    assert_eq!(*cluster.core.mandate(), Mandate::Opening);
}

#[test]
fn app_server_is_told_no_state_before_the_epoch_is_open() {
    let mut cluster = Cluster::level(3);
    cluster.restart();
    cluster.durable();
    let effects = cluster.app_server_joins();
    let [ToAppServer::Welcome { .. }, ToAppServer::AppServers { .. }] = told(&effects)[..] else {
        panic!("{effects:?}");
    };
    cluster.join(1);
    let effects = cluster.join(2);
    let root = cluster.core.state().manifest.root();
    assert_eq!(told(&effects), [&ToAppServer::Confirm { version: Version::ZERO, root }]);
    assert_eq!(cluster.core.state().last_decision, RoundId::ZERO);
}
