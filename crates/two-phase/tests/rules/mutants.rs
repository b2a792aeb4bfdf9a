//! Guards of the core that the simulator cannot see the loss of, as another one covers each in every run: the test that states a guard
//! must fail without it. Run with `--features mutants`; the other bugs are in `crates/simulator/tests/mutants.rs`.

use crate::{epoch_fence, following, honest_answer, learner, no_stale_coordinator, order};
use two_phase::mutant::{Mutant, switch_on};

/// The test that states the guard.
fn test_of(mutant: Mutant) -> fn() {
    match mutant {
        Mutant::AcceptsEqualEpoch => epoch_fence::replicator_refuses_an_old_coordinator_and_a_rival_whatever_they_say,
        Mutant::TakesUnknownForRefused => honest_answer::change_is_not_refused_for_waiting_before_the_epoch_is_open,
        Mutant::AbortsBeforeOpen => no_stale_coordinator::presumed_abort_waits_until_a_majority_has_accepted_the_epoch,
        Mutant::OverlooksRootOfCatchUp => learner::entries_that_do_not_lead_to_the_target_are_not_believed,
        Mutant::FollowsWithGaps => following::round_that_does_not_come_next_is_not_taken,
        Mutant::ShowsWithGaps => order::app_server_that_misses_a_version_compares_itself_anew,
        other => panic!("{other:?} is found by the simulator"),
    }
}

#[test]
fn every_guard_is_missed_by_the_test_that_states_it() {
    for mutant in Mutant::IN_EFFECTS {
        test_of(mutant)();
        switch_on(Some(mutant));
        let outcome = std::panic::catch_unwind(test_of(mutant));
        switch_on(None);
        assert!(outcome.is_err(), "{mutant:?} is not found");
    }
}
