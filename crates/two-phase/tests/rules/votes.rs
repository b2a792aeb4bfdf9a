//! Votes to abort: whose fault it was decides who is answered, who is tried again, and who is left in peace.

use crate::fixture::Cluster;
use crate::replica::{Replica, said};
use crate::spoken::{answers, prepares};
use crate::values::{faults, file, forced, mine, path, put, round};
use protocol::{
    AbortCause, Action, Change, Content, Digest, FromAppServer, LabAction, RequestId, Submission, SubmissionAnswer,
    ToAppServer, ToCoordinator, ToReplicator, Vote, VoteReport,
};
use two_phase::replicator::Capacity;

/// The vote of a replicator with this much room on these changes.
fn vote_on(changes: Vec<Change>, capacity: Capacity) -> Vote {
    let mut replica = Replica::level();
    replica.core.handle_capacity(capacity);
    let prepare = replica.prepare(1, changes);
    replica.hear(ToReplicator::Prepare(prepare));
    let effects = replica.durable();
    let [ToCoordinator::Vote { vote, .. }] = said(&effects)[..] else { panic!("{effects:?}") };
    vote.clone()
}

const ROOM: Capacity = Capacity { disk_free_bytes: 1_000_000, credit_bytes: 1_000_000 };

#[test]
fn full_disk_and_full_backlog_are_the_replicators_own_fault() {
    let full = [Capacity { disk_free_bytes: 100, ..ROOM }, Capacity { credit_bytes: 0, ..ROOM }];
    for capacity in full {
        let vote = vote_on(vec![put("a", 1, "Emma")], capacity);
        assert!(matches!(vote, Vote::Abort { cause: AbortCause::Mine { .. } }), "{vote:?}");
    }
    assert_eq!(vote_on(vec![put("a", 1, "Emma")], ROOM), Vote::Commit);
}

fn of_bytes(key: &str, book: u8, content: Content) -> Change {
    let action = Action::Put { digest: Digest::of(content.bytes()), content };
    Change { action, ..put(key, book, "Emma") }
}

#[test]
fn each_change_that_can_never_be_taken_is_named_and_no_other() {
    let text = String::from_utf8(file(1, "Emma").bytes().to_vec()).unwrap();
    let wrong_digest = Action::Put { content: file(1, "Emma"), digest: Digest::of(b"other") };
    let wrong = [
        ("no XML at all", of_bytes("bad", 1, Content::from(b"not XML".to_vec()))),
        ("another form of the same book", of_bytes("bad", 1, Content::from(format!("{text}\n").into_bytes()))),
        ("another book's file", of_bytes("bad", 1, file(2, "Persuasion"))),
        ("another digest", Change { action: wrong_digest, ..put("bad", 1, "Emma") }),
    ];
    for (what, change) in wrong {
        let vote = vote_on(vec![put("good", 3, "Sanditon"), change], ROOM);
        let Vote::Abort { cause: AbortCause::Changes { faults } } = vote else { panic!("{what}: {vote:?}") };
        let [fault] = faults.as_slice() else { panic!("{what}: {faults:?}") };
        assert_eq!(fault.change.as_str(), "bad");
        assert!(fault.reason.starts_with(&path(1).to_string()), "{what}: {}", fault.reason);
    }
}

#[test]
fn path_that_a_round_has_twice_is_refused() {
    let vote = vote_on(vec![put("a", 1, "Emma"), put("b", 1, "Persuasion")], ROOM);
    let Vote::Abort { cause: AbortCause::Changes { faults } } = vote else { panic!("{vote:?}") };
    assert_eq!(faults[0].change.as_str(), "b");
}

#[test]
fn asked_for_in_the_lab_is_forced_once() {
    let mut replica = Replica::level();
    replica.hear(ToReplicator::VoteAbortNext { reason: "the class asked".to_owned() });
    for (number, expected) in [(1, forced("the class asked")), (2, Vote::Commit)] {
        let prepare = replica.prepare(number, vec![put("a", 1, "Emma")]);
        replica.hear(ToReplicator::Prepare(prepare));
        let effects = replica.durable();
        let [ToCoordinator::Vote { vote, .. }] = said(&effects)[..] else { panic!("{effects:?}") };
        assert_eq!(*vote, expected);
    }
}

