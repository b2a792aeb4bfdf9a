//! What can be made of a cluster whose coordinator has lost its log or stands on an old copy of it, or whose voters have lost their
//! memories: pure functions from what the members report to a plan, and from a plan to a state.
//!
//! Every decision is on the disks of all participants, as prepared at least, and participants are a majority of the voters. So a
//! majority of memories that are whole holds at least one that has the newest committed round. That round may be in doubt there:
//! it is committed, for it may have been acknowledged, unless a participant that was heard has not prepared it, or a later round
//! was begun on the same version: then it can never have been (rules Validity and AckedNeverLost).
//!
//! A log that must not be believed may lack what came later, but what it says was committed, was: if it knows of a version that no
//! member has, the members have lost that one, and it counts.

use crate::Manifest;
use crate::coordinator::{CoordinatorRecord, CoordinatorState, Decision};
use crate::log_sequence::LogSequence;
use crate::mutant::Mutant;
use protocol::{
    ClusterId, Epoch, ManifestEntry, MemberId, MemberRole, MemberState, OpenRound, Prepare, RecoveryOrder,
    RecoveryPlan, ReplicatorHello, RoundId, SetDigest, Standing, Version, View, Witness,
};
use std::collections::{BTreeMap, BTreeSet};

/// The members' reports, by name.
pub type Reports = BTreeMap<MemberId, ReplicatorHello>;

/// What a coordinator cannot get over without an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It is not sure of its log.
    Log {
        /// Why, for people.
        reason: String,
        /// It cannot be gone on with: what it says of answers is lost with it.
        is_damaged: bool,
    },
    /// So many voters have lost their memory that no majority can confirm its epoch.
    Memories {
        /// Those.
        lost: BTreeSet<MemberId>,
    },
}

/// What would be done.
#[must_use]
pub fn plan(trouble: Option<Trouble>, own: &CoordinatorState, reports: &Reports, accept_loss: bool) -> RecoveryPlan {
    match trouble {
        Some(Trouble::Memories { lost }) => plan_without_memories(&lost, own, reports, accept_loss),
        Some(Trouble::Log { reason, is_damaged }) => {
            plan_without_log(Some(reason), is_damaged, own, reports, accept_loss)
        }
        None => plan_without_log(None, false, own, reports, accept_loss),
    }
}

/// The log is whole: it says what was committed. Who has lost its memory does not vote until it has caught up, so that the others
/// are enough to go on. Who has only a torn tail is believed what it has: of what it may have forgotten this log knows the end.
fn plan_without_memories(
    lost: &BTreeSet<MemberId>,
    own: &CoordinatorState,
    reports: &Reports,
    accept_loss: bool,
) -> RecoveryPlan {
    let is_torn = |id: &&MemberId| reports.get(*id).is_some_and(|hello| hello.standing == Standing::Unconfirmed);
    let (torn, lost): (Vec<_>, BTreeSet<_>) =
        (lost.iter().filter(is_torn).collect(), lost.iter().filter(|id| !is_torn(id)).collect());
    let mut view = own.view.after(|view| {
        for member in view.members.iter_mut().filter(|member| lost.contains(&member.id)) {
            (member.role, member.state) = (MemberRole::Joining, MemberState::CatchingUp);
        }
    });
    view.number = own.view.number;
    // Rule MinInSync: whoever it takes to reach the minimum counts as in sync, so that a round waits until they are.
    if (view.in_sync().count() as u64) < view.min_in_sync {
        let voters = view.members.iter_mut().filter(|member| member.role == MemberRole::Voter);
        voters.for_each(|member| member.state = MemberState::InSync);
    }
    let (version, root) = (own.version, own.manifest.root());
    let holds_it = |id: &MemberId| reports.get(id).is_some_and(|hello| holds_newest(own, hello));
    let is_held = view.voters().any(|member| holds_it(&member.id));
    let missing = view.voters().filter(|member| !reports.contains_key(&member.id)).map(|member| member.id.clone());
    let names = |ids: &mut dyn Iterator<Item = &&MemberId>| ids.map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
    let mut costs = Vec::new();
    if !lost.is_empty() {
        costs.push(format!("{} vote no more until they have caught up", names(&mut lost.iter())));
    }
    if !torn.is_empty() {
        costs.push(format!(
            "{} have a torn record at the end and are believed what stands before it, as nobody else can tell",
            names(&mut torn.iter())
        ));
    }
    let mut obstacles = Vec::new();
    if view.voters().next().is_none() {
        obstacles.push("no voter with a whole memory is left; bring one back with its disk".to_owned());
    }
    if !is_held {
        note_loss_of_files(version, accept_loss, &mut costs, &mut obstacles);
    }
    RecoveryPlan {
        reason: Some(format!(
            "{} have lost their memory, or the end of it, and no majority can confirm this coordinator",
            names(&mut lost.iter().chain(&torn))
        )),
        own_version: version,
        witnesses: reports.values().map(witness).collect(),
        missing: missing.collect(),
        cluster: Some(own.cluster),
        open_round: None,
        epoch: own.epoch,
        source: None,
        view: Some(view),
        version,
        root,
        costs,
        obstacles,
    }
}

