//! One import: its file as rows, its progress, and how it is run.

use super::chunk::{ChunkEnd, RowChange, chunks, import_chunk};
use crate::clock;
use crate::error::FailedRow;
use crate::event_hub::EventHub;
use crate::settings::Settings;
use crate::working_copy::WorkingCopy;
use catalogue::import::{ImportReader, ImportRow};
use futures::StreamExt;
use protocol::{Digest, RoundId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use uuid::Uuid;

/// What to do about rows that cannot be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnError {
    /// Import the others.
    #[default]
    Skip,
    /// Import nothing.
    Fail,
}

/// How an import stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ImportState {
    /// It runs.
    Running,
    /// Every row was imported or is listed as failed.
    Done,
    /// It ended early; what was imported stays.
    Failed,
    /// It ended without knowing of some rows whether they are imported.
    Unknown,
}

/// How far an import is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct ImportReport {
    #[schema(value_type = String, format = "uuid")]
    pub(crate) id: Uuid,
    pub(crate) state: ImportState,
    /// Rows that are books of the catalogue now.
    pub(crate) imported: u64,
    pub(crate) failed: Vec<FailedRow>,
    /// Rows of the file.
    pub(crate) total: u64,
    /// Rounds that committed them.
    pub(crate) rounds: u64,
    /// For people.
    #[schema(required = true)]
    pub(crate) detail: Option<String>,
}

/// The rows of a file.
#[derive(Debug)]
pub(crate) struct ParsedImport {
    pub(crate) rows: Vec<ImportRow>,
    pub(crate) failed: Vec<FailedRow>,
}

/// Reads a file. Takes as long as that does.
///
/// # Errors
/// Why it is no file that can be imported, for people.
pub(crate) fn parse(bytes: &[u8]) -> Result<ParsedImport, String> {
    let reader = ImportReader::new(bytes).map_err(|error| error.to_string())?;
    let mut import = ParsedImport { rows: Vec::new(), failed: Vec::new() };
    for row in reader {
        match row {
            Ok(row) => import.rows.push(row),
            Err(error) => import.failed.push(FailedRow { row: error.row, error: error.error }),
        }
    }
    Ok(import)
}

/// One import.
#[derive(Debug)]
pub(crate) struct ImportJob {
    pub(crate) id: Uuid,
    pub(crate) key: String,
    pub(super) fingerprint: Digest,
    progress: Mutex<Progress>,
    is_over: watch::Sender<bool>,
}

#[derive(Debug)]
struct Progress {
    report: ImportReport,
    rounds: BTreeSet<RoundId>,
}

impl ImportJob {
    pub(super) fn new(key: Option<String>, fingerprint: Digest, import: &ParsedImport) -> Self {
        let id = Uuid::now_v7();
        let report = ImportReport {
            id,
            state: ImportState::Running,
            imported: 0,
            failed: import.failed.clone(),
            total: (import.rows.len() + import.failed.len()) as u64,
            rounds: 0,
            detail: None,
        };
        let progress = Mutex::new(Progress { report, rounds: BTreeSet::new() });
        Self {
            id,
            key: key.unwrap_or_else(|| id.to_string()),
            fingerprint,
            progress,
            is_over: watch::Sender::new(false),
        }
    }

    /// How far it is.
    pub(crate) fn report(&self) -> ImportReport {
        self.progress().report.clone()
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&self) {
        // The sender is this job's own, so the wait cannot fail.
        let _ = self.is_over.subscribe().wait_for(|is_over| *is_over).await;
    }

    /// Sends all rows, several submissions at a time. What cannot be sent for want of a quorum ends it, early but in order.
    pub(crate) async fn run(
        self: Arc<Self>,
        rows: Vec<ImportRow>,
        settings: Settings,
        copy: WorkingCopy,
        hub: EventHub,
    ) {
        let now = clock::now();
        let changes = rows.into_iter().map(|row| RowChange::new(&self.key, row, now));
        let chunks = chunks(changes, settings.import_changes_per_submission, settings.import_bytes_per_submission);
        // What is on its way when the end is known is still waited for: it may commit.
        let is_ending = AtomicBool::new(false);
        let going_on = chunks.take_while(|_| !is_ending.load(Ordering::Relaxed));
        let mut under_way = futures::stream::iter(going_on)
            .map(|chunk| import_chunk(&copy, &settings, chunk))
            .buffered(settings.import_submissions_in_flight);
        let mut end: Option<(ImportState, String)> = None;
        while let Some(chunk) = under_way.next().await {
            if let Some(ended) = self.note(chunk) {
                is_ending.store(true, Ordering::Relaxed);
                // Not knowing of one part weighs more than knowing that another one failed.
                end = end.filter(|(state, _)| *state == ImportState::Unknown).or(Some(ended));
            }
            self.tell(&hub);
        }
        self.finish(end);
        self.tell(&hub);
    }

    /// Counts what became of a chunk; gives how the import ends, if it does.
    fn note(&self, chunk: ChunkEnd) -> Option<(ImportState, String)> {
        let mut progress = self.progress();
        progress.report.imported += chunk.imported;
        progress.report.failed.extend(chunk.failed);
        progress.rounds.extend(chunk.rounds);
        progress.report.rounds = progress.rounds.len() as u64;
        chunk.ends_with
    }

    fn finish(&self, end: Option<(ImportState, String)>) {
        let mut progress = self.progress();
        progress.report.failed.sort_by_key(|failed| failed.row);
        let (state, detail) = match end {
            Some((state, reason)) => {
                (state, Some(format!("{reason} Send the file again with the same Idempotency-Key to continue.")))
            }
            None => (ImportState::Done, None),
        };
        progress.report.state = state;
        progress.report.detail = detail;
        drop(progress);
        self.is_over.send_replace(true);
    }

    fn tell(&self, hub: &EventHub) {
        let report = self.report();
        let failed = report.failed.len();
        let text = match report.state {
            ImportState::Running => format!("An import has put in {} of {} rows.", report.imported, report.total),
            ImportState::Done => format!("An import has ended: {} of {} rows are in.", report.imported, report.total),
            ImportState::Failed | ImportState::Unknown => {
                format!("An import has ended early: {} of {} rows are known to be in.", report.imported, report.total)
            }
        };
        let data = json!({
            "at": clock::text(clock::unix_ms()), "kind": "import", "round": null, "epoch": null, "parties": [], "text": text,
            "id": report.id, "state": report.state, "imported": report.imported, "failed": failed, "total": report.total,
        });
        hub.publish("import", data);
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        // Counters and a list are consistent after any panic.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
