//! Scrub: what replicators find wrong with their own files is shown, and put right only if that is wanted.

use crate::fixture::{Cluster, all_needed};
use crate::replica::{Replica, trusted_state};
use crate::scripted_holder::Disks;
use crate::values::{digest, digest_of_nothing_committed, file, path};
use protocol::{
    BucketNumber, CatchUpId, CatchUpTarget, ClusterEvent, FromAppServer, HolderRequest, RequestId, RoundId,
    ScrubFinding, ScrubOutcome, ScrubReport, ToAppServer, ToCoordinator, ToReplicator,
};
use protocol::{Record, Standing, ToLearner, Version};
use two_phase::coordinator::{CoordinatorEffect, CoordinatorSettings};
use two_phase::replicator::{ReplicatorEffect, ReplicatorState};

fn pass(started_at_ms: u64, outcomes: &[ScrubOutcome]) -> ScrubReport {
    let mut report = ScrubReport::started(started_at_ms);
    for outcome in outcomes {
        report.add(*outcome);
        if *outcome == ScrubOutcome::Damaged {
            report.name(ScrubFinding { name: path(1).to_string(), outcome: *outcome, detail: None });
        }
    }
    report
}

fn ended(report: ScrubReport) -> ScrubReport {
    ScrubReport { finished_at_ms: Some(report.started_at_ms + 10), ..report }
}

const DAMAGED: &[ScrubOutcome] = &[ScrubOutcome::Clean, ScrubOutcome::Damaged];

/// Three copies of a book, of which the second is damaged.
fn with_damage(scrub_heals: bool) -> Disks {
    let mut disks = Disks::with_books(&[]);
    disks.cluster = Cluster::level_with(3, CoordinatorSettings { scrub_heals, ..all_needed() });
    disks.commit_everywhere(vec![crate::values::put("a", 1, "Emma")]);
    disks.disk(2).files.insert(path(1), file(1, "Enma"));
    disks
}

fn reports(disks: &mut Disks, number: u8, report: ScrubReport) -> Vec<CoordinatorEffect> {
    let effects = disks.cluster.replicator_says(number, ToCoordinator::Scrubbed(report));
    disks.note(effects.clone());
    effects
}

fn restores_begun(effects: &[CoordinatorEffect]) -> usize {
    let begun = |effect: &&CoordinatorEffect| {
        matches!(effect, CoordinatorEffect::Happened(ClusterEvent::RestorationStarted { .. }))
    };
    effects.iter().filter(begun).count()
}

fn sentences(effects: &[CoordinatorEffect]) -> Vec<String> {
    let sentence = |effect: &CoordinatorEffect| match effect {
        CoordinatorEffect::Happened(
            event @ (ClusterEvent::ScrubEnded { .. } | ClusterEvent::ScrubFoundDamage { .. }),
        ) => Some(event.sentence()),
        _ => None,
    };
    effects.iter().filter_map(sentence).collect()
}

#[test]
fn damage_is_told_once_and_shown_and_nothing_is_healed_unless_told_to() {
    let mut disks = with_damage(false);
    let first = reports(&mut disks, 2, pass(1, DAMAGED));
    assert_eq!(
        sentences(&first),
        ["replicator-2 reads its files and has found 1 damaged so far; run concordance restore."]
    );
    assert_eq!(sentences(&reports(&mut disks, 2, pass(1, DAMAGED))), [""; 0]);
    let last = ended(pass(1, DAMAGED));
    let end = reports(&mut disks, 2, last.clone());
    assert_eq!(sentences(&end), ["replicator-2 has read 2 files: 1 damaged; run concordance restore."]);
    let later = disks.cluster.after_ms(1_000_000);
    disks.note(later);
    assert_eq!((restores_begun(&disks.effects), disks.questions.len()), (0, 0));
    let status = disks.cluster.core.status();
    assert_eq!((&status.members[1].scrub.last, &status.members[1].scrub.running), (&Some(last), &None));
    assert_eq!(status.members[0].scrub.last, None);
}

#[test]
fn what_could_not_be_compared_is_not_called_clean_and_needs_no_restore() {
    let mut disks = with_damage(true);
    let end = reports(&mut disks, 1, ended(pass(1, &[ScrubOutcome::Clean, ScrubOutcome::Unknown])));
    assert_eq!(sentences(&end), ["replicator-1 has read 2 files: 1 unknown."]);
    assert_eq!(restores_begun(&disks.effects), 0);
}

#[test]
fn damage_is_healed_by_a_normal_restore_if_that_is_wanted_and_the_member_reads_again() {
    let mut disks = with_damage(true);
    let effects = reports(&mut disks, 2, pass(1, DAMAGED));
    assert_eq!(restores_begun(&effects), 1);
    disks.answer_all();
    let report = disks.report.clone().unwrap();
    assert_eq!((report.dry_run, report.summary.healed), (false, 1));
    assert_eq!(disks.disk(2).files[&path(1)], file(1, "Emma"));
    let again = disks.cluster.say(&[2], ToReplicator::Scrub);
    assert_eq!(disks.effects.iter().filter(|effect| **effect == again).count(), 1);
    for other in [1, 3] {
        assert!(!disks.effects.contains(&disks.cluster.say(&[other], ToReplicator::Scrub)));
    }
}

