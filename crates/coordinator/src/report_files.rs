//! Reports of restores that have ended: one JSON file each in `restorations/`, so that they are there after a restart.

use protocol::{RestorationId, RestorationReport};
use std::collections::BTreeMap;
use std::path::PathBuf;
use storage::DataDirectory;
use storage::directory::DirectoryError;

/// How many reports are kept.
const REPORTS_MAX: usize = 100;

/// The kept reports, by the time at which they began.
pub(crate) struct ReportFiles {
    folder: PathBuf,
    reports: BTreeMap<(u64, RestorationId), RestorationReport>,
}

impl ReportFiles {
    pub(crate) fn open(directory: &DataDirectory) -> Result<Self, DirectoryError> {
        let folder = directory.folder("restorations")?;
        let mut reports = BTreeMap::new();
        for payload in storage::report_folder::read_all(&folder) {
            match serde_json::from_slice::<RestorationReport>(&payload) {
                Ok(report) => {
                    reports.insert((report.started_at_ms, report.id), report);
                }
                Err(error) => tracing::warn!(%error, "a restore report could not be read and is not shown"),
            }
        }
        Ok(Self { folder, reports })
    }

    /// Keeps a report; the oldest one goes when there are too many.
    pub(crate) fn keep(&mut self, report: RestorationReport) {
        let payload = serde_json::to_vec_pretty(&report).expect("a report has only text keys and plain values");
        if let Err(error) = storage::report_folder::write(&self.folder, &report.id.to_string(), &payload) {
            tracing::warn!(%error, "the restore report could not be written; it is shown until the coordinator ends");
        }
        self.reports.insert((report.started_at_ms, report.id), report);
        while self.reports.len() > REPORTS_MAX
            && let Some(((_, id), _)) = self.reports.pop_first()
        {
            storage::report_folder::remove(&self.folder, &id.to_string());
        }
    }

    /// All reports, newest first, without their files.
    pub(crate) fn list(&self, running: Option<&RestorationReport>) -> Vec<RestorationReport> {
        let all = running.into_iter().chain(self.reports.values().rev());
        all.map(|report| RestorationReport { files: Vec::new(), ..report.clone() }).collect()
    }

    /// One report.
    pub(crate) fn report(&self, id: RestorationId) -> Option<RestorationReport> {
        self.reports.values().find(|report| report.id == id).cloned()
    }
}