/// Whether a member has the newest version of this log, or has it prepared: then it will be told that it is committed.
fn holds_newest(own: &CoordinatorState, hello: &ReplicatorHello) -> bool {
    let has_prepared = hello.prepared.is_some_and(|prepared| prepared.round == own.last_decision);
    (hello.version, hello.root) == (own.version, own.manifest.root()) || has_prepared
}

fn note_loss_of_files(version: Version, accept_loss: bool, costs: &mut Vec<String>, obstacles: &mut Vec<String>) {
    let loss = format!(
        "no voter that was heard with a whole memory holds version {version}: files that were changed last come from an \
         app-server's copy, or are lost"
    );
    if !accept_loss {
        obstacles.push(format!("{loss}; bring another voter back with its disk, or accept that with --accept-loss"));
    }
    costs.push(loss);
}

/// Whether this log knows of a commit that no member that was heard has (rule AckedNeverLost), and none has gone on without:
/// a member that knows of a later round on an older version belongs to a cluster that gave that commit up.
fn knows_more_than_all(own: &CoordinatorState, cluster: Option<ClusterId>, known: &[&ReplicatorHello]) -> bool {
    let went_on = |hello: &&ReplicatorHello| {
        let prepared = hello.prepared.map(|prepared| prepared.round).unwrap_or_default();
        hello.version >= own.version || hello.settled.max(prepared) > own.last_decision
    };
    cluster == Some(own.cluster) && !known.iter().any(went_on)
}

fn plan_without_log(
    reason: Option<String>,
    is_damaged: bool,
    own: &CoordinatorState,
    reports: &Reports,
    accept_loss: bool,
) -> RecoveryPlan {
    // What a member with a torn tail has is as true as what others have; only what it has not says nothing.
    let known: Vec<_> = reports.values().filter(|hello| hello.standing != Standing::Lost).collect();
    let clusters: BTreeSet<_> = known.iter().filter_map(|hello| hello.cluster).collect();
    let cluster = clusters.iter().next().copied();
    let newest = known.iter().max_by_key(|hello| (hello.version, hello.standing == Standing::Trusted)).copied();
    let newest = newest.filter(|_| !knows_more_than_all(own, cluster, &known));
    let version = newest.map_or(own.version, |hello| hello.version);
    let root = newest.map_or_else(|| own.manifest.root(), |hello| hello.root);
    let own_holds_it =
        !is_damaged && cluster == Some(own.cluster) && (own.version, own.manifest.root()) == (version, root);
    let view = newest_view(own, cluster, &known);
    let voters: Vec<_> = view.voters().map(|member| member.id.clone()).collect();
    let missing = voters.iter().filter(|id| !reports.contains_key(*id)).cloned().collect();
    let heard: Vec<_> = known.iter().filter(|hello| voters.contains(&hello.member)).copied().collect();
    // Participants of a round are a majority at least: so many meet one of them.
    let needed = voters.len() + 1 - view.majority();
    let mut plan = RecoveryPlan {
        own_version: own.version,
        witnesses: reports.values().map(witness).collect(),
        missing,
        cluster,
        open_round: open_round(&known, version),
        epoch: highest_epoch(own, cluster, reports),
        source: newest.filter(|_| !own_holds_it).map(|hello| hello.member.clone()),
        costs: Vec::new(),
        obstacles: obstacles(reason.is_some(), &clusters, &known, version, (heard.len(), needed), accept_loss),
        view: Some(view),
        version,
        root,
        reason,
    };
    plan.costs = costs(&plan, &heard, needed, own_holds_it);
    if newest.is_none() && !known.is_empty() && !heard.iter().any(|hello| holds_newest(own, hello)) {
        note_loss_of_files(version, accept_loss, &mut plan.costs, &mut plan.obstacles);
    }
    plan
}

fn witness(hello: &ReplicatorHello) -> Witness {
    Witness {
        member: hello.member.clone(),
        standing: hello.standing,
        version: hello.version,
        root: hello.root,
        epoch: hello.epoch,
        in_doubt: hello.prepared.map(|prepared| prepared.round),
    }
}

