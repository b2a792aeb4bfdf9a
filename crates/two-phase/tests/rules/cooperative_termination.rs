//! Cooperative termination: participants in doubt end a round among themselves where one of them knows the outcome or can still
//! refuse (rules Agreement and Validity), and otherwise wait and say why (rule NoWayBack).

use crate::fixture::Cluster;
use crate::replica::{Replica, parent, said, trusted_state};
use crate::spoken::{prepares, records, said as told};
use crate::values::{cluster, coordinator, member, put, round};
use protocol::{
    AbortCause, ClusterId, Epoch, Outcome, PROTOCOL_VERSION, Participant, PeerAnswer, PeerKnowledge, PeerQuestion,
    Prepare, ReplicatorHello, RoundId, Standing, ToCoordinator, ToReplicator, Version, ViewNumber, Vote,
};
use two_phase::replicator::{
    LogFound, PeerPacing, PeerRequest, ReplicatorEffect, ReplicatorHeader, ReplicatorRecord, ReplicatorState,
};
use two_phase::{Now, SyncWhen};

const REQUEST: PeerRequest = PeerRequest(7);
const REFUSED: PeerKnowledge = PeerKnowledge::Refused;

/// What replicator 2 asks about a round that builds on version 0.
fn question(round: RoundId) -> PeerQuestion {
    let participant = |one| Participant { id: member(one), address: String::new() };
    PeerQuestion {
        protocol: PROTOCOL_VERSION,
        cluster: Some(cluster()),
        member: member(2),
        round,
        base_version: Version::ZERO,
        participants: (1..=3).map(participant).collect(),
    }
}

fn ask(replica: &mut Replica, question: &PeerQuestion) -> Vec<ReplicatorEffect> {
    replica.core.handle_peer_question(REQUEST, question);
    replica.take()
}

/// The effect of answering so, by replicator 1.
fn answer(round: RoundId, knowledge: PeerKnowledge) -> ReplicatorEffect {
    let answer = PeerAnswer { member: member(1), round, knowledge };
    ReplicatorEffect::AnswerPeer { request: REQUEST, answer }
}

/// What a peer answers to replicator 1.
fn hear(replica: &mut Replica, peer: u8, round: RoundId, knowledge: PeerKnowledge) -> Vec<ReplicatorEffect> {
    let answer = PeerAnswer { member: member(peer), round, knowledge };
    replica.core.handle_peer_answer(&member(peer), answer);
    replica.take()
}

fn at_ms(monotonic_ms: u64) -> Now {
    Now { monotonic_ms, unix_ms: 1_700_000_000_000 + monotonic_ms }
}

fn timer(replica: &mut Replica, monotonic_ms: u64) -> Vec<ReplicatorEffect> {
    replica.core.handle_timer(at_ms(monotonic_ms));
    replica.take()
}

/// Whom these effects ask.
fn asked(effects: &[ReplicatorEffect]) -> Vec<protocol::MemberId> {
    let peer = |effect: &ReplicatorEffect| match effect {
        ReplicatorEffect::AskPeer { peer, .. } => peer.id.clone(),
        other => panic!("{other:?}"),
    };
    effects.iter().map(peer).collect()
}

/// Replicator 1 in doubt about round 1-1, without a coordinator, having asked the others.
fn asking() -> (Replica, Prepare) {
    let mut replica = Replica::level();
    let prepare = replica.in_doubt(1, vec![put("a", 1, "Emma")]);
    replica.disconnect();
    assert_eq!(asked(&timer(&mut replica, 1_000)), [member(2), member(3)]);
    (replica, prepare)
}

// As asked.

#[test]
fn round_that_was_not_voted_on_is_refused_durably_before_the_refusal_is_said() {
    let mut replica = Replica::level();
    let effects = ask(&mut replica, &question(round(1, 1)));
    let [ReplicatorEffect::Append { record: ReplicatorRecord::Refused { round: refused, .. }, sync, .. }] =
        effects.as_slice()
    else {
        panic!("{effects:?}");
    };
    assert_eq!((*refused, *sync), (round(1, 1), SyncWhen::Now));
    assert_eq!(ask(&mut replica, &question(round(1, 1))), [], "nor to a second peer");
    let said = answer(round(1, 1), REFUSED);
    assert_eq!(replica.durable(), [said.clone(), said]);
}

