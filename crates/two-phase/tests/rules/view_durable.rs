//! ViewDurable: a change of the view is durable before a round uses it, or anybody hears of it.

use crate::fixture::Cluster;
use crate::spoken::{prepares, said, without_events};
use crate::values::{incarnation, member, put};
use protocol::{ReplicatorHello, Standing, ToReplicator, ViewNumber};
use two_phase::SyncWhen;
use two_phase::coordinator::{CoordinatorEffect, CoordinatorRecord};

fn new_memory(cluster: &Cluster, number: u8, memory: u8) -> ReplicatorHello {
    ReplicatorHello { standing: Standing::Lost, incarnation: incarnation(memory), ..cluster.hello(number) }
}

#[test]
fn welcome_waits_for_the_view_that_knows_the_memory() {
    let mut cluster = Cluster::starting(2);
    cluster.durable();
    let hello = cluster.hello(1);
    let effects = without_events(cluster.connect(1, hello));
    let [CoordinatorEffect::Append { record: CoordinatorRecord::ViewChanged { view, .. }, sync, .. }] =
        effects.as_slice()
    else {
        panic!("{effects:?}");
    };
    assert_eq!((view.number, *sync), (ViewNumber(2), SyncWhen::Now));
    assert_eq!(view.member(&member(1)).unwrap().incarnation, Some(incarnation(1)));
    assert_eq!(cluster.core.state().view.number, ViewNumber(1));
    let welcome =
        ToReplicator::Welcome { cluster: crate::values::cluster(), view: ViewNumber(2), data_key: "ab".repeat(32) };
    assert_eq!(without_events(cluster.durable()), [cluster.say(&[1], welcome)]);
}

#[test]
fn coming_back_before_the_view_is_durable_does_not_hurry_the_welcome() {
    let mut cluster = Cluster::level(2);
    cluster.disconnect(2);
    let hello = new_memory(&cluster, 2, 22);
    cluster.connect(2, hello.clone());
    cluster.disconnect(2);
    let effects = cluster.connect(2, hello);
    assert_eq!(said(&effects), Vec::<&ToReplicator>::new());
    let effects = cluster.durable();
    let [ToReplicator::Welcome { .. }] = said(&effects)[..] else { panic!("{effects:?}") };
}

#[test]
fn yet_another_memory_is_welcomed_only_by_its_own_view() {
    let mut cluster = Cluster::level(2);
    cluster.disconnect(2);
    let hello = new_memory(&cluster, 2, 22);
    cluster.connect(2, hello);
    let first = cluster.core.state().view.number.next();
    cluster.disconnect(2);
    let hello = new_memory(&cluster, 2, 23);
    cluster.connect(2, hello);
    let effects = cluster.durable();
    let [ToReplicator::Welcome { view, .. }] = said(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(*view, first.next());
}

#[test]
fn views_that_are_on_their_way_build_on_each_other() {
    let mut cluster = Cluster::starting(3);
    cluster.durable();
    for number in 1..=3 {
        let hello = cluster.hello(number);
        cluster.connect(number, hello);
    }
    cluster.durable();
    let view = &cluster.core.state().view;
    assert_eq!(view.number, ViewNumber(4));
    for number in 1..=3 {
        assert_eq!(view.member(&member(number)).unwrap().incarnation, Some(incarnation(number)));
    }
}

#[test]
fn round_and_decision_name_the_view_in_force() {
    let mut cluster = Cluster::level(2);
    let prepare = prepares(&cluster.submit(1, vec![put("a", 1, "Emma")])).remove(0);
    assert_eq!(prepare.view, cluster.core.state().view.number);
    let effects = cluster.all_vote_commit(prepare.round);
    let [CoordinatorRecord::Decided(decision)] = crate::spoken::records(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(decision.view, prepare.view);
}

#[test]
fn view_in_force_is_there_again_after_a_restart() {
    let mut cluster = Cluster::level(3);
    let before = cluster.core.state().view.clone();
    cluster.restart();
    cluster.durable();
    assert_eq!(cluster.core.state().view, before);
    let hello = cluster.hello(1);
    let effects = cluster.connect(1, hello);
    let [ToReplicator::Welcome { .. }] = said(&effects)[..] else { panic!("{effects:?}") };
}
