//! Restore when things go on: rounds, connections that end, holders that are silent; and the compare-and-swap that keeps it from
//! undoing anything (NoRollback, NoResurrection).

use crate::fixture::Cluster;
use crate::replica::{Replica, follower, follower_hears};
use crate::scripted_holder::{Disks, RESTORATION, on_file};
use crate::values::{delete, file, path, put, replicator};
use protocol::{
    Basis, FetchedFile, Finding, FromAppServer, HealAction, HealOutcome, HealResult, HolderAnswer, HolderId,
    HolderRequest, HoldingKind, NotCompared, Repair, RequestId, ToAppServer, ToReplicator, Version,
};
use two_phase::follower::FollowerEffect;
use two_phase::replicator::ReplicatorEffect;

fn is_scan(_: &HolderId, request: &HolderRequest) -> bool {
    matches!(request, HolderRequest::Scan { .. })
}

fn is_examination(_: &HolderId, request: &HolderRequest) -> bool {
    matches!(request, HolderRequest::Examine { .. })
}

/// A restore that is about to hear what replicator 1 holds of a damaged book.
fn examining() -> Disks {
    let mut disks = Disks::with_books(&[(1, "Emma"), (2, "Persuasion")]);
    disks.disk(1).files.insert(path(1), file(1, "Enma"));
    disks.start(false);
    disks.answer_those(is_scan);
    disks.answer_those(|_, request| matches!(request, HolderRequest::ListBuckets { .. }));
    assert!(disks.questions.iter().all(|(holder, request)| is_examination(holder, request)));
    disks
}

#[test]
fn file_that_a_round_changes_between_question_and_answer_is_read_again() {
    let mut disks = examining();
    disks.commit_everywhere(vec![put("b", 1, "Emma, revised")]);
    disks.answer_next();
    assert!(disks.questions.iter().any(|(holder, request)| is_examination(holder, request)));
    disks.answer_all();
    let report = disks.report.unwrap();
    assert_eq!(report.files, [], "what the round wrote is right everywhere");
    assert_eq!(disks.repairs, []);
}

#[test]
fn file_that_rounds_keep_changing_is_left_alone_and_shown_as_changing() {
    let mut disks = examining();
    let mut times = 0;
    while disks.questions.iter().any(|(holder, request)| is_examination(holder, request)) {
        times += 1;
        disks.commit_everywhere(vec![put(&format!("again-{times}"), 1, &format!("Emma {times}"))]);
        disks.answer_those(is_examination);
    }
    disks.answer_all();
    assert_eq!(times, 5);
    let report = disks.report.unwrap();
    let changing = on_file(&report, path(1));
    assert_eq!(changing.ballot[0].holding, HoldingKind::Changing);
    assert!(changing.actions.iter().all(|action| action.action == HealAction::Left), "{:?}", changing.actions);
    assert_eq!((disks.repairs.len(), report.summary.left, report.summary.healed), (0, 1, 0));
}

#[test]
fn finding_of_a_copy_that_shows_an_older_version_is_not_judged() {
    let mut disks = examining();
    disks.disk(1).shows = Some(Version(1));
    disks.answer_next();
    let again = disks.questions.iter().filter(|(holder, request)| is_examination(holder, request)).count();
    assert_eq!(again, 1, "it is asked again instead");
    disks.disk(1).shows = None;
    disks.answer_all();
    assert_eq!(on_file(disks.report.as_ref().unwrap(), path(1)).ballot[0].holding, HoldingKind::Damaged);
}

#[test]
fn repair_names_what_was_found_and_the_record_that_the_ballot_was_about() {
    let mut disks = examining();
    disks.answer_all();
    let record = disks.cluster.core.state().manifest.record(&path(1)).copied();
    let damaged = file(1, "Enma");
    let found = Some(Finding { digest: crate::values::digest(&damaged), size: damaged.size() });
    let repair = Repair { path: path(1), found, record, content: Some(file(1, "Emma")) };
    assert_eq!(disks.repairs, [(replicator(1), repair)]);
}

#[test]
fn file_that_changed_before_its_repair_arrived_is_left_and_not_counted_as_healed() {
    let mut disks = examining();
    disks.answer_all_up_to(|request| matches!(request, HolderRequest::Heal { .. }));
    disks.disk(1).files.insert(path(1), file(1, "Damaged otherwise"));
    disks.answer_all();
    let report = disks.report.unwrap();
    let file = on_file(&report, path(1));
    assert_eq!(file.actions[0].action, HealAction::Left);
    assert_eq!((report.summary.healed, report.summary.left), (0, 1));
}

