//! SafeTrim: nothing is forgotten that somebody may still ask for.

use crate::fixture::{Cluster, all_needed};
use crate::replica::Replica;
use crate::spoken::{prepares, said};
use crate::values::{incarnation, put, round};
use protocol::{ClusterEvent, ReplicatorHello, RoundId, Standing, ToLearner, ToReplicator};
use two_phase::LogSequence;
use two_phase::coordinator::{CoordinatorEffect, CoordinatorRecord, CoordinatorSettings, CoordinatorState, Verdict};

fn sequence_of_decision(cluster: &Cluster, decided: RoundId) -> LogSequence {
    let is_it = |record: &CoordinatorRecord| matches!(record, CoordinatorRecord::Decided(one) if one.round == decided);
    cluster.records().into_iter().find(|(_, record)| is_it(record)).unwrap().0
}

#[test]
fn decision_is_kept_until_every_participant_has_acknowledged_it() {
    let mut cluster = Cluster::level(3);
    let decided = cluster.decide(vec![put("a", 1, "Emma")]);
    let ended = CoordinatorEffect::Happened(ClusterEvent::RoundEnded { round: decided });
    let acknowledged = |number| {
        CoordinatorEffect::Happened(ClusterEvent::RoundAcknowledged {
            member: crate::values::member(number),
            round: decided,
        })
    };
    for number in [1, 3] {
        assert_eq!(cluster.acknowledge(number), [acknowledged(number)]);
        assert_eq!(cluster.core.state().retained.len(), 1);
    }
    assert_eq!(cluster.acknowledge(2), [acknowledged(2), ended]);
    assert!(cluster.core.state().retained.is_empty());
    assert_eq!(cluster.core.state().retained.forgotten_through(), decided);
}

#[test]
fn decision_is_kept_for_a_participant_that_is_away_and_for_one_that_came_back_without_its_memory() {
    let mut cluster = Cluster::level(2);
    cluster.decide(vec![put("a", 1, "Emma")]);
    cluster.acknowledge(1);
    cluster.disconnect(2);
    let lost = ReplicatorHello { standing: Standing::Lost, incarnation: incarnation(22), ..cluster.hello(2) };
    cluster.connect(2, lost);
    cluster.durable();
    cluster.acknowledge(1);
    assert_eq!(cluster.core.state().retained.len(), 1);
}

#[test]
fn word_of_a_torn_memory_does_not_make_a_decision_forgotten_before_it_is_confirmed() {
    let mut cluster = Cluster::level(2);
    cluster.decide(vec![put("a", 1, "Emma")]);
    cluster.acknowledge(1);
    cluster.disconnect(2);
    let torn = ReplicatorHello { standing: Standing::Unconfirmed, ..cluster.hello(2) };
    cluster.connect(2, torn);
    cluster.accept_epoch(2);
    cluster.acknowledge(1);
    assert_eq!(cluster.core.state().retained.len(), 1);
    cluster.acknowledge(2);
    assert_eq!(cluster.core.state().retained.len(), 0);
}

#[test]
fn checkpoint_keeps_a_decision_that_is_not_acknowledged_however_old_it_is() {
    let mut cluster = Cluster::level_in_sync(3);
    let decided = cluster.decide(vec![put("a", 1, "Emma")]);
    cluster.acknowledge(1);
    cluster.acknowledge(2);
    cluster.disconnect(3);
    cluster.durable();
    let later = cluster.commit(vec![put("b", 2, "Persuasion")]);
    let (header, manifest) = (cluster.core.state().header(), cluster.core.state().manifest.clone());
    let mut state = CoordinatorState::from_checkpoint(header, manifest, 0);
    let known = |state: &CoordinatorState| {
        let verdict = state.retained.verdict(decided);
        assert!(matches!(verdict, Verdict::Committed(_)), "replicator 3 may be in doubt about it: {verdict:?}");
        assert_eq!(state.retained.verdict(later), Verdict::MayBeForgotten, "replicator 3 has no part in it");
    };
    known(&state);
    for (sequence, record) in cluster.records() {
        state.apply(record, sequence, 0).unwrap();
    }
    known(&state);
}

