//! The settings of a replicator, every time and bound with its reason.

use protocol::{InvalidId, MemberId};
use serde::{Deserialize, Serialize};
use service::config::{self, ConfigError};
use service::process::{ProcessFlags, ProcessSettings};
use service::websocket::{LinkAddress, LinkAddressError, LinkSettings};
use two_phase::replicator::PeerPacing;

/// The flags of a replicator.
#[derive(Debug, Clone, clap::Parser, Serialize)]
#[command(name = "replicator", version, about = "Keeps one copy of Concordance's catalogue")]
pub struct Flags {
    #[command(flatten)]
    #[serde(flatten)]
    process: ProcessFlags,
    /// This replicator's name, as the coordinator's --members has it.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Where the coordinator is; several addresses, separated by commas, are tried in turn.
    #[arg(long, value_name = "ws://HOST:PORT")]
    coordinator: Option<String>,
    /// Where the other replicators reach this one, if not where it listens.
    #[arg(long, value_name = "HOST:PORT")]
    advertise: Option<String>,
    /// How many bytes of its own files it reads a second to look for damage; 0: only when asked to.
    #[arg(long, value_name = "N")]
    scrub_bytes_per_second: Option<u64>,
    /// How long it waits before it reads them all again, in minutes.
    #[arg(long, value_name = "N")]
    scrub_pause_minutes: Option<u64>,
}

/// The settings of a replicator.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What every service has.
    #[serde(flatten)]
    pub process: ProcessSettings,
    /// Its name.
    pub id: String,
    /// Where the coordinator is.
    pub coordinator: String,
    /// Where its peers reach it; none: where it listens.
    pub advertise: Option<String>,
    /// A commit record waits so long for the sync of the next prepare before it is synced alone.
    pub sync_soon_ms: u64,
    /// Most bytes of committed files that wait to be written; beyond it rounds wait.
    pub backlog_bytes_max: u64,
    /// So much of the disk is never used: the last bytes are for the log and for people to log in.
    pub disk_reserve_bytes: u64,
    /// A coordinator that is connected may leave a round in doubt for so long before the other participants are asked. Far longer
    /// than its own `vote_timeout_ms`: a participant that is asked before it has the round refuses it.
    pub peer_patience_ms: u64,
    /// Participants that could not end a round in doubt are asked again after so long; an answer takes no longer.
    pub peer_ask_again_ms: u64,
    /// Size of a log segment in bytes.
    pub log_segment_bytes: u64,
    /// A checkpoint is saved when the log has grown by so many bytes, so that a start redoes little.
    pub checkpoint_log_bytes: u64,
    /// A checkpoint is also saved after so long without a new record.
    pub checkpoint_idle_ms: u64,
    /// The scrub reads so many bytes of files a second, and a tenth of it while rounds come; a file counts as 4 KiB at least.
    /// 0: only when asked to. A thousand small files a second leave the disk and the processor to rounds.
    pub scrub_bytes_per_second: u64,
    /// So long after all files were read they are read again: rot is slow.
    pub scrub_pause_minutes: u64,
    /// The link.
    #[serde(flatten)]
    pub link: LinkSettings,
}

/// Why settings are unusable.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// They cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The name is none.
    #[error("--id: {0}")]
    Id(#[from] InvalidId),
    /// The address for its peers is none.
    #[error("--advertise: `{0}` is no address that peers could dial; write HOST:PORT")]
    Advertise(String),
    /// An address is none.
    #[error("--coordinator: {0}")]
    Address(#[from] LinkAddressError),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            process: ProcessSettings::at("data/replicator", 7421),
            id: "replicator-1".to_owned(),
            coordinator: "ws://127.0.0.1:7410".to_owned(),
            advertise: None,
            sync_soon_ms: 2,
            backlog_bytes_max: 64 << 20,
            disk_reserve_bytes: 256 << 20,
            peer_patience_ms: PeerPacing::default().patience_ms,
            peer_ask_again_ms: PeerPacing::default().ask_again_ms,
            log_segment_bytes: 16 << 20,
            checkpoint_log_bytes: 64 << 20,
            checkpoint_idle_ms: 5_000,
            scrub_bytes_per_second: 4 << 20,
            scrub_pause_minutes: 60,
            link: LinkSettings::default(),
        }
    }
}

impl Settings {
    /// Reads the settings: flags, environment, file, defaults.
    ///
    /// # Errors
    /// A setting that is unusable, naming it and where it came from.
    pub fn load(flags: &Flags) -> Result<Self, SettingsError> {
        let settings: Self = config::load(flags, flags.process.config.as_deref())?;
        settings.member_id()?;
        settings.addresses()?;
        settings.address_for_peers()?;
        Ok(settings)
    }

    /// Its name.
    ///
    /// # Errors
    /// If it is none.
    pub fn member_id(&self) -> Result<MemberId, SettingsError> {
        Ok(self.id.parse()?)
    }

    /// Where its peers reach it: host and port.
    ///
    /// # Errors
    /// If it is none.
    pub fn address_for_peers(&self) -> Result<String, SettingsError> {
        let Some(address) = &self.advertise else { return Ok(self.process.listen.to_string()) };
        match format!("ws://{address}").parse::<LinkAddress>() {
            Ok(_) => Ok(address.clone()),
            Err(_) => Err(SettingsError::Advertise(address.clone())),
        }
    }

    /// When its peers are asked.
    #[must_use]
    pub fn peer_pacing(&self) -> PeerPacing {
        PeerPacing { patience_ms: self.peer_patience_ms, ask_again_ms: self.peer_ask_again_ms }
    }

    /// Where to dial.
    ///
    /// # Errors
    /// An address that is none.
    pub fn addresses(&self) -> Result<Vec<LinkAddress>, SettingsError> {
        let addresses = self.coordinator.split(',').map(str::trim).filter(|address| !address.is_empty());
        let at_path = |address: &str| address.parse::<LinkAddress>()?.at_path("/v1/replicators");
        Ok(addresses.map(at_path).collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advertising(address: &str) -> Settings {
        Settings { advertise: Some(address.to_owned()), ..Settings::default() }
    }

    #[test]
    fn peers_are_told_the_address_that_is_advertised_or_else_where_it_listens() {
        assert_eq!(Settings::default().address_for_peers().unwrap(), "127.0.0.1:7421");
        assert_eq!(advertising("books-1.example:7421").address_for_peers().unwrap(), "books-1.example:7421");
    }

    #[test]
    fn address_that_peers_cannot_dial_is_refused_saying_the_form() {
        for bad in ["books-1.example", "ws://host:1", "host:0", ""] {
            let message = advertising(bad).address_for_peers().unwrap_err().to_string();
            assert!(message.contains("--advertise") && message.contains("HOST:PORT"), "{bad}: {message}");
        }
    }
}
