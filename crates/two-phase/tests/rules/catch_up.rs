//! The coordinator's side of a catch-up: it leads whoever is behind, and fetches bytes from those who are level.

use crate::fixture::{Cluster, all_needed};
use crate::spoken::{said, without_events};
use crate::values::{digest, file, path, put};
use protocol::{
    CatchUpId, CatchUpTarget, FetchedFile, FromAppServer, FromLearner, HolderAnswer, HolderRequest, ReplicatorHello,
    RequestId, ToAppServer, ToCoordinator, ToLearner, ToReplicator, Version, WantedFile,
};
use two_phase::Manifest;
use two_phase::coordinator::{CoordinatorEffect, CoordinatorSettings};

/// Three members, of which the third lacks the newest of three rounds.
fn behind() -> (Cluster, Manifest) {
    behind_with(all_needed())
}

fn behind_with(settings: CoordinatorSettings) -> (Cluster, Manifest) {
    let mut cluster = Cluster::level_with(3, settings);
    cluster.commit(vec![put("a", 1, "Emma")]);
    cluster.commit(vec![put("b", 2, "Persuasion")]);
    let known = cluster.core.state().manifest.clone();
    let old = cluster.hello(3);
    cluster.decide(vec![put("c", 2, "Persuasion, revised"), put("d", 3, "Sanditon")]);
    cluster.acknowledge(1);
    cluster.acknowledge(2);
    cluster.disconnect(3);
    cluster.connect(3, old);
    (cluster, known)
}

fn target(cluster: &Cluster) -> CatchUpTarget {
    let state = cluster.core.state();
    CatchUpTarget { version: state.version, root: state.manifest.root(), round: state.last_decision }
}

fn wanted() -> WantedFile {
    WantedFile { path: path(3), digest: digest(&file(3, "Sanditon")) }
}

/// The first catch-up of epoch 1.
const FIRST: CatchUpId = CatchUpId(1 << 32);

/// The learner asks for a file; replicator 1 is asked for it.
fn fetching() -> Cluster {
    fetching_with(all_needed())
}

fn fetching_with(settings: CoordinatorSettings) -> Cluster {
    let (mut cluster, known) = behind_with(settings);
    cluster.accept_epoch(3);
    let sums = known.sums();
    cluster.replicator_says(3, ToCoordinator::CatchUp(FromLearner::Buckets { catch_up: FIRST, sums }));
    let effects = fetch(&mut cluster);
    let first = cluster.say(&[1], read(0));
    assert_eq!(effects, [first]);
    cluster
}

fn fetch(cluster: &mut Cluster) -> Vec<CoordinatorEffect> {
    let fetch = FromLearner::Fetch { catch_up: FIRST, files: vec![wanted()], left: 0 };
    cluster.replicator_says(3, ToCoordinator::CatchUp(fetch))
}

/// Questions are numbered from the first of their epoch on.
fn numbered(request: u64) -> RequestId {
    RequestId((1 << 40) + request)
}

fn read(request: u64) -> ToReplicator {
    ToReplicator::Files(question(request))
}

fn question(request: u64) -> HolderRequest {
    HolderRequest::ReadFiles { request: numbered(request), files: vec![wanted()], anywhere: true }
}

fn give(cluster: &mut Cluster, source: u8, request: u64, found: bool) -> Vec<CoordinatorEffect> {
    let content = found.then(|| file(3, "Sanditon"));
    let files = vec![FetchedFile { wanted: wanted(), content }];
    let answer = HolderAnswer::FilesRead { request: numbered(request), files };
    cluster.replicator_says(source, ToCoordinator::Files(answer))
}

fn app_server_gives(cluster: &mut Cluster, request: u64, found: bool) -> Vec<CoordinatorEffect> {
    let content = found.then(|| file(3, "Sanditon"));
    let files = vec![FetchedFile { wanted: wanted(), content }];
    cluster.app_server_says(FromAppServer::Files(HolderAnswer::FilesRead { request: numbered(request), files }))
}