#[test]
fn own_fault_is_no_fault_of_the_changes_which_are_tried_again_after_a_pause() {
    let mut cluster = Cluster::level(2);
    let first = prepares(&cluster.submit(1, vec![put("a", 1, "Emma")])).remove(0);
    cluster.vote(1, round(1, 1), Vote::Commit);
    let effects = cluster.vote(2, round(1, 1), mine("its disk is full"));
    assert_eq!((answers(&effects), prepares(&effects)), (vec![], vec![]));
    assert_eq!(
        cluster.core.why_no_round().unwrap(),
        "every replicator is needed: replicator-2 cannot take a round: its disk is full"
    );
    assert_eq!(cluster.core.next_timer_ms(), Some(cluster.now.monotonic_ms + 500));
    assert_eq!(prepares(&cluster.after_ms(499)), []);
    let again = prepares(&cluster.after_ms(1)).remove(0);
    assert_eq!((again.round, again.changes), (round(1, 2), first.changes));
}

#[test]
fn replicator_without_credit_is_left_in_peace_until_it_has_room() {
    let mut cluster = Cluster::level(1);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    let vote = ToCoordinator::Vote { round: round(1, 1), vote: Vote::Commit, credit_bytes: 0, took: None };
    cluster.replicator_says(1, vote);
    cluster.durable();
    assert_eq!(cluster.submit(2, vec![put("b", 2, "Persuasion")]), []);
    let effects = cluster.replicator_says(1, ToCoordinator::Credit { credit_bytes: 10 });
    assert_eq!(prepares(&effects).len(), 1);
}

#[test]
fn fault_of_a_change_answers_its_submission_and_tries_the_others_again() {
    let mut cluster = Cluster::level(2);
    cluster.disconnect(2);
    cluster.submit(1, vec![put("bad", 1, "Emma"), put("with-bad", 4, "Lady Susan")]);
    cluster.submit(2, vec![put("good", 2, "Persuasion")]);
    cluster.join(2);
    cluster.vote(1, round(1, 1), Vote::Commit);
    let effects = cluster.vote(2, round(1, 1), faults("bad", "it is no XML"));
    let reason = "replicator-2 voted abort: it is no XML".to_owned();
    let committed = VoteReport::new(crate::values::member(1), "commit", None, None);
    let (cause, why) = (Some("changes".to_owned()), Some("it is no XML".to_owned()));
    let aborted = VoteReport::new(crate::values::member(2), "abort", cause, why);
    let answer = SubmissionAnswer::Aborted {
        round: round(1, 1),
        reason,
        votes: vec![committed, aborted],
        committed: Vec::new(),
    };
    assert_eq!(answers(&effects), [(1, answer)]);
    let again = prepares(&effects).remove(0);
    let keys: Vec<_> = again.changes.iter().map(|change| change.id.as_str()).collect();
    assert_eq!((again.round, keys), (round(1, 2), vec!["good"]));
}

#[test]
fn forced_abort_answers_everybody_in_the_round() {
    let mut cluster = Cluster::level(2);
    cluster.disconnect(2);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.submit(2, vec![put("b", 2, "Persuasion")]);
    cluster.join(2);
    cluster.vote(1, round(1, 1), forced("the class asked"));
    let effects = cluster.vote(2, round(1, 1), Vote::Commit);
    let answered: Vec<_> = answers(&effects).into_iter().map(|(request, _)| request).collect();
    assert_eq!((answered, prepares(&effects)), (vec![1, 2], vec![]));
    assert_eq!(cluster.core.changes_waiting(), 0);
}

#[test]
fn round_that_was_to_be_aborted_is_carried_to_the_vote_and_then_aborted() {
    let mut cluster = Cluster::level(2);
    let submission = Submission { changes: vec![put("a", 1, "Emma")], force_abort: true };
    let effects = cluster.app_server_says(FromAppServer::Submit { request: RequestId(1), submission });
    assert_eq!(prepares(&effects).len(), 1);
    let effects = cluster.all_vote_commit(round(1, 1));
    assert_eq!(crate::spoken::records(&effects).len(), 0);
    let [(1, SubmissionAnswer::Aborted { votes, .. })] = &answers(&effects)[..] else { panic!("{effects:?}") };
    assert!(votes.iter().all(|report| report.vote == "commit"), "{votes:?}");
}

#[test]
fn lab_is_refused_where_it_is_not_on() {
    for lab in [false, true] {
        let settings = two_phase::coordinator::CoordinatorSettings { lab, ..Default::default() };
        let mut cluster = Cluster::level_with(2, settings);
        let action = LabAction::VoteAbort { member: crate::values::member(1), reason: "why not".to_owned() };
        let effects = cluster.app_server_says(FromAppServer::Lab { request: RequestId(1), action });
        let asked = cluster.say(&[1], ToReplicator::VoteAbortNext { reason: "why not".to_owned() });
        assert_eq!(effects.contains(&asked), lab);
        let [ToAppServer::Done { refused, .. }] = crate::spoken::told(&effects)[..] else { panic!("{effects:?}") };
        assert_eq!(refused.is_none(), lab);
    }
}
