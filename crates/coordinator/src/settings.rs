//! The settings of a coordinator, every time and bound with its reason.

use protocol::{CommitPolicy, InvalidId, MemberId};
use serde::{Deserialize, Serialize};
use service::config::{self, ConfigError};
use service::process::{ProcessFlags, ProcessSettings};
use service::websocket::LinkSettings;
use two_phase::coordinator::CoordinatorSettings;

/// The flags of a coordinator.
#[derive(Debug, Clone, clap::Parser, Serialize)]
#[command(name = "coordinator", version, about = "Runs Concordance's rounds of two-phase commit")]
pub struct Flags {
    #[command(flatten)]
    #[serde(flatten)]
    process: ProcessFlags,
    /// The first members of a new cluster, separated by commas. Later ones come and go by `concordance member`.
    #[arg(long, value_name = "ID,ID,…")]
    members: Option<String>,
    /// Which members a round needs: those in sync, so that writes go on when one dies; or all, as in the textbook.
    #[arg(long, value_name = "POLICY", value_parser = ["in-sync", "all"])]
    commit_policy: Option<String>,
    /// How many members must be in sync, if more than a majority.
    #[arg(long, value_name = "N")]
    min_in_sync: Option<u64>,
    /// How long a round waits for votes, in milliseconds.
    #[arg(long, value_name = "MS")]
    vote_timeout_ms: Option<u64>,
    /// How long a change waits for a round that can be run before it is refused, in milliseconds.
    #[arg(long, value_name = "MS")]
    change_wait_ms: Option<u64>,
    /// Start a restore when a scrub finds damaged files, instead of only showing them.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    scrub_heals: Option<bool>,
}

/// The settings of a coordinator.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What every service has.
    #[serde(flatten)]
    pub process: ProcessSettings,
    /// The first members of a new cluster, separated by commas.
    pub members: String,
    /// Which members a round needs.
    pub commit_policy: CommitPolicy,
    /// How many members must be in sync, if more than a majority.
    pub min_in_sync: Option<u64>,
    /// Those who are brought level are sent so many bytes a second, so that rounds go on beside them.
    pub catch_up_bytes_per_second: u64,
    /// A round waits so long for votes. Much longer than a slow sync, much shorter than a person's patience.
    pub vote_timeout_ms: u64,
    /// A change waits so long for a round. Long enough for a replicator to be started again.
    pub change_wait_ms: u64,
    /// A replicator that could not take a round is left in peace so long.
    pub pause_after_refusal_ms: u64,
    /// A holder may take so long to read all of its files.
    pub holder_timeout_ms: u64,
    /// Whether a restore is started when a scrub finds damaged files. Off: who repairs without being told to hides a disk that dies.
    pub scrub_heals: bool,
    /// Clients that send again get the first answer for so long.
    pub answer_retention_hours: u64,
    /// Most changes in one round: bounds the time of a round.
    pub round_changes_max: usize,
    /// Most bytes of content in one round: a round must fit into one log segment, as base64.
    pub round_bytes_max: u64,
    /// Most changes that wait; more are refused at once.
    pub queue_changes_max: usize,
    /// Most bytes of content that wait.
    pub queue_bytes_max: u64,
    /// So much of the disk is never used for new rounds: the last bytes are for the log and for people to log in.
    pub disk_reserve_bytes: u64,
    /// Size of a log segment in bytes.
    pub log_segment_bytes: u64,
    /// A checkpoint is saved when the log has grown by so many bytes, so that a start reads little.
    pub checkpoint_log_bytes: u64,
    /// A checkpoint is also saved after so long without a new record.
    pub checkpoint_idle_ms: u64,
    /// The links.
    #[serde(flatten)]
    pub link: LinkSettings,
}

/// Why settings are unusable.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// They cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A member's name is none.
    #[error("--members: {0}")]
    Member(#[from] InvalidId),
    /// There are no members.
    #[error("--members is missing: name the replicators, such as --members replicator-1,replicator-2,replicator-3")]
    NoMembers,
}

impl Default for Settings {
    fn default() -> Self {
        let core = CoordinatorSettings::default();
        Self {
            process: ProcessSettings::at("data/coordinator", 7410),
            members: String::new(),
            commit_policy: core.policy,
            min_in_sync: core.min_in_sync,
            catch_up_bytes_per_second: core.catch_up_bytes_per_second,
            vote_timeout_ms: core.vote_timeout_ms,
            change_wait_ms: core.change_wait_ms,
            pause_after_refusal_ms: core.pause_after_refusal_ms,
            holder_timeout_ms: core.holder_timeout_ms,
            scrub_heals: core.scrub_heals,
            answer_retention_hours: 24,
            round_changes_max: core.round_changes_max,
            round_bytes_max: core.round_bytes_max,
            queue_changes_max: core.queue_changes_max,
            queue_bytes_max: core.queue_bytes_max,
            disk_reserve_bytes: 256 << 20,
            log_segment_bytes: 16 << 20,
            checkpoint_log_bytes: 32 << 20,
            checkpoint_idle_ms: 5_000,
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
        settings.member_ids()?;
        Ok(settings)
    }

    /// The members' names.
    ///
    /// # Errors
    /// A name that is none, or no name at all.
    pub fn member_ids(&self) -> Result<Vec<MemberId>, SettingsError> {
        let names = self.members.split(',').map(str::trim).filter(|name| !name.is_empty());
        let members = names.map(str::parse).collect::<Result<Vec<MemberId>, _>>()?;
        if members.is_empty() { Err(SettingsError::NoMembers) } else { Ok(members) }
    }

    /// The settings of the core.
    #[must_use]
    pub fn core(&self) -> CoordinatorSettings {
        CoordinatorSettings {
            policy: self.commit_policy,
            min_in_sync: self.min_in_sync,
            catch_up_bytes_per_second: self.catch_up_bytes_per_second,
            vote_timeout_ms: self.vote_timeout_ms,
            change_wait_ms: self.change_wait_ms,
            pause_after_refusal_ms: self.pause_after_refusal_ms,
            holder_timeout_ms: self.holder_timeout_ms,
            scrub_heals: self.scrub_heals,
            answer_retention_ms: self.answer_retention_hours * 60 * 60 * 1_000,
            round_changes_max: self.round_changes_max,
            round_bytes_max: self.round_bytes_max,
            queue_changes_max: self.queue_changes_max,
            queue_bytes_max: self.queue_bytes_max,
            lab: self.process.lab,
        }
    }
}