fn files(cluster: &Cluster, found: bool) -> CoordinatorEffect {
    let content = found.then(|| file(3, "Sanditon"));
    let files = vec![FetchedFile { wanted: wanted(), content }];
    cluster.say(&[3], ToReplicator::CatchUp(ToLearner::Files { catch_up: FIRST, files, exhaustive: true }))
}

#[test]
fn whoever_is_behind_is_led_to_the_committed_state() {
    let (mut cluster, _) = behind();
    let target = target(&cluster);
    let effects = without_events(cluster.accept_epoch(3));
    let compare = ToLearner::Compare { catch_up: FIRST, target };
    assert_eq!(effects, [cluster.say(&[3], ToReplicator::CatchUp(compare))]);
}

#[test]
fn only_buckets_that_differ_travel_and_each_is_complete() {
    let (mut cluster, known) = behind();
    cluster.accept_epoch(3);
    let buckets = FromLearner::Buckets { catch_up: FIRST, sums: known.sums() };
    let effects = cluster.replicator_says(3, ToCoordinator::CatchUp(buckets));
    let manifest = &cluster.core.state().manifest;
    let buckets: Vec<_> =
        manifest.differing_buckets(&known.sums()).into_iter().map(|bucket| manifest.bucket_entries(bucket)).collect();
    assert_eq!(buckets.len(), 2);
    let entries = ToLearner::Entries { catch_up: FIRST, buckets, last: true };
    assert_eq!(effects, [cluster.say(&[3], ToReplicator::CatchUp(entries))]);
}

#[test]
fn bytes_come_from_a_replicator_that_is_level() {
    let mut cluster = fetching();
    let effects = give(&mut cluster, 1, 0, true);
    assert_eq!(effects, [files(&cluster, true)]);
}

#[test]
fn source_that_lacks_the_bytes_is_followed_by_the_next_one() {
    let mut cluster = fetching();
    assert_eq!(give(&mut cluster, 1, 0, false), [cluster.say(&[2], read(1))]);
    assert_eq!(give(&mut cluster, 2, 1, true), [files(&cluster, true)]);
}

#[test]
fn learner_is_told_when_nobody_has_the_bytes() {
    let mut cluster = fetching();
    give(&mut cluster, 1, 0, false);
    assert_eq!(give(&mut cluster, 2, 1, false), [cluster.tell(ToAppServer::Files(question(2)))], "the last resort");
    assert_eq!(app_server_gives(&mut cluster, 2, false), [files(&cluster, false)]);
}

#[test]
fn bytes_that_no_replicator_has_come_from_an_app_server() {
    let mut cluster = fetching();
    give(&mut cluster, 1, 0, false);
    give(&mut cluster, 2, 1, false);
    assert_eq!(app_server_gives(&mut cluster, 2, true), [files(&cluster, true)]);
}

#[test]
fn as_long_as_somebody_has_not_answered_nobody_knows_that_the_bytes_are_nowhere() {
    let mut cluster = fetching();
    give(&mut cluster, 1, 0, false);
    let failed = HolderAnswer::Failed { request: numbered(1), reason: "the disk is on fire".to_owned() };
    cluster.replicator_says(2, ToCoordinator::Files(failed));
    let effects = app_server_gives(&mut cluster, 2, false);
    let [ToReplicator::CatchUp(ToLearner::Files { exhaustive, .. })] = said(&effects)[..] else {
        panic!("{effects:?}")
    };
    assert!(!exhaustive);
}

#[test]
fn learners_are_sent_no_more_bytes_a_second_than_is_set() {
    let size = file(3, "Sanditon").size();
    let settings = CoordinatorSettings { catch_up_bytes_per_second: size, ..all_needed() };
    let mut cluster = fetching_with(settings);
    give(&mut cluster, 1, 0, true);
    assert_eq!(fetch(&mut cluster), [], "the bytes of the first file are not paid for");
    assert_eq!(cluster.core.next_timer_ms(), Some(cluster.now.monotonic_ms + 1_000));
    assert_eq!(cluster.after_ms(999), []);
    assert_eq!(cluster.after_ms(1), [cluster.say(&[1], read(1))]);
}

