//! Changes that wait: what goes into the next round, what waits for a later one, and what is refused without a round.

use crate::fixture::{Cluster, all_needed};
use crate::spoken::{answers, prepares};
use crate::values::{delete, digest, file, path, put, round};
use protocol::{Change, FromAppServer, Precondition, Prepare, Refusal, RequestId, Submission, SubmissionAnswer, Vote};
use two_phase::coordinator::{CoordinatorEffect, CoordinatorSettings};

fn keys(prepare: &Prepare) -> Vec<&str> {
    prepare.changes.iter().map(|change| change.id.as_str()).collect()
}

fn with(change: Change, precondition: Precondition) -> Change {
    Change { precondition, ..change }
}

fn refusals(effects: &[CoordinatorEffect]) -> Vec<(u64, Refusal)> {
    let refusal = |answer| match answer {
        (request, SubmissionAnswer::Refused { refusal, .. }) => (request, refusal),
        other => panic!("{other:?}"),
    };
    answers(effects).into_iter().map(refusal).collect()
}

fn invalid(effects: &[CoordinatorEffect]) -> bool {
    matches!(refusals(effects)[..], [(_, Refusal::Invalid { .. })])
}

/// Two members, with book 1 committed and a round of book 9 in flight, so that all else waits.
fn busy(settings: CoordinatorSettings) -> Cluster {
    let mut cluster = Cluster::level_with(2, settings);
    cluster.commit(vec![put("first", 1, "Emma")]);
    cluster.submit(90, vec![put("in-flight", 9, "Lady Susan")]);
    cluster
}

/// The round in flight commits; what begins then.
fn next_round(cluster: &mut Cluster) -> Vec<CoordinatorEffect> {
    cluster.all_vote_commit(round(1, 2));
    cluster.durable()
}

