//! The settings that every service has, and the start of a process with them.
//!
//! A service flattens [`ProcessFlags`] into its flags and [`ProcessSettings`] into its settings, so that the same flag
//! means the same everywhere, and calls [`ProcessSettings::start`] once, first.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use metrics_exporter_prometheus::PrometheusHandle;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::access_token::{AccessToken, TokenFileError};
use crate::health::{self, MetricsError};
use crate::listen::ListenLimits;
use crate::logging::{self, LogFormat, LoggingError};
use crate::shutdown;

/// The flags that every service takes. What is not given falls to the environment, the file, the default.
#[derive(Clone, Debug, Default, clap::Args, Serialize)]
pub struct ProcessFlags {
    /// Settings file (TOML). Flags and CONCORDANCE_… variables go before it.
    #[arg(long, value_name = "FILE", env = "CONCORDANCE_CONFIG")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Directory that holds everything this process keeps.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address and port to listen on; any address beyond this machine needs a token file.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// File with the cluster's access token, readable by its owner only.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// error, warn, info, debug, trace, or a filter such as `info,two_phase=debug`.
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// How log lines look.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Allow forced aborts and crash points, for demonstrations and tests.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub lab: Option<bool>,
    /// Stop when standard input ends, and so with the process that started this one.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub exit_with_parent: Option<bool>,
}

/// The settings that every service has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessSettings {
    /// Directory that holds everything this process keeps.
    pub data: PathBuf,
    /// Where it listens.
    pub listen: SocketAddr,
    /// File with the cluster's access token; none is enough as long as everything stays on loopback.
    pub token_file: Option<PathBuf>,
    /// Which log lines are written.
    pub log_level: String,
    /// How they look.
    pub log_format: LogFormat,
    /// Whether forced aborts and crash points are allowed.
    pub lab: bool,
    /// Whether the process stops when its standard input ends.
    pub exit_with_parent: bool,
    /// Bounds on the connections that it accepts.
    #[serde(flatten)]
    pub limits: ListenLimits,
}

/// Port 0 (any free one) and the current directory: a service gives its own with [`ProcessSettings::at`].
impl Default for ProcessSettings {
    fn default() -> Self {
        ProcessSettings::at(".", 0)
    }
}

impl ProcessSettings {
    /// The defaults of a service that keeps its data in `data` and listens on this loopback port.
    pub fn at(data: impl Into<PathBuf>, port: u16) -> Self {
        ProcessSettings {
            data: data.into(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            token_file: None,
            log_level: "info".to_owned(),
            log_format: LogFormat::Compact,
            lab: false,
            exit_with_parent: false,
            limits: ListenLimits::default(),
        }
    }

    /// Starts logs and metrics, reads the token, arms faults, and watches for the signals to stop.
    ///
    /// Must be called inside a tokio runtime, once per process.
    ///
    /// # Errors
    /// If the log level, token file or a fault is unusable, or the system refuses a signal handler.
    pub fn start(&self) -> Result<Process, StartError> {
        logging::start(&self.log_level, self.log_format)?;
        faults::arm_from_environment(self.lab)?;
        let token = self.token_file.as_deref().map(AccessToken::read).transpose()?;
        let metrics = health::install_metrics()?;
        let shutdown = shutdown::on_signals().map_err(|source| StartError::Signals { source })?;
        if self.exit_with_parent {
            shutdown::with_parent(shutdown.clone());
        }
        Ok(Process { token, metrics, shutdown })
    }
}

/// What a started process has at hand.
#[derive(Clone, Debug)]
pub struct Process {
    /// The cluster's token, if there is one.
    pub token: Option<AccessToken>,
    /// Renders the metrics for [`health::router`].
    pub metrics: PrometheusHandle,
    /// Cancelled when the process is told to stop.
    pub shutdown: CancellationToken,
}

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log could not be started.
    #[error(transparent)]
    Logging(#[from] LoggingError),
    /// The token file is unusable.
    #[error(transparent)]
    Token(#[from] TokenFileError),
    /// A fault that was asked for is not understood.
    #[error(transparent)]
    Fault(#[from] faults::NotUnderstood),
    /// Metrics cannot be collected.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// No signal handler.
    #[error("cannot watch for signals: {source}")]
    Signals {
        /// What the system said.
        source: std::io::Error,
    },
}
