//! Imports that run or ran, by id and by key. They are kept in memory only: sent again with the same key after a restart,
//! an import finds by the keys of its rows what it has already made.

mod chunk;
mod job;

pub(crate) use job::{ImportJob, ImportReport, ImportState, OnError, ParsedImport, parse};

use crate::error::ApiError;
use crate::settings::Settings;
use protocol::Digest;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

/// The imports of this server.
#[derive(Debug)]
pub(crate) struct ImportJobs {
    jobs: Mutex<VecDeque<Arc<ImportJob>>>,
    running_max: usize,
    kept: usize,
}

/// What to do with an import that came in.
#[derive(Debug)]
pub(crate) enum Begun {
    /// Run it.
    New(Arc<ImportJob>),
    /// It runs or is done already.
    Known(Arc<ImportJob>),
}

impl ImportJobs {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { jobs: Mutex::default(), running_max: settings.imports_max, kept: settings.imports_kept }
    }

    /// The import of that id.
    pub(crate) fn job(&self, id: Uuid) -> Option<Arc<ImportJob>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).iter().find(|job| job.id == id).cloned()
    }

    /// Begins an import under this key, or finds the one that has it. One that did not get to its end is begun again.
    pub(crate) fn begin(
        &self,
        key: Option<String>,
        fingerprint: Digest,
        import: &ParsedImport,
    ) -> Result<Begun, ApiError> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = &key
            && let Some(known) = jobs.iter().rev().find(|job| job.key == *key)
        {
            if known.fingerprint != fingerprint {
                let change = key.parse().expect("a checked key is a change id");
                return Err(ApiError::KeyReused { change });
            }
            if matches!(known.report().state, ImportState::Running | ImportState::Done) {
                return Ok(Begun::Known(Arc::clone(known)));
            }
        }
        let running = jobs.iter().filter(|job| job.report().state == ImportState::Running).count();
        if running >= self.running_max {
            return Err(ApiError::QueueFull {
                detail: format!(
                    "{running} imports run already, which is the most at one time; send it again with the same key."
                ),
                retry_after_ms: 5_000,
            });
        }
        let job = Arc::new(ImportJob::new(key, fingerprint, import));
        jobs.push_back(Arc::clone(&job));
        while jobs.len() > self.kept {
            let Some(oldest) = jobs.iter().position(|job| job.report().state != ImportState::Running) else { break };
            jobs.remove(oldest);
        }
        Ok(Begun::New(job))
    }
}
