//! Disks without room: nothing is promised that could not be kept, everybody is told why, and all goes on when there is room again.

use crate::fixture::{Cluster, all_needed};
use crate::replica::Replica;
use crate::spoken::{answers, prepares};
use crate::values::put;
use protocol::{CommittedChange, CommittedRound, Refusal, SubmissionAnswer, ToReplicator, Version};
use two_phase::Manifest;
use two_phase::coordinator::CoordinatorSettings;
use two_phase::replicator::{Capacity, ReplicatorEffect};

#[test]
fn coordinator_without_room_for_its_log_begins_no_round_until_there_is_some() {
    let settings = CoordinatorSettings { change_wait_ms: 5_000, ..all_needed() };
    let mut cluster = Cluster::level_with(2, settings);
    cluster.core.handle_room(Some("0 bytes are free".to_owned()), cluster.now);
    assert_eq!(cluster.submit(1, vec![put("a", 1, "Emma")]), []);
    let [(1, SubmissionAnswer::Refused { refusal: Refusal::NoQuorum { reason, .. }, .. })] =
        &answers(&cluster.after_ms(5_000))[..]
    else {
        panic!("it waited too long");
    };
    assert_eq!(reason, "the coordinator's disk is full: 0 bytes are free; make room there");
    assert_eq!(cluster.core.status().why_not.as_ref(), Some(reason));
    assert_eq!(cluster.submit(2, vec![put("b", 1, "Emma")]), []);
    cluster.core.handle_room(None, cluster.now);
    assert_eq!(prepares(&cluster.take()).len(), 1, "what waited goes at once");
    assert_eq!(cluster.core.status().why_not, None);
}

/// A round that was prepared is decided: its record was reckoned with.
#[test]
fn round_in_flight_is_decided_although_the_disk_has_become_full() {
    let mut cluster = Cluster::level(2);
    cluster.submit(1, vec![put("a", 1, "Emma")]);
    cluster.core.handle_room(Some("0 bytes are free".to_owned()), cluster.now);
    cluster.all_vote_commit(crate::values::round(1, 1));
    let answered = answers(&cluster.durable());
    assert!(matches!(answered[..], [(1, SubmissionAnswer::Committed { .. })]), "{answered:?}");
}

#[test]
fn replicator_without_room_follows_no_round() {
    for changes in [vec![put("a", 1, "Emma")], vec![]] {
        let mut replica = Replica::level();
        replica.core.handle_capacity(Capacity { disk_free_bytes: 0, credit_bytes: u64::MAX });
        let mut after = Manifest::default();
        after.apply(&changes, Version(1));
        let changes = changes.iter().map(|change| CommittedChange {
            id: change.id.clone(),
            path: change.path,
            answer: String::new(),
            action: change.action.clone(),
        });
        let (round, version) = (crate::values::round(1, 1), Version(1));
        let committed = CommittedRound { round, version, root: after.root(), changes: changes.collect() };
        let effects = replica.hear(ToReplicator::Committed(committed));
        let [ReplicatorEffect::Disconnect { reason }] = &effects[..] else { panic!("{effects:?}") };
        assert!(reason.contains("its disk is full"), "{reason}");
    }
}
