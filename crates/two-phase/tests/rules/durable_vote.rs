//! DurableVote: a vote, and every other word of a replicator, leaves only when the record that it rests on is durable.

use crate::replica::{Replica, said};
use crate::values::{cluster, coordinator, file_changes, put, round};
use protocol::{Epoch, PreparedRound, ToCoordinator, ToReplicator, ViewNumber, Vote};
use two_phase::replicator::{Capacity, ReplicatorEffect, ReplicatorRecord};
use two_phase::{LogSequence, SyncWhen};

#[test]
fn commit_vote_leaves_only_when_the_prepare_record_is_durable() {
    let mut replica = Replica::level();
    replica.core.handle_capacity(Capacity { disk_free_bytes: u64::MAX, credit_bytes: 77 });
    let prepare = replica.prepare(1, vec![put("a", 1, "Emma")]);
    let sequence = LogSequence(1);
    assert_eq!(
        replica.hear(ToReplicator::Prepare(prepare.clone())),
        [ReplicatorEffect::Append { sequence, record: ReplicatorRecord::Prepared(prepare), sync: SyncWhen::Now }]
    );
    let vote = ToCoordinator::Vote { round: round(1, 1), vote: Vote::Commit, credit_bytes: 77, took: None };
    assert_eq!(replica.durable(), [ReplicatorEffect::Send(vote)]);
}

#[test]
fn abort_vote_leaves_only_when_the_refusal_is_durable() {
    let mut replica = Replica::level();
    replica.core.handle_capacity(Capacity { disk_free_bytes: 0, credit_bytes: 77 });
    let prepare = replica.prepare(1, vec![put("a", 1, "Emma")]);
    let effects = replica.hear(ToReplicator::Prepare(prepare));
    let [ReplicatorEffect::Append { record: ReplicatorRecord::Refused { round: refused, cause }, sync, .. }] =
        effects.as_slice()
    else {
        panic!("{effects:?}");
    };
    assert_eq!((*refused, *sync), (round(1, 1), SyncWhen::Now));
    let vote = ToCoordinator::Vote {
        round: *refused,
        vote: Vote::Abort { cause: cause.clone() },
        credit_bytes: 77,
        took: None,
    };
    assert_eq!(replica.durable(), [ReplicatorEffect::Send(vote)]);
}

#[test]
fn vote_that_becomes_durable_on_a_later_connection_is_in_its_hello_instead() {
    let mut replica = Replica::level();
    let prepare = replica.prepare(1, vec![put("a", 1, "Emma")]);
    replica.hear(ToReplicator::Prepare(prepare.clone()));
    replica.disconnect();
    assert_eq!(replica.connect(), [], "the hello waits for the record that it would report");
    let effects = replica.durable();
    let [ToCoordinator::Hello(hello)] = said(&effects)[..] else { panic!("{effects:?}") };
    let expected_root = prepare.expected_root;
    let prepared = PreparedRound { round: round(1, 1), base_version: prepare.base_version, expected_root };
    assert_eq!(hello.prepared, Some(prepared));
    assert_eq!(effects.len(), 1);
}

#[test]
fn epoch_is_accepted_only_when_its_record_is_durable() {
    let mut replica = Replica::level();
    let welcome = ToReplicator::Welcome { cluster: cluster(), view: ViewNumber(4), data_key: String::new() };
    let (epoch, coordinator) = (Epoch(2), coordinator(2));
    let record = ReplicatorRecord::EpochAccepted { epoch, coordinator, cluster: cluster() };
    assert_eq!(
        replica.hear_from(epoch, coordinator, welcome),
        [ReplicatorEffect::Append { sequence: LogSequence(1), record, sync: SyncWhen::Now }]
    );
    assert_eq!(replica.durable(), [ReplicatorEffect::Send(ToCoordinator::EpochAccepted { epoch, coordinator })]);
}

#[test]
fn files_and_acknowledgement_wait_for_the_commit_record_which_may_share_a_sync() {
    let mut replica = Replica::level();
    let prepare = replica.in_doubt(1, vec![put("a", 1, "Emma")]);
    let record = ReplicatorRecord::Committed { round: round(1, 1) };
    assert_eq!(
        replica.hear(ToReplicator::Commit { round: round(1, 1) }),
        [ReplicatorEffect::Append { sequence: LogSequence(2), record, sync: SyncWhen::Soon }]
    );
    let write = ReplicatorEffect::WriteFiles { version: prepare.version(), files: file_changes(&prepare.changes) };
    assert_eq!(replica.durable(), [write, replica.acknowledgement()]);
}

#[test]
fn commit_that_is_told_twice_is_not_acknowledged_before_its_record_is_durable() {
    let mut replica = Replica::level();
    replica.in_doubt(1, vec![put("a", 1, "Emma")]);
    replica.hear(ToReplicator::Commit { round: round(1, 1) });
    assert_eq!(replica.hear(ToReplicator::Commit { round: round(1, 1) }), []);
    let effects = replica.durable();
    assert!(matches!(effects[0], ReplicatorEffect::WriteFiles { .. }), "{effects:?}");
    assert_eq!(effects[1], replica.acknowledgement());
}

#[test]
fn confirmation_is_not_acknowledged_before_the_state_is_durable() {
    let mut replica = Replica::level();
    replica.in_doubt(1, vec![put("a", 1, "Emma")]);
    replica.hear(ToReplicator::Commit { round: round(1, 1) });
    let (version, root) = (replica.core.state().version, replica.core.state().manifest.root());
    assert_eq!(replica.hear(ToReplicator::Confirm { version, root }), []);
    assert_eq!(replica.durable().last(), Some(&replica.acknowledgement()));
}
