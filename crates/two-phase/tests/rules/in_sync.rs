//! MinInSync and what belongs to it: who is left out of rounds, who comes back in, and when.

use crate::fixture::Cluster;
use crate::spoken::{answers, prepares, records, said};
use crate::values::{incarnation, member, mine, put, round};
use protocol::{
    CatchUpId, FromAppServer, FromLearner, MemberId, MemberState, Prepare, Query, Refusal, ReplicatorHello, RequestId,
    Standing, SubmissionAnswer, ToCoordinator, ToLearner, ToReplicator, Vote,
};
use two_phase::coordinator::{CoordinatorEffect, CoordinatorRecord};

fn participants(prepare: &Prepare) -> Vec<MemberId> {
    prepare.participants.iter().map(|one| one.id.clone()).collect()
}

fn in_sync(cluster: &Cluster) -> Vec<MemberId> {
    cluster.core.state().view.in_sync().map(|one| one.id.clone()).collect()
}

fn members(numbers: &[u8]) -> Vec<MemberId> {
    numbers.iter().map(|number| member(*number)).collect()
}

fn views(effects: &[CoordinatorEffect]) -> usize {
    records(effects).iter().filter(|record| matches!(record, CoordinatorRecord::ViewChanged { .. })).count()
}

#[test]
fn round_without_the_one_that_is_gone_waits_for_the_view_that_says_so() {
    let mut cluster = Cluster::level_in_sync(3);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    let effects = cluster.disconnect(3);
    assert_eq!((prepares(&effects), views(&effects)), (vec![], 1), "rule ViewDurable");
    assert_eq!(in_sync(&cluster), members(&[1, 2, 3]));
    let again = prepares(&cluster.durable()).remove(0);
    assert_eq!((again.round, participants(&again)), (round(1, 2), members(&[1, 2])));
    assert_eq!(again.view, cluster.core.state().view.number);
    assert_eq!(cluster.core.state().view.member(&member(3)).unwrap().state, MemberState::Down);
}

#[test]
fn client_of_a_round_that_lost_a_participant_sees_a_delay_and_no_failure() {
    let mut cluster = Cluster::level_in_sync(3);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.disconnect(3);
    let again = prepares(&cluster.durable()).remove(0);
    cluster.all_vote_commit(again.round);
    let effects = cluster.durable();
    assert!(matches!(answers(&effects)[..], [(1, SubmissionAnswer::Committed { .. })]), "{effects:?}");
}

#[test]
fn one_that_is_silent_is_left_out_after_the_vote_timeout() {
    let mut cluster = Cluster::level_in_sync(3);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.vote(1, round(1, 1), Vote::Commit);
    cluster.vote(2, round(1, 1), Vote::Commit);
    assert_eq!(views(&cluster.after_ms(1_999)), 0);
    assert_eq!(views(&cluster.after_ms(1)), 1);
    let again = prepares(&cluster.durable()).remove(0);
    assert_eq!(participants(&again), members(&[1, 2]));
}

#[test]
fn one_that_cannot_take_a_round_is_left_out_at_once() {
    let mut cluster = Cluster::level_in_sync(3);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.vote(1, round(1, 1), Vote::Commit);
    cluster.vote(2, round(1, 1), Vote::Commit);
    assert_eq!(views(&cluster.vote(3, round(1, 1), mine("its disk is full"))), 1);
    let again = prepares(&cluster.durable()).remove(0);
    assert_eq!(participants(&again), members(&[1, 2]));
    let status = cluster.core.status().members.remove(2);
    assert_eq!(status.state, MemberState::CatchingUp);
    assert!(status.detail.unwrap().contains("its disk is full"));
}