#[test]
fn refused_round_is_never_prepared_and_the_coordinator_gets_a_vote_to_abort() {
    let mut replica = Replica::level();
    let prepare = replica.prepare(1, vec![put("a", 1, "Emma")]);
    ask(&mut replica, &question(prepare.round));
    assert_eq!(replica.hear(ToReplicator::Prepare(prepare.clone())), [], "not before the refusal is durable");
    let effects = replica.durable();
    let [ToCoordinator::Vote { round: voted, vote: Vote::Abort { cause: AbortCause::Mine { .. } }, .. }] =
        said(&effects)[..]
    else {
        panic!("{effects:?}");
    };
    assert_eq!(*voted, prepare.round);
    replica.restart(LogFound::Whole);
    replica.connect();
    let effects = replica.hear(ToReplicator::Prepare(prepare));
    assert!(matches!(said(&effects)[..], [ToCoordinator::Vote { vote: Vote::Abort { .. }, .. }]), "{effects:?}");
    assert_eq!(replica.core.state().prepared, None);
}

#[test]
fn outcome_that_is_known_is_told_also_after_a_restart_and_from_a_checkpoint() {
    let mut replica = Replica::level();
    replica.commit(1, vec![put("a", 1, "Emma")]);
    replica.in_doubt(2, vec![put("b", 2, "Persuasion")]);
    replica.hear(ToReplicator::Abort { round: round(1, 2) });
    let mut bad = replica.prepare(3, vec![put("c", 3, "Sanditon")]);
    bad.base_version = Version(9);
    replica.hear(ToReplicator::Prepare(bad));
    replica.durable();
    let known = [(1, PeerKnowledge::Committed), (2, PeerKnowledge::Aborted), (3, REFUSED)];
    let text = serde_json::to_string(&replica.core.state().header()).unwrap();
    let header: ReplicatorHeader = serde_json::from_str(&text).unwrap();
    let manifest = replica.core.state().manifest.clone();
    let checkpointed = Replica::on(ReplicatorState::from_checkpoint(header, manifest));
    replica.restart(LogFound::Whole);
    for mut replica in [replica, checkpointed] {
        for (number, knowledge) in known.clone() {
            let effects = ask(&mut replica, &question(round(1, number)));
            assert_eq!(effects, [answer(round(1, number), knowledge)]);
        }
    }
}

#[test]
fn checkpoint_from_before_outcomes_were_remembered_is_still_read() {
    let mut older = serde_json::to_value(trusted_state().header()).unwrap();
    older.as_object_mut().unwrap().remove("outcomes").unwrap();
    assert_eq!(serde_json::from_value::<ReplicatorHeader>(older).unwrap(), trusted_state().header());
}

#[test]
fn outcome_is_not_told_before_its_record_is_durable() {
    let mut replica = Replica::level();
    replica.in_doubt(1, vec![put("a", 1, "Emma")]);
    replica.hear(ToReplicator::Commit { round: round(1, 1) });
    assert_eq!(ask(&mut replica, &question(round(1, 1))), []);
    assert_eq!(replica.durable().last(), Some(&answer(round(1, 1), PeerKnowledge::Committed)));
}

#[test]
fn outcome_that_the_next_prepare_names_is_known_also_to_whom_the_round_never_reached() {
    let mut replica = Replica::level();
    let prepare = Prepare {
        parent: parent(round(1, 1), Outcome::Aborted),
        ..replica.prepare(2, vec![put("b", 2, "Persuasion")])
    };
    replica.hear(ToReplicator::Prepare(prepare));
    replica.durable();
    let effects = ask(&mut replica, &question(round(1, 1)));
    assert_eq!(effects, [answer(round(1, 1), PeerKnowledge::Aborted)]);
}

#[test]
fn participant_that_voted_commit_too_is_in_doubt_and_refuses_nothing() {
    let mut replica = Replica::level();
    let prepare = replica.in_doubt(1, vec![put("a", 1, "Emma")]);
    assert_eq!(ask(&mut replica, &question(round(1, 1))), [answer(round(1, 1), PeerKnowledge::InDoubt)]);
    assert_eq!(replica.core.state().prepared, Some(prepare));
}

/// The question gets no other answer than that it cannot be told, for a reason with `part` in it, and nothing is written.
fn cannot_tell(replica: &mut Replica, question: &PeerQuestion, part: &str) {
    let effects = ask(replica, question);
    let [ReplicatorEffect::AnswerPeer { answer, .. }] = effects.as_slice() else { panic!("{part}: {effects:?}") };
    let PeerKnowledge::CannotTell { reason } = &answer.knowledge else { panic!("{part}: {answer:?}") };
    assert!(reason.contains(part), "{part:?} is not in {reason:?}");
}

