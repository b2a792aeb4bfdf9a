//! NoWayBack: a replicator that voted commit keeps the prepared round, across restarts, until it learns the outcome.

use crate::replica::{Replica, parent, said};
use crate::values::{cluster, coordinator, put, round};
use protocol::{AbortCause, Epoch, Outcome, Prepare, ToCoordinator, ToReplicator, ViewNumber, Vote};
use two_phase::LogSequence;
use two_phase::replicator::{LogFound, ReplicatorEffect, ReplicatorRecord};

fn reported_in_doubt(effects: &[ReplicatorEffect]) -> Option<protocol::RoundId> {
    let [ToCoordinator::Hello(hello)] = said(effects)[..] else { panic!("{effects:?}") };
    hello.prepared.map(|prepared| prepared.round)
}

#[test]
fn prepared_replicator_keeps_the_round_when_its_connection_ends() {
    let mut replica = Replica::level();
    let prepare = replica.in_doubt(1, vec![put("a", 1, "Emma")]);
    replica.disconnect();
    assert_eq!(replica.take(), []);
    assert_eq!(replica.core.state().prepared, Some(prepare));
    assert_eq!(reported_in_doubt(&replica.connect()), Some(round(1, 1)));
}

#[test]
fn prepared_replicator_keeps_the_round_across_restarts() {
    for found in [LogFound::Whole, LogFound::TornTail] {
        let mut replica = Replica::level();
        let prepare = replica.in_doubt(1, vec![put("a", 1, "Emma")]);
        for _ in 0..2 {
            replica.restart(found);
            replica.durable();
        }
        assert_eq!(replica.core.state().prepared, Some(prepare));
        assert_eq!(reported_in_doubt(&replica.connect()), Some(round(1, 1)));
    }
}

#[test]
fn prepared_replicator_keeps_the_round_when_another_coordinator_takes_over() {
    let mut replica = Replica::level();
    let prepare = replica.in_doubt(1, vec![put("a", 1, "Emma")]);
    let welcome = ToReplicator::Welcome { cluster: cluster(), view: ViewNumber(4), data_key: String::new() };
    replica.hear_from(Epoch(2), coordinator(2), welcome);
    replica.durable();
    assert_eq!(replica.core.state().prepared, Some(prepare));
    let effects = replica.hear_from(Epoch(2), coordinator(2), ToReplicator::Abort { round: round(1, 1) });
    assert!(
        matches!(effects.as_slice(), [ReplicatorEffect::Append { record: ReplicatorRecord::Aborted { .. }, .. }]),
        "{effects:?}"
    );
    assert_eq!(replica.core.state().prepared, None);
}

#[test]
fn replicator_in_doubt_takes_no_other_round() {
    let mut replica = Replica::level();
    let kept = replica.in_doubt(1, vec![put("a", 1, "Emma")]);
    let other = replica.prepare(2, vec![put("b", 2, "Persuasion")]);
    replica.hear(ToReplicator::Prepare(other));
    let effects = replica.durable();
    let [ToCoordinator::Vote { vote: Vote::Abort { cause: AbortCause::Mine { reason } }, .. }] = said(&effects)[..]
    else {
        panic!("{effects:?}");
    };
    assert!(reason.contains("1-1"), "{reason}");
    assert_eq!(replica.core.state().prepared, Some(kept));
}

#[test]
fn prepare_that_is_sent_again_does_not_make_it_vote_again() {
    let mut replica = Replica::level();
    let prepare = replica.in_doubt(1, vec![put("a", 1, "Emma")]);
    assert_eq!(replica.hear(ToReplicator::Prepare(prepare)), []);
}

#[test]
fn outcome_that_the_next_prepare_names_ends_the_round_first() {
    for outcome in [Outcome::Committed, Outcome::Aborted] {
        let mut replica = Replica::level();
        let first = replica.in_doubt(1, vec![put("a", 1, "Emma")]);
        let mut after = Replica::level();
        if outcome == Outcome::Committed {
            after.commit(1, first.changes.clone());
        }
        let next = Prepare { parent: parent(first.round, outcome), ..after.prepare(2, vec![put("b", 2, "Sanditon")]) };
        let effects = replica.hear(ToReplicator::Prepare(next.clone()));
        let conclusion = match outcome {
            Outcome::Committed => ReplicatorRecord::Committed { round: first.round },
            Outcome::Aborted => ReplicatorRecord::Aborted { round: first.round },
        };
        let written: Vec<_> = effects
            .iter()
            .map(|effect| match effect {
                ReplicatorEffect::Append { record, .. } => record.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(written, [conclusion, ReplicatorRecord::Prepared(next)]);
    }
}

#[test]
fn checkpoint_does_not_cover_the_record_of_a_round_in_doubt() {
    let mut replica = Replica::level();
    replica.commit(1, vec![put("a", 1, "Emma")]);
    assert_eq!(replica.core.checkpoint_sequence(), Some(LogSequence(2)));
    replica.in_doubt(2, vec![put("b", 2, "Persuasion")]);
    assert_eq!(replica.core.checkpoint_sequence(), Some(LogSequence(2)));
    replica.hear(ToReplicator::Commit { round: round(1, 2) });
    replica.durable();
    assert_eq!(replica.core.checkpoint_sequence(), Some(LogSequence(4)));
}
