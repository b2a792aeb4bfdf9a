//! What every process of Concordance has in common: the coordinator, a replicator and an app-server start, listen,
//! link, report and stop in the same way, and this crate is that way.
//!
//! A service's `main` reads its settings, starts the process, and serves until it is told to stop:
//!
//! ```no_run
//! use serde::{Deserialize, Serialize};
//! use service::{config, exit, health::Readiness, listen, process::{ProcessFlags, ProcessSettings}};
//!
//! #[derive(clap::Parser, Serialize)]
//! struct Flags {
//!     #[command(flatten)]
//!     #[serde(flatten)]
//!     process: ProcessFlags,
//!     /// How long a vote may take.
//!     #[arg(long)]
//!     vote_timeout_ms: Option<u64>,
//! }
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! #[serde(default)]
//! struct Settings {
//!     #[serde(flatten)]
//!     process: ProcessSettings,
//!     vote_timeout_ms: u64,
//! }
//!
//! impl Default for Settings {
//!     fn default() -> Self {
//!         Settings { process: ProcessSettings::at("data/coordinator", 7410), vote_timeout_ms: 2_000 }
//!     }
//! }
//!
//! async fn run(flags: Flags) -> Result<(), Box<dyn std::error::Error>> {
//!     let settings: Settings = config::load(&flags, flags.process.config.as_deref())?;
//!     let process = settings.process.start()?;
//!     let readiness = Readiness::starting("reading the log");
//!     let listener = listen::bind(settings.process.listen, process.token.as_ref()).await?;
//!     let router = service::health::router(readiness.clone(), process.metrics.clone());
//!     readiness.clear("starting");
//!     listen::serve(listener, router, &settings.process.limits, process.shutdown.clone()).await;
//!     Ok(())
//! }
//!
//! #[tokio::main]
//! async fn main() -> std::process::ExitCode {
//!     exit::exit_code("coordinator", run(clap::Parser::parse()).await)
//! }
//! ```
//!
//! The crate knows nothing of books, rounds or votes.

pub mod access_token;
pub mod config;
pub mod exit;
pub mod health;
pub mod listen;
pub mod logging;
pub mod process;
pub mod shutdown;
pub mod websocket;
