//! The replicator's process: a thin driver around [`two_phase::replicator`].
//!
//! ```text
//!   coordinator <--link--> Event --> runtime thread --+--> log (append, one sync)      the durable copy
//!   peers <-------link--> Event -->  (core inside)     +--> file writer (background)    books/…
//!                                                      +--> file worker (background)    scans, repairs, catch-up
//!                                                      '--> scrubber (low priority)     reads files, compares
//! ```
//!
//! One thread owns the core and the log. It takes all events that wait, feeds them in, and does what the core asks for, in
//! order; records are synced once for all of them. Book files follow the commit in the background.

mod checkpoints;
mod effects;
mod event;
mod file_worker;
mod link;
mod peers;
mod recovery;
mod runtime;
mod scrubber;
mod settings;
mod status;

pub use settings::{Flags, Settings};

use peers::Peers;
use service::health::{self, Readiness};
use service::listen;
use status::StatusBoard;
use std::sync::mpsc;

/// Why a replicator cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ReplicatorError {
    /// The settings are unusable.
    #[error(transparent)]
    Settings(#[from] settings::SettingsError),
    /// The process could not be started.
    #[error(transparent)]
    Start(#[from] service::process::StartError),
    /// It cannot listen.
    #[error(transparent)]
    Listen(#[from] listen::ListenError),
    /// The data directory cannot be used.
    #[error(transparent)]
    Recovery(#[from] recovery::RecoveryError),
    /// It is no longer a member.
    #[error("{0}; its data may be deleted. To let it in again: concordance member add")]
    Removed(String),
    /// A write or a sync failed: nothing that follows could be believed.
    #[error("the replicator stops: {0}")]
    Disk(String),
}

impl ReplicatorError {
    /// The process's exit code: one that was removed is not to be started again.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Removed(_) => service::exit::NOT_WANTED,
            _ => 1,
        }
    }
}

/// Runs a replicator until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting, or the disk failing under it.
pub async fn run(flags: Flags) -> Result<(), ReplicatorError> {
    let mut settings = Settings::load(&flags)?;
    let process = settings.process.start()?;
    let readiness = Readiness::starting("reading the log");
    let listener = listen::bind(settings.process.listen, process.token.as_ref()).await?;
    // Port 0 means any: the peers are told the one that it is.
    settings.process.listen = listener.local_addr().unwrap_or(settings.process.listen);
    warn_if_out_of_reach(&settings);
    let (events, received) = mpsc::channel();
    let status = StatusBoard::new(settings.member_id()?);
    let peers = Peers::new(&settings, process.token.clone(), events.clone(), process.shutdown.clone());
    let runtime = {
        let (settings, readiness, events) = (settings.clone(), readiness.clone(), events.clone());
        let (status, peers) = (status.clone(), peers.clone());
        tokio::task::spawn_blocking(move || runtime::Runtime::start(&settings, readiness, status, peers, events))
            .await
            .expect("reading the log does not panic")?
    };
    readiness.clear("starting");
    let stopped = process.shutdown.clone();
    let thread = std::thread::Builder::new()
        .name("replicator".to_owned())
        .spawn(move || {
            let result = runtime.run(&received);
            stopped.cancel();
            result
        })
        .map_err(|error| ReplicatorError::Disk(error.to_string()))?;
    let router = health::router(readiness, process.metrics.clone()).merge(status.router()).merge(peers.router());
    let serving = listen::serve(listener, router, &settings.process.limits, process.shutdown.clone());
    let dialling = link::dial(&settings, process.token.clone(), events.clone(), process.shutdown.clone());
    tokio::join!(serving, dialling);
    let _ = events.send(event::Event::Stop);
    let joined = tokio::task::spawn_blocking(move || thread.join()).await;
    joined.expect("joining a thread does not panic").expect("the runtime thread does not panic")
}

fn warn_if_out_of_reach(settings: &Settings) {
    if settings.advertise.is_none() && settings.process.listen.ip().is_unspecified() {
        let listen = settings.process.listen;
        tracing::warn!(%listen, "the other replicators cannot reach this address; give --advertise HOST:PORT");
    }
}
