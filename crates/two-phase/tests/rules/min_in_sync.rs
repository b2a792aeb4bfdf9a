//! MinInSync: a round needs every member, and a majority is counted on those registered, never on those alive.

use crate::fixture::Cluster;
use crate::spoken::{answers, prepares, said};
use crate::values::{member, put};
use protocol::{CommitPolicy, Refusal, SubmissionAnswer, ToReplicator, View};
use two_phase::coordinator::Mandate;

#[test]
fn minimum_is_a_majority_of_the_registered() {
    for (members, minimum) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (7, 4)] {
        let view = View::first((1..=members).map(member), CommitPolicy::All);
        assert_eq!((view.min_in_sync, view.majority() as u64), (minimum, minimum), "{members} members");
    }
}

#[test]
fn no_round_begins_while_a_member_is_missing_and_waiting_changes_go_when_it_is_back() {
    let mut cluster = Cluster::level(3);
    cluster.disconnect(3);
    assert_eq!(cluster.submit(1, vec![put("a", 1, "Emma")]), []);
    assert_eq!(cluster.core.changes_waiting(), 1);
    let prepare = prepares(&cluster.join(3)).remove(0);
    assert_eq!(prepare.participants.len(), 3);
    assert_eq!(cluster.core.changes_waiting(), 0);
}

#[test]
fn change_that_waited_too_long_is_refused_with_the_name_of_who_is_missing() {
    let mut cluster = Cluster::level(3);
    cluster.disconnect(3);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    assert_eq!(cluster.core.next_timer_ms(), Some(cluster.now.monotonic_ms + 5_000));
    assert_eq!(cluster.after_ms(4_999), []);
    let effects = cluster.after_ms(1);
    let reason = "every replicator is needed: replicator-3 is not connected".to_owned();
    let refusal = Refusal::NoQuorum { reason, retry_after_ms: 5_000 };
    assert_eq!(answers(&effects), [(1, SubmissionAnswer::Refused { refusal, committed: Vec::new() })]);
    assert_eq!(prepares(&cluster.join(3)), [], "a refused change is in no round");
}

#[test]
fn members_that_are_alive_do_not_make_a_majority_of_the_registered() {
    let mut cluster = Cluster::level(5);
    cluster.restart();
    cluster.durable();
    cluster.join(1);
    cluster.join(2);
    assert_eq!(*cluster.core.mandate(), Mandate::Opening);
    let reason = cluster.core.why_no_round().unwrap();
    assert!(reason.contains("2 of the 3"), "{reason}");
}

#[test]
fn nobody_is_put_out_of_the_view_for_being_away() {
    let mut cluster = Cluster::level(3);
    let before = cluster.core.state().view.clone();
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    let effects = [cluster.disconnect(2), cluster.disconnect(3), cluster.after_ms(60_000)].concat();
    assert_eq!(crate::spoken::records(&effects).len(), 0);
    assert_eq!(cluster.core.state().view, before);
}

#[test]
fn member_takes_part_only_once_it_has_said_that_it_holds_the_committed_state() {
    let mut cluster = Cluster::level(2);
    cluster.commit(vec![put("a", 1, "Emma")]);
    cluster.disconnect(2);
    cluster.submit(1, vec![put("b", 2, "Persuasion")]);
    let hello = cluster.hello(2);
    let (version, root) = (hello.version, hello.root);
    cluster.connect(2, hello);
    assert_eq!(said(&cluster.accept_epoch(2)), [&ToReplicator::Confirm { version, root }]);
    assert_eq!(prepares(&cluster.acknowledge(2)).len(), 1);
}
