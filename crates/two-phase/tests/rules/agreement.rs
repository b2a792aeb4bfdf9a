//! Agreement: no two parties ever hold different outcomes for one round, and an outcome never changes.

use crate::fixture::Cluster;
use crate::replica::Replica;
use crate::spoken::{prepares, said, without_events};
use crate::values::{forced, put, round};
use protocol::{ToReplicator, Vote};
use two_phase::replicator::ReplicatorEffect;

#[test]
fn committed_round_stays_committed_whatever_comes_later() {
    let mut cluster = Cluster::level(3);
    let committed = cluster.decide(vec![put("a", 1, "Emma")]);
    assert_eq!(cluster.vote(1, committed, forced("too late")), []);
    let after_timeout = cluster.after_ms(60_000);
    let after_loss = cluster.disconnect(2);
    for effects in [after_timeout, after_loss] {
        assert_eq!(without_events(effects), []);
    }
    assert_eq!(cluster.core.state().last_decision, committed);
}

#[test]
fn first_vote_of_a_replicator_is_the_one_that_counts() {
    let mut cluster = Cluster::level(2);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.vote(1, round(1, 1), Vote::Commit);
    assert_eq!(cluster.vote(1, round(1, 1), forced("changed its mind")), []);
    let effects = cluster.vote(2, round(1, 1), Vote::Commit);
    assert_eq!(crate::spoken::records(&effects).len(), 1);
}

#[test]
fn replicators_in_doubt_are_all_told_the_logged_outcome_after_a_restart() {
    let mut cluster = Cluster::level(3);
    let prepare = prepares(&cluster.submit(1, vec![put("a", 1, "Emma")])).remove(0);
    cluster.all_vote_commit(prepare.round);
    cluster.durable();
    cluster.restart();
    cluster.durable();
    for number in 1..=3 {
        let hello = cluster.hello_in_doubt(number, &prepare);
        cluster.connect(number, hello);
        let effects = cluster.accept_epoch(number);
        assert_eq!(said(&effects)[0], &ToReplicator::Commit { round: prepare.round });
    }
}

#[test]
fn replicators_in_doubt_are_all_told_abort_when_there_is_no_decision_after_a_restart() {
    let mut cluster = Cluster::level(3);
    let prepare = prepares(&cluster.submit(1, vec![put("a", 1, "Emma")])).remove(0);
    cluster.all_vote_commit(prepare.round); // The decision is not durable when the coordinator dies.
    cluster.restart();
    cluster.durable();
    let mut effects = Vec::new();
    for number in 1..=3 {
        let hello = cluster.hello_in_doubt(number, &prepare);
        cluster.connect(number, hello);
        effects.extend(without_events(cluster.accept_epoch(number)));
    }
    let aborts: Vec<_> =
        (1..=3).map(|number| cluster.say(&[number], ToReplicator::Abort { round: prepare.round })).collect();
    for abort in &aborts {
        assert!(effects.contains(abort), "{effects:?}");
    }
    assert!(effects.iter().all(|effect| aborts.contains(effect)), "{effects:?}");
}

#[test]
fn replicator_that_committed_is_not_moved_by_a_late_abort() {
    let mut replica = Replica::level();
    replica.commit(1, vec![put("a", 1, "Emma")]);
    let before = replica.core.state().clone();
    assert_eq!(replica.hear(ToReplicator::Abort { round: round(1, 1) }), [replica.acknowledgement()]);
    assert_eq!(*replica.core.state(), before);
}

#[test]
fn replicator_that_aborted_is_not_moved_by_a_late_commit() {
    let mut replica = Replica::level();
    replica.in_doubt(1, vec![put("a", 1, "Emma")]);
    replica.hear(ToReplicator::Abort { round: round(1, 1) });
    replica.durable();
    let before = replica.core.state().clone();
    assert_eq!(replica.hear(ToReplicator::Commit { round: round(1, 1) }), [replica.acknowledgement()]);
    assert_eq!(*replica.core.state(), before);
}

#[test]
fn round_that_was_never_prepared_is_not_committed_but_asked_for_anew() {
    let mut replica = Replica::level();
    let effects = replica.hear(ToReplicator::Commit { round: round(1, 1) });
    assert!(matches!(effects.as_slice(), [ReplicatorEffect::Disconnect { .. }]), "{effects:?}");
    assert_eq!(replica.core.state().settled, protocol::RoundId::ZERO);
}

#[test]
fn round_that_was_aborted_before_it_arrived_is_never_prepared() {
    let mut replica = Replica::level();
    let prepare = replica.prepare(1, vec![put("a", 1, "Emma")]);
    replica.hear(ToReplicator::Abort { round: prepare.round });
    replica.durable();
    assert_eq!(replica.hear(ToReplicator::Prepare(prepare)), []);
}
