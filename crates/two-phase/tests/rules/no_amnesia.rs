//! NoAmnesia: a memory that is new, lost or damaged catches up; one with a torn tail says nothing of rounds before it is
//! confirmed.

use crate::fixture::Cluster;
use crate::replica::{Replica, replicator_identity};
use crate::spoken::{prepares, said};
use crate::values::{incarnation, member, put, round};
use protocol::{
    Incarnation, ReplicatorHello, SetDigest, Standing, ToCoordinator, ToLearner, ToReplicator, Version, Vote,
};
use two_phase::coordinator::Mandate;
use two_phase::replicator::{LogFound, Replicator, ReplicatorEffect, ReplicatorRecord};
use two_phase::{LogSequence, SyncWhen};

#[test]
fn new_memory_is_written_down_as_lost_before_it_introduces_itself() {
    let mut core = Replicator::new(replicator_identity(1), LogSequence(8));
    core.handle_connected();
    let (sequence, record) = (LogSequence(9), ReplicatorRecord::Lost);
    assert_eq!(core.take_effects(), [ReplicatorEffect::Append { sequence, record, sync: SyncWhen::Now }]);
    core.handle_durable(sequence);
    let effects = core.take_effects();
    let [ToCoordinator::Hello(hello)] = crate::replica::said(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((hello.standing, hello.version, hello.prepared), (Standing::Lost, Version::ZERO, None));
}

#[test]
fn lost_memory_neither_votes_nor_refuses() {
    let prepare = Replica::level().prepare(1, vec![put("a", 1, "Emma")]);
    let mut state = crate::replica::trusted_state();
    state.standing = Standing::Lost;
    let mut lost = Replica::on(state);
    lost.connect();
    assert_eq!(lost.hear(ToReplicator::Prepare(prepare)), []);
}

#[test]
fn torn_tail_is_written_down_before_the_hello_and_takes_the_vote_away() {
    let mut replica = Replica::level();
    replica.commit(1, vec![put("a", 1, "Emma")]);
    let effects = replica.restart(LogFound::TornTail);
    assert!(
        matches!(effects.last(), Some(ReplicatorEffect::Append { record: ReplicatorRecord::Unconfirmed, .. })),
        "{effects:?}"
    );
    assert_eq!(replica.connect(), []);
    let effects = replica.durable();
    let [ToCoordinator::Hello(hello)] = crate::replica::said(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(hello.standing, Standing::Unconfirmed);
    let prepare = replica.prepare(2, vec![put("b", 2, "Persuasion")]);
    assert_eq!(replica.hear(ToReplicator::Prepare(prepare)), []);
}

#[test]
fn confirmation_gives_the_vote_back_once_it_is_durable() {
    let mut replica = Replica::level();
    replica.commit(1, vec![put("a", 1, "Emma")]);
    replica.restart(LogFound::TornTail);
    replica.connect();
    replica.durable();
    let (version, root) = (replica.core.state().version, replica.core.state().manifest.root());
    let effects = replica.hear(ToReplicator::Confirm { version, root });
    assert!(
        matches!(effects.as_slice(), [ReplicatorEffect::Append { record: ReplicatorRecord::Confirmed { .. }, .. }]),
        "{effects:?}"
    );
    assert_eq!(replica.durable(), [replica.acknowledgement()]);
    let prepare = replica.prepare(2, vec![put("b", 2, "Persuasion")]);
    replica.hear(ToReplicator::Prepare(prepare));
    let vote = ToCoordinator::Vote { round: round(1, 2), vote: Vote::Commit, credit_bytes: u64::MAX, took: None };
    assert_eq!(replica.durable(), [ReplicatorEffect::Send(vote)]);
}

#[test]
fn confirmation_of_another_state_is_not_taken() {
    let mut replica = Replica::level();
    let root = replica.core.state().manifest.root();
    for (version, root) in [(Version(1), root), (Version::ZERO, SetDigest::of_element(&[b"other"]))] {
        replica.connect();
        let effects = replica.hear(ToReplicator::Confirm { version, root });
        assert!(matches!(effects.as_slice(), [ReplicatorEffect::Disconnect { .. }]), "{effects:?}");
    }
}

/// A coordinator of version 1 that has just started on a cluster of three.
fn restarted() -> Cluster {
    let mut cluster = Cluster::level(3);
    cluster.commit(vec![put("a", 1, "Emma")]);
    cluster.restart();
    cluster.durable();
    cluster
}

#[test]
fn unconfirmed_replicator_helps_to_open_an_epoch_only_if_the_log_knows_what_it_holds() {
    let mut cluster = restarted();
    cluster.join(1);
    let unknown = ReplicatorHello {
        standing: Standing::Unconfirmed,
        root: crate::values::digest_of_nothing_committed(),
        ..cluster.hello(2)
    };
    cluster.connect(2, unknown);
    cluster.accept_epoch(2);
    assert_eq!(*cluster.core.mandate(), Mandate::Opening);
    cluster.disconnect(2);
    let known = ReplicatorHello { standing: Standing::Unconfirmed, ..cluster.hello(2) };
    cluster.connect(2, known);
    cluster.accept_epoch(2);
    assert_eq!(*cluster.core.mandate(), Mandate::Open);
}

#[test]
fn unconfirmed_replicator_that_is_behind_helps_to_open_an_epoch_and_must_catch_up() {
    let mut cluster = Cluster::level(3);
    cluster.commit(vec![put("a", 1, "Emma")]);
    let behind = ReplicatorHello { standing: Standing::Unconfirmed, ..cluster.hello(2) };
    cluster.commit(vec![put("b", 2, "Persuasion")]);
    cluster.restart();
    cluster.durable();
    cluster.join(1);
    cluster.connect(2, behind);
    let effects = cluster.accept_epoch(2);
    assert_eq!(*cluster.core.mandate(), Mandate::Open);
    assert!(said(&effects).iter().any(|message| matches!(message, ToReplicator::CatchUp(_))), "{effects:?}");
}

#[test]
fn majority_of_torn_tails_in_doubt_can_still_be_confirmed_and_settled() {
    let mut cluster = Cluster::level(3);
    cluster.commit(vec![put("a", 1, "Emma")]);
    let prepare = prepares(&cluster.submit(1, vec![put("b", 2, "Persuasion")])).remove(0);
    cluster.restart();
    cluster.durable();
    let mut effects = Vec::new();
    for number in 1..=3 {
        let hello = ReplicatorHello { standing: Standing::Unconfirmed, ..cluster.hello_in_doubt(number, &prepare) };
        cluster.connect(number, hello);
        effects.extend(cluster.accept_epoch(number));
        effects.extend(cluster.acknowledge(number));
    }
    assert_eq!(*cluster.core.mandate(), Mandate::Open);
    for number in 1..=3 {
        let abort = cluster.say(&[number], ToReplicator::Abort { round: prepare.round });
        assert!(effects.contains(&abort), "{effects:?}");
    }
}

#[test]
fn lost_memory_catches_up_even_where_nothing_seems_to_be_missing() {
    let mut cluster = restarted();
    cluster.join(1);
    cluster.join(2);
    let hello = ReplicatorHello { standing: Standing::Lost, incarnation: incarnation(33), ..cluster.hello(3) };
    cluster.connect(3, hello);
    cluster.durable();
    let effects = cluster.accept_epoch(3);
    let [ToReplicator::CatchUp(ToLearner::Compare { .. })] = said(&effects)[..] else { panic!("{effects:?}") };
}

#[test]
fn new_memory_is_in_the_view_before_it_is_spoken_to() {
    let mut cluster = restarted();
    let new = Incarnation(incarnation(77).0);
    let hello = ReplicatorHello { standing: Standing::Lost, incarnation: new, ..cluster.hello(3) };
    let effects = cluster.connect(3, hello);
    assert_eq!(said(&effects), Vec::<&ToReplicator>::new());
    let effects = cluster.durable();
    let [ToReplicator::Welcome { .. }] = said(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(cluster.core.state().view.member(&member(3)).unwrap().incarnation, Some(new));
}

#[test]
fn second_process_with_a_members_name_is_refused_while_the_first_is_connected() {
    let mut cluster = Cluster::level(2);
    let hello = ReplicatorHello { incarnation: incarnation(99), ..cluster.hello(2) };
    let effects = cluster.connect(2, hello);
    let [ToReplicator::Refuse { reason }] = said(&effects)[..] else { panic!("{effects:?}") };
    assert!(reason.contains("another process"), "{reason}");
    assert_eq!(prepares(&cluster.submit(1, vec![put("a", 1, "Emma")])).len(), 1, "the first still takes part");
}
