//! Structured logs on stderr: one line per event for a person, or one JSON object per event for a machine.

use std::io::IsTerminal;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line per event.
    #[default]
    Compact,
    /// Several indented lines per event.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// Sends the logs of this process to stderr from now on.
///
/// `level` is a level (`info`) or a filter in the syntax of tracing's `EnvFilter` (`info,coordinator=debug`).
///
/// # Errors
/// If `level` is no such filter, or logs were started before.
pub fn start(level: &str, format: LogFormat) -> Result<(), LoggingError> {
    let filter = parse_filter(level)?;
    let colours = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    let started = match format {
        LogFormat::Compact => builder.compact().try_init(),
        LogFormat::Pretty => builder.pretty().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|_| LoggingError::StartedBefore)
}

fn parse_filter(level: &str) -> Result<EnvFilter, LoggingError> {
    EnvFilter::builder().parse(level).map_err(|source| LoggingError::Filter { level: level.to_owned(), source })
}

/// Why logging could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The level is neither a level nor a filter.
    #[error("the log level `{level}` is not understood ({source}); use error, warn, info, debug or trace")]
    Filter {
        /// What was given.
        level: String,
        /// What the parser said.
        source: ParseError,
    },
    /// A process has one log.
    #[error("logging was started twice")]
    StartedBefore,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_filters_are_taken() {
        for level in ["error", "info", "info,coordinator=debug", "off"] {
            assert!(parse_filter(level).is_ok(), "{level}");
        }
    }

    #[test]
    fn nonsense_is_refused_naming_it_and_the_levels() {
        let message = parse_filter("coordinator=loud").unwrap_err().to_string();
        assert!(message.contains("coordinator=loud") && message.contains("debug"), "{message}");
    }
}
