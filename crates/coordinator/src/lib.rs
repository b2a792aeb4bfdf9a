//! The coordinator's process: a thin driver around [`two_phase::coordinator`].
//!
//! ```text
//!   replicators --\                                         /--> outboxes of the links
//!                  >-- links --> Event --> runtime thread --+--> decision log (append, one sync)
//!   app-servers --/                        (core inside)     \--> round history, reports, metrics
//! ```
//!
//! One thread owns the core and the log. It takes all events that wait, feeds them in, and does what the core asks for, in
//! order; records are synced once for all of them. Sockets and JSON are the links' business, on tokio's threads.

mod checkpoints;
mod effects;
mod event;
mod links;
mod recovery;
mod recovery_service;
mod report_files;
mod room;
mod round_history;
mod runtime;
mod settings;
mod steps;

pub use settings::{Flags, Settings};

use protocol::CoordinatorId;
use service::health::{self, Readiness};
use service::listen;
use std::sync::mpsc;

/// Why a coordinator cannot run.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// The settings are unusable.
    #[error(transparent)]
    Settings(#[from] settings::SettingsError),
    /// The process could not be started.
    #[error(transparent)]
    Start(#[from] service::process::StartError),
    /// It cannot listen.
    #[error(transparent)]
    Listen(#[from] listen::ListenError),
    /// The data directory cannot be used or believed.
    #[error(transparent)]
    Recovery(#[from] recovery::RecoveryError),
    /// A write or a sync failed: nothing that follows could be believed.
    #[error("the coordinator stops: {0}")]
    Disk(String),
}

/// Runs a coordinator until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting, or the disk failing under it.
pub async fn run(flags: Flags) -> Result<(), CoordinatorError> {
    let settings = Settings::load(&flags)?;
    let process = settings.process.start()?;
    let readiness = Readiness::starting("reading the decision log");
    let listener = listen::bind(settings.process.listen, process.token.as_ref()).await?;
    let (events, received) = mpsc::channel();
    let start = {
        let (settings, readiness, events) = (settings.clone(), readiness.clone(), events.clone());
        move || {
            let identity = CoordinatorId(uuid::Uuid::new_v4());
            runtime::Runtime::start(&settings, identity, readiness.clone(), events.clone())
        }
    };
    let first = start.clone();
    let runtime = tokio::task::spawn_blocking(first).await.expect("reading the log does not panic")?;
    readiness.clear("starting");
    let stopped = process.shutdown.clone();
    let thread = std::thread::Builder::new()
        .name("coordinator".to_owned())
        .spawn(move || {
            let result = run_again_and_again(runtime, &start, &received);
            stopped.cancel();
            result
        })
        .map_err(|error| CoordinatorError::Disk(error.to_string()))?;
    let recovery = recovery_service::router(events.clone(), process.token.clone());
    let links = links::Links::new(&settings, process.token.clone(), events.clone(), process.shutdown.clone());
    let router = links.router().merge(recovery).merge(health::router(readiness, process.metrics.clone()));
    listen::serve(listener, router, &settings.process.limits, process.shutdown.clone()).await;
    let _ = events.send(event::Event::Stop);
    let joined = tokio::task::spawn_blocking(move || thread.join()).await;
    joined.expect("joining a thread does not panic").expect("the runtime thread does not panic")
}

/// A recovery leaves a state on the disk, on which the coordinator starts as on any other.
fn run_again_and_again(
    first: runtime::Runtime,
    start: &impl Fn() -> Result<runtime::Runtime, CoordinatorError>,
    received: &mpsc::Receiver<event::Event>,
) -> Result<(), CoordinatorError> {
    let mut runtime = first;
    while runtime.run(received)? == runtime::Ended::Rebuilt {
        runtime = start()?;
    }
    Ok(())
}
