//! NoStaleCoordinator: a coordinator whose log is behind what anybody reports presumes nothing, starts no round, and asks for
//! recovery.

use crate::fixture::Cluster;
use crate::spoken::{prepares, said, told, without_events};
use crate::values::{coordinator, incarnation, member, put};
use protocol::{
    AppServerHello, ClusterEvent, ClusterId, Epoch, FromAppServer, ReplicatorHello, ToAppServer, ToCoordinator,
    ToReplicator, Version,
};
use two_phase::coordinator::{CoordinatorEffect, Mandate};

fn asks_for_recovery(cluster: &Cluster, effects: &[CoordinatorEffect]) {
    let needed =
        |effect: &CoordinatorEffect| matches!(effect, CoordinatorEffect::Happened(ClusterEvent::RecoveryNeeded { .. }));
    assert!(effects.iter().any(needed), "{effects:?}");
    assert!(matches!(cluster.core.mandate(), Mandate::NeedsRecovery { .. }));
}

/// A coordinator of version 1 that has just started.
fn restarted() -> Cluster {
    let mut cluster = Cluster::level(3);
    cluster.commit(vec![put("a", 1, "Emma")]);
    cluster.restart();
    cluster.durable();
    cluster
}

fn signs(cluster: &Cluster) -> Vec<(&'static str, ReplicatorHello)> {
    let hello = cluster.hello(1);
    let epoch = cluster.core.epoch();
    let later = {
        let mut other = Cluster::level(3);
        other.commit(vec![put("a", 1, "Emma")]);
        other.commit(vec![put("b", 2, "Persuasion")]);
        prepares(&other.submit(1, vec![put("c", 3, "Sanditon")])).remove(0)
    };
    let in_doubt = ReplicatorHello { version: hello.version, root: hello.root, ..cluster.hello_in_doubt(1, &later) };
    vec![
        ("a newer version", ReplicatorHello { version: hello.version.next(), ..hello.clone() }),
        ("a newer epoch", ReplicatorHello { epoch: epoch.next(), coordinator: Some(coordinator(9)), ..hello.clone() }),
        (
            "the same epoch of another coordinator",
            ReplicatorHello { epoch, coordinator: Some(coordinator(9)), ..hello },
        ),
        ("a round prepared on a newer version", in_doubt),
    ]
}

#[test]
fn every_sign_of_a_newer_log_stops_the_coordinator() {
    for (sign, hello) in signs(&restarted()) {
        let mut cluster = restarted();
        let effects = cluster.connect(1, hello);
        asks_for_recovery(&cluster, &effects);
        let [ToReplicator::Refuse { .. }] = said(&effects)[..] else { panic!("{sign}: {effects:?}") };
    }
}

#[test]
fn sign_that_comes_while_the_epoch_is_on_its_way_to_the_disk_is_not_forgotten() {
    let mut cluster = restarted();
    cluster.restart();
    let hello = ReplicatorHello { version: Version(2), ..cluster.hello(1) };
    let effects = cluster.connect(1, hello);
    asks_for_recovery(&cluster, &effects);
    cluster.durable();
    assert!(matches!(cluster.core.mandate(), Mandate::NeedsRecovery { .. }), "{:?}", cluster.core.mandate());
}

#[test]
fn member_that_holds_data_of_another_cluster_shows_that_a_new_log_is_not_the_right_one() {
    let mut cluster = Cluster::starting(3);
    cluster.durable();
    let other = Some(ClusterId(incarnation(99).0));
    let hello = ReplicatorHello { cluster: other, epoch: Epoch(4), ..cluster.hello(1) };
    let effects = cluster.connect(1, hello);
    asks_for_recovery(&cluster, &effects);
}

#[test]
fn replicator_of_another_cluster_is_refused_and_stops_nobody() {
    let mut cluster = restarted();
    let other = Some(ClusterId(incarnation(99).0));
    let hello = ReplicatorHello { cluster: other, epoch: Epoch(9), version: Version(50), ..cluster.hello(1) };
    let effects = cluster.connect(1, hello);
    let [ToReplicator::Refuse { reason }] = said(&effects)[..] else { panic!("{effects:?}") };
    assert!(reason.contains("another cluster"), "{reason}");
    assert_eq!(*cluster.core.mandate(), Mandate::Opening);
}

