//! A coordinator that cannot go on alone, and what it does by an operator's order: with a log that must not be believed, and with a
//! whole log and too few memories to confirm it.

use crate::fixture::Cluster;
use crate::spoken::{prepares, said, told};
use crate::values::{member, put};
use protocol::{
    Epoch, MemberRole, MemberState, RecoveryAnswer, RecoveryOrder, ReplicatorHello, RoundId, RoundNumber, Standing,
    ToAppServer, ToCoordinator, ToReplicator, Version,
};
use two_phase::coordinator::{CoordinatorEffect, CoordinatorState, LogDoubt, Mandate};

/// A coordinator that was told not to believe its log, of a cluster at version 1.
fn unsure() -> Cluster {
    let mut cluster = Cluster::level(3);
    cluster.commit(vec![put("a", 1, "Emma")]);
    cluster.restart_unsure("its data directory is a copy");
    cluster
}

/// A coordinator that has just started, of a cluster at version 1, and replicators of which the first `lost` come without memory.
fn without_memories(lost: u8) -> Cluster {
    let mut cluster = Cluster::level_in_sync(3);
    cluster.commit(vec![put("a", 1, "Emma")]);
    let trusted = cluster.hello(3);
    cluster.restart();
    cluster.durable();
    for number in 1..=lost {
        let hello = ReplicatorHello {
            incarnation: crate::values::incarnation(100 + number),
            version: Version::ZERO,
            root: protocol::SetDigest::EMPTY,
            standing: Standing::Lost,
            ..cluster.hello(number)
        };
        cluster.connect(number, hello);
        cluster.durable();
        cluster.accept_epoch(number);
    }
    cluster.connect(3, trusted);
    cluster.accept_epoch(3);
    cluster
}

fn rebuilt(effects: &[CoordinatorEffect]) -> CoordinatorState {
    let state = effects.iter().find_map(|effect| match effect {
        CoordinatorEffect::Rebuild { state, .. } => Some((**state).clone()),
        _ => None,
    });
    state.unwrap_or_else(|| panic!("nothing is rebuilt: {effects:?}"))
}

#[test]
fn coordinator_that_must_not_believe_its_log_writes_nothing_and_lets_nobody_in() {
    let mut cluster = unsure();
    assert!(matches!(cluster.core.mandate(), Mandate::NeedsRecovery { .. }));
    assert!(cluster.core.why_no_round().unwrap().contains("its data directory is a copy"));
    let hello = cluster.hello(1);
    let effects = cluster.connect(1, hello);
    assert!(matches!(said(&effects)[..], [ToReplicator::Refuse { .. }]), "{effects:?}");
    let app_server = cluster.app_server_joins();
    assert!(matches!(told(&app_server)[..], [ToAppServer::Refuse { .. }]), "{app_server:?}");
    let submitted = cluster.submit(1, vec![put("b", 2, "Persuasion")]);
    let writes = |effect: &CoordinatorEffect| matches!(effect, CoordinatorEffect::Append { .. });
    assert!(![effects, app_server, submitted].concat().iter().any(writes));
    assert_eq!(cluster.core.checkpoint_sequence(), None, "what is read of such a log is never saved as the state");
}

#[test]
fn copy_that_lacks_a_decision_does_not_abort_its_round_but_commits_it_by_an_order() {
    let mut cluster = Cluster::level(3);
    cluster.commit(vec![put("a", 1, "Emma")]);
    let prepare = prepares(&cluster.submit(1, vec![put("b", 2, "Persuasion")])).remove(0);
    let in_doubt: Vec<_> = (1..=3)
        .map(|number| ReplicatorHello {
            participants: vec![member(1), member(2), member(3)],
            ..cluster.hello_in_doubt(number, &prepare)
        })
        .collect();
    cluster.restart_unsure("its data directory is a copy");
    cluster.core.recovery_plan(false, cluster.now);
    for (number, hello) in (1..=3).zip(in_doubt) {
        let effects = cluster.connect(number, hello);
        assert_eq!(said(&effects), Vec::<&ToReplicator>::new(), "it is heard, and told nothing");
    }
    let plan = cluster.core.recovery_plan(false, cluster.now);
    assert!(plan.obstacles.is_empty() && plan.open_round.as_ref().unwrap().commit, "{plan:?}");
    cluster.core.recover(&RecoveryOrder::yes_to(&plan), cluster.now).unwrap();
    cluster.take();
    let answer = RecoveryAnswer::Prepared { prepare: Some(Box::new(prepare.clone())) };
    let state = rebuilt(&cluster.replicator_says(1, ToCoordinator::Recovery(answer)));
    assert_eq!((state.version, state.manifest.root()), (Version(2), prepare.expected_root));
}

