//! FrozenParticipants: a round's participants never change; another set means a new round.

use crate::fixture::Cluster;
use crate::spoken::{prepares, records, without_events};
use crate::values::{member, put, round};
use protocol::{Outcome, Parent, Participant, ToReplicator, Vote};
use two_phase::coordinator::CoordinatorRecord;

#[test]
fn prepare_names_every_participant_with_its_address() {
    let mut cluster = Cluster::level(3);
    let prepare = prepares(&cluster.submit(1, vec![put("a", 1, "Emma")])).remove(0);
    let participant = |number| Participant { id: member(number), address: format!("10.0.0.{number}:7420") };
    assert_eq!(prepare.participants, [participant(1), participant(2), participant(3)]);
}

#[test]
fn decision_names_those_who_were_asked() {
    let mut cluster = Cluster::level(3);
    let prepare = prepares(&cluster.submit(1, vec![put("a", 1, "Emma")])).remove(0);
    let effects = cluster.all_vote_commit(prepare.round);
    let [CoordinatorRecord::Decided(decision)] = records(&effects)[..] else { panic!("{effects:?}") };
    let asked: Vec<_> = prepare.participants.into_iter().map(|participant| participant.id).collect();
    assert_eq!(decision.participants, asked);
}

#[test]
fn changes_whose_round_lost_a_participant_go_into_a_new_round() {
    let mut cluster = Cluster::level(3);
    let first = prepares(&cluster.submit(1, vec![put("a", 1, "Emma")])).remove(0);
    cluster.disconnect(2);
    let again = prepares(&cluster.join(2)).remove(0);
    assert_eq!(again.round, round(1, 2));
    assert_eq!(again.parent, Some(Parent { round: first.round, outcome: Outcome::Aborted }));
    assert_eq!((again.changes, again.base_version), (first.changes, first.base_version));
}

#[test]
fn participant_that_connects_anew_is_not_taken_back_into_its_round() {
    let mut cluster = Cluster::level(2);
    let prepare = prepares(&cluster.submit(1, vec![put("a", 1, "Emma")])).remove(0);
    let hello = cluster.hello_in_doubt(2, &prepare);
    let effects = without_events(cluster.connect(2, hello));
    assert_eq!(effects[0], cluster.say(&[1], ToReplicator::Abort { round: prepare.round }));
    assert_eq!(cluster.vote(2, prepare.round, Vote::Commit), []);
    assert_eq!(
        without_events(cluster.accept_epoch(2)),
        [cluster.say(&[2], ToReplicator::Abort { round: prepare.round })]
    );
}
