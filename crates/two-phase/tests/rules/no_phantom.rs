//! NoPhantom: bytes of an undecided or aborted round are never served, voted on in a restore, or copied.

use crate::fixture::Cluster;
use crate::replica::Replica;
use crate::spoken::{prepares, told};
use crate::values::{file_changes, path, put, round};
use protocol::{
    AppServerHello, CatchUpId, FromAppServer, FromLearner, SetDigest, ToAppServer, ToLearner, ToReplicator, Version,
};
use two_phase::Manifest;
use two_phase::replicator::{LogFound, ReplicatorEffect};

fn writes_files(effects: &[ReplicatorEffect]) -> bool {
    effects.iter().any(|effect| matches!(effect, ReplicatorEffect::WriteFiles { .. }))
}

#[test]
fn prepared_and_aborted_rounds_write_no_file_and_make_no_version() {
    let mut replica = Replica::level();
    let prepare = replica.prepare(1, vec![put("a", 1, "Emma")]);
    let mut effects = replica.hear(ToReplicator::Prepare(prepare));
    effects.extend(replica.durable());
    assert_eq!(replica.core.state().manifest, Manifest::default());
    effects.extend(replica.hear(ToReplicator::Abort { round: round(1, 1) }));
    effects.extend(replica.durable());
    assert!(!writes_files(&effects), "{effects:?}");
    assert_eq!((replica.core.state().version, replica.core.state().manifest.files()), (Version::ZERO, 0));
}

#[test]
fn restart_writes_the_files_of_committed_rounds_only() {
    let mut replica = Replica::level();
    let change = put("a", 1, "Emma");
    replica.commit(1, vec![change.clone()]);
    replica.in_doubt(2, vec![put("b", 2, "Persuasion")]);
    let effects = replica.restart(LogFound::Whole);
    assert_eq!(effects, [ReplicatorEffect::WriteFiles { version: Version(1), files: file_changes(&[change]) }]);
}

#[test]
fn commit_record_that_was_not_synced_writes_no_file_after_a_crash() {
    let mut replica = Replica::level();
    replica.in_doubt(1, vec![put("a", 1, "Emma")]);
    replica.hear(ToReplicator::Commit { round: round(1, 1) });
    assert_eq!(replica.restart(LogFound::Whole), []);
    assert_eq!(replica.core.state().version, Version::ZERO);
}

#[test]
fn app_servers_hear_nothing_of_a_round_before_it_is_decided_nor_of_an_aborted_one() {
    let mut cluster = Cluster::level(2);
    let mut effects = cluster.submit(1, vec![put("a", 1, "Emma")]);
    effects.extend(cluster.disconnect(1));
    effects.extend(cluster.join(1));
    effects.extend(cluster.all_vote_commit(round(1, 2)));
    assert_eq!(told(&effects), Vec::<&ToAppServer>::new());
}

#[test]
fn catch_up_leads_to_the_committed_state_and_not_into_the_round_in_flight() {
    let mut cluster = Cluster::level(2);
    cluster.commit(vec![put("a", 1, "Emma")]);
    assert_eq!(prepares(&cluster.submit(1, vec![put("b", 1, "Not yet"), put("c", 2, "Persuasion")])).len(), 1);
    let committed = cluster.core.state().manifest.clone();
    let behind = AppServerHello { version: Version::ZERO, root: SetDigest::EMPTY, ..cluster.app_server_hello() };
    let effects = cluster.app_server_says_anew(FromAppServer::Hello(behind));
    let Some(ToAppServer::CatchUp(ToLearner::Compare { catch_up, target })) = told(&effects).last().copied() else {
        panic!("{effects:?}");
    };
    assert_eq!((target.version, target.root), (Version(1), committed.root()));
    let catch_up: CatchUpId = *catch_up;
    let sums = Manifest::default().sums();
    let buckets = FromLearner::Buckets { catch_up, sums };
    let effects = cluster.app_server_says(FromAppServer::CatchUp(buckets));
    let [ToAppServer::CatchUp(ToLearner::Entries { buckets, last: true, .. })] = told(&effects)[..] else {
        panic!("{effects:?}");
    };
    let entries: Vec<_> = buckets.iter().flat_map(|bucket| &bucket.entries).map(|entry| entry.path).collect();
    assert_eq!(entries, [path(1)]);
    assert_eq!(buckets[0].entries[0].record, *committed.record(&path(1)).unwrap());
}
