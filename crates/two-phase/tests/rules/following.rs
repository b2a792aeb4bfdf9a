//! A replicator that is told of rounds without voting on them: while it catches up, and afterwards.

use crate::replica::{Replica, said, trusted_state};
use crate::values::{digest, file, file_changes, path, put, round};
use protocol::{
    CatchUpId, CatchUpTarget, Change, CommittedChange, CommittedRound, FetchedFile, FromLearner, ToCoordinator,
    ToLearner, ToReplicator, Version, WantedFile,
};
use two_phase::replicator::{LogFound, ReplicatorEffect, ReplicatorRecord};
use two_phase::{Manifest, SyncWhen};

const CATCH_UP: CatchUpId = CatchUpId(4);

fn committed(change: &Change, version: u64, after: &Manifest) -> CommittedRound {
    let change = CommittedChange {
        id: change.id.clone(),
        path: change.path,
        answer: String::new(),
        action: change.action.clone(),
    };
    CommittedRound { round: round(1, version), version: Version(version), root: after.root(), changes: vec![change] }
}

/// The next round on a manifest, which it is applied to.
fn next(manifest: &mut Manifest, change: &Change, version: u64) -> CommittedRound {
    manifest.apply(std::slice::from_ref(change), Version(version));
    committed(change, version, manifest)
}

