//! DurableDecision: nobody is told of a decision, or of an epoch, before it is on the coordinator's disk.

use crate::fixture::Cluster;
use crate::spoken::{prepares, said, told, without_events};
use crate::values::{member, put, round};
use protocol::{
    ChangeState, ClusterEvent, CommittedAnswer, CommittedChange, CommittedRound, FromAppServer, Query, QueryAnswer,
    RequestId, SubmissionAnswer, ToAppServer, ToReplicator, Version,
};
use two_phase::coordinator::CoordinatorEffect;

#[test]
fn everybody_is_told_at_once_when_the_decision_is_durable() {
    let mut cluster = Cluster::level(3);
    let change = put("a", 1, "Emma");
    cluster.submit(1, vec![change.clone()]);
    cluster.all_vote_commit(round(1, 1));
    let effects = cluster.durable();
    let answer = CommittedAnswer {
        change: change.id.clone(),
        round: round(1, 1),
        version: Version(1),
        path: change.path,
        digest: change.action.digest(),
        answer: change.answer.clone(),
    };
    let committed = CommittedRound {
        round: round(1, 1),
        version: Version(1),
        root: cluster.core.state().manifest.root(),
        changes: vec![CommittedChange {
            id: change.id,
            path: change.path,
            answer: change.answer,
            action: change.action,
        }],
    };
    assert_eq!(
        effects,
        [
            CoordinatorEffect::Happened(ClusterEvent::RoundCommitted { round: round(1, 1), version: Version(1) }),
            cluster.say(&[1, 2, 3], ToReplicator::Commit { round: round(1, 1) }),
            cluster.tell(ToAppServer::Committed(committed)),
            cluster.answered(1, SubmissionAnswer::Committed { answers: vec![answer] }),
        ]
    );
}

#[test]
fn nothing_is_said_of_a_decision_that_is_on_its_way_to_the_disk() {
    let mut cluster = Cluster::level(3);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    let effects = cluster.all_vote_commit(round(1, 1));
    assert_eq!((said(&effects).len(), told(&effects).len()), (0, 0));
    let query = Query::Change { change: "a".parse().unwrap() };
    let effects = cluster.app_server_says(FromAppServer::Ask { request: RequestId(2), query });
    let answer = QueryAnswer::Change { state: ChangeState::Pending };
    assert_eq!(effects, [cluster.tell(ToAppServer::Told { request: RequestId(2), answer })]);
    assert_eq!(without_events(cluster.disconnect(1)), []);
    assert_eq!(cluster.core.state().version, Version::ZERO);
}

#[test]
fn participant_that_comes_back_while_the_decision_is_on_its_way_learns_it_with_the_others() {
    let mut cluster = Cluster::level(2);
    let prepare = prepares(&cluster.submit(1, vec![put("a", 1, "Emma")])).remove(0);
    cluster.all_vote_commit(prepare.round);
    cluster.disconnect(2);
    let hello = cluster.hello_in_doubt(2, &prepare);
    cluster.connect(2, hello);
    assert_eq!(without_events(cluster.accept_epoch(2)), []);
    let effects = without_events(cluster.durable());
    assert_eq!(effects[0], cluster.say(&[1, 2], ToReplicator::Commit { round: prepare.round }));
}

#[test]
fn next_round_waits_for_the_decision_of_this_one_and_builds_on_it() {
    let mut cluster = Cluster::level(2);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    assert_eq!(cluster.submit(2, vec![put("b", 2, "Persuasion")]), []);
    assert_eq!(prepares(&cluster.all_vote_commit(round(1, 1))), []);
    let next = prepares(&cluster.durable()).remove(0);
    assert_eq!((next.round, next.base_version), (round(1, 2), Version(1)));
}

#[test]
fn nobody_is_let_in_before_the_epoch_is_durable() {
    let mut cluster = Cluster::starting(2);
    let hello = cluster.hello(1);
    let effects = cluster.connect(1, hello.clone());
    let [ToReplicator::Refuse { .. }] = said(&effects)[..] else { panic!("{effects:?}") };
    assert!(matches!(effects.last(), Some(CoordinatorEffect::Close { .. })), "{effects:?}");
    let app_server = cluster.app_server_hello();
    let effects = cluster.app_server_says(FromAppServer::Hello(app_server));
    let [ToAppServer::Refuse { .. }] = told(&effects)[..] else { panic!("{effects:?}") };

    cluster.durable();
    let effects = cluster.connect(1, hello);
    let [CoordinatorEffect::Happened(ClusterEvent::MemberConnected { member: who, .. }), ..] = effects.as_slice()
    else {
        panic!("{effects:?}");
    };
    assert_eq!(*who, member(1));
}
