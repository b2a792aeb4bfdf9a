//! Restore: what every copy really holds, the ballot on each file that differs, and what is done about it.

use crate::scripted_holder::{Disk, Disks, on_file};
use crate::values::{app_server, delete, digest, file, path, put, replicator};
use protocol::{
    Basis, Content, FileReport, FromAppServer, HealAction, HolderId, HolderRequest, HoldingKind, Phase, Query,
    QueryAnswer, RequestId, RestorationState, ToAppServer, WantedFile,
};

fn holdings(file: &FileReport) -> Vec<HoldingKind> {
    file.ballot.iter().map(|holding| holding.holding).collect()
}

fn actions(file: &FileReport) -> Vec<(HolderId, HealAction)> {
    let mut actions: Vec<_> = file.actions.iter().map(|action| (action.holder.clone(), action.action)).collect();
    actions.sort_by(|(one, _), (other, _)| one.cmp(other));
    actions
}

/// Whether every copy holds what was committed, and nothing else.
fn all_are_right(disks: &Disks) -> bool {
    let manifest = &disks.cluster.core.state().manifest;
    let is_right = |disk: &Disk| {
        let held = disk.files.iter().map(|(path, content)| (*path, digest(content)));
        let committed = manifest.entries().map(|(path, record)| (*path, record.digest));
        let (mut held, mut committed): (Vec<_>, Vec<_>) = (held.collect(), committed.collect());
        held.sort();
        committed.sort();
        held == committed && disk.foreign.is_empty()
    };
    disks.disks.values().all(is_right)
}

#[test]
fn copies_that_are_all_right_are_only_scanned() {
    let mut disks = Disks::with_books(&[(1, "Emma"), (2, "Persuasion")]);
    disks.start(false);
    let asked: Vec<_> = disks.questions.iter().map(|(holder, _)| holder.clone()).collect();
    assert_eq!(asked.len(), 4);
    assert!(disks.questions.iter().all(|(_, request)| matches!(request, HolderRequest::Scan { .. })));
    disks.answer_all();
    let report = disks.report.unwrap();
    assert_eq!((report.state, report.progress.phase), (RestorationState::Done, Phase::Done));
    assert_eq!((report.summary.holders, report.summary.files, report.summary.intact), (4, 2, 2));
    assert_eq!((report.files, report.not_compared), (Vec::new(), Vec::new()));
}

#[test]
fn damaged_copy_is_overruled_by_the_majority_and_healed_and_nothing_else_is_touched() {
    let mut disks = Disks::with_books(&[(1, "Emma"), (2, "Persuasion")]);
    disks.disk(2).files.insert(path(1), file(1, "Enma"));
    let report = disks.restore(false);
    let damaged = on_file(&report, path(1));
    assert_eq!(damaged.verdict, Basis::Majority);
    assert_eq!(damaged.winner, Some(digest(&file(1, "Emma"))));
    let (intact, broken) = (HoldingKind::Intact, HoldingKind::Damaged);
    assert_eq!(holdings(damaged), [intact, broken, intact, intact]);
    assert_eq!(damaged.ballot[1].digest, Some(digest(&file(1, "Enma"))));
    assert_eq!(actions(damaged), [(replicator(2), HealAction::Healed)]);
    assert_eq!(damaged.actions[0].quarantined, Some(format!("quarantine/{}", path(1))));
    assert_eq!(report.files.len(), 1);
    assert_eq!((report.summary.intact, report.summary.damaged, report.summary.healed), (1, 1, 1));
    assert_eq!(disks.repairs.len(), 1);
    assert!(all_are_right(&disks));
}

#[test]
fn file_missing_on_two_of_three_is_brought_back_from_the_third() {
    let mut disks = Disks::with_books(&[(1, "Emma")]);
    disks.disk(1).files.clear();
    disks.disk(3).files.clear();
    let report = disks.restore(false);
    let missing = on_file(&report, path(1));
    assert_eq!(missing.verdict, Basis::Proven);
    assert_eq!(holdings(missing)[..3], [HoldingKind::Missing, HoldingKind::Intact, HoldingKind::Missing]);
    assert_eq!(actions(missing), [(replicator(1), HealAction::Healed), (replicator(3), HealAction::Healed)]);
    assert!(all_are_right(&disks));
}

#[test]
fn one_intact_copy_is_proven_right_over_two_that_are_damaged_identically() {
    let mut disks = Disks::with_books(&[(1, "Emma")]);
    for number in [1, 2] {
        disks.disk(number).files.insert(path(1), file(1, "Enma"));
    }
    disks.app_server_disk().files.insert(path(1), file(1, "Enma"));
    let report = disks.restore(false);
    let damaged = on_file(&report, path(1));
    assert_eq!((damaged.verdict, damaged.winner), (Basis::Proven, Some(digest(&file(1, "Emma")))));
    assert!(all_are_right(&disks));
}