#[test]
fn question_that_is_not_for_this_replicator_is_neither_answered_nor_refused() {
    let good = question(round(1, 1));
    let mut others = good.participants.clone();
    others.retain(|participant| participant.id != member(1));
    let mut replica = Replica::level();
    for (bad, part) in [
        (PeerQuestion { protocol: 99, ..good.clone() }, "protocol"),
        (PeerQuestion { cluster: Some(ClusterId(uuid::Uuid::from_u128(8))), ..good.clone() }, "another cluster"),
        (PeerQuestion { cluster: None, ..good.clone() }, "another cluster"),
        (PeerQuestion { participants: others, ..good.clone() }, "takes no part"),
    ] {
        cannot_tell(&mut replica, &bad, part);
    }
}

#[test]
fn memory_that_may_have_forgotten_a_vote_neither_refuses_nor_bears_witness() {
    for standing in [Standing::Lost, Standing::Unconfirmed] {
        let mut replica = Replica::level();
        replica.commit(1, vec![put("a", 1, "Emma")]);
        let mut replica = Replica::on(ReplicatorState { standing, ..replica.core.state().clone() });
        for number in [1, 2] {
            cannot_tell(&mut replica, &question(round(1, number)), "memory");
        }
    }
    let mut replica = Replica::level();
    cannot_tell(&mut replica, &question(round(2, 1)), "epochs up to 1");
    let ahead = PeerQuestion { base_version: Version(1), ..question(round(1, 1)) };
    cannot_tell(&mut replica, &ahead, "version");
    let gone_on = ReplicatorState { settled: round(1, 5), ..trusted_state() };
    cannot_tell(&mut Replica::on(gone_on), &question(round(1, 5)), "no longer remembers");
}

#[test]
fn replicator_in_doubt_about_another_round_refuses_nothing() {
    let mut replica = Replica::level();
    replica.in_doubt(1, vec![put("a", 1, "Emma")]);
    cannot_tell(&mut replica, &question(round(1, 2)), "in doubt about round 1-1");
}

#[test]
fn replicator_that_catches_up_refuses_nothing() {
    let mut replica = Replica::level();
    let target = protocol::CatchUpTarget {
        version: Version(3),
        round: round(1, 3),
        root: protocol::SetDigest::of_element(&[b"other"]),
    };
    let catch_up = protocol::CatchUpId(1);
    replica.hear(ToReplicator::CatchUp(protocol::ToLearner::Compare { catch_up, target }));
    cannot_tell(&mut replica, &question(round(1, 4)), "catching up");
}

// As asker.

#[test]
fn peers_are_asked_at_once_without_a_coordinator_and_again_after_a_pause() {
    let (mut replica, prepare) = asking();
    let pause_ms = PeerPacing::default().ask_again_ms;
    assert_eq!(replica.core.next_timer_ms(), Some(1_000 + pause_ms));
    assert_eq!(timer(&mut replica, 1_000 + pause_ms - 1), []);
    let effects = timer(&mut replica, 1_000 + pause_ms);
    assert_eq!(asked(&effects), [member(2), member(3)]);
    let ReplicatorEffect::AskPeer { question: said, .. } = &effects[0] else { panic!("{effects:?}") };
    assert_eq!(*said, PeerQuestion { member: member(1), ..question(prepare.round) });
}

#[test]
fn coordinator_that_is_connected_has_some_time_before_peers_are_asked() {
    let mut replica = Replica::level();
    replica.in_doubt(1, vec![put("a", 1, "Emma")]);
    assert_eq!(replica.core.next_timer_ms(), Some(0));
    let patience_ms = PeerPacing::default().patience_ms;
    assert_eq!(timer(&mut replica, 1_000), []);
    assert_eq!(timer(&mut replica, 1_000 + patience_ms - 1), []);
    assert_eq!(replica.core.in_doubt(), None);
    assert_eq!(asked(&timer(&mut replica, 1_000 + patience_ms)), [member(2), member(3)]);
}

#[test]
fn nobody_is_asked_before_the_own_vote_is_durable() {
    let mut replica = Replica::level();
    let prepare = replica.prepare(1, vec![put("a", 1, "Emma")]);
    replica.hear(ToReplicator::Prepare(prepare));
    replica.disconnect();
    assert_eq!(timer(&mut replica, 1_000), []);
    replica.durable();
    assert_eq!(asked(&timer(&mut replica, 1_000)).len(), 2);
}