#[test]
fn log_keeps_the_answers_of_the_retention_time() {
    let settings = CoordinatorSettings { answer_retention_ms: 1_000, ..all_needed() };
    let mut cluster = Cluster::level_with(1, settings);
    let first = cluster.commit(vec![put("a", 1, "Emma")]);
    cluster.after_ms(600);
    let second = cluster.commit(vec![put("b", 2, "Persuasion")]);
    assert_eq!(cluster.core.oldest_record_needed(), Some(sequence_of_decision(&cluster, first)));
    cluster.after_ms(600);
    assert_eq!(cluster.core.oldest_record_needed(), Some(sequence_of_decision(&cluster, second)));
    cluster.after_ms(600);
    assert_eq!(cluster.core.oldest_record_needed(), None);
}

#[test]
fn question_below_the_low_water_mark_is_answered_by_a_catch_up_and_never_by_abort() {
    let mut cluster = Cluster::level(3);
    let old = prepares(&cluster.submit(1, vec![put("a", 1, "Emma")])).remove(0);
    cluster.all_vote_commit(old.round);
    cluster.durable();
    for number in 1..=3 {
        cluster.acknowledge(number);
    }
    cluster.disconnect(3);
    let hello = cluster.hello_in_doubt(3, &old); // Its disk was put back to an older copy.
    cluster.connect(3, hello);
    let effects = cluster.accept_epoch(3);
    let [ToReplicator::CatchUp(ToLearner::Compare { target, .. })] = said(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(target.round, old.round);
}

#[test]
fn low_water_mark_survives_in_a_checkpoint() {
    let mut cluster = Cluster::level(2);
    let forgotten = cluster.commit(vec![put("a", 1, "Emma")]);
    let kept = cluster.decide(vec![put("b", 2, "Persuasion")]);
    let (header, manifest) = (cluster.core.state().header(), cluster.core.state().manifest.clone());
    let mut state = CoordinatorState::from_checkpoint(header, manifest, 0);
    for (sequence, record) in cluster.records() {
        state.apply(record, sequence, 0).unwrap();
    }
    assert_eq!(state.retained.verdict(forgotten), Verdict::MayBeForgotten);
    assert!(matches!(state.retained.verdict(kept), Verdict::Committed(decision) if decision.round() == kept));
    assert_eq!(state.retained.verdict(round(1, 3)), Verdict::NoDecision);
}

#[test]
fn round_below_the_mark_that_was_never_decided_is_not_presumed_aborted() {
    let mut cluster = Cluster::level(2);
    for (id, number) in [("a", 1), ("b", 2)] {
        cluster.commit(vec![put(id, number, "Emma")]);
    }
    cluster.restart();
    cluster.everybody_joins();
    let newest = cluster.commit(vec![put("c", 3, "Persuasion")]);
    let retained = &cluster.core.state().retained;
    assert_eq!(newest, round(2, 1));
    for asked in [round(1, 1), round(1, 9), round(2, 1)] {
        assert_eq!(retained.verdict(asked), Verdict::MayBeForgotten);
    }
    assert_eq!(retained.verdict(round(2, 2)), Verdict::NoDecision);
}

#[test]
fn checkpoint_covers_no_record_that_a_crash_may_take_away() {
    let mut cluster = Cluster::level(2);
    let before = cluster.core.checkpoint_sequence();
    assert_eq!(before, cluster.records().last().map(|(sequence, _)| *sequence));
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.all_vote_commit(round(1, 1));
    assert_eq!(cluster.core.checkpoint_sequence(), None);
    cluster.durable();
    assert_eq!(cluster.core.checkpoint_sequence(), before.map(LogSequence::next));

    let mut replica = Replica::level();
    let prepare = replica.prepare(1, vec![put("a", 1, "Emma")]);
    replica.hear(ToReplicator::Prepare(prepare));
    assert_eq!(replica.core.checkpoint_sequence(), None);
}
