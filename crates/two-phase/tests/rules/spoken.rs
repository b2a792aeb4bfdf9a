//! Looking at a coordinator's effects: what is said to whom, and what is written.

use protocol::{Prepare, SubmissionAnswer, ToAppServer, ToReplicator};
use two_phase::coordinator::{CoordinatorEffect, CoordinatorRecord};

/// Without the news for people, and without views.
pub(crate) fn without_events(effects: Vec<CoordinatorEffect>) -> Vec<CoordinatorEffect> {
    let is_view = |effect: &CoordinatorEffect| matches!(effect, CoordinatorEffect::ToReplicators { message, .. } if matches!(message.message, ToReplicator::View(_)));
    let effects = effects.into_iter().filter(|effect| !matches!(effect, CoordinatorEffect::Happened(_)));
    effects.filter(|effect| !is_view(effect)).collect()
}

/// What replicators are told, in order; without the views, which each is told whenever one is in force.
pub(crate) fn said(effects: &[CoordinatorEffect]) -> Vec<&ToReplicator> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            CoordinatorEffect::ToReplicators { message, .. } => {
                Some(&message.message).filter(|message| !matches!(message, ToReplicator::View(_)))
            }
            _ => None,
        })
        .collect()
}

/// What app-servers are told, in order.
pub(crate) fn told(effects: &[CoordinatorEffect]) -> Vec<&ToAppServer> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            CoordinatorEffect::ToAppServers { message, .. } => Some(&message.message),
            _ => None,
        })
        .collect()
}

/// The answers to submissions, in order.
pub(crate) fn answers(effects: &[CoordinatorEffect]) -> Vec<(u64, SubmissionAnswer)> {
    let answer = |message: &ToAppServer| match message {
        ToAppServer::Answered { request, answer } => Some((request.0, answer.clone())),
        _ => None,
    };
    told(effects).into_iter().filter_map(answer).collect()
}

/// The rounds that begin.
pub(crate) fn prepares(effects: &[CoordinatorEffect]) -> Vec<Prepare> {
    let prepare = |message: &ToReplicator| match message {
        ToReplicator::Prepare(prepare) => Some(prepare.clone()),
        _ => None,
    };
    said(effects).into_iter().filter_map(prepare).collect()
}

/// The records that are written.
pub(crate) fn records(effects: &[CoordinatorEffect]) -> Vec<&CoordinatorRecord> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            CoordinatorEffect::Append { record, .. } => Some(record),
            _ => None,
        })
        .collect()
}