#[test]
fn progress_of_a_catch_up_is_shown() {
    let mut cluster = fetching();
    let progress = |cluster: &Cluster| cluster.core.status().members[2].catch_up.unwrap();
    assert_eq!((progress(&cluster).files_sent, progress(&cluster).files_left), (0, 1));
    give(&mut cluster, 1, 0, true);
    let size = file(3, "Sanditon").size();
    assert_eq!((progress(&cluster).files_sent, progress(&cluster).files_left), (1, 0));
    assert_eq!((progress(&cluster).bytes_sent, progress(&cluster).to), (size, Version(3)));
}

#[test]
fn source_that_is_gone_is_followed_by_the_next_one() {
    let mut cluster = fetching();
    let gone = without_events(cluster.disconnect(1));
    assert_eq!(gone, [cluster.say(&[2], read(1))]);
}

#[test]
fn where_a_source_is_late_the_next_one_is_asked_besides_and_whoever_answers_counts() {
    let late = || {
        let mut cluster = fetching();
        assert_eq!(cluster.core.next_timer_ms(), Some(cluster.now.monotonic_ms + 60_000));
        assert_eq!(cluster.after_ms(60_000), [cluster.say(&[2], read(1))]);
        cluster
    };
    let mut cluster = late();
    assert_eq!(give(&mut cluster, 1, 0, true), [files(&cluster, true)]);
    assert_eq!(give(&mut cluster, 2, 1, true), [], "the other answer comes when the files are there");
    let mut cluster = late();
    assert_eq!(give(&mut cluster, 2, 1, true), [files(&cluster, true)]);
    assert_eq!(give(&mut cluster, 1, 0, true), []);
}

#[test]
fn source_that_owes_an_answer_is_not_asked_more() {
    let (mut cluster, known) = behind_with(all_needed());
    let hello = ReplicatorHello { version: Version(2), root: known.root(), ..cluster.hello(2) };
    cluster.disconnect(2);
    cluster.connect(2, hello);
    cluster.accept_epoch(3);
    cluster.accept_epoch(2);
    let other = CatchUpId(FIRST.0 + 1);
    assert_eq!(fetch(&mut cluster), [cluster.say(&[1], read(0))]);
    let fetch = FromLearner::Fetch { catch_up: other, files: vec![wanted()], left: 0 };
    assert_eq!(cluster.replicator_says(2, ToCoordinator::CatchUp(fetch)), [], "replicator 1 still reads");
    assert_eq!(cluster.after_ms(60_000), [cluster.tell(ToAppServer::Files(question(1)))], "for the learner that waits");
    app_server_gives(&mut cluster, 1, false);
    assert_eq!(give(&mut cluster, 1, 0, true), [files(&cluster, true), cluster.say(&[1], read(2))]);
}

/// What a learner says is left is only shown; found with made-up messages.
#[test]
fn learner_that_claims_that_more_is_left_than_can_be_counted_is_served_all_the_same() {
    let mut cluster = fetching();
    let fetch = FromLearner::Fetch { catch_up: FIRST, files: vec![wanted()], left: u64::MAX };
    cluster.replicator_says(3, ToCoordinator::CatchUp(fetch));
    assert!(!give(&mut cluster, 1, 0, true).is_empty());
}

#[test]
fn source_that_is_late_is_waited_for_where_there_is_no_other_one() {
    let mut cluster = fetching();
    cluster.disconnect(2);
    assert_eq!(cluster.after_ms(60_000), [cluster.tell(ToAppServer::Files(question(1)))], "the last resort");
    assert_eq!(app_server_gives(&mut cluster, 1, false), [], "replicator 1 may still have the bytes");
    assert_eq!(give(&mut cluster, 1, 0, true), [files(&cluster, true)]);
}

#[test]
fn source_that_never_answers_is_sent_away() {
    let mut cluster = fetching();
    cluster.after_ms(60_000);
    give(&mut cluster, 2, 1, false);
    app_server_gives(&mut cluster, 2, false);
    let session = cluster.session(1);
    let effects = cluster.after_ms(540_000);
    let reason = "it did not answer a question about its files within 600000 ms".to_owned();
    assert!(effects.contains(&CoordinatorEffect::Close { session, reason }), "{effects:?}");
    let given = said(&effects)
        .into_iter()
        .any(|message| matches!(message, ToReplicator::CatchUp(ToLearner::Files { exhaustive: false, .. })));
    assert!(given, "{effects:?}");
}

