//! Once: a change id is applied at most once and gets the first answer; the same id with another request is refused.

use crate::fixture::{Cluster, all_needed};
use crate::spoken::{answers, prepares, records};
use crate::values::{answer_to, path, put, round};
use protocol::{CommittedAnswer, Refusal, SubmissionAnswer};
use two_phase::coordinator::{CoordinatorEffect, CoordinatorSettings};

fn committed(answers: Vec<CommittedAnswer>) -> SubmissionAnswer {
    SubmissionAnswer::Committed { answers }
}

fn reused(effects: &[CoordinatorEffect]) -> bool {
    matches!(answers(effects)[..], [(_, SubmissionAnswer::Refused { refusal: Refusal::KeyReused { .. }, .. })])
}

#[test]
fn committed_change_that_is_sent_again_gets_the_first_answer_and_no_round() {
    let mut cluster = Cluster::level(2);
    let change = put("a", 1, "Emma");
    cluster.commit(vec![change.clone()]);
    cluster.commit(vec![put("b", 1, "Emma, revised")]);
    let first = cluster.answered(7, committed(vec![answer_to(&change, 1, 1)]));
    assert_eq!(cluster.submit(7, vec![change]), [first]);
}

#[test]
fn first_answer_survives_a_crash_of_the_coordinator() {
    let mut cluster = Cluster::level(2);
    let change = put("a", 1, "Emma");
    cluster.decide(vec![change.clone()]);
    cluster.restart();
    cluster.durable();
    cluster.app_server_joins();
    let first = cluster.answered(7, committed(vec![answer_to(&change, 1, 1)]));
    assert_eq!(cluster.submit(7, vec![change]), [first]);
}

#[test]
fn key_of_another_request_is_refused_wherever_the_first_one_is() {
    let mut cluster = Cluster::level(2);
    cluster.commit(vec![put("done", 1, "Emma")]);
    cluster.submit(1, vec![put("in-flight", 2, "Emma")]);
    cluster.submit(2, vec![put("waits", 3, "Emma")]);
    for key in ["done", "in-flight", "waits"] {
        let effects = cluster.submit(9, vec![put(key, 4, "Another request")]);
        assert!(reused(&effects), "{key}: {effects:?}");
    }
    assert_eq!(cluster.core.changes_waiting(), 1);
}

#[test]
fn change_that_is_sent_again_while_it_is_under_way_is_committed_once_and_answered_twice() {
    for in_flight in [true, false] {
        let mut cluster = Cluster::level(2);
        if !in_flight {
            cluster.disconnect(2);
        }
        let change = put("a", 1, "Emma");
        cluster.submit(1, vec![change.clone()]);
        assert_eq!(cluster.submit(2, vec![change.clone()]), []);
        if !in_flight {
            cluster.join(2);
        }
        let effects = cluster.all_vote_commit(round(1, 1));
        assert_eq!(records(&effects).len(), 1);
        let effects = cluster.durable();
        let answer = committed(vec![answer_to(&change, 1, 1)]);
        assert_eq!(answers(&effects), [(1, answer.clone()), (2, answer)]);
        assert_eq!(prepares(&effects), []);
    }
}

#[test]
fn whoever_sent_a_refused_change_again_is_told_of_the_refusal_too() {
    let mut cluster = Cluster::level(2);
    cluster.disconnect(2);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.submit(2, vec![put("a", 1, "Emma")]);
    let requests: Vec<_> = answers(&cluster.after_ms(5_000)).into_iter().map(|(request, _)| request).collect();
    assert_eq!(requests, [1, 2]);
}

#[test]
fn key_of_a_refused_change_is_judged_again() {
    let mut cluster = Cluster::level(2);
    cluster.disconnect(2);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.after_ms(5_000);
    cluster.submit(2, vec![put("a", 2, "Another request")]);
    let prepare = prepares(&cluster.join(2)).remove(0);
    assert_eq!(prepare.changes[0].path, path(2));
}

#[test]
fn submission_of_which_a_part_was_committed_goes_on_with_the_rest_and_is_answered_in_its_order() {
    let mut cluster = Cluster::level(2);
    let (done, new) = (put("b", 2, "Persuasion"), put("c", 3, "Sanditon"));
    cluster.commit(vec![done.clone()]);
    let effects = cluster.submit(1, vec![new.clone(), done.clone()]);
    assert_eq!(prepares(&effects)[0].changes, std::slice::from_ref(&new));
    cluster.all_vote_commit(round(1, 2));
    let answer = committed(vec![answer_to(&new, 2, 2), answer_to(&done, 1, 1)]);
    assert_eq!(answers(&cluster.durable()), [(1, answer)]);
}

#[test]
fn changes_under_way_are_not_mixed_into_another_submission() {
    let (a, b, c) = (put("a", 1, "Emma"), put("b", 2, "Persuasion"), put("c", 3, "Sanditon"));
    let mut cluster = Cluster::level(2);
    cluster.submit(1, vec![a.clone(), b.clone()]);
    cluster.submit(2, vec![c.clone()]);
    for other in [vec![a.clone()], vec![b.clone(), c], vec![a, b, put("d", 4, "Lady Susan")]] {
        let effects = cluster.submit(3, other);
        let [(3, SubmissionAnswer::Refused { refusal: Refusal::Invalid { .. }, .. })] = answers(&effects)[..] else {
            panic!("{effects:?}");
        };
    }
}

#[test]
fn answers_are_kept_for_the_retention_time_and_no_longer() {
    let settings = CoordinatorSettings { answer_retention_ms: 1_000, ..all_needed() };
    let mut cluster = Cluster::level_with(1, settings);
    let change = put("a", 1, "Emma");
    cluster.commit(vec![change.clone()]);
    cluster.after_ms(1_000);
    assert_eq!(answers(&cluster.submit(1, vec![change.clone()])).len(), 1);
    cluster.after_ms(1);
    assert_eq!(prepares(&cluster.submit(2, vec![change])).len(), 1);
}

/// Where rounds never pause no timer is ever due; what the answers hold of the log and of memory is to be given up all the same.
#[test]
fn answers_are_forgotten_while_one_round_follows_the_other() {
    let settings = CoordinatorSettings { answer_retention_ms: 1_000, ..all_needed() };
    let mut cluster = Cluster::level_with(1, settings);
    cluster.commit(vec![put("a", 1, "Emma")]);
    let first = cluster.core.last_durable();
    assert_eq!(cluster.core.oldest_record_needed(), Some(first));
    cluster.now.monotonic_ms += 1_001;
    cluster.commit(vec![put("b", 2, "Persuasion")]);
    assert_eq!(cluster.core.oldest_record_needed(), Some(cluster.core.last_durable()));
}
