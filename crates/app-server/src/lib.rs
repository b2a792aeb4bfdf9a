//! The app-server: the REST interface and the web page of Concordance, served from its own copy of the catalogue.
//!
//! | module | owns |
//! | --- | --- |
//! | [`settings`] | every bound and timeout |
//! | `index` | the committed books in memory: search, order, paging |
//! | `working_copy` | the follower core and its thread, the files, the link to the coordinator |
//! | `import_jobs` | imports that run or ran |
//! | `event_hub` | what happens, for those who watch |
//! | `rest` | the REST interface of `docs/rest.md`, one file per noun |
//! | `page` | the web page that is built into the binary |
//! | `described` | how values of other crates look in answers, for the description of the interface |
//! | `error` | errors as clients see them; the only place that knows their HTTP statuses |
//!
//! A write goes `rest` -> `working_copy` -> coordinator, and is answered when the index shows it. A read is answered from a
//! snapshot of the index and asks nobody.

mod clock;
#[allow(dead_code, reason = "it describes answers to readers of the interface; other types write them")]
mod described;
mod error;
mod event_hub;
mod import_jobs;
mod index;
mod page;
mod rest;
pub mod settings;
mod supervisor;
mod working_copy;

pub use settings::{Flags, Settings};
pub use working_copy::OpeningError;

use event_hub::EventHub;
use protocol::PageAddress;
use rest::App;
use service::config::ConfigError;
use service::health::Readiness;
use service::listen::{self, ListenError};
use service::process::{Process, StartError};
use std::sync::Arc;
use tokio::net::TcpListener;
use working_copy::WorkingCopy;

/// Why an app-server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AppServerError {
    /// The settings are unusable.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// The process could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It cannot listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Its copy of the catalogue cannot be opened.
    #[error(transparent)]
    Opening(#[from] OpeningError),
    /// Its copy could not be kept: what is on the disk cannot be trusted.
    #[error("the app-server stops: {0}")]
    Disk(String),
}

/// Runs an app-server until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting, or the disk failing under it.
pub async fn run(flags: Flags) -> Result<(), AppServerError> {
    let settings: Settings = service::config::load(&flags, flags.process.config.as_deref())?;
    let process = settings.process.start()?;
    // First the port, so that a busy one is told before anything is read.
    let listener = listen::bind(settings.process.listen, process.token.as_ref()).await?;
    serve(settings, process, listener).await
}

/// Opens the copy in the data directory and serves on `listener` until the process is told to stop.
///
/// # Errors
/// If the data directory cannot be used, or the disk fails under it.
pub async fn serve(mut settings: Settings, process: Process, listener: TcpListener) -> Result<(), AppServerError> {
    let readiness = Readiness::starting("the copy of the catalogue was not level with the coordinator yet");
    let address = listener.local_addr().unwrap_or(settings.process.listen);
    settings.advertise = settings.advertise.or_else(|| PageAddress::of_listener(address));
    let hub = EventHub::new(&settings);
    let (copy, running) = {
        let (settings, hub, readiness) = (settings.clone(), hub.clone(), readiness.clone());
        let (token, shutdown) = (process.token.clone(), process.shutdown.clone());
        tokio::task::spawn_blocking(move || WorkingCopy::start(&settings, token, hub, readiness, shutdown))
            .await
            .expect("opening the copy does not panic")?
    };
    let limits = settings.process.limits.clone();
    let app = Arc::new(App::new(settings, address, copy, hub, process.token, process.shutdown.clone()));
    let router = rest::router(app, readiness, process.metrics);
    tracing::info!(%address, "serving");
    listen::serve(listener, router, &limits, process.shutdown).await;
    let stopped = tokio::task::spawn_blocking(move || running.stop()).await;
    stopped.expect("stopping the copy does not panic").map_err(AppServerError::Disk)
}