#[test]
fn followed_round_is_durable_before_its_files_are_written_and_before_it_is_acknowledged() {
    let mut replica = Replica::level();
    let change = put("a", 1, "Emma");
    let followed = next(&mut Manifest::default(), &change, 1);
    let effects = replica.hear(ToReplicator::Committed(followed.clone()));
    let [ReplicatorEffect::Append { record, sync, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((record, *sync), (&ReplicatorRecord::Followed(followed), SyncWhen::Soon));
    let write = ReplicatorEffect::WriteFiles { version: Version(1), files: file_changes(&[change]) };
    assert_eq!(replica.durable(), [write, replica.acknowledgement()]);
}

#[test]
fn followed_rounds_are_there_again_after_a_crash() {
    let mut replica = Replica::level();
    let followed = next(&mut Manifest::default(), &put("a", 1, "Emma"), 1);
    replica.hear(ToReplicator::Committed(followed.clone()));
    replica.durable();
    let effects = replica.restart(LogFound::Whole);
    assert!(matches!(effects[..], [ReplicatorEffect::WriteFiles { version: Version(1), .. }]), "{effects:?}");
    let state = replica.core.state();
    assert_eq!((state.version, state.manifest.root(), state.settled), (Version(1), followed.root, followed.round));
}

#[test]
pub(crate) fn round_that_does_not_come_next_is_not_taken() {
    let mut replica = Replica::level();
    let followed = next(&mut Manifest::default(), &put("a", 1, "Emma"), 2);
    let effects = replica.hear(ToReplicator::Committed(followed));
    assert!(matches!(effects[..], [ReplicatorEffect::Disconnect { .. }]), "{effects:?}");
    assert_eq!(replica.core.state().version, Version::ZERO);
}

#[test]
fn round_that_leads_to_another_root_is_not_taken() {
    let mut replica = Replica::level();
    let followed =
        CommittedRound { root: Manifest::default().root(), ..next(&mut Manifest::default(), &put("a", 1, "Emma"), 1) };
    let effects = replica.hear(ToReplicator::Committed(followed));
    assert!(matches!(effects[..], [ReplicatorEffect::Disconnect { .. }]), "{effects:?}");
    assert_eq!(replica.core.state().version, Version::ZERO);
}

#[test]
fn round_in_doubt_that_is_told_as_committed_is_committed() {
    let mut replica = Replica::level();
    let change = put("a", 1, "Emma");
    let prepare = replica.in_doubt(1, vec![change.clone()]);
    let mut after = Manifest::default();
    let followed = CommittedRound { round: prepare.round, ..next(&mut after, &change, 1) };
    replica.hear(ToReplicator::Committed(followed));
    replica.durable();
    assert_eq!((replica.core.state().version, replica.core.state().prepared.as_ref()), (Version(1), None));
}

/// A replicator that knows nothing of version 1 (book 1), is being led there, and has asked for book 1.
fn learning() -> (Replica, Manifest) {
    let mut replica = Replica::on(trusted_state());
    replica.connect();
    let mut target = Manifest::default();
    target.apply(&[put("a", 1, "Emma")], Version(1));
    let goal = CatchUpTarget { version: Version(1), root: target.root(), round: round(1, 1) };
    replica.hear(ToReplicator::CatchUp(ToLearner::Compare { catch_up: CATCH_UP, target: goal }));
    let buckets = target.differing_buckets(&Manifest::default().sums());
    let buckets = buckets.into_iter().map(|bucket| target.bucket_entries(bucket)).collect();
    replica.hear(ToReplicator::CatchUp(ToLearner::Entries { catch_up: CATCH_UP, buckets, last: true }));
    replica.core.handle_missing(CATCH_UP, vec![emma()]);
    replica.take();
    (replica, target)
}

fn emma() -> WantedFile {
    WantedFile { path: path(1), digest: digest(&file(1, "Emma")) }
}

fn fetched() -> ToReplicator {
    let files = vec![FetchedFile { wanted: emma(), content: Some(file(1, "Emma")) }];
    ToReplicator::CatchUp(ToLearner::Files { catch_up: CATCH_UP, files, exhaustive: true })
}

fn install(replica: &mut Replica) -> Vec<ReplicatorEffect> {
    let state = replica.core.state_to_install(CATCH_UP).unwrap();
    replica.core.handle_installed(CATCH_UP, state);
    replica.take()
}

#[test]
fn rounds_committed_meanwhile_are_written_at_once_and_count_with_the_catch_up() {
    let (mut replica, mut manifest) = learning();
    let change = put("b", 2, "Persuasion");
    let effects = replica.hear(ToReplicator::Committed(next(&mut manifest, &change, 2)));
    let write = ReplicatorEffect::WriteFiles { version: Version(2), files: file_changes(&[change]) };
    assert_eq!(effects, [write]);
    assert_eq!(replica.core.state().version, Version::ZERO, "nothing of it counts yet");
    replica.hear(fetched());
    replica.core.handle_stored(CATCH_UP);
    assert_eq!(replica.take(), [ReplicatorEffect::Install { catch_up: CATCH_UP, removed: Vec::new() }]);
    let effects = install(&mut replica);
    let caught_up = FromLearner::CaughtUp { catch_up: CATCH_UP, version: Version(2), root: manifest.root() };
    assert_eq!(said(&effects), [&ToCoordinator::CatchUp(caught_up)]);
    assert_eq!(replica.core.state().settled, round(1, 2));
}

#[test]
fn round_that_comes_while_fetched_files_are_written_does_not_end_up_below_them() {
    let (mut replica, mut manifest) = learning();
    let effects = replica.hear(fetched());
    assert!(matches!(effects[..], [ReplicatorEffect::StoreFetched { .. }]), "{effects:?}");
    let change = put("b", 1, "Emma, revised");
    assert_eq!(replica.hear(ToReplicator::Committed(next(&mut manifest, &change, 2))), []);
    replica.core.handle_stored(CATCH_UP);
    let write = ReplicatorEffect::WriteFiles { version: Version(2), files: file_changes(&[change]) };
    let install = ReplicatorEffect::Install { catch_up: CATCH_UP, removed: Vec::new() };
    assert_eq!(replica.take(), [write, install]);
}

#[test]
fn round_that_comes_while_the_catch_up_is_installed_follows_it() {
    let (mut replica, mut manifest) = learning();
    replica.hear(fetched());
    replica.core.handle_stored(CATCH_UP);
    replica.take();
    let followed = next(&mut manifest, &put("b", 2, "Persuasion"), 2);
    assert_eq!(replica.hear(ToReplicator::Committed(followed.clone())), []);
    let effects = install(&mut replica);
    let appended = effects.iter().any(|effect| {
        matches!(effect, ReplicatorEffect::Append { record: ReplicatorRecord::Followed(round), .. } if *round == followed)
    });
    assert!(appended, "{effects:?}");
    replica.durable();
    assert_eq!(replica.core.state().version, Version(2));
}

#[test]
fn file_that_nobody_has_is_damage_and_no_reason_to_stay_behind() {
    let (mut replica, _) = learning();
    let nowhere = |exhaustive| {
        let files = vec![FetchedFile { wanted: emma(), content: None }];
        ToReplicator::CatchUp(ToLearner::Files { catch_up: CATCH_UP, files, exhaustive })
    };
    let effects = replica.hear(nowhere(true));
    assert_eq!(effects, [ReplicatorEffect::Install { catch_up: CATCH_UP, removed: Vec::new() }]);

    let (mut replica, _) = learning();
    let effects = replica.hear(nowhere(false));
    assert!(matches!(effects[..], [ReplicatorEffect::Disconnect { .. }]), "somebody may have it: {effects:?}");
}

#[test]
fn removed_member_stops() {
    let mut replica = Replica::level();
    let effects = replica.hear(ToReplicator::Removed { reason: "it was removed".to_owned() });
    assert_eq!(effects, [ReplicatorEffect::Stop { reason: "it was removed".to_owned() }]);
}

#[test]
fn coordinator_that_was_replaced_removes_nobody() {
    let mut replica = Replica::level();
    let removed = ToReplicator::Removed { reason: "it was removed".to_owned() };
    let effects = replica.hear_from(protocol::Epoch::ZERO, crate::values::coordinator(9), removed);
    assert!(!effects.iter().any(|effect| matches!(effect, ReplicatorEffect::Stop { .. })), "{effects:?}");
}