#[test]
fn participant_that_was_not_heard_may_have_refused_the_open_round_and_that_is_said() {
    let mut cluster = Cluster::level(3);
    let prepare = prepares(&cluster.submit(1, vec![put("b", 2, "Persuasion")])).remove(0);
    let participants = vec![member(1), member(2), member(3)];
    let in_doubt =
        |number| ReplicatorHello { participants: participants.clone(), ..cluster.hello_in_doubt(number, &prepare) };
    let (first, second) = (in_doubt(1), in_doubt(2));
    cluster.restart_unsure("its decision log cannot be believed");
    cluster.core.recovery_plan(false, cluster.now);
    cluster.connect(1, first);
    cluster.connect(2, second);
    let plan = cluster.core.recovery_plan(false, cluster.now);
    assert_eq!(plan.open_round.as_ref().unwrap().not_heard, [member(3)]);
    assert!(plan.costs.iter().any(|cost| cost.contains("replicator-3 may have refused it")), "{:?}", plan.costs);
}

#[test]
fn epoch_that_no_majority_can_confirm_is_opened_by_an_order_to_those_who_remember() {
    let mut cluster = without_memories(2);
    assert_eq!(*cluster.core.mandate(), Mandate::Opening);
    let why = cluster.core.why_no_round().unwrap();
    assert!(why.contains("replicator-1, replicator-2 have lost their memory"), "{why}");
    let plan = cluster.core.recovery_plan(false, cluster.now);
    assert!(plan.obstacles.is_empty() && plan.source.is_none(), "{plan:?}");
    cluster.core.recover(&RecoveryOrder::yes_to(&plan), cluster.now).unwrap();
    let state = rebuilt(&cluster.take());
    assert_eq!(state.version, Version(1));
    let roles: Vec<_> = state.view.members.iter().map(|member| (member.role, member.state)).collect();
    let joining = (MemberRole::Joining, MemberState::CatchingUp);
    assert_eq!(roles, [joining, joining, (MemberRole::Voter, MemberState::InSync)]);
    cluster.restart_on(state);
    cluster.durable();
    cluster.join(3);
    assert_eq!(*cluster.core.mandate(), Mandate::Open);
    assert_eq!(cluster.core.why_no_round(), None);
}

/// A power cut may leave all of them with a torn tail, and a log that was trimmed knows no longer what they held before.
#[test]
fn torn_tails_that_nobody_can_vouch_for_are_believed_by_an_order() {
    let mut cluster = Cluster::level_in_sync(3);
    cluster.commit(vec![put("a", 1, "Emma")]);
    let torn: Vec<_> =
        (1..=3).map(|number| ReplicatorHello { standing: Standing::Unconfirmed, ..cluster.hello(number) }).collect();
    let prepare = prepares(&cluster.submit(1, vec![put("b", 2, "Persuasion")])).remove(0);
    let in_doubt = ReplicatorHello { standing: Standing::Unconfirmed, ..cluster.hello_in_doubt(2, &prepare) };
    cluster.all_vote_commit(prepare.round);
    cluster.durable();
    let hellos = [torn[0].clone(), in_doubt, torn[2].clone()];
    let come_back = |cluster: &mut Cluster, state: CoordinatorState| {
        // What a checkpoint says, and no log beside it.
        cluster.restart_on(CoordinatorState::from_checkpoint(state.header(), state.manifest.clone(), 0));
        cluster.durable();
        for (number, hello) in (1..=3).zip(hellos.clone()) {
            cluster.connect(number, hello);
            cluster.accept_epoch(number);
        }
    };
    let state = cluster.core.state().clone();
    come_back(&mut cluster, state);
    assert_eq!(*cluster.core.mandate(), Mandate::Opening);
    let plan = cluster.core.recovery_plan(false, cluster.now);
    assert!(plan.obstacles.is_empty(), "{:?}", plan.obstacles);
    assert!(plan.costs.iter().any(|cost| cost.contains("are believed what stands before it")), "{:?}", plan.costs);
    cluster.core.recover(&RecoveryOrder::yes_to(&plan), cluster.now).unwrap();
    let state = rebuilt(&cluster.take());
    assert_eq!((state.version, state.view.voters().count()), (Version(2), 3));
    come_back(&mut cluster, state);
    assert_eq!(*cluster.core.mandate(), Mandate::Open);
}