#[test]
fn peer_that_knows_ends_the_doubt_as_the_coordinator_would() {
    for (knowledge, outcome) in [
        (PeerKnowledge::Committed, ToReplicator::Commit { round: round(1, 1) }),
        (PeerKnowledge::Aborted, ToReplicator::Abort { round: round(1, 1) }),
        (REFUSED, ToReplicator::Abort { round: round(1, 1) }),
    ] {
        let (mut by_peer, _) = asking();
        let (mut by_coordinator, _) = asking();
        let effects = hear(&mut by_peer, 3, round(1, 1), knowledge);
        assert!(matches!(effects.as_slice(), [ReplicatorEffect::Append { .. }]), "{effects:?}");
        assert_eq!(effects, by_coordinator.hear(outcome));
        assert_eq!(by_peer.durable(), by_coordinator.durable());
        assert_eq!(by_peer.core.state(), by_coordinator.core.state());
        assert_eq!(by_peer.core.in_doubt(), None);
        assert_eq!(timer(&mut by_peer, 60_000), [], "there is nothing to ask any more");
    }
}

/// Found by a seed: the coordinator had begun a catch-up for a replicator in doubt, confirmed the state that a peer had helped it
/// to, ran a round with it, and then the catch-up took the vote away.
#[test]
fn replicator_that_was_told_by_a_peer_introduces_itself_anew_to_a_coordinator_that_is_connected() {
    let mut replica = Replica::level();
    replica.in_doubt(1, vec![put("a", 1, "Emma")]);
    timer(&mut replica, 1_000);
    timer(&mut replica, 60_000);
    let effects = hear(&mut replica, 3, round(1, 1), PeerKnowledge::Committed);
    let [ReplicatorEffect::Append { .. }, ReplicatorEffect::Disconnect { reason }] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert!(reason.contains("1-1"), "{reason}");
    assert_eq!(replica.connect(), [], "the hello waits for what it reports");
    let effects = replica.durable();
    let [ToCoordinator::Hello(hello)] = said(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((hello.version, hello.prepared), (Version(1), None));
}

#[test]
fn replicator_that_was_told_by_a_peer_tells_the_next_one() {
    let (mut replica, _) = asking();
    hear(&mut replica, 3, round(1, 1), REFUSED);
    replica.durable();
    assert_eq!(ask(&mut replica, &question(round(1, 1))), [answer(round(1, 1), PeerKnowledge::Aborted)]);
}

#[test]
fn nothing_is_concluded_from_silence_or_from_others_in_doubt_and_the_reason_is_said() {
    let (mut replica, prepare) = asking();
    assert_eq!(hear(&mut replica, 2, round(1, 1), PeerKnowledge::InDoubt), []);
    replica.core.handle_peer_silent(&member(3), round(1, 1), "connection refused".to_owned());
    assert_eq!(replica.take(), []);
    let said = replica.core.in_doubt().unwrap();
    assert_eq!((said.round, said.since_ms), (round(1, 1), at_ms(1_000).unix_ms));
    assert_eq!(
        said.why,
        "round 1-1 is in doubt since 2023-11-14T22:13:21.000Z: replicator-2 is in doubt too, replicator-3 cannot be reached \
         (connection refused); waiting for the coordinator, or for a participant that can tell"
    );
    assert_eq!(hear(&mut replica, 3, round(1, 1), PeerKnowledge::InDoubt), []);
    let why = replica.core.in_doubt().unwrap().why;
    assert!(why.ends_with("replicator-3 is in doubt too; only the coordinator's log can tell"), "{why}");
    let reason = "its memory is not confirmed".to_owned();
    assert_eq!(hear(&mut replica, 3, round(1, 1), PeerKnowledge::CannotTell { reason }), []);
    let why = replica.core.in_doubt().unwrap().why;
    assert!(why.contains("replicator-3 cannot tell (its memory is not confirmed)"), "{why}");
    assert_eq!(replica.core.state().prepared, Some(prepare));
}

#[test]
fn word_of_somebody_else_or_about_another_round_or_unasked_is_not_taken() {
    let (mut replica, prepare) = asking();
    assert_eq!(hear(&mut replica, 3, round(1, 2), REFUSED), []);
    let stranger = PeerAnswer { member: member(9), round: round(1, 1), knowledge: REFUSED };
    replica.core.handle_peer_answer(&member(3), stranger);
    assert_eq!(replica.take(), []);
    assert!(replica.core.in_doubt().unwrap().why.contains("replicator-9 answers at its address"));
    assert_eq!(replica.core.state().prepared, Some(prepare));
    let mut unasked = Replica::level();
    unasked.in_doubt(1, vec![put("a", 1, "Emma")]);
    assert_eq!(hear(&mut unasked, 3, round(1, 1), REFUSED), []);
}

#[test]
fn doubt_survives_a_restart_and_the_peers_are_asked_again() {
    let (mut replica, _) = asking();
    replica.restart(LogFound::Whole);
    assert_eq!(asked(&timer(&mut replica, 5)), [member(2), member(3)]);
}

// With the coordinator.

/// A round of a cluster of three that reached replicators 1 and 2, who voted commit and are in doubt, and not replicator 3.
fn half_prepared() -> (Cluster, Prepare, [Replica; 3]) {
    let mut cluster = Cluster::level(3);
    let prepare = prepares(&cluster.submit(1, vec![put("a", 1, "Emma")])).remove(0);
    let mut replicas = [1, 2, 3].map(|number| Replica::numbered(number, trusted_state()));
    for replica in &mut replicas {
        replica.connect();
    }
    for replica in &mut replicas[..2] {
        replica.hear(ToReplicator::Prepare(prepare.clone()));
        replica.durable();
    }
    (cluster, prepare, replicas)
}

#[test]
fn coordinator_cannot_commit_a_round_that_participants_have_ended() {
    let (mut cluster, prepare, [mut first, _, mut third]) = half_prepared();
    first.disconnect();
    timer(&mut first, 1_000);
    third.core.handle_peer_question(REQUEST, &question(prepare.round));
    third.take();
    let effects = third.durable();
    let [ReplicatorEffect::AnswerPeer { answer, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    first.core.handle_peer_answer(&member(3), answer.clone());
    first.take();
    first.durable();
    assert_eq!(first.core.state().prepared, None);

    // The coordinator goes on: it has both votes, and its prepare reaches the third at last.
    assert!(records(&cluster.vote(1, prepare.round, Vote::Commit)).is_empty());
    assert!(records(&cluster.vote(2, prepare.round, Vote::Commit)).is_empty());
    let settled = ToCoordinator::Acknowledge {
        settled: first.core.state().settled,
        version: first.core.state().version,
        root: first.core.state().manifest.root(),
    };
    assert!(records(&cluster.replicator_says(1, settled)).is_empty());
    let effects = third.hear(ToReplicator::Prepare(prepare.clone()));
    let [vote] = said(&effects)[..] else { panic!("{effects:?}") };
    let effects = cluster.replicator_says(3, vote.clone());
    assert!(records(&effects).is_empty(), "{effects:?}");
    assert!(told(&effects).contains(&&ToReplicator::Abort { round: prepare.round }), "{effects:?}");
}

#[test]
fn participant_that_ended_the_round_itself_takes_part_again_under_the_next_coordinator() {
    let (mut cluster, prepare, [mut first, ..]) = half_prepared();
    first.disconnect();
    timer(&mut first, 1_000);
    hear(&mut first, 3, prepare.round, REFUSED);
    first.durable();
    cluster.restart();
    cluster.durable();
    let effects = first.connect();
    let [ToCoordinator::Hello(hello)] = said(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((hello.prepared, hello.settled), (None, prepare.round));
    cluster.join(2);
    cluster.connect(1, hello.clone());
    let effects = cluster.accept_epoch(1);
    let (version, root) = (hello.version, hello.root);
    assert!(told(&effects).contains(&&ToReplicator::Confirm { version, root }), "{effects:?}");
}

/// With its memory trusted it could refuse, for a peer, the very round that it voted commit on.
#[test]
fn participant_that_may_have_forgotten_its_vote_is_not_confirmed_while_the_round_is_being_decided() {
    let mut cluster = Cluster::level(3);
    let prepare = prepares(&cluster.submit(1, vec![put("a", 1, "Emma")])).remove(0);
    cluster.all_vote_commit(prepare.round); // The decision is on its way to the disk.
    let hello = ReplicatorHello { standing: Standing::Unconfirmed, ..cluster.hello(3) };
    cluster.connect(3, hello);
    assert_eq!(told(&cluster.accept_epoch(3)), Vec::<&ToReplicator>::new());
    let effects = cluster.durable();
    assert!(told(&effects).contains(&&ToReplicator::Commit { round: prepare.round }), "{effects:?}");
}

#[test]
fn question_of_a_coordinators_epoch_that_was_replaced_is_answered_as_any_other() {
    let mut replica = Replica::level();
    let welcome = ToReplicator::Welcome { cluster: cluster(), view: ViewNumber(4), data_key: String::new() };
    replica.hear_from(Epoch(2), coordinator(2), welcome);
    replica.durable();
    ask(&mut replica, &question(round(1, 1)));
    assert_eq!(replica.durable(), [answer(round(1, 1), REFUSED)]);
}
