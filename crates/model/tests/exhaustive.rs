//! Goal: no order of events within the bounds breaks a rule. Method: all of them are tried, with the protocol core itself.

use model::{Configuration, explore};

fn every_order_holds(name: &str) {
    let configuration = Configuration::named(name).expect("there is such a configuration");
    let explored = explore(configuration);
    println!("{name}: {} states, depth {}, {:.1} s", explored.states, explored.depth, explored.took.as_secs_f64());
    assert_eq!(explored.breach, None, "{name}");
    assert!(explored.commits, "{name}: a model in which nothing is committed shows nothing");
}

#[test]
fn time_for_votes_may_be_up_at_any_moment() {
    every_order_holds("timeout");
}

#[test]
fn connection_may_break_at_any_moment() {
    every_order_holds("break");
}

#[test]
fn view_may_change_at_any_moment() {
    every_order_holds("view-change");
}

#[test]
fn peers_may_be_asked_at_any_moment() {
    every_order_holds("peers");
}

#[test]
fn coordinator_may_crash_at_any_moment() {
    every_order_holds("crash");
}

#[test]
fn coordinator_may_hang_and_go_on_beside_its_successor() {
    every_order_holds("predecessor");
}
