//! How a coordinator that is not sure of its log finds out what the members hold, and what it would make of it.

use crate::{
    ClusterId, Decision, Epoch, ManifestEntry, MemberId, Prepare, RoundId, SetDigest, Standing, Version, View,
    ViewNumber,
};
use serde::{Deserialize, Serialize};

/// What a coordinator without its log asks a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "recovery", rename_all = "snake_case")]
pub enum RecoveryQuestion {
    /// The committed manifest.
    Manifest,
    /// The round that it has prepared, with its changes.
    Prepared,
}

/// What a member answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "recovery", rename_all = "snake_case")]
pub enum RecoveryAnswer {
    /// A part of the manifest.
    Manifest {
        /// The version that it holds.
        version: Version,
        /// Some of its entries.
        entries: Vec<ManifestEntry>,
        /// Whether these were the last.
        last: bool,
    },
    /// The newest rounds that it has committed, oldest first: clients may still send their changes again.
    Decisions {
        /// The decisions.
        decisions: Vec<Decision>,
    },
    /// The round that it has prepared; none if there is none.
    Prepared {
        /// The round.
        prepare: Option<Box<Prepare>>,
    },
}

/// What one member reported.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// Its name.
    pub member: MemberId,
    /// What it knows of itself.
    pub standing: Standing,
    /// Its committed version.
    pub version: Version,
    /// The root of that version.
    pub root: SetDigest,
    /// The highest epoch that it has accepted.
    pub epoch: Epoch,
    /// The round that it is in doubt about.
    pub in_doubt: Option<RoundId>,
}

/// The newest round that somebody is in doubt about, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenRound {
    /// The round.
    pub round: RoundId,
    /// Whether it would be committed. Otherwise it is aborted.
    pub commit: bool,
    /// Why, for people.
    pub reason: String,
    /// Those who have prepared it.
    pub prepared: Vec<MemberId>,
    /// Participants who have not: it can never have been committed.
    pub not_prepared: Vec<MemberId>,
    /// Participants who were not heard.
    pub not_heard: Vec<MemberId>,
}

/// What would be done to go on, and what it could cost.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryPlan {
    /// Why the coordinator is not sure of its log, for people; none if it is, and nothing is to be recovered.
    pub reason: Option<String>,
    /// The version that its own log ends at.
    pub own_version: Version,
    /// What the members reported, ordered by name.
    pub witnesses: Vec<Witness>,
    /// Voters who were not heard.
    pub missing: Vec<MemberId>,
    /// The cluster; none if nobody says.
    pub cluster: Option<ClusterId>,
    /// The members as they would be.
    pub view: Option<View>,
    /// The committed version to go on from, before the open round.
    pub version: Version,
    /// Its root.
    pub root: SetDigest,
    /// Whose manifest is taken; none if the own log holds it.
    pub source: Option<MemberId>,
    /// The newest round that is in doubt.
    pub open_round: Option<OpenRound>,
    /// All epochs up to this one are over.
    pub epoch: Epoch,
    /// What could be lost or come back, for people.
    pub costs: Vec<String>,
    /// Why it cannot be done now, for people.
    pub obstacles: Vec<String>,
}

/// The operator's yes to a plan, which must still be the plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryOrder {
    /// The version of the plan.
    pub version: Version,
    /// The root of the plan.
    pub root: SetDigest,
    /// The open round of the plan.
    pub open_round: Option<RoundId>,
    /// The operator's own conclusion of the open round: commit it or not. None: as the plan says.
    pub commit: Option<bool>,
    /// Go on although fewer than a majority was heard: what only the others hold is lost.
    pub accept_loss: bool,
    /// The view number of the plan, so that a change of members in between is seen.
    pub view: Option<ViewNumber>,
}

impl RecoveryOrder {
    /// The yes to this plan as it is: the open round ends as it says, and no loss is accepted.
    #[must_use]
    pub fn yes_to(plan: &RecoveryPlan) -> Self {
        Self {
            version: plan.version,
            root: plan.root,
            open_round: plan.open_round.as_ref().map(|open| open.round),
            commit: None,
            accept_loss: false,
            view: plan.view.as_ref().map(|view| view.number),
        }
    }
}
