//! Members are added, removed, promoted and demoted: one change at a time, durable before it is used, never below the minimum.

use crate::fixture::{APP_SERVER, Cluster};
use crate::spoken::{prepares, records, said};
use crate::values::{incarnation, member, put};
use protocol::{
    CommitPolicy, Epoch, FromAppServer, MemberId, MemberRole, MembershipChange, ReplicatorHello, RequestId, SetDigest,
    Standing, ToAppServer, ToCoordinator, ToReplicator, Version, Vote,
};
use two_phase::coordinator::{CoordinatorEffect, CoordinatorRecord, Mandate};

const REQUEST: RequestId = RequestId(77);

fn ask(cluster: &mut Cluster, change: MembershipChange) -> Vec<CoordinatorEffect> {
    cluster.app_server_says(FromAppServer::ChangeMembers { request: REQUEST, change })
}

/// Asks for a change, which a majority of the voters confirms to be asked of the right coordinator.
fn change(cluster: &mut Cluster, change: MembershipChange) -> Vec<CoordinatorEffect> {
    let asked = ask(cluster, change);
    let answered: Vec<_> = (1..=2).flat_map(|number| cluster.accept_epoch(number)).collect();
    [asked, answered, cluster.durable()].concat()
}

fn refusal(effects: &[CoordinatorEffect]) -> Option<Option<String>> {
    effects.iter().find_map(|effect| match effect {
        CoordinatorEffect::ToAppServers { sessions, message } if *sessions == [APP_SERVER] => match &message.message {
            ToAppServer::Done { request: REQUEST, refused } => Some(refused.clone()),
            _ => None,
        },
        _ => None,
    })
}

fn add(number: u8) -> MembershipChange {
    MembershipChange::Add { member: member(number), observer: false }
}

fn remove(number: u8) -> MembershipChange {
    MembershipChange::Remove { member: member(number) }
}

/// A replicator that has never been anywhere.
fn new_hello(cluster: &Cluster, number: u8) -> ReplicatorHello {
    ReplicatorHello {
        cluster: None,
        version: Version::ZERO,
        root: SetDigest::EMPTY,
        standing: Standing::Lost,
        incarnation: incarnation(number),
        ..cluster.hello(number)
    }
}

/// It connects, catches up, and says that it is level.
fn comes_in(cluster: &mut Cluster, number: u8) {
    let hello = new_hello(cluster, number);
    cluster.connect(number, hello);
    cluster.durable();
    cluster.accept_epoch(number);
    let hello = cluster.hello(number);
    cluster.disconnect(number);
    cluster.connect(number, hello);
    cluster.durable();
    cluster.accept_epoch(number);
    cluster.acknowledge(number);
    cluster.durable();
}

fn voters(cluster: &Cluster) -> Vec<MemberId> {
    cluster.core.state().view.voters().map(|one| one.id.clone()).collect()
}

#[test]
fn new_member_counts_only_from_the_view_that_puts_it_in_sync() {
    let mut cluster = Cluster::level_in_sync(3);
    cluster.commit(vec![put("a", 1, "Emma")]);
    assert_eq!(refusal(&change(&mut cluster, add(4))), Some(None));
    let view = &cluster.core.state().view;
    assert_eq!((view.member(&member(4)).unwrap().role, view.majority(), view.min_in_sync), (MemberRole::Joining, 2, 2));
    comes_in(&mut cluster, 4);
    let view = &cluster.core.state().view;
    assert_eq!((voters(&cluster).len(), view.majority(), view.min_in_sync), (4, 3, 3));
    let prepare = prepares(&cluster.submit(1, vec![put("b", 2, "Persuasion")])).remove(0);
    assert_eq!(prepare.participants.len(), 4);
}

#[test]
fn stranger_is_told_how_to_be_let_in() {
    let mut cluster = Cluster::level_in_sync(3);
    let hello = new_hello(&cluster, 4);
    let effects = cluster.connect(4, hello);
    let [ToReplicator::Refuse { reason }] = said(&effects)[..] else { panic!("{effects:?}") };
    assert!(reason.contains("concordance member add replicator-4"), "{reason}");
}

