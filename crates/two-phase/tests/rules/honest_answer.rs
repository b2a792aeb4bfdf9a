//! HonestAnswer: "committed" only after the decision, "refused" or "aborted" only when it can never commit; otherwise nothing.

use crate::fixture::{APP_SERVER, Cluster, all_needed};
use crate::spoken::{answers, prepares, told};
use crate::values::{answer_to, coordinator, put, round};
use protocol::{
    Change, ChangeState, Epoch, FromAppServer, Precondition, Query, QueryAnswer, Refusal, RequestId, Submission,
    SubmissionAnswer, ToAppServer, ToCoordinator, Vote,
};
use two_phase::coordinator::{CoordinatorEffect, CoordinatorSettings};

fn state_of(cluster: &mut Cluster, change: &str) -> ChangeState {
    let query = Query::Change { change: change.parse().unwrap() };
    let effects = cluster.app_server_says(FromAppServer::Ask { request: RequestId(1), query });
    match told(&effects)[..] {
        [ToAppServer::Told { answer: QueryAnswer::Change { state }, .. }] => state.clone(),
        _ => panic!("{effects:?}"),
    }
}

#[test]
fn change_is_pending_until_its_decision_is_durable_and_committed_from_then_on() {
    let mut cluster = Cluster::level(2);
    cluster.disconnect(2);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    assert_eq!(state_of(&mut cluster, "a"), ChangeState::Pending, "waiting");
    cluster.join(2);
    assert_eq!(state_of(&mut cluster, "a"), ChangeState::Pending, "in flight");
    cluster.all_vote_commit(round(1, 1));
    assert_eq!(state_of(&mut cluster, "a"), ChangeState::Pending, "being decided");
    cluster.durable();
    let ChangeState::Committed(answer) = state_of(&mut cluster, "a") else { panic!("committed") };
    assert_eq!(answer.round, round(1, 1));
}

#[test]
fn change_that_is_tried_again_is_still_pending() {
    let mut cluster = Cluster::level(2);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    let effects = cluster.disconnect(2);
    assert_eq!(answers(&effects), []);
    assert_eq!(state_of(&mut cluster, "a"), ChangeState::Pending);
}

#[test]
fn refused_change_is_not_known_and_never_in_a_round_again() {
    let mut cluster = Cluster::level(2);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.disconnect(2);
    assert_eq!(answers(&cluster.after_ms(5_000)).len(), 1);
    assert_eq!(state_of(&mut cluster, "a"), ChangeState::NotKnown);
    assert_eq!(prepares(&cluster.join(2)), []);
}

#[test]
fn nothing_is_refused_while_its_decision_is_on_its_way() {
    let mut cluster = Cluster::level(2);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.all_vote_commit(round(1, 1));
    cluster.disconnect(2);
    assert_eq!(answers(&cluster.after_ms(600_000)), []);
    let answered = answers(&cluster.durable());
    assert!(matches!(answered[..], [(1, SubmissionAnswer::Committed { .. })]), "{answered:?}");
}

#[test]
fn coordinator_that_is_not_sure_of_its_log_does_not_say_that_a_change_is_not_known() {
    let mut cluster = Cluster::level(3);
    cluster.commit(vec![put("a", 1, "Emma")]);
    cluster.restart();
    cluster.durable();
    cluster.app_server_joins();
    assert_eq!(state_of(&mut cluster, "never-sent"), ChangeState::Unknown, "a majority has not accepted the epoch");
    assert!(matches!(state_of(&mut cluster, "a"), ChangeState::Committed(_)), "what the log says is certain");
    cluster.join(1);
    cluster.join(2);
    assert_eq!(state_of(&mut cluster, "never-sent"), ChangeState::NotKnown);
    let refused = ToCoordinator::EpochRefused { epoch: Epoch(9), coordinator: Some(coordinator(9)) };
    cluster.replicator_says(1, refused);
    assert_eq!(state_of(&mut cluster, "never-sent"), ChangeState::Unknown, "it needs recovery");
}