#[test]
fn file_that_is_damaged_everywhere_is_lost_and_left_alone() {
    let mut disks = Disks::with_books(&[(1, "Emma")]);
    for (number, title) in [(1, "Enma"), (2, "Emna")] {
        disks.disk(number).files.insert(path(1), file(1, title));
    }
    disks.disk(3).files.clear();
    disks.app_server_disk().files.clear();
    let before: Vec<_> = disks.disks.values().map(|disk| disk.files.clone()).collect();
    let report = disks.restore(false);
    let lost = on_file(&report, path(1));
    assert_eq!((lost.verdict, lost.winner, lost.winner_is_absence), (Basis::Lost, None, false));
    assert!(lost.actions.iter().all(|action| action.action == HealAction::Left), "{:?}", lost.actions);
    assert_eq!((report.summary.lost, report.summary.healed), (1, 0));
    assert_eq!(disks.disks.values().map(|disk| disk.files.clone()).collect::<Vec<_>>(), before);
}

#[test]
fn file_that_is_damaged_everywhere_is_healed_from_a_log_or_a_quarantine() {
    let mut disks = Disks::with_books(&[(1, "Emma")]);
    for disk in disks.disks.values_mut() {
        disk.files.insert(path(1), file(1, "Enma"));
    }
    disks.disk(2).elsewhere.push(file(1, "Emma"));
    let report = disks.restore(false);
    assert_eq!(on_file(&report, path(1)).verdict, Basis::Proven);
    assert_eq!(on_file(&report, path(1)).actions.len(), 4);
    assert!(all_are_right(&disks));
}

#[test]
fn bytes_that_only_the_app_server_holds_heal_all_replicators() {
    let mut disks = Disks::with_books(&[(1, "Emma")]);
    for number in 1..=3 {
        disks.disk(number).files.clear();
    }
    let report = disks.restore(false);
    assert_eq!(on_file(&report, path(1)).verdict, Basis::Proven);
    assert!(all_are_right(&disks));
}

#[test]
fn working_copy_has_no_vote_but_is_mended_too() {
    let mut disks = Disks::with_books(&[(1, "Emma")]);
    disks.app_server_disk().files.insert(path(1), file(1, "An edit"));
    let report = disks.restore(false);
    let edited = on_file(&report, path(1));
    assert_eq!(edited.verdict, Basis::Majority);
    assert_eq!(actions(edited), [(app_server(), HealAction::Healed)]);
    assert!(all_are_right(&disks));
}

#[test]
fn older_bytes_are_shown_as_stale_and_never_win() {
    let mut disks = Disks::with_books(&[(1, "Emma")]);
    disks.commit_everywhere(vec![put("b", 1, "Emma, revised")]);
    for number in [1, 2] {
        disks.disk(number).files.insert(path(1), file(1, "Emma"));
    }
    let report = disks.restore(false);
    let stale = on_file(&report, path(1));
    assert_eq!(holdings(stale)[..3], [HoldingKind::Stale, HoldingKind::Stale, HoldingKind::Intact]);
    assert_eq!(stale.ballot[0].note.as_deref(), Some("its bytes of version 1"));
    assert_eq!(stale.winner, Some(digest(&file(1, "Emma, revised"))));
    assert!(all_are_right(&disks));
}

#[test]
fn deleted_file_that_came_back_is_removed_even_where_the_majority_has_it() {
    let mut disks = Disks::with_books(&[(1, "Emma"), (2, "Persuasion")]);
    disks.commit_everywhere(vec![delete("d", 1)]);
    for number in [1, 2] {
        disks.disk(number).files.insert(path(1), file(1, "Emma"));
    }
    let report = disks.restore(false);
    let extra = on_file(&report, path(1));
    assert_eq!((extra.record, extra.verdict, extra.winner_is_absence), (None, Basis::Proven, true));
    assert_eq!(holdings(extra)[..3], [HoldingKind::Extra, HoldingKind::Extra, HoldingKind::Intact]);
    assert!(disks.repairs.iter().all(|(_, repair)| repair.content.is_none() && repair.record.is_none()));
    assert!(all_are_right(&disks));
}