#[test]
fn nobody_is_added_before_a_majority_has_said_that_it_listens_to_this_coordinator() {
    let mut cluster = Cluster::level_in_sync(3);
    let asked = ask(&mut cluster, add(4));
    assert_eq!(records(&asked), Vec::<&CoordinatorRecord>::new());
    assert_eq!(records(&cluster.accept_epoch(1)), Vec::<&CoordinatorRecord>::new());
    assert_eq!(records(&cluster.accept_epoch(2)).len(), 1);
}

#[test]
fn coordinator_that_was_replaced_and_does_not_know_it_changes_nobody() {
    let mut cluster = Cluster::level_in_sync(3);
    ask(&mut cluster, remove(3));
    cluster.accept_epoch(1);
    let refused = ToCoordinator::EpochRefused { epoch: Epoch(9), coordinator: None };
    cluster.replicator_says(2, refused);
    assert!(matches!(cluster.core.mandate(), Mandate::NeedsRecovery { .. }));
    assert_eq!(records(&cluster.accept_epoch(3)), Vec::<&CoordinatorRecord>::new());
    let effects = cluster.after_ms(2_000);
    assert!(refusal(&effects).unwrap().unwrap().contains("nobody was added or removed"));
    assert_eq!(voters(&cluster).len(), 3);
}

#[test]
fn one_change_at_a_time() {
    let mut cluster = Cluster::level_in_sync(3);
    ask(&mut cluster, add(4));
    let effects = ask(&mut cluster, add(5));
    assert!(refusal(&effects).unwrap().unwrap().contains("under way"));
}

#[test]
fn removed_member_is_told_so_and_counts_no_more() {
    let mut cluster = Cluster::level_in_sync(3);
    change(&mut cluster, add(4));
    comes_in(&mut cluster, 4);
    ask(&mut cluster, remove(1));
    for number in 2..=4 {
        cluster.accept_epoch(number);
    }
    let effects = cluster.durable();
    assert_eq!(refusal(&effects), Some(None));
    assert!(said(&effects).iter().any(|message| matches!(message, ToReplicator::Removed { .. })), "{effects:?}");
    assert_eq!(cluster.core.state().view.min_in_sync, 2);
    let prepare = prepares(&cluster.submit(1, vec![put("b", 2, "Persuasion")])).remove(0);
    assert_eq!(prepare.participants.len(), 3);
}