#[test]
fn set_is_not_smaller_than_the_minimum_after_memories_were_lost() {
    // Of five voters, one is not in sync and three lose their memories: the minimum of the two that are left is two.
    let mut cluster = Cluster::level_in_sync(5);
    cluster.disconnect(5);
    cluster.durable();
    cluster.commit(vec![put("a", 1, "Emma")]);
    let (trusted, behind) = (cluster.hello(4), ReplicatorHello { version: Version::ZERO, ..cluster.hello(5) });
    let in_sync: Vec<_> = cluster.core.state().view.in_sync().map(|one| one.id.clone()).collect();
    assert_eq!(in_sync.len(), 4, "{in_sync:?}");
    cluster.restart();
    cluster.durable();
    for number in 1..=3 {
        let incarnation = crate::values::incarnation(100 + number);
        let (version, root) = (Version::ZERO, protocol::SetDigest::EMPTY);
        let hello = ReplicatorHello { incarnation, version, root, standing: Standing::Lost, ..cluster.hello(number) };
        cluster.connect(number, hello);
        cluster.durable();
        cluster.accept_epoch(number);
    }
    for (number, hello) in [(4, trusted), (5, behind)] {
        cluster.connect(number, hello);
        cluster.accept_epoch(number);
    }
    let view = cluster.core.recovery_plan(false, cluster.now).view.unwrap();
    assert_eq!(view.min_in_sync, 2);
    let in_sync: Vec<_> = view.in_sync().map(|one| one.id.clone()).collect();
    assert_eq!(in_sync, [member(4), member(5)], "rounds wait for the second one rather than go on with one");
}

#[test]
fn majority_that_remembers_needs_no_order() {
    let mut cluster = without_memories(1);
    let plan = cluster.core.recovery_plan(false, cluster.now);
    assert_eq!(plan.reason, None);
    assert!(cluster.core.recover(&RecoveryOrder::yes_to(&plan), cluster.now).is_err());
}

#[test]
fn where_nobody_who_remembers_holds_the_newest_version_the_loss_must_be_accepted() {
    let mut cluster = Cluster::level_in_sync(3);
    cluster.commit(vec![put("a", 1, "Emma")]);
    let behind = cluster.hello(3);
    cluster.disconnect(3);
    cluster.durable();
    cluster.commit(vec![put("b", 2, "Persuasion")]);
    cluster.restart();
    cluster.durable();
    for number in [1, 2] {
        let incarnation = crate::values::incarnation(100 + number);
        let (version, root) = (Version::ZERO, protocol::SetDigest::EMPTY);
        let hello = ReplicatorHello { incarnation, version, root, standing: Standing::Lost, ..cluster.hello(number) };
        cluster.connect(number, hello);
        cluster.durable();
        cluster.accept_epoch(number);
    }
    cluster.connect(3, behind);
    cluster.accept_epoch(3);
    let plan = cluster.core.recovery_plan(false, cluster.now);
    assert!(plan.obstacles.iter().any(|obstacle| obstacle.contains("--accept-loss")), "{plan:?}");
    let plan = cluster.core.recovery_plan(true, cluster.now);
    assert!(plan.obstacles.is_empty() && plan.version == Version(2), "the log says what was committed: {plan:?}");
    let order = RecoveryOrder { accept_loss: true, ..RecoveryOrder::yes_to(&plan) };
    cluster.core.recover(&order, cluster.now).unwrap();
    let state = rebuilt(&cluster.take());
    let in_sync: Vec<_> = state.view.in_sync().map(|one| one.id.clone()).collect();
    assert_eq!(in_sync, [member(3)], "a round waits until it holds what was committed");
}