#[test]
fn one_that_writes_its_files_too_slowly_is_left_out_and_comes_back_by_itself() {
    let mut cluster = Cluster::level_in_sync(3);
    cluster.replicator_says(3, ToCoordinator::Credit { credit_bytes: 0 });
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    assert_eq!(views(&cluster.after_ms(2_000)), 1);
    let prepare = prepares(&cluster.durable()).remove(0);
    cluster.vote(1, prepare.round, Vote::Commit);
    cluster.vote(2, prepare.round, Vote::Commit);
    let effects = cluster.durable();
    let told = said(&effects).iter().any(|message| matches!(message, ToReplicator::Committed(_)));
    assert!(told, "it follows meanwhile: {effects:?}");
    assert!(said(&cluster.after_ms(10_000)).is_empty(), "it has no room yet");
    let effects = cluster.replicator_says(3, ToCoordinator::Credit { credit_bytes: 1_000 });
    assert!(matches!(said(&effects)[..], [ToReplicator::Confirm { .. }]), "{effects:?}");
    cluster.acknowledge(3);
    cluster.durable();
    assert_eq!(in_sync(&cluster).len(), 3);
}

#[test]
fn set_is_never_made_smaller_than_the_minimum_and_changes_are_refused_with_a_reason() {
    let mut cluster = Cluster::level_in_sync(3);
    cluster.disconnect(3);
    cluster.durable();
    assert_eq!(in_sync(&cluster), members(&[1, 2]));
    assert_eq!(views(&cluster.disconnect(2)), 0, "one of three is not enough");
    assert_eq!(prepares(&cluster.submit(1, vec![put("a", 1, "Emma")])), []);
    assert_eq!(views(&cluster.after_ms(4_999)), 0);
    let effects = cluster.after_ms(1);
    let [(1, SubmissionAnswer::Refused { refusal: Refusal::NoQuorum { reason, .. }, .. })] = &answers(&effects)[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!(reason, "at least 2 replicators are needed: replicator-2 is not connected");
    assert_eq!(in_sync(&cluster), members(&[1, 2]));
}

#[test]
fn minimum_is_counted_on_registered_members_not_on_those_alive() {
    let mut cluster = Cluster::level_in_sync(5);
    for number in [5, 4] {
        assert_eq!(views(&cluster.disconnect(number)), 1);
        cluster.durable();
    }
    assert_eq!(views(&cluster.disconnect(3)), 0);
    assert_eq!(in_sync(&cluster), members(&[1, 2, 3]));
}

#[test]
fn writes_resume_by_themselves_when_one_returns() {
    let mut cluster = Cluster::level_in_sync(3);
    cluster.disconnect(3);
    cluster.durable();
    cluster.disconnect(2);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    let prepare = prepares(&cluster.join(2)).remove(0);
    assert_eq!(participants(&prepare), members(&[1, 2]));
}

#[test]
fn one_that_was_left_out_takes_the_place_of_another_one_when_it_returns() {
    let mut cluster = Cluster::level_in_sync(3);
    cluster.disconnect(3);
    cluster.durable();
    cluster.disconnect(2);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    assert_eq!(prepares(&cluster.join(3)), []);
    assert_eq!(in_sync(&cluster), members(&[1, 2, 3]));
    let prepare = prepares(&cluster.durable()).remove(0);
    assert_eq!(participants(&prepare), members(&[1, 3]));
}

#[test]
fn those_who_never_came_are_left_out_when_the_coordinator_has_waited_for_them() {
    let mut cluster = Cluster::starting(3);
    cluster.use_policy(protocol::CommitPolicy::InSync);
    cluster.durable();
    cluster.join(1);
    cluster.join(2);
    cluster.acknowledge(1);
    cluster.app_server_joins();
    assert_eq!(prepares(&cluster.submit(1, vec![put("a", 1, "Emma")])), []);
    assert_eq!(views(&cluster.after_ms(1_999)), 0);
    assert_eq!(cluster.core.next_timer_ms(), Some(cluster.now.monotonic_ms + 1));
    assert_eq!(views(&cluster.after_ms(1)), 1);
    assert_eq!(participants(&prepares(&cluster.durable())[0]), members(&[1, 2]));
}

#[test]
fn policy_all_leaves_nobody_out() {
    let mut cluster = Cluster::level(3);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    assert_eq!(views(&cluster.disconnect(3)), 0);
    assert_eq!(views(&cluster.after_ms(4_000)), 0);
}

/// Three members of which the third was left out and knows none of two rounds; it has accepted the epoch again.
fn one_is_back() -> Cluster {
    let mut cluster = Cluster::level_in_sync(3);
    let old = cluster.hello(3);
    cluster.disconnect(3);
    cluster.durable();
    cluster.commit(vec![put("a", 1, "Emma")]);
    cluster.commit(vec![put("b", 2, "Persuasion")]);
    cluster.connect(3, old);
    let effects = cluster.accept_epoch(3);
    let [ToReplicator::CatchUp(ToLearner::Compare { .. })] = said(&effects)[..] else { panic!("{effects:?}") };
    cluster
}

fn catches_up(cluster: &mut Cluster) -> Vec<CoordinatorEffect> {
    let (version, root) = (cluster.core.state().version, cluster.core.state().manifest.root());
    let catch_up = CatchUpId(1 << 32);
    cluster.replicator_says(3, ToCoordinator::CatchUp(FromLearner::CaughtUp { catch_up, version, root }))
}

#[test]
fn rounds_go_on_while_one_is_brought_level_and_it_is_told_of_each() {
    let mut cluster = one_is_back();
    let prepare = prepares(&cluster.submit(1, vec![put("c", 3, "Sanditon")])).remove(0);
    assert_eq!(participants(&prepare), members(&[1, 2]));
    cluster.vote(1, prepare.round, Vote::Commit);
    let effects = cluster.vote(2, prepare.round, Vote::Commit);
    assert!(said(&effects).is_empty(), "it is told nothing before the decision is durable: {effects:?}");
    let effects = cluster.durable();
    let told: Vec<_> =
        said(&effects).into_iter().filter(|message| matches!(message, ToReplicator::Committed(_))).collect();
    let [ToReplicator::Committed(committed)] = told[..] else { panic!("{effects:?}") };
    assert_eq!((committed.round, committed.version.0), (prepare.round, 3));
    assert!(effects.contains(&cluster.say(&[3], ToReplicator::Committed(committed.clone()))));
}

#[test]
fn one_that_is_level_again_comes_in_between_two_rounds_by_a_view_that_is_durable() {
    let mut cluster = one_is_back();
    let effects = catches_up(&mut cluster);
    let (version, root) = (cluster.core.state().version, cluster.core.state().manifest.root());
    assert_eq!(said(&effects), [&ToReplicator::Confirm { version, root }]);
    assert_eq!(prepares(&cluster.submit(1, vec![put("c", 3, "Sanditon")])), [], "the next round waits for it");
    let effects = cluster.acknowledge(3);
    assert_eq!((prepares(&effects), views(&effects)), (vec![], 1));
    let prepare = prepares(&cluster.durable()).remove(0);
    assert_eq!(participants(&prepare), members(&[1, 2, 3]));
    assert_eq!(prepare.view, cluster.core.state().view.number);
}

#[test]
fn one_that_does_not_say_that_it_is_level_does_not_hold_up_the_others() {
    let mut cluster = one_is_back();
    catches_up(&mut cluster);
    cluster.submit(1, vec![put("c", 3, "Sanditon")]);
    assert_eq!(cluster.core.next_timer_ms(), Some(cluster.now.monotonic_ms + 2_000));
    let prepare = prepares(&cluster.after_ms(2_000)).remove(0);
    assert_eq!(participants(&prepare), members(&[1, 2]));
}

#[test]
fn one_that_returns_in_the_middle_of_a_round_waits_for_its_end() {
    let mut cluster = one_is_back();
    let prepare = prepares(&cluster.submit(1, vec![put("c", 3, "Sanditon")])).remove(0);
    assert!(said(&catches_up(&mut cluster)).is_empty());
    cluster.vote(1, prepare.round, Vote::Commit);
    cluster.vote(2, prepare.round, Vote::Commit);
    let effects = cluster.durable();
    let (version, root) = (cluster.core.state().version, cluster.core.state().manifest.root());
    assert!(said(&effects).contains(&&ToReplicator::Confirm { version, root }), "{effects:?}");
}

#[test]
fn one_that_was_too_slow_is_left_in_peace_for_longer_each_time() {
    let mut cluster = Cluster::level_in_sync(3);
    let mut waits = Vec::new();
    for request in 1..=3_u64 {
        let book = u8::try_from(request).unwrap();
        let prepare = prepares(&cluster.submit(request, vec![put(&request.to_string(), book, "Emma")])).remove(0);
        cluster.vote(1, prepare.round, Vote::Commit);
        cluster.vote(2, prepare.round, Vote::Commit);
        let evicted_ms = cluster.now.monotonic_ms + 2_000;
        cluster.after_ms(2_000);
        let again = prepares(&cluster.durable()).remove(0);
        cluster.vote(1, again.round, Vote::Commit);
        cluster.vote(2, again.round, Vote::Commit);
        cluster.durable();
        let hello = cluster.hello(3);
        cluster.connect(3, hello);
        assert!(said(&cluster.accept_epoch(3)).is_empty(), "it may not come in yet");
        while in_sync(&cluster).len() < 3 {
            let timer_ms = cluster.core.next_timer_ms().unwrap();
            cluster.after_ms(timer_ms - cluster.now.monotonic_ms);
            cluster.acknowledge(3);
            cluster.durable();
        }
        waits.push(cluster.now.monotonic_ms - evicted_ms);
    }
    assert_eq!(waits, [1_000, 2_000, 4_000]);
}

#[test]
fn time_to_return_is_not_missed_because_something_else_happened_when_it_came() {
    let mut cluster = Cluster::level_in_sync(3);
    for _ in 0..2 {
        cluster.disconnect(3);
        cluster.durable();
        cluster.join(3);
    }
    assert_eq!(in_sync(&cluster), members(&[1, 2]), "it did not stay, and must wait");
    let due_ms = cluster.core.next_timer_ms().unwrap();
    cluster.now.monotonic_ms = due_ms + 100;
    let query = FromAppServer::Ask { request: RequestId(5), query: Query::Cluster };
    cluster.app_server_says(query);
    assert_eq!(cluster.core.next_timer_ms(), Some(due_ms));
    assert!(matches!(said(&cluster.after_ms(0))[..], [ToReplicator::Confirm { .. }]));
}

#[test]
fn time_to_leave_somebody_out_is_not_missed_either() {
    let mut cluster = Cluster::level_in_sync(3);
    cluster.replicator_says(3, ToCoordinator::Credit { credit_bytes: 0 });
    let due_ms = cluster.core.next_timer_ms().unwrap();
    cluster.now.monotonic_ms = due_ms + 100;
    cluster.app_server_says(FromAppServer::Ask { request: RequestId(5), query: Query::Cluster });
    assert_eq!(cluster.core.next_timer_ms(), Some(due_ms));
    assert_eq!(views(&cluster.after_ms(0)), 1);
}

#[test]
fn memory_that_is_lost_is_not_in_sync_any_more() {
    let mut cluster = Cluster::level_in_sync(3);
    cluster.commit(vec![put("a", 1, "Emma")]);
    cluster.disconnect(3);
    cluster.durable();
    cluster.join(3);
    cluster.durable();
    assert_eq!(in_sync(&cluster).len(), 3);
    // It dies and comes back with an empty disk before anybody notices that it was gone.
    let empty = Cluster::starting(1);
    let lost = ReplicatorHello { standing: Standing::Lost, incarnation: incarnation(33), ..empty.hello(3) };
    cluster.disconnect(3);
    cluster.connect(3, lost);
    cluster.durable();
    assert_eq!(in_sync(&cluster), members(&[1, 2]));
    assert_eq!(cluster.core.state().view.member(&member(3)).unwrap().incarnation, Some(incarnation(33)));
}

#[test]
fn a_restart_remembers_who_is_in_sync() {
    let mut cluster = Cluster::level_in_sync(3);
    cluster.disconnect(3);
    cluster.durable();
    cluster.restart();
    cluster.durable();
    assert_eq!(in_sync(&cluster), members(&[1, 2]));
}
