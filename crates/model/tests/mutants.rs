//! Goal: the model would see a broken rule. Method: bugs are switched on in the core, and each must be found. Run with
//! `--features mutants`.

#![cfg(feature = "mutants")]

use model::{Configuration, explore_with};
use two_phase::mutant::Mutant;

fn is_found(mutant: Mutant, configuration: &str, rule: &str) {
    let configuration = Configuration::named(configuration).expect("there is such a configuration");
    let explored = explore_with(configuration, mutant);
    let (events, why) = explored.breach.unwrap_or_else(|| panic!("{mutant:?} is not found"));
    println!("{mutant:?}: after {} events: {why}", events.len());
    assert!(why.starts_with(rule), "{mutant:?} is found as {why}");
}

#[test]
fn vote_before_it_is_durable_is_found() {
    is_found(Mutant::VotesBeforeDurable, "crash", "DurableVote");
}

#[test]
fn decision_before_it_is_durable_is_found() {
    is_found(Mutant::DecidesBeforeDurable, "crash", "DurableDecision");
}

#[test]
fn decision_without_a_vote_is_found() {
    is_found(Mutant::CommitsWithoutOneVote, "crash", "Validity");
}

#[test]
fn guess_of_peers_that_are_all_in_doubt_is_found() {
    is_found(Mutant::GuessesWhenAllAreInDoubt, "peers", "Agreement");
}