#[test]
fn bytes_that_are_not_what_was_asked_for_are_never_sent_to_a_holder() {
    let mut disks = examining();
    disks.answer_all_up_to(|request| matches!(request, HolderRequest::ReadFiles { .. }));
    let (source, request) = disks.questions.pop_front().unwrap();
    let HolderRequest::ReadFiles { request, files, .. } = request else { panic!("{request:?}") };
    let wrong = |wanted| FetchedFile { wanted, content: Some(file(1, "Enma")) };
    disks.give(&source, HolderAnswer::FilesRead { request, files: files.into_iter().map(wrong).collect() });
    assert_ne!(disks.questions[0].0, source, "the next one is asked");
    disks.answer_all();
    assert_eq!(disks.repairs[0].1.content, Some(file(1, "Emma")));
}

#[test]
fn member_that_is_away_is_not_compared_and_gives_no_vote() {
    let mut disks = Disks::with_books(&[(1, "Emma")]);
    disks.disk(1).files.clear();
    disks.cluster.disconnect(3);
    let report = disks.restore(false);
    let away = NotCompared { holder: replicator(3), reason: "it is not connected".to_owned() };
    assert_eq!(report.not_compared, [away]);
    assert_eq!(report.summary.holders, 3);
    let file = on_file(&report, path(1));
    let vote = file.ballot.iter().find(|holding| holding.holder == replicator(3)).unwrap();
    assert_eq!((vote.holding, vote.digest), (HoldingKind::NoAnswer, None));
    assert_eq!(file.verdict, Basis::Proven, "one of three registered is no majority");
}

#[test]
fn holder_whose_connection_ends_while_it_scans_is_not_compared() {
    let mut disks = Disks::with_books(&[(1, "Emma")]);
    disks.start(false);
    let effects = disks.cluster.disconnect(2);
    disks.note(effects);
    disks.questions.retain(|(holder, _)| *holder != replicator(2));
    disks.answer_all();
    let report = disks.report.unwrap();
    let gone = NotCompared { holder: replicator(2), reason: "the connection broke".to_owned() };
    assert_eq!((report.not_compared, report.summary.holders), (vec![gone], 3));
}

#[test]
fn holder_that_connects_anew_while_it_scans_is_not_waited_for() {
    let mut disks = Disks::with_books(&[(1, "Emma")]);
    disks.start(false);
    let hello = disks.cluster.hello(2);
    let effects = disks.cluster.connect(2, hello);
    disks.note(effects);
    disks.questions.retain(|(holder, _)| *holder != replicator(2));
    disks.answer_all();
    let compared: Vec<_> = disks.report.unwrap().not_compared.into_iter().map(|one| one.holder).collect();
    assert_eq!(compared, [replicator(2)]);
}

#[test]
fn holder_that_does_not_answer_in_time_is_not_compared() {
    let mut disks = Disks::with_books(&[(1, "Emma")]);
    disks.disk(2).files.clear();
    disks.start(false);
    disks.answer_those(|holder, _| *holder != replicator(2));
    assert_eq!(disks.cluster.core.next_timer_ms(), Some(disks.cluster.now.monotonic_ms + 60_000));
    let effects = disks.cluster.after_ms(60_000);
    disks.note(effects);
    let report = disks.report.clone().unwrap();
    assert_eq!(report.not_compared[0].holder, replicator(2));
    let late = disks.questions.pop_front().unwrap();
    let answer = disks.answer_of(&late.0, late.1);
    disks.give(&late.0, answer);
    assert_eq!(disks.repairs, [], "a late answer starts nothing");
}

#[test]
fn holder_that_cannot_read_its_disk_is_not_compared() {
    let mut disks = Disks::with_books(&[(1, "Emma")]);
    disks.start(false);
    let (holder, request) = disks.questions.pop_front().unwrap();
    let failed = HolderAnswer::Failed { request: request.request(), reason: "the disk is on fire".to_owned() };
    disks.give(&holder, failed);
    disks.answer_all();
    let not_compared = NotCompared { holder, reason: "the disk is on fire".to_owned() };
    assert_eq!(disks.report.unwrap().not_compared, [not_compared]);
}

#[test]
fn where_nobody_could_be_compared_no_file_is_called_intact() {
    let mut disks = Disks::with_books(&[(1, "Emma")]);
    disks.start(false);
    for (holder, request) in std::mem::take(&mut disks.questions) {
        let failed = HolderAnswer::Failed { request: request.request(), reason: "the disk is on fire".to_owned() };
        disks.give(&holder, failed);
    }
    let report = disks.report.unwrap();
    assert_eq!((report.summary.holders, report.summary.files, report.summary.intact), (0, 1, 0));
}