#[test]
fn witness_that_connects_anew_during_the_recovery_makes_it_fail_and_it_can_be_ordered_again() {
    let mut cluster = unsure();
    cluster.core.recovery_plan(false, cluster.now);
    let newer = Version(2);
    for number in 1..=3 {
        let hello = ReplicatorHello { version: newer, ..cluster.hello(number) };
        cluster.connect(number, hello);
    }
    let plan = cluster.core.recovery_plan(false, cluster.now);
    assert!(plan.source.is_some() && plan.obstacles.is_empty(), "{plan:?}");
    cluster.core.recover(&RecoveryOrder::yes_to(&plan), cluster.now).unwrap();
    let asked = cluster.take();
    assert!(matches!(said(&asked)[..], [ToReplicator::Recovery(_)]), "{asked:?}");
    for number in 1..=3 {
        let hello = ReplicatorHello { version: newer, ..cluster.hello(number) };
        cluster.connect(number, hello);
    }
    let told = cluster.core.recovery_plan(false, cluster.now);
    assert!(told.obstacles.iter().any(|obstacle| obstacle.contains("went away")), "{:?}", told.obstacles);
    let plan = cluster.core.recovery_plan(false, cluster.now);
    assert!(plan.obstacles.is_empty(), "what is over is told once: {:?}", plan.obstacles);
    assert_eq!(cluster.core.recover(&RecoveryOrder::yes_to(&plan), cluster.now), Ok(()));
}

/// Rule Agreement: what a log with a torn tail still says is so; a participant whose vote may be torn away can still know the end.
#[test]
fn round_that_a_torn_log_knows_to_be_aborted_is_not_committed() {
    for torn in [Standing::Unconfirmed, Standing::Trusted] {
        let mut cluster = Cluster::level(3);
        cluster.commit(vec![put("a", 1, "Emma")]);
        let prepare = prepares(&cluster.submit(1, vec![put("b", 2, "Persuasion")])).remove(0);
        let participants = vec![member(1), member(2), member(3)];
        let in_doubt =
            |number| ReplicatorHello { participants: participants.clone(), ..cluster.hello_in_doubt(number, &prepare) };
        let aborted = ReplicatorHello { settled: prepare.round, standing: torn, ..cluster.hello(1) };
        let hellos = [aborted, in_doubt(2), in_doubt(3)];
        cluster.restart_unsure("its data directory is a copy");
        cluster.core.recovery_plan(false, cluster.now);
        for (number, hello) in (1..=3).zip(hellos) {
            cluster.connect(number, hello);
        }
        let open = cluster.core.recovery_plan(false, cluster.now).open_round.unwrap();
        assert!(!open.commit, "{open:?}");
    }
}

/// Rule Agreement: that a round has ended is not that it was committed.
#[test]
fn round_that_one_member_knows_to_be_aborted_is_not_named_as_committed_after_a_recovery() {
    let mut cluster = Cluster::level(3);
    cluster.commit(vec![put("a", 1, "Emma")]);
    let prepare = prepares(&cluster.submit(1, vec![put("b", 2, "Persuasion")])).remove(0);
    let participants = vec![member(1), member(2), member(3)];
    let aborted = ReplicatorHello { settled: prepare.round, ..cluster.hello(1) };
    let in_doubt =
        |number| ReplicatorHello { participants: participants.clone(), ..cluster.hello_in_doubt(number, &prepare) };
    let hellos = [aborted.clone(), in_doubt(2), in_doubt(3)];
    cluster.restart_unsure("its data directory is a copy");
    cluster.core.recovery_plan(false, cluster.now);
    for (number, hello) in (1..=3).zip(hellos.clone()) {
        cluster.connect(number, hello);
    }
    let plan = cluster.core.recovery_plan(false, cluster.now);
    assert!(!plan.open_round.as_ref().unwrap().commit, "{plan:?}");
    cluster.core.recover(&RecoveryOrder::yes_to(&plan), cluster.now).unwrap();
    let state = rebuilt(&cluster.take());
    assert_eq!(state.settled_through(), prepare.round);
    cluster.restart_on(state);
    cluster.durable();
    for (number, hello) in (1..=3).zip(hellos) {
        cluster.connect(number, hello);
        cluster.durable();
        cluster.accept_epoch(number);
    }
    for number in 2..=3 {
        let target = cluster.core.state();
        let (version, root) = (target.version, target.manifest.root());
        let catch_up = protocol::CatchUpId((cluster.core.epoch().0 << 32) + u64::from(number) - 2);
        let done = protocol::FromLearner::CaughtUp { catch_up, version, root };
        cluster.replicator_says(number, ToCoordinator::CatchUp(done));
    }
    for number in 1..=3 {
        cluster.acknowledge(number);
    }
    cluster.durable();
    cluster.app_server_joins();
    let parent = prepares(&cluster.submit(2, vec![put("c", 3, "Sanditon")])).remove(0).parent;
    assert!(parent.is_none_or(|parent| parent.round != prepare.round), "{parent:?}");
}