#[test]
pub(crate) fn change_is_not_refused_for_waiting_before_the_epoch_is_open() {
    let mut cluster = Cluster::level(3);
    cluster.restart();
    cluster.durable();
    cluster.app_server_joins();
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    assert_eq!(cluster.core.next_timer_ms(), None);
    assert_eq!(cluster.after_ms(600_000), [], "an earlier coordinator with a newer log may have committed it");
    cluster.join(1);
    let effects = cluster.join(2);
    assert_eq!(answers(&effects), []);
    assert!(cluster.core.next_timer_ms().is_some_and(|due_ms| due_ms <= cluster.now.monotonic_ms));
    let refused = answers(&cluster.after_ms(0));
    assert!(matches!(refused[..], [(1, SubmissionAnswer::Refused { .. })]), "{refused:?}");
}

#[test]
fn full_queue_before_the_epoch_is_open_ends_the_connection_instead_of_refusing() {
    let settings = CoordinatorSettings { queue_changes_max: 1, ..all_needed() };
    let mut cluster = Cluster::level_with(3, settings);
    cluster.restart();
    cluster.durable();
    cluster.app_server_joins();
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    let effects = cluster.submit(2, vec![put("b", 2, "Persuasion")]);
    let [CoordinatorEffect::Close { session: APP_SERVER, .. }] = effects[..] else { panic!("{effects:?}") };
}

#[test]
fn coordinator_that_needs_recovery_answers_no_submission() {
    let mut cluster = Cluster::level(3);
    cluster.disconnect(3);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    let refused = ToCoordinator::EpochRefused { epoch: Epoch(9), coordinator: Some(coordinator(9)) };
    cluster.replicator_says(1, refused);
    assert_eq!(cluster.submit(2, vec![put("b", 2, "Persuasion")]), []);
    assert_eq!((answers(&cluster.after_ms(600_000)), cluster.core.next_timer_ms()), (Vec::new(), None));
}

#[test]
fn followers_are_told_the_round_before_any_answer_to_its_changes() {
    let mut cluster = Cluster::level(2);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.all_vote_commit(round(1, 1));
    let effects = cluster.durable();
    let [ToAppServer::Committed(_), ToAppServer::Answered { .. }] = told(&effects)[..] else { panic!("{effects:?}") };
}

#[test]
fn change_that_waits_is_kept_when_the_app_server_that_sent_it_is_gone() {
    let settings = CoordinatorSettings { vote_timeout_ms: 60_000, ..all_needed() };
    let mut cluster = Cluster::level_with(2, settings);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.core.handle_disconnected(APP_SERVER, "the connection broke", cluster.now);
    cluster.vote(1, round(1, 1), Vote::Commit);
    let effects = cluster.vote(2, round(1, 1), Vote::Commit);
    assert_eq!(crate::spoken::records(&effects).len(), 1);
}

/// Who sent two changes together may have had one of them committed before, with others.
#[test]
fn what_was_committed_before_is_not_refused_with_the_rest_of_its_submission() {
    let mut cluster = Cluster::level(2);
    let done = put("a", 1, "Emma");
    cluster.commit(vec![done.clone()]);
    let known = vec![answer_to(&done, 1, 1)];
    let unmet = Change { precondition: Precondition::Present, ..put("b", 2, "Persuasion") };
    let effects = cluster.submit(1, vec![done.clone(), unmet]);
    let [(1, SubmissionAnswer::Refused { refusal: Refusal::PreconditionFailed { .. }, committed })] =
        &answers(&effects)[..]
    else {
        panic!("{effects:?}");
    };
    assert_eq!(*committed, known);
    let changes = vec![done.clone(), put("c", 2, "Persuasion")];
    let submission = Submission { changes, force_abort: true };
    cluster.app_server_says(FromAppServer::Submit { request: RequestId(2), submission });
    let effects = cluster.all_vote_commit(round(1, 2));
    let [(2, SubmissionAnswer::Aborted { committed, .. })] = &answers(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(*committed, known);
    let invalid = cluster.submit(3, vec![done.clone(), done]);
    let [(3, SubmissionAnswer::Refused { committed, .. })] = &answers(&invalid)[..] else { panic!("{invalid:?}") };
    assert_eq!(committed[0], known[0]);
}