#[test]
fn answer_of_somebody_else_is_not_taken() {
    let mut disks = Disks::with_books(&[(1, "Emma")]);
    disks.start(false);
    let (holder, request) = disks.questions.front().cloned().unwrap();
    let answer = disks.answer_of(&holder, request);
    let other = (1..=3).map(replicator).find(|other| *other != holder).unwrap();
    disks.give(&other, answer);
    assert_eq!(disks.cluster.core.running_report().unwrap().progress.done, 0);
}

#[test]
fn holder_that_goes_while_it_is_healed_is_reported_as_failed() {
    let mut disks = examining();
    disks.answer_all_up_to(|request| matches!(request, HolderRequest::Heal { .. }));
    disks.questions.clear();
    let effects = disks.cluster.disconnect(1);
    disks.note(effects);
    let report = disks.report.unwrap();
    assert_eq!(on_file(&report, path(1)).actions[0].action, HealAction::Failed);
    assert_eq!((report.summary.healed, report.summary.left), (0, 1));
}

#[test]
fn one_restore_runs_at_a_time() {
    let mut disks = Disks::with_books(&[(1, "Emma")]);
    disks.start(false);
    assert!(disks.app_server_was_told(&ToAppServer::Done { request: RequestId(70), refused: None }));
    let asked = disks.questions.len();
    disks.start(true);
    let refused = Some(format!("restore {RESTORATION} is still running; wait until it is done"));
    assert!(disks.app_server_was_told(&ToAppServer::Done { request: RequestId(70), refused }));
    assert_eq!(disks.questions.len(), asked);
}

#[test]
fn restore_waits_for_an_open_epoch() {
    let mut cluster = Cluster::level(3);
    cluster.restart();
    cluster.durable();
    cluster.app_server_joins();
    let restore = FromAppServer::Restore { request: RequestId(1), restoration: RESTORATION, dry_run: true };
    let effects = cluster.app_server_says(restore);
    let [ToAppServer::Done { refused: Some(_), .. }] = crate::spoken::told(&effects)[..] else {
        panic!("{effects:?}");
    };
}

fn repair_of(replica: &Replica, book: u8, title: &str) -> Repair {
    let record = replica.core.state().manifest.record(&path(book)).copied();
    Repair { path: path(book), found: None, record, content: Some(file(book, title)) }
}

fn left() -> HealResult {
    let reason = "a newer round changes this file".to_owned();
    HealResult { name: path(1).to_string(), outcome: HealOutcome::Changed { reason } }
}

#[test]
fn replicator_heals_only_what_no_newer_round_changes_or_deletes() {
    let request = RequestId(1);
    let newer = [put("b", 1, "Emma, revised"), delete("b", 1)];
    for (change, committed) in newer.into_iter().flat_map(|change| [(change.clone(), false), (change, true)]) {
        let mut replica = Replica::level();
        replica.commit(1, vec![put("a", 1, "Emma")]);
        let repair = repair_of(&replica, 1, "Emma");
        let heal = |repair| HolderRequest::Heal { request, repairs: vec![repair], foreign: Vec::new() };
        let (repairs, foreign) = (vec![repair.clone()], Vec::new());
        assert_eq!(
            replica.hear(ToReplicator::Files(heal(repair.clone()))),
            [ReplicatorEffect::Heal { request, repairs, foreign, left: Vec::new() }]
        );
        replica.in_doubt(2, vec![change]);
        if committed {
            replica.hear(ToReplicator::Commit { round: crate::values::round(1, 2) });
        }
        let effects = replica.hear(ToReplicator::Files(heal(repair)));
        let nothing = ReplicatorEffect::Heal { request, repairs: Vec::new(), foreign: Vec::new(), left: vec![left()] };
        assert_eq!(effects, [nothing]);
    }
}

#[test]
fn app_server_heals_only_what_its_manifest_still_says() {
    let mut follower = follower();
    let mut replica = Replica::level();
    replica.commit(1, vec![put("a", 1, "Emma")]);
    let (request, repair) = (RequestId(1), repair_of(&replica, 1, "Emma"));
    let heal = HolderRequest::Heal { request, repairs: vec![repair], foreign: Vec::new() };
    let effects = follower_hears(&mut follower, ToAppServer::Files(heal));
    let nothing = FollowerEffect::Heal { request, repairs: Vec::new(), foreign: Vec::new(), left: vec![left()] };
    assert_eq!(effects, [nothing]);
}
