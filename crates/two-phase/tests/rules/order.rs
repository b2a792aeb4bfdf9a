//! Order: versions have no gaps, and every copy passes through the same sequence of states.

use crate::fixture::Cluster;
use crate::replica::{Replica, follower, follower_hears, said, shows};
use crate::spoken::prepares;
use crate::values::{put, round};
use protocol::{
    AbortCause, CommittedChange, CommittedRound, Outcome, Parent, Prepare, SetDigest, ToAppServer, ToCoordinator,
    ToReplicator, Version, Vote,
};
use two_phase::Manifest;
use two_phase::coordinator::{CoordinatorRecord, ImpossibleRecord};
use two_phase::follower::FollowerEffect;

#[test]
fn each_round_builds_on_the_one_before() {
    let mut cluster = Cluster::level(2);
    let mut before = (Version::ZERO, SetDigest::EMPTY, None);
    for number in 1..=3 {
        let change = put(&format!("key-{number}"), number, "Emma");
        let prepare = prepares(&cluster.submit(u64::from(number), vec![change])).remove(0);
        assert_eq!((prepare.base_version, prepare.base_root, prepare.parent), before);
        assert_eq!(prepare.round, round(1, u64::from(number)));
        cluster.all_vote_commit(prepare.round);
        cluster.durable();
        cluster.acknowledge(1);
        cluster.acknowledge(2);
        assert_eq!(cluster.core.state().manifest.root(), prepare.expected_root);
        let parent = Parent { round: prepare.round, outcome: Outcome::Committed };
        before = (prepare.version(), prepare.expected_root, Some(parent));
    }
}

#[test]
fn aborted_round_makes_no_version() {
    let mut cluster = Cluster::level(2);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.disconnect(2);
    assert_eq!(cluster.core.state().version, Version::ZERO);
    let again = prepares(&cluster.join(2)).remove(0);
    assert_eq!((again.base_version, again.base_root), (Version::ZERO, SetDigest::EMPTY));
}

#[test]
fn replicator_refuses_a_round_that_does_not_stand_on_its_state() {
    let right = Replica::level().prepare(1, vec![put("a", 1, "Emma")]);
    let other = SetDigest::of_element(&[b"other"]);
    let wrong = [
        Prepare { base_version: Version(1), ..right.clone() },
        Prepare { base_root: other, ..right.clone() },
        Prepare { expected_root: other, ..right },
    ];
    for prepare in wrong {
        let mut replica = Replica::level();
        replica.hear(ToReplicator::Prepare(prepare));
        let effects = replica.durable();
        let [ToCoordinator::Vote { vote: Vote::Abort { cause: AbortCause::Mine { .. } }, .. }] = said(&effects)[..]
        else {
            panic!("{effects:?}");
        };
        assert_eq!(replica.core.state().prepared, None);
    }
}

fn committed(version: u64, book: u8, title: &str, before: &Manifest) -> (CommittedRound, Manifest) {
    let change = put(&format!("key-{version}"), book, title);
    let mut manifest = before.clone();
    manifest.apply(std::slice::from_ref(&change), Version(version));
    let changes =
        vec![CommittedChange { id: change.id, path: change.path, answer: change.answer, action: change.action }];
    (CommittedRound { round: round(1, version), version: Version(version), root: manifest.root(), changes }, manifest)
}

#[test]
fn app_server_applies_rounds_in_order_each_once() {
    let mut follower = follower();
    let (first, manifest) = committed(1, 1, "Emma", &Manifest::default());
    let (second, _) = committed(2, 2, "Persuasion", &manifest);
    for round in [&first, &second] {
        let effects = follower_hears(&mut follower, ToAppServer::Committed(round.clone()));
        assert_eq!(effects, [FollowerEffect::Apply(round.clone())]);
    }
    assert_eq!(follower_hears(&mut follower, ToAppServer::Committed(first)), []);
    assert_eq!(follower.state().manifest.root(), second.root);
}

#[test]
pub(crate) fn app_server_that_misses_a_version_compares_itself_anew() {
    let mut follower = follower();
    let (_, manifest) = committed(1, 1, "Emma", &Manifest::default());
    let (second, _) = committed(2, 2, "Persuasion", &manifest);
    let effects = follower_hears(&mut follower, ToAppServer::Committed(second));
    assert!(matches!(effects.as_slice(), [FollowerEffect::Disconnect { .. }]), "{effects:?}");
    assert_eq!(shows(&follower), (Version::ZERO, false));
}

#[test]
fn app_server_whose_root_differs_compares_itself_anew() {
    let mut follower = follower();
    let (first, _) = committed(1, 1, "Emma", &Manifest::default());
    let first = CommittedRound { root: SetDigest::EMPTY, ..first };
    let effects = follower_hears(&mut follower, ToAppServer::Committed(first));
    assert!(matches!(effects[0], FollowerEffect::Disconnect { .. }), "{effects:?}");
    assert!(!follower.is_level());
}

#[test]
fn log_whose_versions_have_a_gap_is_not_believed() {
    let mut cluster = Cluster::level(2);
    cluster.commit(vec![put("a", 1, "Emma")]);
    let Some((sequence, CoordinatorRecord::Decided(decision))) = cluster.records().pop() else { panic!() };
    let mut state = cluster.core.state().clone();
    let mut gap = decision.clone();
    gap.version = Version(3);
    let error = state.apply(CoordinatorRecord::Decided(gap), sequence, 0).unwrap_err();
    assert_eq!(error, ImpossibleRecord::VersionGap { sequence, version: Version(3), before: Version(1) });
}

#[test]
fn log_whose_changes_do_not_lead_to_its_root_is_not_believed() {
    let mut cluster = Cluster::level(2);
    cluster.commit(vec![put("a", 1, "Emma")]);
    let Some((sequence, CoordinatorRecord::Decided(decision))) = cluster.records().pop() else { panic!() };
    let mut state = cluster.core.state().clone();
    let mut wrong = decision;
    (wrong.version, wrong.root) = (Version(2), SetDigest::EMPTY);
    let error = state.apply(CoordinatorRecord::Decided(wrong), sequence, 0).unwrap_err();
    assert!(matches!(error, ImpossibleRecord::RootDiffers { .. }), "{error}");
}