#[test]
fn removed_member_that_comes_back_is_told_so_again() {
    let mut cluster = Cluster::level_in_sync(3);
    let hello = cluster.hello(3);
    change(&mut cluster, remove(3));
    let effects = cluster.connect(3, hello);
    let [ToReplicator::Removed { reason }] = said(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(reason, "replicator-3 was removed from the cluster");
}

#[test]
fn removed_member_may_be_added_again() {
    let mut cluster = Cluster::level_in_sync(3);
    change(&mut cluster, remove(3));
    change(&mut cluster, add(3));
    comes_in(&mut cluster, 3);
    assert_eq!(voters(&cluster).len(), 3);
}

#[test]
fn nobody_is_removed_if_the_others_would_not_reach_the_minimum() {
    let mut cluster = Cluster::level_in_sync(3);
    cluster.disconnect(3);
    cluster.durable();
    let effects = ask(&mut cluster, remove(2));
    let reason = refusal(&effects).unwrap().unwrap();
    assert!(reason.contains("of whom 1 are in sync now, and 2 must be"), "{reason}");
    assert_eq!(voters(&cluster).len(), 3);
    assert_eq!(refusal(&change(&mut cluster, remove(3))), Some(None), "the dead one may go");
}

#[test]
fn last_voter_stays() {
    let mut cluster = Cluster::level_in_sync(1);
    assert!(refusal(&ask(&mut cluster, remove(1))).unwrap().is_some());
}

#[test]
fn removal_waits_for_the_end_of_the_round() {
    let mut cluster = Cluster::level_in_sync(3);
    let prepare = prepares(&cluster.submit(1, vec![put("a", 1, "Emma")])).remove(0);
    ask(&mut cluster, remove(3));
    let effects = [cluster.accept_epoch(1), cluster.accept_epoch(2)].concat();
    assert_eq!(records(&effects), Vec::<&CoordinatorRecord>::new(), "rule FrozenParticipants");
    cluster.all_vote_commit(prepare.round);
    let effects = cluster.durable();
    assert!(matches!(records(&effects)[..], [.., CoordinatorRecord::ViewChanged { .. }]), "{effects:?}");
}

#[test]
fn observer_follows_every_round_and_has_no_vote() {
    let mut cluster = Cluster::level_in_sync(3);
    change(&mut cluster, MembershipChange::Add { member: member(4), observer: true });
    comes_in(&mut cluster, 4);
    assert_eq!((voters(&cluster).len(), cluster.core.state().view.min_in_sync), (3, 2));
    let prepare = prepares(&cluster.submit(1, vec![put("a", 1, "Emma")])).remove(0);
    assert_eq!(prepare.participants.len(), 3);
    for number in 1..=3 {
        cluster.vote(number, prepare.round, Vote::Commit);
    }
    let effects = cluster.durable();
    let followed = said(&effects).into_iter().find(|message| matches!(message, ToReplicator::Committed(_))).unwrap();
    assert!(effects.contains(&cluster.say(&[4], followed.clone())));
    cluster.disconnect(4);
    assert_eq!(prepares(&cluster.submit(2, vec![put("b", 2, "Persuasion")])).len(), 1, "nobody waits for it");
}

#[test]
fn observer_with_a_torn_tail_is_confirmed_though_rounds_go_on() {
    let mut cluster = Cluster::level_in_sync(3);
    change(&mut cluster, MembershipChange::Add { member: member(4), observer: true });
    comes_in(&mut cluster, 4);
    cluster.disconnect(4);
    let torn = ReplicatorHello { standing: Standing::Unconfirmed, ..cluster.hello(4) };
    let (version, root) = (torn.version, torn.root);
    cluster.connect(4, torn);
    assert_eq!(said(&cluster.accept_epoch(4)), [&ToReplicator::Confirm { version, root }]);
    let prepare = prepares(&cluster.submit(1, vec![put("a", 1, "Emma")])).remove(0);
    for number in 1..=3 {
        cluster.vote(number, prepare.round, Vote::Commit);
    }
    cluster.durable();
    cluster.replicator_says(4, ToCoordinator::Acknowledge { settled: prepare.round, version, root });
    cluster.after_ms(10_000);
    let status = cluster.core.status().members.remove(3);
    assert_eq!(status.state, protocol::MemberState::InSync, "{status:?}");
}

#[test]
fn observer_that_is_promoted_votes_and_a_voter_that_is_demoted_does_not() {
    let mut cluster = Cluster::level_in_sync(3);
    change(&mut cluster, MembershipChange::Add { member: member(4), observer: true });
    comes_in(&mut cluster, 4);
    change(&mut cluster, MembershipChange::Promote { member: member(4) });
    cluster.acknowledge(4);
    cluster.durable();
    assert_eq!(voters(&cluster).len(), 4);
    ask(&mut cluster, MembershipChange::Demote { member: member(1) });
    for number in 2..=4 {
        cluster.accept_epoch(number);
    }
    cluster.durable();
    let prepare = prepares(&cluster.submit(1, vec![put("a", 1, "Emma")])).remove(0);
    let participants: Vec<_> = prepare.participants.iter().map(|one| one.id.clone()).collect();
    assert_eq!(participants, [member(2), member(3), member(4)]);
    for number in 2..=4 {
        cluster.vote(number, prepare.round, Vote::Commit);
    }
    let effects = cluster.durable();
    assert!(said(&effects).iter().any(|message| matches!(message, ToReplicator::Committed(_))), "replicator-1 follows");
}

#[test]
fn minimum_that_is_more_than_a_majority_stays_so() {
    let mut view = protocol::View::first((1..=3).map(member), CommitPolicy::InSync);
    view.min_in_sync = 3;
    let smaller = view.after(|view| view.members.retain(|one| one.id != member(3)));
    assert_eq!(smaller.min_in_sync, 2);
    let larger = view.after(|view| {
        let one = protocol::Member { id: member(4), ..view.members[0].clone() };
        view.members.push(one);
    });
    assert_eq!(larger.min_in_sync, 3);
}