/// A coordinator that was told not to believe its log, of a cluster at version 2, of which no member has more than version 1 left.
fn unsure_at_version_2(is_damaged: bool) -> (Cluster, Vec<ReplicatorHello>) {
    let mut cluster = Cluster::level(3);
    cluster.commit(vec![put("a", 1, "Emma")]);
    let torn = |hello| ReplicatorHello { standing: Standing::Unconfirmed, ..hello };
    let before = vec![torn(cluster.hello(1)), torn(cluster.hello(2)), cluster.hello(3)];
    cluster.commit(vec![put("b", 2, "Persuasion")]);
    let doubt = LogDoubt { reason: "it is a copy".to_owned(), is_damaged };
    cluster.restart_in_doubt(doubt);
    cluster.core.recovery_plan(false, cluster.now);
    (cluster, before)
}

/// Rule AckedNeverLost: a copy of the log may lack what came later, but what it says was committed (found by seed 14569).
#[test]
fn commit_that_only_a_doubtful_log_knows_of_is_not_passed_over() {
    for is_damaged in [false, true] {
        let (mut cluster, hellos) = unsure_at_version_2(is_damaged);
        for (number, hello) in (1..=3).zip(hellos) {
            cluster.connect(number, hello);
        }
        let plan = cluster.core.recovery_plan(false, cluster.now);
        assert_eq!((plan.version, &plan.source), (Version(2), &None), "{plan:?}");
        let lost = |text: &String| text.contains("holds version 2") && text.contains("--accept-loss");
        assert!(plan.obstacles.iter().any(lost), "its files are gone, which is not decided silently: {plan:?}");
        assert!(cluster.core.recover(&RecoveryOrder::yes_to(&plan), cluster.now).is_err());
    }
}

#[test]
fn commit_that_a_doubtful_log_knows_of_needs_only_one_member_that_has_it() {
    for is_damaged in [false, true] {
        let (mut cluster, mut hellos) = unsure_at_version_2(is_damaged);
        let (version, root) = (Version(2), cluster.core.state().manifest.root());
        hellos[0] = ReplicatorHello { version, root, ..hellos[0].clone() };
        for (number, hello) in (1..=3).zip(hellos) {
            cluster.connect(number, hello);
        }
        let plan = cluster.core.recovery_plan(false, cluster.now);
        assert!(plan.obstacles.is_empty() && plan.version == version, "{plan:?}");
    }
}

#[test]
fn damaged_log_that_knows_most_gives_its_answers_to_the_one_that_begins_anew() {
    let (mut cluster, hellos) = unsure_at_version_2(true);
    for (number, hello) in (1..=3).zip(hellos) {
        cluster.connect(number, hello);
    }
    let plan = cluster.core.recovery_plan(true, cluster.now);
    let order = RecoveryOrder { accept_loss: true, ..RecoveryOrder::yes_to(&plan) };
    cluster.core.recover(&order, cluster.now).unwrap();
    let state = rebuilt(&cluster.take());
    let before = cluster.core.state();
    assert_eq!((state.version, state.manifest.root()), (Version(2), before.manifest.root()));
    assert_eq!(state.answers.oldest(), None, "no answer needs a record of the log that is put aside");
    let read_again = CoordinatorState::from_checkpoint(state.header(), state.manifest.clone(), 0);
    for key in ["a", "b"] {
        let key = key.parse().unwrap();
        assert_eq!(read_again.answers.answer(&key), before.answers.answer(&key), "{key}");
        assert!(read_again.answers.answer(&key).is_some(), "{key}");
    }
}

/// Rule NoStaleCoordinator: a copy that was made before the cluster gave a commit up does not bring it back.
#[test]
fn commit_that_the_cluster_gave_up_is_not_brought_back_by_an_old_log() {
    let (mut cluster, mut hellos) = unsure_at_version_2(false);
    let later = RoundId { epoch: Epoch(9), number: RoundNumber(1) };
    hellos[2] = ReplicatorHello { settled: later, epoch: later.epoch, ..hellos[2].clone() };
    for (number, hello) in (1..=3).zip(hellos) {
        cluster.connect(number, hello);
    }
    let plan = cluster.core.recovery_plan(false, cluster.now);
    assert_eq!((plan.version, plan.source.as_ref()), (Version(1), Some(&member(3))), "{plan:?}");
}
