//! The report of a restore as JSON, with the titles of the books.

use crate::index::Index;
use crate::{clock, described};
use catalogue::{BookId, BookPath};
use protocol::{
    Basis, Digest, FileReport, HealAction, HealReport, HoldingKind, HoldingReport, NotCompared, Phase, Progress,
    RestorationId, RestorationReport, RestorationState, Summary, Version,
};
use serde::Serialize;

/// A restore.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct RestorationJson {
    #[schema(value_type = String)]
    id: RestorationId,
    #[schema(value_type = described::RestorationState)]
    state: RestorationState,
    dry_run: bool,
    started_at: String,
    #[schema(required = true)]
    finished_at: Option<String>,
    /// The committed version when it began.
    #[schema(value_type = u64)]
    version: Version,
    /// What went wrong, for people.
    #[schema(required = true)]
    detail: Option<String>,
    progress: ProgressJson,
    summary: SummaryJson,
    /// Who could not be compared; never counted as clean.
    not_compared: Vec<NotComparedJson>,
    /// The files that are not intact everywhere; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<RestoredFileJson>)]
    files: Option<Vec<RestoredFileJson>>,
}

/// A restore that runs: its report so far, if that is known.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(super) enum RunningRestorationJson {
    Report(Box<RestorationJson>),
    Begun(BegunRestorationJson),
}

/// A restore of which nothing is known yet but that it runs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct BegunRestorationJson {
    #[schema(value_type = String)]
    id: RestorationId,
    #[schema(value_type = described::RestorationState)]
    state: RestorationState,
    dry_run: bool,
}

impl BegunRestorationJson {
    pub(super) fn new(id: RestorationId, dry_run: bool) -> Self {
        Self { id, state: RestorationState::Running, dry_run }
    }
}

/// How far a restore is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ProgressJson {
    #[schema(value_type = described::RestorationPhase)]
    phase: Phase,
    done: u64,
    /// How many there are in this phase.
    total: u64,
}

/// A restore, counted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct SummaryJson {
    /// The copies that were compared: replicators and app-servers.
    members: u64,
    files: u64,
    intact: u64,
    damaged: u64,
    healed: u64,
    lost: u64,
    undecided: u64,
    left: u64,
}

/// Somebody whose copy could not be compared.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct NotComparedJson {
    member: String,
    /// For people.
    reason: String,
}

/// One file that is not intact everywhere.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct RestoredFileJson {
    path: String,
    /// The book's; null for a file that is no book's.
    #[schema(value_type = Option<String>, required = true)]
    id: Option<BookId>,
    #[schema(required = true)]
    title: Option<String>,
    /// Null for a file that no committed record knows.
    #[schema(required = true)]
    record: Option<RecordJson>,
    ballot: Vec<BallotJson>,
    #[schema(value_type = described::Verdict)]
    verdict: Basis,
    /// The digest that wins, `absent` where there must be no such file, or null.
    #[schema(required = true)]
    winner: Option<String>,
    actions: Vec<RestorationActionJson>,
}

/// What the newest committed record says of a file.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct RecordJson {
    #[schema(value_type = String)]
    digest: Digest,
    #[schema(value_type = u64)]
    version: Version,
}

/// One copy of a file.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct BallotJson {
    member: String,
    #[schema(value_type = described::Holding)]
    holding: HoldingKind,
    #[schema(value_type = Option<String>, required = true)]
    digest: Option<Digest>,
    /// In bytes.
    #[schema(required = true)]
    size: Option<u64>,
    /// More about it, for people.
    #[schema(required = true)]
    note: Option<String>,
}

/// What was done about one copy.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct RestorationActionJson {
    member: String,
    #[schema(value_type = described::HealAction)]
    action: HealAction,
    /// More about it, for people.
    #[schema(required = true)]
    detail: Option<String>,
    /// Where the replaced bytes are, relative to the data directory of the member.
    #[schema(required = true)]
    quarantined: Option<String>,
}

/// A report in the documented shape, with the titles of the books.
pub(super) fn report_json(report: &RestorationReport, index: &Index, with_files: bool) -> RestorationJson {
    RestorationJson {
        id: report.id,
        state: report.state,
        dry_run: report.dry_run,
        started_at: clock::text(report.started_at_ms),
        finished_at: report.finished_at_ms.map(clock::text),
        version: report.version,
        detail: report.detail.clone(),
        progress: report.progress.into(),
        summary: report.summary.into(),
        not_compared: report.not_compared.iter().map(NotComparedJson::from).collect(),
        files: with_files.then(|| report.files.iter().map(|file| file_json(file, index)).collect()),
    }
}

fn file_json(file: &FileReport, index: &Index) -> RestoredFileJson {
    let id = BookPath::parse(&file.name).ok().map(BookPath::id);
    let absence = || file.winner_is_absence.then(|| "absent".to_owned());
    RestoredFileJson {
        path: file.name.clone(),
        id,
        title: id.and_then(|id| index.book(id)).map(|book| book.book.title().to_owned()),
        record: file.record.map(|record| RecordJson { digest: record.digest, version: record.version }),
        ballot: file.ballot.iter().map(BallotJson::from).collect(),
        verdict: file.verdict,
        winner: file.winner.map(|digest| digest.to_string()).or_else(absence),
        actions: file.actions.iter().map(RestorationActionJson::from).collect(),
    }
}

impl From<Progress> for ProgressJson {
    fn from(Progress { phase, done, total }: Progress) -> Self {
        Self { phase, done, total }
    }
}

impl From<Summary> for SummaryJson {
    fn from(summary: Summary) -> Self {
        let Summary { holders, files, intact, damaged, healed, lost, undecided, left } = summary;
        Self { members: holders, files, intact, damaged, healed, lost, undecided, left }
    }
}

impl From<&NotCompared> for NotComparedJson {
    fn from(who: &NotCompared) -> Self {
        Self { member: who.holder.to_string(), reason: who.reason.clone() }
    }
}

impl From<&HoldingReport> for BallotJson {
    fn from(vote: &HoldingReport) -> Self {
        Self {
            member: vote.holder.to_string(),
            holding: vote.holding,
            digest: vote.digest,
            size: vote.size,
            note: vote.note.clone(),
        }
    }
}

impl From<&HealReport> for RestorationActionJson {
    fn from(done: &HealReport) -> Self {
        Self {
            member: done.holder.to_string(),
            action: done.action,
            detail: done.detail.clone(),
            quarantined: done.quarantined.clone(),
        }
    }
}