/// The newest view that anybody knows; that of this coordinator's own log, if it is of the same cluster.
fn newest_view(own: &CoordinatorState, cluster: Option<ClusterId>, known: &[&ReplicatorHello]) -> View {
    let told = known.iter().filter_map(|hello| hello.view.as_ref());
    let newest = told.max_by_key(|view| view.number);
    let is_own = cluster.is_none_or(|cluster| cluster == own.cluster);
    match newest {
        Some(view) if !is_own || view.number >= own.view.number => view.clone(),
        _ => own.view.clone(),
    }
}

fn highest_epoch(own: &CoordinatorState, cluster: Option<ClusterId>, reports: &Reports) -> Epoch {
    let own = if cluster.is_none_or(|cluster| cluster == own.cluster) { own.epoch } else { Epoch::ZERO };
    reports.values().map(|hello| hello.epoch).max().unwrap_or_default().max(own)
}

/// The newest round that was prepared on this version, and whether it may have been committed.
fn open_round(known: &[&ReplicatorHello], version: Version) -> Option<OpenRound> {
    let on_it = |hello: &&&ReplicatorHello| hello.prepared.is_some_and(|prepared| prepared.base_version == version);
    let newest = known.iter().filter(on_it).max_by_key(|hello| hello.prepared.map(|prepared| prepared.round))?;
    let round = newest.prepared?.round;
    let has_prepared = |hello: &ReplicatorHello| hello.prepared.is_some_and(|prepared| prepared.round == round);
    let report = |id: &MemberId| known.iter().find(|hello| hello.member == *id);
    let (mut prepared, mut not_prepared, mut not_heard) = (Vec::new(), Vec::new(), Vec::new());
    for id in &newest.participants {
        match report(id) {
            Some(hello) if has_prepared(hello) => prepared.push(id.clone()),
            // Also where its tail is torn: what is left of its log says that the round has ended, and nobody holds what it made.
            Some(hello) if hello.standing == Standing::Trusted || hello.settled >= round => {
                not_prepared.push(id.clone());
            }
            // One with a torn tail may have had it.
            Some(_) | None => not_heard.push(id.clone()),
        }
    }
    let superseded = known.iter().find(|hello| hello.settled >= round);
    let (commit, reason) = match (not_prepared.first(), superseded) {
        (Some(member), _) => (
            false,
            format!(
                "{member} takes part in it and does not have it prepared: nobody can have been told that it is committed"
            ),
        ),
        (None, Some(hello)) => {
            (false, format!("{} knows of a later round on the same version, or that this one has ended", hello.member))
        }
        (None, None) => (
            !Mutant::RecoversWithoutOpenRound.is_on(),
            "every participant that was heard has prepared it: it may have been acknowledged".to_owned(),
        ),
    };
    Some(OpenRound { round, commit, reason, prepared, not_prepared, not_heard })
}

fn obstacles(
    is_needed: bool,
    clusters: &BTreeSet<ClusterId>,
    known: &[&ReplicatorHello],
    version: Version,
    (heard, needed): (usize, usize),
    accept_loss: bool,
) -> Vec<String> {
    let mut obstacles = Vec::new();
    if !is_needed {
        obstacles.push("this coordinator is sure of its log; there is nothing to recover".to_owned());
    }
    if known.is_empty() {
        obstacles.push("no member with a whole memory has answered yet; start the replicators".to_owned());
    }
    if clusters.len() > 1 {
        obstacles
            .push("the members that answered belong to different clusters; stop those of the wrong one".to_owned());
    }
    let roots: BTreeSet<_> = known.iter().filter(|hello| hello.version == version).map(|hello| hello.root).collect();
    if roots.len() > 1 {
        obstacles.push(format!("the members at version {version} do not hold the same; stop those that are wrong"));
    }
    if heard < needed && !accept_loss {
        obstacles.push(format!(
            "{heard} of the {needed} voters that are needed have answered with a whole memory: with fewer, acknowledged \
             changes may be missed; start the others, or accept that loss with --accept-loss"
        ));
    }
    obstacles
}