#[test]
fn bytes_of_another_book_are_named_as_such() {
    let mut disks = Disks::with_books(&[(1, "Emma"), (2, "Persuasion")]);
    disks.disk(1).files.insert(path(1), file(2, "Persuasion"));
    let report = disks.restore(false);
    let swapped = on_file(&report, path(1));
    assert_eq!(swapped.ballot[0].note, Some(format!("the bytes of {}", path(2))));
    assert!(all_are_right(&disks));
}

#[test]
fn file_whose_name_is_no_books_goes_to_the_quarantine() {
    let mut disks = Disks::with_books(&[(1, "Emma")]);
    disks.disk(2).foreign.push("books/notes.txt".to_owned());
    let report = disks.restore(false);
    let [foreign] = report.files.as_slice() else { panic!("{:?}", report.files) };
    assert_eq!((foreign.name.as_str(), foreign.record), ("books/notes.txt", None));
    assert_eq!(actions(foreign), [(replicator(2), HealAction::Healed)]);
    assert!(all_are_right(&disks));
}

#[test]
fn dry_run_says_what_it_would_heal_and_heals_nothing() {
    let mut disks = Disks::with_books(&[(1, "Emma"), (2, "Persuasion")]);
    disks.disk(1).files.clear();
    disks.disk(2).files.insert(path(3), file(3, "Sanditon"));
    disks.disk(3).foreign.push("books/notes.txt".to_owned());
    let before: Vec<_> = disks.disks.values().map(|disk| (disk.files.clone(), disk.foreign.clone())).collect();
    let report = disks.restore(true);
    let after: Vec<_> = disks.disks.values().map(|disk| (disk.files.clone(), disk.foreign.clone())).collect();
    assert_eq!(after, before);
    assert_eq!(disks.repairs, []);
    assert!(report.dry_run);
    for file in &report.files {
        assert!(file.actions.iter().all(|action| action.action == HealAction::WouldHeal), "{file:?}");
    }
    assert_eq!((report.files.len(), report.summary.left, report.summary.healed), (4, 4, 0));
}

#[test]
fn bytes_that_a_source_cannot_give_are_asked_of_the_next_one() {
    let mut disks = Disks::with_books(&[(1, "Emma")]);
    disks.disk(3).files.clear();
    disks.start(false);
    disks.answer_those(|_, request| matches!(request, HolderRequest::Scan { .. }));
    disks.answer_those(|_, request| matches!(request, HolderRequest::ListBuckets { .. }));
    disks.answer_those(|_, request| matches!(request, HolderRequest::Examine { .. }));
    let asked = |disks: &Disks| disks.questions.iter().map(|(holder, _)| holder.clone()).collect::<Vec<_>>();
    assert_eq!(asked(&disks), [replicator(1)]);
    disks.disk(1).files.insert(path(1), file(1, "Enma")); // It rotted since it was scanned.
    disks.answer_next();
    assert_eq!(asked(&disks), [replicator(2)]);
    disks.answer_all();
    assert_eq!(actions(on_file(disks.report.as_ref().unwrap(), path(1))), [(replicator(3), HealAction::Healed)]);
}

#[test]
fn a_copy_is_shown_by_whoever_holds_it_and_only_if_it_is_the_one_that_was_asked_for() {
    let mut disks = Disks::with_books(&[(1, "Emma")]);
    let broken = file(1, "Enma");
    let wanted = WantedFile { path: path(1), digest: digest(&broken) };
    let query = Query::Copy { holder: replicator(2), wanted };
    let ask = |number| FromAppServer::Ask { request: RequestId(number), query: query.clone() };
    let told = |number, content: Option<Content>, why_not: Option<&str>| ToAppServer::Told {
        request: RequestId(number),
        answer: QueryAnswer::Copy { content, why_not: why_not.map(str::to_owned) },
    };
    disks.disk(2).files.insert(path(1), broken.clone());
    let effects = disks.cluster.app_server_says(ask(1));
    disks.note(effects);
    disks.answer_all();
    assert!(disks.app_server_was_told(&told(1, Some(broken), None)));

    disks.disk(2).files.insert(path(1), file(1, "Other"));
    let effects = disks.cluster.app_server_says(ask(2));
    disks.note(effects);
    disks.answer_all();
    assert!(disks.app_server_was_told(&told(2, None, Some("it has these bytes no more"))));

    let effects = disks.cluster.app_server_says(ask(3));
    disks.note(effects);
    let effects = disks.cluster.disconnect(2);
    disks.note(effects);
    assert!(disks.app_server_was_told(&told(3, None, Some("its connection was lost"))));
    let effects = disks.cluster.app_server_says(ask(4));
    disks.note(effects);
    assert!(disks.app_server_was_told(&told(4, None, Some("replicator-2 is not connected"))));
}