#[test]
fn answer_of_somebody_who_was_not_asked_is_not_taken() {
    let mut cluster = fetching();
    assert_eq!(give(&mut cluster, 2, 0, true), []);
}

#[test]
fn learner_waits_while_nobody_is_level_and_goes_on_when_somebody_is() {
    let mut cluster = fetching();
    without_events(cluster.disconnect(2));
    cluster.disconnect(1);
    app_server_gives(&mut cluster, 1, false);
    let effects = fetch(&mut cluster);
    assert_eq!(said(&effects), Vec::<&ToReplicator>::new());
    let effects = cluster.join(2);
    assert!(said(&effects).contains(&&read(2)), "{effects:?}");
}

#[test]
fn learner_takes_part_only_when_it_has_confirmed_the_committed_state() {
    let (mut cluster, _) = behind();
    cluster.accept_epoch(3);
    let CatchUpTarget { version, root, .. } = target(&cluster);
    let caught_up = FromLearner::CaughtUp { catch_up: FIRST, version, root };
    let effects = without_events(cluster.replicator_says(3, ToCoordinator::CatchUp(caught_up)));
    assert_eq!(effects, [cluster.say(&[3], ToReplicator::Confirm { version, root })]);
    assert_eq!(cluster.core.why_no_round().unwrap(), "every replicator is needed: replicator-3 is being brought level");
    cluster.acknowledge(3);
    assert_eq!(cluster.core.why_no_round(), None);
}

#[test]
fn learner_that_ended_elsewhere_is_led_anew() {
    let (mut cluster, known) = behind();
    cluster.accept_epoch(3);
    let caught_up = FromLearner::CaughtUp { catch_up: FIRST, version: Version(2), root: known.root() };
    let effects = without_events(cluster.replicator_says(3, ToCoordinator::CatchUp(caught_up)));
    let compare = ToLearner::Compare { catch_up: CatchUpId(FIRST.0 + 1), target: target(&cluster) };
    assert_eq!(effects, [cluster.say(&[3], ToReplicator::CatchUp(compare))]);
}

#[test]
fn messages_of_an_earlier_catch_up_are_not_heard() {
    let (mut cluster, known) = behind();
    cluster.accept_epoch(3);
    let CatchUpTarget { version, root, .. } = target(&cluster);
    let catch_up = CatchUpId(9);
    let late = [
        FromLearner::Buckets { catch_up, sums: known.sums() },
        FromLearner::Fetch { catch_up, files: vec![wanted()], left: 0 },
        FromLearner::CaughtUp { catch_up, version, root },
    ];
    for message in late {
        assert_eq!(cluster.replicator_says(3, ToCoordinator::CatchUp(message)), []);
    }
}

#[test]
fn learner_that_is_gone_is_forgotten_and_begins_anew_when_it_is_back() {
    let mut cluster = fetching();
    cluster.disconnect(3);
    assert_eq!(give(&mut cluster, 1, 0, true), []);
    let hello = ReplicatorHello { version: Version(2), ..cluster.hello(3) };
    cluster.connect(3, hello);
    let effects = cluster.accept_epoch(3);
    let [ToReplicator::CatchUp(ToLearner::Compare { catch_up, .. })] = said(&effects)[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(*catch_up, CatchUpId(FIRST.0 + 1));
}

#[test]
fn catch_ups_of_two_coordinators_never_share_a_number() {
    let (mut cluster, known) = behind();
    cluster.restart();
    cluster.durable();
    cluster.join(1);
    cluster.join(2);
    let hello = ReplicatorHello { version: Version(2), root: known.root(), ..cluster.hello(3) };
    cluster.connect(3, hello);
    let effects = cluster.accept_epoch(3);
    let compare = ToLearner::Compare { catch_up: CatchUpId(2 << 32), target: target(&cluster) };
    assert_eq!(said(&effects), [&ToReplicator::CatchUp(compare)]);
}