#[test]
fn stranger_cannot_stop_a_coordinator_by_its_claims() {
    let mut cluster = restarted();
    let foreign = Some(ClusterId(incarnation(99).0));
    let stranger = "stranger".parse().unwrap();
    let hello = ReplicatorHello { version: Version(50), member: stranger, cluster: foreign, ..cluster.hello(1) };
    let effects = cluster.connect(1, hello);
    let [ToReplicator::Refuse { reason }] = said(&effects)[..] else { panic!("{effects:?}") };
    assert!(reason.contains("stranger"), "{reason}");
    assert_eq!(*cluster.core.mandate(), Mandate::Opening);
}

#[test]
fn member_that_this_log_has_never_heard_of_is_a_witness_if_it_belongs_to_the_cluster() {
    let mut cluster = restarted();
    let hello = ReplicatorHello { version: Version(50), member: member(7), ..cluster.hello(1) };
    cluster.connect(1, hello);
    assert!(matches!(cluster.core.mandate(), Mandate::NeedsRecovery { reason } if reason.contains("replicator-7")));
}

#[test]
fn app_server_is_a_witness_too() {
    let mut cluster = restarted();
    let hello = AppServerHello { version: Version(2), ..cluster.app_server_hello() };
    let effects = cluster.app_server_says(FromAppServer::Hello(hello));
    asks_for_recovery(&cluster, &effects);
    let states = told(&effects)
        .into_iter()
        .filter(|message| matches!(message, ToAppServer::Confirm { .. } | ToAppServer::CatchUp(_)))
        .count();
    assert_eq!(states, 0, "{effects:?}");
}

#[test]
fn replicator_that_refuses_the_epoch_for_a_newer_one_stops_the_coordinator() {
    let mut cluster = Cluster::level(3);
    let refused = ToCoordinator::EpochRefused { epoch: Epoch(9), coordinator: Some(coordinator(9)) };
    let effects = cluster.replicator_says(1, refused);
    asks_for_recovery(&cluster, &effects);
}

#[test]
fn coordinator_that_needs_recovery_starts_no_round_and_brings_nobody_level() {
    let mut cluster = restarted();
    cluster.join(1);
    let (_, hello) = signs(&cluster).remove(0);
    cluster.connect(1, hello);
    let hello = cluster.hello(2);
    let mut effects = cluster.connect(2, hello);
    cluster.app_server_joins();
    effects.extend(cluster.submit(1, vec![put("z", 9, "Lady Susan")]));
    effects.extend(cluster.after_ms(60_000));
    let more_than_refusals = said(&effects).into_iter().any(|message| !matches!(message, ToReplicator::Refuse { .. }));
    assert!(!more_than_refusals, "{effects:?}");
}

#[test]
fn coordinator_that_needs_recovery_presumes_no_abort() {
    let mut cluster = restarted();
    let prepare = {
        let mut other = Cluster::level(3);
        other.commit(vec![put("a", 1, "Emma")]);
        prepares(&other.submit(1, vec![put("b", 2, "Persuasion")])).remove(0)
    };
    for number in 1..=2 {
        let hello = cluster.hello_in_doubt(number, &prepare);
        cluster.connect(number, hello);
    }
    cluster.accept_epoch(1);
    let refused = ToCoordinator::EpochRefused { epoch: Epoch(9), coordinator: Some(coordinator(9)) };
    cluster.replicator_says(2, refused);
    let effects = [cluster.accept_epoch(2), cluster.after_ms(60_000)].concat();
    assert_eq!(without_events(effects), []);
}

#[test]
pub(crate) fn presumed_abort_waits_until_a_majority_has_accepted_the_epoch() {
    let mut cluster = Cluster::level(3);
    let prepare = prepares(&cluster.submit(1, vec![put("a", 1, "Emma")])).remove(0);
    cluster.restart();
    cluster.durable();
    let hello = cluster.hello_in_doubt(1, &prepare);
    cluster.connect(1, hello);
    assert_eq!(without_events(cluster.accept_epoch(1)), []);
    let hello = cluster.hello(2);
    cluster.connect(2, hello);
    let effects = cluster.accept_epoch(2);
    assert!(said(&effects).contains(&&ToReplicator::Abort { round: prepare.round }), "{effects:?}");
}
