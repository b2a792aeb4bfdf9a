//! Validity: commit only if every participant voted commit; if all do and nothing fails, commit.

use crate::fixture::Cluster;
use crate::spoken::{prepares, records, said, without_events};
use crate::values::{forced, member, path, put, round};
use protocol::{ClusterEvent, CommitRule, ToReplicator, Vote};
use two_phase::SyncWhen;
use two_phase::coordinator::{CoordinatorEffect, CoordinatorRecord, DecidedChange, Decision};

#[test]
fn last_commit_vote_makes_the_decision() {
    let mut cluster = Cluster::level(3);
    let change = put("a", 1, "Emma");
    cluster.submit(1, vec![change.clone()]);
    let in_flight = round(1, 1);
    for number in 1..=2 {
        assert_eq!(without_events(cluster.vote(number, in_flight, Vote::Commit)), []);
    }
    let state = cluster.core.state();
    let (version, view) = (state.version.next(), state.view.number);
    let root = state.manifest.root_after(std::slice::from_ref(&change), version);
    let decided = DecidedChange {
        path: path(1),
        digest: change.action.digest(),
        size: change.action.size(),
        id: change.id.clone(),
        fingerprint: change.fingerprint,
        answer: change.answer.clone(),
    };
    let decision = Decision {
        round: in_flight,
        parent: None,
        version,
        root,
        view,
        participants: (1..=3).map(member).collect(),
        rule: CommitRule::DecisionRecord,
        changes: vec![decided],
        decided_at_ms: cluster.now.unix_ms,
    };
    let sequence = cluster.records().last().unwrap().0.next();
    let voted = ClusterEvent::VoteReceived {
        round: in_flight,
        member: member(3),
        commit: true,
        cause: None,
        reason: None,
        took: None,
    };
    assert_eq!(
        cluster.vote(3, in_flight, Vote::Commit),
        [
            CoordinatorEffect::Happened(voted),
            CoordinatorEffect::Append { sequence, record: CoordinatorRecord::Decided(decision), sync: SyncWhen::Now },
        ]
    );
}

#[test]
fn one_abort_vote_aborts_when_all_votes_are_in() {
    let mut cluster = Cluster::level(3);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    assert_eq!(without_events(cluster.vote(2, round(1, 1), forced("the class asked"))), []);
    assert_eq!(without_events(cluster.vote(1, round(1, 1), Vote::Commit)), []);
    let effects = cluster.vote(3, round(1, 1), Vote::Commit);
    assert_eq!(records(&effects), Vec::<&CoordinatorRecord>::new());
    assert_eq!(without_events(effects)[0], cluster.say(&[1, 2, 3], ToReplicator::Abort { round: round(1, 1) }));
}

#[test]
fn same_replicator_voting_twice_does_not_stand_for_two() {
    let mut cluster = Cluster::level(2);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.vote(1, round(1, 1), Vote::Commit);
    assert_eq!(cluster.vote(1, round(1, 1), Vote::Commit), []);
}

#[test]
fn vote_on_another_round_is_not_counted() {
    let mut cluster = Cluster::level(2);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.vote(1, round(1, 1), Vote::Commit);
    for other in [round(1, 2), round(0, 1), round(2, 1)] {
        assert_eq!(cluster.vote(2, other, Vote::Commit), []);
    }
}

#[test]
fn disconnection_before_the_vote_aborts() {
    let mut cluster = Cluster::level(3);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.vote(1, round(1, 1), Vote::Commit);
    let effects = without_events(cluster.disconnect(2));
    assert_eq!(effects, [cluster.say(&[1, 3], ToReplicator::Abort { round: round(1, 1) })]);
}

#[test]
fn disconnection_after_the_vote_but_before_the_others_aborts_too() {
    let mut cluster = Cluster::level(3);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.vote(2, round(1, 1), Vote::Commit);
    let effects = without_events(cluster.disconnect(2));
    assert_eq!(effects, [cluster.say(&[1, 3], ToReplicator::Abort { round: round(1, 1) })]);
}

#[test]
fn silence_until_the_vote_timeout_aborts_and_closes_the_silent_connection() {
    let mut cluster = Cluster::level(3);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.vote(1, round(1, 1), Vote::Commit);
    cluster.vote(2, round(1, 1), Vote::Commit);
    assert_eq!(cluster.core.next_timer_ms(), Some(cluster.now.monotonic_ms + 2_000));
    assert_eq!(cluster.after_ms(1_999), []);
    let effects = cluster.after_ms(1);
    let silent = cluster.session(3);
    assert!(
        effects.iter().any(|effect| matches!(effect, CoordinatorEffect::Close { session, .. } if *session == silent)),
        "{effects:?}"
    );
    assert!(said(&effects).contains(&&ToReplicator::Abort { round: round(1, 1) }));
    assert_eq!(records(&effects), Vec::<&CoordinatorRecord>::new());
}

#[test]
fn silent_member_is_in_no_round_before_it_has_introduced_itself_again() {
    let mut cluster = Cluster::level(3);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.vote(1, round(1, 1), Vote::Commit);
    cluster.vote(2, round(1, 1), Vote::Commit);
    let effects = cluster.after_ms(2_000);
    assert_eq!(prepares(&effects).len(), 0, "{effects:?}");
    assert!(cluster.core.why_no_round().is_some_and(|reason| reason.contains("replicator-3 is not connected")));
    let effects = cluster.join(3);
    assert_eq!(
        prepares(&effects).iter().map(|prepare| prepare.round).collect::<Vec<_>>(),
        [round(1, 2)],
        "{effects:?}"
    );
}