fn costs(plan: &RecoveryPlan, heard: &[&ReplicatorHello], needed: usize, own_holds_it: bool) -> Vec<String> {
    let mut costs = Vec::new();
    if let Some(open) = plan.open_round.as_ref().filter(|open| open.commit) {
        costs.push(format!(
            "round {} is committed although nobody may have been told so: its changes appear even if their clients gave up, or were \
             told that it was aborted and no replicator knows of that",
            open.round
        ));
        if !open.not_heard.is_empty() {
            let names: Vec<_> = open.not_heard.iter().map(MemberId::as_str).collect();
            costs.push(format!(
                "{} may have refused it, and its clients may have been told that it is aborted: better wait for them",
                names.join(", ")
            ));
        }
    }
    if let Some(view) = plan.view.as_ref().filter(|_| heard.len() < needed) {
        costs.push(format!(
            "only {} of {} voters were heard: changes that only the others hold are lost, acknowledged or not",
            heard.len(),
            view.voters().count()
        ));
    }
    let torn: Vec<_> = heard.iter().filter(|hello| hello.standing == Standing::Unconfirmed).collect();
    if heard.len() - torn.len() < needed && !torn.is_empty() {
        let names: Vec<_> = torn.iter().map(|hello| hello.member.as_str()).collect();
        costs.push(format!(
            "{} have a torn record at the end, as a power cut leaves of what was never voted on; were it one that rotted on all of \
             them, what it said is lost",
            names.join(", ")
        ));
    }
    if !own_holds_it {
        costs.push(
            "of the answers of the last 24 hours only the newest are known: a client that sends an older request again may have it \
             carried out a second time, or be told that it was refused"
                .to_owned(),
        );
    }
    costs
}

/// What a plan is carried out with.
#[derive(Debug, Clone, Hash, Default)]
pub struct Findings {
    /// The manifest of the source.
    pub entries: Vec<ManifestEntry>,
    /// The newest rounds that the source has committed, oldest first.
    pub decisions: Vec<Decision>,
    /// The open round, with its changes.
    pub prepare: Option<Prepare>,
    /// The highest round that anybody knows to be decided or refused.
    pub settled: RoundId,
}

/// The state that a coordinator starts on after a plan was carried out.
///
/// # Errors
/// If what was found does not lead to the roots of the plan.
pub fn rebuild(
    own: &CoordinatorState,
    plan: &RecoveryPlan,
    commits: bool,
    findings: Findings,
    unix_ms: u64,
) -> Result<CoordinatorState, String> {
    let cluster = plan.cluster.ok_or("nobody said which cluster it is")?;
    let view = plan.view.clone().ok_or("nobody said who the members are")?;
    let mut state = match plan.source {
        None => own.clone(),
        Some(_) => {
            let manifest: Manifest = findings.entries.iter().map(|entry| (entry.path, entry.record)).collect();
            let newest = findings.decisions.iter().find(|decision| decision.version == plan.version);
            let last_decision = newest.map_or(RoundId::ZERO, |decision| decision.round);
            let new = CoordinatorState::new(cluster, view.clone());
            CoordinatorState { version: plan.version, manifest, last_decision, ..new }
        }
    };
    check_root(state.manifest.root(), plan.root)?;
    (state.epoch, state.coordinator) = (plan.epoch.max(state.epoch), None);
    state.view = view.after(|_| {});
    for witness in &plan.witnesses {
        if witness.standing == Standing::Unconfirmed && witness.version < plan.version {
            state.believe(witness.version, witness.root);
        }
    }
    // How these ended is not known here, only that they did: the next round names none of them as committed.
    state.retained.forget_through(findings.settled);
    for decision in findings.decisions.into_iter().filter(|decision| decision.version <= plan.version) {
        state.keep_answers_of(decision);
    }
    if commits {
        let prepare = findings.prepare.ok_or("nobody gave the round that is to be committed")?;
        let decision = Decision::of(&prepare, unix_ms);
        let committed = state.apply(CoordinatorRecord::Decided(decision.clone()), LogSequence::ZERO, 0);
        committed.map_err(|error| error.to_string())?;
        state.recovered.push(decision);
    }
    Ok(state)
}

fn check_root(found: SetDigest, planned: SetDigest) -> Result<(), String> {
    if found == planned { Ok(()) } else { Err(format!("the manifest that was sent has root {found}, not {planned}")) }
}

/// Why an order does not fit the plan as it is now; none if it does.
#[must_use]
pub fn misfit(plan: &RecoveryPlan, order: &RecoveryOrder) -> Option<String> {
    let round = plan.open_round.as_ref().map(|open| open.round);
    let same = (plan.version, plan.root, round, plan.view.as_ref().map(|view| view.number))
        == (order.version, order.root, order.open_round, order.view);
    if !same {
        return Some("what the members report is no longer what the plan was made of; look again".to_owned());
    }
    if order.commit.is_some() && round.is_none() {
        return Some("there is no round in doubt that could be concluded".to_owned());
    }
    (!plan.obstacles.is_empty()).then(|| plan.obstacles.join("; "))
}