#[test]
fn damage_that_a_restore_could_not_mend_starts_no_restore_after_the_other() {
    let mut disks = with_damage(true);
    reports(&mut disks, 2, ended(pass(1, DAMAGED)));
    disks.answer_all();
    // The pass that checks the restore finds the same.
    reports(&mut disks, 2, pass(2, DAMAGED));
    reports(&mut disks, 2, ended(pass(2, DAMAGED)));
    let later = disks.cluster.after_ms(1_000_000);
    disks.note(later);
    assert_eq!(restores_begun(&disks.effects), 1);
    // The next one on its own time does start one.
    reports(&mut disks, 2, ended(pass(3, DAMAGED)));
    assert_eq!(restores_begun(&disks.effects), 2);
}

#[test]
fn two_restores_because_of_scrubs_are_a_minute_apart_and_never_at_one_time() {
    let mut disks = with_damage(true);
    reports(&mut disks, 2, ended(pass(1, DAMAGED)));
    reports(&mut disks, 1, pass(1, DAMAGED));
    assert_eq!(restores_begun(&disks.effects), 1);
    disks.answer_all();
    // The restore read every copy: nobody waits for another one. What is found after it waits for its time.
    reports(&mut disks, 3, pass(5, DAMAGED));
    assert_eq!(restores_begun(&disks.effects), 1);
    let early = disks.cluster.after_ms(59_999);
    disks.note(early);
    assert_eq!(restores_begun(&disks.effects), 1);
    assert_eq!(disks.cluster.core.next_timer_ms(), Some(disks.cluster.now.monotonic_ms + 1));
    let due = disks.cluster.after_ms(1);
    disks.note(due);
    assert_eq!(restores_begun(&disks.effects), 2);
}

#[test]
fn a_report_that_is_told_again_on_a_new_connection_is_no_news() {
    let mut disks = with_damage(false);
    reports(&mut disks, 2, ended(pass(1, DAMAGED)));
    let again = reports(&mut disks, 2, ended(pass(1, DAMAGED)));
    assert_eq!(sentences(&again), [""; 0]);
}

#[test]
fn a_pass_that_was_cut_off_is_not_shown_as_running() {
    let mut disks = with_damage(false);
    reports(&mut disks, 2, pass(1, DAMAGED));
    assert!(disks.cluster.core.status().members[1].scrub.running.is_some());
    disks.cluster.disconnect(2);
    assert_eq!(disks.cluster.core.status().members[1].scrub.running, None);
}

#[test]
fn a_scrub_that_is_asked_for_is_begun_by_all_who_are_connected() {
    let mut cluster = Cluster::level(3);
    cluster.disconnect(3);
    let effects = cluster.app_server_says(FromAppServer::Scrub { request: RequestId(4) });
    let done = cluster.tell(ToAppServer::Done { request: RequestId(4), refused: None });
    assert_eq!(effects, [cluster.say(&[1, 2], ToReplicator::Scrub), done]);
    cluster.disconnect(1);
    cluster.disconnect(2);
    let effects = cluster.app_server_says(FromAppServer::Scrub { request: RequestId(5) });
    let refused = Some("no replicator is connected".to_owned());
    assert_eq!(effects, [cluster.tell(ToAppServer::Done { request: RequestId(5), refused })]);
}

#[test]
fn a_restore_that_only_reports_asks_nobody_to_read_again() {
    let mut disks = with_damage(false);
    reports(&mut disks, 2, ended(pass(1, DAMAGED)));
    disks.restore(true);
    assert!(!disks.effects.contains(&disks.cluster.say(&[2], ToReplicator::Scrub)));
    assert!(disks.questions.iter().all(|(_, request)| !matches!(request, HolderRequest::Heal { .. })));
    disks.restore(false);
    assert!(disks.effects.contains(&disks.cluster.say(&[2], ToReplicator::Scrub)));
}

#[test]
fn no_amnesia_own_records_say_what_files_must_hold_only_while_the_memory_is_trusted_and_no_catch_up_runs() {
    let buckets: Vec<_> = BucketNumber::all().collect();
    for (standing, tells) in [(Standing::Trusted, true), (Standing::Unconfirmed, false), (Standing::Lost, false)] {
        let replica = Replica::on(ReplicatorState { standing, ..trusted_state() });
        assert_eq!(replica.core.expected_files(&buckets).is_some(), tells, "{standing:?}");
    }
    let mut replica = Replica::level();
    let target = CatchUpTarget { version: Version(5), root: digest_of_nothing_committed(), round: RoundId::ZERO };
    replica.hear(ToReplicator::CatchUp(ToLearner::Compare { catch_up: CatchUpId(1), target }));
    assert_eq!(replica.core.expected_files(&buckets), None);
}

#[test]
fn a_replicator_tells_the_records_of_the_buckets_that_are_asked_for() {
    let record = Record { digest: digest(&file(1, "Emma")), size: 9, version: Version(1) };
    let manifest = [(path(1), record), (path(2), record)].into_iter().collect();
    let mut replica = Replica::on(ReplicatorState { manifest, ..trusted_state() });
    replica.core.distrust([path(1), path(2)]);
    let expected = replica.core.expected_files(&[BucketNumber::of(&path(1))]).unwrap();
    assert_eq!(expected.records.into_iter().collect::<Vec<_>>(), [(path(1), record)]);
    assert_eq!(expected.distrusted.into_iter().collect::<Vec<_>>(), [path(1)]);
}

#[test]
fn a_replicator_begins_a_scrub_when_it_is_told_to_and_tells_what_it_finds() {
    let mut replica = Replica::level();
    assert_eq!(replica.hear(ToReplicator::Scrub), [ReplicatorEffect::Scrub]);
    replica.core.handle_scrubbed(pass(1, DAMAGED));
    assert_eq!(replica.take(), [ReplicatorEffect::Send(ToCoordinator::Scrubbed(pass(1, DAMAGED)))]);
}
