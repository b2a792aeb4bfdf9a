//! Every crash point of every service, with real processes: the rows of the crash table in `docs/protocol.md`.
//!
//! A service dies by SIGKILL right after what its point is named after, while writers go on; then it is started again. After each
//! death: no acknowledged write is lost, no copy differs, none is applied twice, nothing stays in doubt. `scenario` has how each
//! point is brought about; `in_doubt_time` measures how long replicators stay in doubt once a coordinator is back.
//!
//! `CONCORDANCE_TEST_KILLS` sets how often a service dies at each of its points.

#![allow(clippy::unwrap_used, reason = "this is test code: what fails here is a failed test")]

mod in_doubt_time;
mod scenario;

use faults::CrashPoint;
use scenario::{Scenario, Stage};
use std::collections::BTreeSet;

fn kills() -> usize {
    std::env::var("CONCORDANCE_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Who dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Coordinator,
    Replicator,
    AppServer,
}

async fn dies_after(victim: Victim, point: &str, scenario: Scenario) {
    let point: CrashPoint = point.parse().unwrap();
    let mut stage = Stage::set(victim, point, scenario).await;
    for turn in 0..kills() {
        stage.play(turn).await;
    }
    println!("{victim:?} died {} times after {point:?}, {}", kills(), stage.summary());
}

macro_rules! crash_points {
    ($($tests:ident, $victim:ident { $($point:ident: $scenario:ident,)+ })+) => {
        $(
            mod $tests {
                use super::*;
                $(
                    #[tokio::test(flavor = "multi_thread")]
                    async fn $point() {
                        dies_after(Victim::$victim, stringify!($point), Scenario::$scenario).await;
                    }
                )+
            }
        )+

        /// The points of all tests above.
        const TESTED: &[&str] = &[$($(stringify!($point),)+)+];
    };
}

// The point, and what goes on when the service dies there.
crash_points! {
    coordinator_dies_after, Coordinator {
        epoch_appended: Starting,
        epoch_durable: Starting,
        key_written_aside: LosingItsDisk,
        key_replaced: LosingItsDisk,
        view_appended: LosingAReplicator,
        view_durable: LosingAReplicator,
        prepare_sent: Writing,
        votes_received: Writing,
        decision_appended: Writing,
        decision_durable: Writing,
        first_commit_sent: Writing,
        last_commit_sent: Writing,
        app_servers_told: Writing,
        segment_named: Writing,
        checkpoint_written_aside: Writing,
        checkpoint_replaced: Writing,
        report_written_aside: Healing,
        report_replaced: Healing,
        recovery_plan_kept: LosingItsDisk,
        rebuilt_state_saved: LosingItsDisk,
    }
    replicator_dies_after, Replicator {
        epoch_accepted_appended: Starting,
        epoch_accepted_durable: Starting,
        key_written_aside: LosingItsDisk,
        key_replaced: LosingItsDisk,
        prepare_received: Writing,
        prepare_appended: Writing,
        prepare_durable: Writing,
        vote_sent: Writing,
        refusal_appended: Refusing,
        refusal_durable: Refusing,
        commit_received: Writing,
        commit_appended: Writing,
        commit_durable: Writing,
        acknowledge_sent: Writing,
        abort_appended: Aborting,
        abort_durable: Aborting,
        book_half_written: Writing,
        book_written: Writing,
        segment_named: Writing,
        segment_removed: Writing,
        files_flushed: Writing,
        files_synced: Writing,
        checkpoint_written_aside: Writing,
        checkpoint_replaced: Writing,
        missing_files_found: Starting,
        fetched_files_received: Starting,
        fetched_files_stored: Starting,
        catch_up_complete: Starting,
        catch_up_installed: Starting,
        followed_appended: Observing,
        followed_durable: Observing,
        torn_tail_left: TearingItsLog,
        identity_written_aside: DamagingItsLog,
        identity_replaced: DamagingItsLog,
        log_begun_anew: DamagingItsLog,
        peer_answered: WitnessingForAPeer,
        shelf_scrubbed: Scrubbing,
        report_written_aside: Scrubbing,
        report_replaced: Scrubbing,
        quarantine_written_aside: Healing,
        quarantine_replaced: Healing,
        repair_written: Healing,
        repairs_synced: Healing,
    }
    app_server_dies_after, AppServer {
        key_written_aside: LosingItsDisk,
        key_replaced: LosingItsDisk,
        identity_written_aside: Starting,
        identity_replaced: Starting,
        fence_kept: MeetingANewCoordinator,
        submission_sent: Writing,
        round_shown: Writing,
        round_handed_to_files: Writing,
        book_half_written: Writing,
        book_written: Writing,
        files_flushed: Writing,
        files_synced: Writing,
        checkpoint_written_aside: Writing,
        checkpoint_replaced: Writing,
        missing_files_found: Starting,
        fetched_files_received: Starting,
        fetched_files_stored: LosingItsDisk,
        catch_up_complete: Starting,
        catch_up_installed: Starting,
        repair_written: Healing,
    }
}

/// Whether these are reached depends on how fast the rounds go on meanwhile: a replicator with a torn tail that is behind by then is led
/// instead of confirmed, and one that asks a peer may be told by the coordinator first. The simulator stops processes there.
const LEFT_TO_THE_SIMULATOR: [&str; 3] = ["confirmation_appended", "confirmation_durable", "peer_heard"];

#[test]
fn every_point_is_tested() {
    let tested: BTreeSet<_> = TESTED.iter().copied().chain(LEFT_TO_THE_SIMULATOR).collect();
    let untested: Vec<_> =
        CrashPoint::ALL.iter().map(|point| point.name()).filter(|name| !tested.contains(name)).collect();
    assert!(untested.is_empty(), "no test reaches {untested:?}");
}

#[test]
fn every_point_is_in_the_documents() {
    let documents = include_str!("../../docs/protocol.md");
    let missing: Vec<_> = CrashPoint::ALL
        .iter()
        .map(|point| point.name())
        .filter(|name| !documents.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "the crash table of docs/protocol.md lacks {missing:?}");
}
