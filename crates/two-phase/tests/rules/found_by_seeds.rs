//! What the simulator found in runs of many steps, each cut down to the few that matter.

use crate::fixture::{Cluster, all_needed};
use crate::replica::{Replica, follower, follower_hears, said};
use crate::spoken::{answers, prepares, told};
use crate::values::{coordinator, digest, file, mine, path, put, round};
use protocol::{
    CatchUpId, CatchUpTarget, Epoch, Query, ReplicatorHello, RequestId, ToAppServer, ToCoordinator, ToLearner,
    ToReplicator, Version, Vote, WantedFile,
};
use two_phase::Manifest;
use two_phase::coordinator::{CoordinatorRecord, CoordinatorSettings, CoordinatorState, Mandate};
use two_phase::follower::FollowerEffect;
use two_phase::replicator::Capacity;

/// Rule EpochFence: the log behind a checkpoint may be trimmed, and with it the record that says which epoch was taken.
#[test]
fn epoch_that_was_taken_is_in_the_next_checkpoint() {
    let mut cluster = Cluster::level(1);
    let (header, manifest) = (cluster.core.state().header(), cluster.core.state().manifest.clone());
    assert_eq!((header.epoch, header.coordinator), (Epoch(1), Some(cluster.core.coordinator())));
    cluster.restart_on(CoordinatorState::from_checkpoint(header, manifest, 0));
    assert_eq!(cluster.core.epoch(), Epoch(2));
}

/// A vote that waited for its record must not say that there is no room after it was said that there is.
#[test]
fn vote_names_the_room_that_there_is_when_it_leaves() {
    let mut replica = Replica::level();
    let room = |credit_bytes| Capacity { disk_free_bytes: u64::MAX, credit_bytes };
    replica.core.handle_capacity(room(0));
    let prepare = replica.prepare(1, vec![put("a", 1, "Emma")]);
    replica.hear(ToReplicator::Prepare(prepare));
    replica.core.handle_capacity(room(50));
    let effects = [replica.take(), replica.durable()].concat();
    let [
        ToCoordinator::Credit { credit_bytes: 50 },
        ToCoordinator::Vote { vote: Vote::Abort { .. }, credit_bytes: 50, .. },
    ] = said(&effects)[..]
    else {
        panic!("{effects:?}");
    };
}

/// Between the two versions the file may have held something else, which a crash has left on the disk.
#[test]
fn file_that_was_changed_and_changed_back_is_looked_at() {
    let (first, again) = (put("a", 1, "Emma"), put("c", 1, "Emma"));
    let mut follower = follower();
    let before: Manifest = {
        let mut manifest = Manifest::default();
        manifest.apply(std::slice::from_ref(&first), Version(1));
        manifest
    };
    let catch_up = CatchUpId(4);
    let lead = |follower: &mut _, target: &Manifest, own: &Manifest, version| {
        let at = CatchUpTarget { version: Version(version), root: target.root(), round: round(1, version) };
        follower_hears(follower, ToAppServer::CatchUp(ToLearner::Compare { catch_up, target: at }));
        let buckets = target.differing_buckets(&own.sums()).into_iter().map(|bucket| target.bucket_entries(bucket));
        let entries = ToLearner::Entries { catch_up, buckets: buckets.collect(), last: true };
        follower_hears(follower, ToAppServer::CatchUp(entries))
    };
    lead(&mut follower, &before, &Manifest::default(), 1);
    follower.handle_missing(catch_up, Vec::new());
    let state = follower.state_to_install(catch_up).unwrap();
    follower.handle_installed(catch_up, state);
    follower.take_effects();
    let mut target = before.clone();
    target.apply(&[put("b", 1, "Persuasion")], Version(2));
    target.apply(&[again], Version(3));
    let files = vec![WantedFile { path: path(1), digest: digest(&file(1, "Emma")) }];
    assert_eq!(lead(&mut follower, &target, &before, 3), [FollowerEffect::FindMissing { catch_up, files }]);
}

/// Changes that wait for a pause to end must not be left waiting when something else happens at that very moment.
#[test]
fn timer_stays_set_for_a_pause_that_ends_while_something_else_happens() {
    let mut cluster = Cluster::level(2);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.vote(1, round(1, 1), Vote::Commit);
    cluster.vote(2, round(1, 1), mine("its disk is full"));
    let ends_ms = cluster.core.next_timer_ms().unwrap();
    cluster.now.monotonic_ms = ends_ms;
    let query = Query::Change { change: "a".parse().unwrap() };
    cluster.app_server_says(protocol::FromAppServer::Ask { request: RequestId(2), query });
    assert_eq!(cluster.core.next_timer_ms(), Some(ends_ms));
    assert_eq!(prepares(&cluster.after_ms(0)).len(), 1);
}

/// Rule EpochFence: nobody is let in before the epoch is durable, not even by a coordinator that has learned by then that it
/// needs recovery.
#[test]
fn coordinator_that_needs_recovery_lets_nobody_in_before_its_epoch_is_durable() {
    let mut cluster = Cluster::starting(3);
    let newer = ReplicatorHello { epoch: Epoch(9), coordinator: Some(coordinator(9)), ..cluster.hello(1) };
    cluster.connect(1, newer);
    assert!(matches!(cluster.core.mandate(), Mandate::NeedsRecovery { .. }));
    let effects = cluster.app_server_joins();
    assert!(matches!(told(&effects)[..], [ToAppServer::Refuse { .. }]), "{effects:?}");
}

/// Rules Once and HonestAnswer: a submission that is sent again while it is under way is known by all of its changes, also when the
/// answer of one that was committed earlier is forgotten meanwhile.
#[test]
fn submission_is_known_again_although_the_answer_of_a_part_is_forgotten() {
    let settings = CoordinatorSettings { answer_retention_ms: 1_000, ..all_needed() };
    let mut cluster = Cluster::level_with(2, settings);
    let (done, open) = (put("a", 1, "Emma"), put("b", 2, "Persuasion"));
    cluster.commit(vec![done.clone()]);
    cluster.submit(1, vec![done.clone(), open.clone()]);
    cluster.after_ms(1_001);
    assert_eq!(cluster.submit(2, vec![done, open]), [], "it waits for the same round");
    let effects = [cluster.all_vote_commit(round(1, 2)), cluster.durable()].concat();
    assert_eq!(answers(&effects).iter().map(|(request, _)| *request).collect::<Vec<_>>(), [1, 2]);
}

/// Rules Once and SafeTrim: the answers that a recovery found are kept although older decisions are read from the log behind them.
#[test]
fn answer_that_a_recovery_found_is_kept_beside_older_ones_of_the_log() {
    let mut cluster = Cluster::level(3);
    cluster.commit(vec![put("a", 1, "Emma")]);
    cluster.commit(vec![put("b", 2, "Persuasion")]);
    let records = cluster.records();
    let (mut header, manifest) = (cluster.core.state().header(), cluster.core.state().manifest.clone());
    header.recovered = cluster.core.state().answers.decisions().take(1).cloned().collect();
    let mut state = CoordinatorState::from_checkpoint(header, manifest, 0);
    let is_newest =
        |record: &CoordinatorRecord| matches!(record, CoordinatorRecord::Decided(one) if one.version == Version(2));
    for (sequence, record) in records.into_iter().filter(|(_, record)| !is_newest(record)) {
        state.apply(record, sequence, 0).unwrap();
    }
    cluster.restart_on(state);
    cluster.after_ms(1);
    assert_eq!(cluster.core.state().recovered().len(), 1);
}