#[test]
fn everything_that_waits_goes_into_the_next_round() {
    let mut cluster = busy(all_needed());
    for book in 2..=5 {
        assert_eq!(cluster.submit(u64::from(book), vec![put(&format!("key-{book}"), book, "Emma")]), []);
    }
    let effects = next_round(&mut cluster);
    let [prepare] = &prepares(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(keys(prepare), ["key-2", "key-3", "key-4", "key-5"]);
}

#[test]
fn change_of_a_file_that_the_round_changes_already_waits_for_the_one_after_it() {
    let mut cluster = busy(all_needed());
    cluster.submit(1, vec![put("a", 2, "Emma")]);
    cluster.submit(2, vec![put("b", 2, "Persuasion"), put("c", 3, "Persuasion")]);
    cluster.submit(3, vec![put("d", 3, "Sanditon")]);
    cluster.submit(4, vec![put("e", 4, "Sanditon")]);
    let effects = next_round(&mut cluster);
    assert_eq!(keys(&prepares(&effects)[0]), ["a", "e"], "d was sent after c for the same file, and waits behind it");
    cluster.all_vote_commit(round(1, 3));
    assert_eq!(keys(&prepares(&cluster.durable())[0]), ["b", "c"]);
    cluster.all_vote_commit(round(1, 4));
    assert_eq!(keys(&prepares(&cluster.durable())[0]), ["d"]);
}

#[test]
fn preconditions_are_judged_on_the_state_that_the_round_builds_on() {
    let emma = digest(&file(1, "Emma"));
    let other = digest(&file(1, "Persuasion"));
    let met = [
        with(put("a", 1, "New"), Precondition::Digest(emma)),
        with(put("a", 1, "New"), Precondition::Present),
        with(delete("a", 1), Precondition::Digest(emma)),
        with(put("a", 2, "New"), Precondition::Absent),
        put("a", 2, "New"),
        delete("a", 1),
    ];
    for change in met {
        let mut cluster = Cluster::level(2);
        cluster.commit(vec![put("first", 1, "Emma")]);
        assert_eq!(prepares(&cluster.submit(1, vec![change.clone()])).len(), 1, "{change:?}");
    }
    let unmet = [
        (with(put("a", 1, "New"), Precondition::Digest(other)), Some(emma)),
        (with(put("a", 1, "New"), Precondition::Absent), Some(emma)),
        (with(put("a", 2, "New"), Precondition::Present), None),
        (with(put("a", 2, "New"), Precondition::Digest(emma)), None),
        (delete("a", 2), None),
    ];
    for (change, current) in unmet {
        let mut cluster = Cluster::level(2);
        cluster.commit(vec![put("first", 1, "Emma")]);
        let refusal = Refusal::PreconditionFailed { change: change.id.clone(), path: change.path, current };
        let refused = cluster.answered(1, SubmissionAnswer::Refused { refusal, committed: Vec::new() });
        assert_eq!(cluster.submit(1, vec![change]), [refused]);
    }
}

#[test]
fn precondition_that_was_met_on_arrival_is_judged_again_when_the_round_is_formed() {
    let mut cluster = busy(all_needed());
    let emma = digest(&file(1, "Emma"));
    cluster.submit(1, vec![with(put("a", 1, "By the first"), Precondition::Digest(emma))]);
    cluster.submit(2, vec![with(put("b", 1, "By the second"), Precondition::Digest(emma))]);
    next_round(&mut cluster);
    cluster.all_vote_commit(round(1, 3));
    let effects = cluster.durable();
    let current = Some(digest(&file(1, "By the first")));
    let refusal = Refusal::PreconditionFailed { change: "b".parse().unwrap(), path: path(1), current };
    let refused = (2, SubmissionAnswer::Refused { refusal, committed: Vec::new() });
    assert!(answers(&effects).contains(&refused), "{effects:?}");
    assert_eq!(prepares(&effects), []);
}

#[test]
fn unmet_precondition_refuses_the_whole_submission_and_no_other() {
    let mut cluster = busy(all_needed());
    cluster.submit(1, vec![put("a", 2, "Emma"), with(put("b", 3, "Emma"), Precondition::Present)]);
    cluster.submit(2, vec![put("c", 2, "Persuasion")]);
    let effects = next_round(&mut cluster);
    let refused: Vec<_> = answers(&effects)
        .into_iter()
        .filter(|(_, answer)| matches!(answer, SubmissionAnswer::Refused { .. }))
        .map(|(request, _)| request)
        .collect();
    assert_eq!((refused, keys(&prepares(&effects)[0])), (vec![1], vec!["c"]));
}

#[test]
fn round_is_bounded_in_changes_and_in_bytes_and_keeps_the_order() {
    let size = file(2, "Emma").size();
    let bounds = [
        CoordinatorSettings { round_changes_max: 2, ..all_needed() },
        CoordinatorSettings { round_bytes_max: 2 * size + 1, ..all_needed() },
    ];
    for settings in bounds {
        let mut cluster = busy(settings);
        for book in 2..=4 {
            cluster.submit(u64::from(book), vec![put(&format!("key-{book}"), book, "Emma")]);
        }
        assert_eq!(keys(&prepares(&next_round(&mut cluster))[0]), ["key-2", "key-3"]);
        cluster.all_vote_commit(round(1, 3));
        assert_eq!(keys(&prepares(&cluster.durable())[0]), ["key-4"]);
    }
}

#[test]
fn submission_that_fits_no_round_and_one_with_a_repetition_are_refused_at_once() {
    let settings = CoordinatorSettings { round_changes_max: 2, round_bytes_max: 600, ..all_needed() };
    let mut cluster = Cluster::level_with(2, settings);
    let many = (1..=3).map(|book| put(&format!("key-{book}"), book, "Emma")).collect();
    let large = vec![put("a", 1, &"x".repeat(700))];
    let same_path = vec![put("a", 1, "Emma"), put("b", 1, "Emma")];
    let same_key = vec![put("a", 1, "Emma"), put("a", 2, "Emma")];
    for changes in [Vec::new(), many, large, same_path, same_key] {
        let effects = cluster.submit(1, changes);
        assert!(invalid(&effects), "{effects:?}");
    }
    assert_eq!(cluster.core.changes_waiting(), 0);
}

#[test]
fn full_queue_refuses_at_once_and_says_when_to_try_again() {
    let size = file(2, "Emma").size();
    let bounds = [
        CoordinatorSettings { queue_changes_max: 2, ..all_needed() },
        CoordinatorSettings { queue_bytes_max: 2 * size, ..all_needed() },
    ];
    for settings in bounds {
        let mut cluster = busy(settings);
        for book in 2..=3 {
            assert_eq!(cluster.submit(u64::from(book), vec![put(&format!("key-{book}"), book, "Emma")]), []);
        }
        let effects = cluster.submit(4, vec![put("key-4", 4, "Emma")]);
        assert_eq!(refusals(&effects), [(4, Refusal::QueueFull { retry_after_ms: 1_000 })]);
        next_round(&mut cluster);
        assert_eq!(cluster.submit(4, vec![put("key-4", 4, "Emma")]), [], "there is room again");
    }
}

#[test]
fn submission_to_be_aborted_is_alone_in_its_round() {
    let mut cluster = busy(all_needed());
    cluster.submit(1, vec![put("a", 2, "Emma")]);
    let submission = Submission { changes: vec![put("doomed", 3, "Emma")], force_abort: true };
    cluster.app_server_says(FromAppServer::Submit { request: RequestId(2), submission });
    cluster.submit(3, vec![put("b", 4, "Emma")]);
    assert_eq!(keys(&prepares(&next_round(&mut cluster))[0]), ["a"]);
    cluster.all_vote_commit(round(1, 3));
    assert_eq!(keys(&prepares(&cluster.durable())[0]), ["doomed"]);
    let effects = cluster.all_vote_commit(round(1, 4));
    assert_eq!(keys(&prepares(&effects)[0]), ["b"]);
}

#[test]
fn changes_of_an_aborted_round_go_first_in_the_next_one() {
    let mut cluster = busy(all_needed());
    cluster.submit(1, vec![put("later", 3, "Emma")]);
    cluster.vote(1, round(1, 2), Vote::Commit);
    cluster.disconnect(2);
    let effects = cluster.join(2);
    assert_eq!(keys(&prepares(&effects)[0]), ["in-flight", "later"]);
}

#[test]
fn change_in_flight_does_not_expire_while_one_that_waits_does() {
    let settings = CoordinatorSettings { vote_timeout_ms: 60_000, change_wait_ms: 5_000, ..all_needed() };
    let mut cluster = busy(settings);
    cluster.submit(1, vec![put("a", 2, "Emma")]);
    let effects = cluster.after_ms(5_000);
    assert!(matches!(refusals(&effects)[..], [(1, Refusal::NoQuorum { .. })]), "{effects:?}");
    let answered = answers(&next_round(&mut cluster));
    assert!(matches!(answered[..], [(90, SubmissionAnswer::Committed { .. })]), "{answered:?}");
}
