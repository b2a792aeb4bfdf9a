//! The app-server's settings: every bound and every timeout in one place, each with its reason.
//!
//! Read once, in `main`, from flags, environment and file (`service::config`), and passed on as values.

use protocol::{AppServerId, PageAddress};
use serde::{Deserialize, Serialize};
use service::process::{ProcessFlags, ProcessSettings};
use service::websocket::{LinkAddress, LinkSettings};
use std::path::PathBuf;
use std::time::Duration;

/// Keeps a copy of the catalogue, serves the REST interface and the web page from it, and sends changes to the coordinator.
#[derive(Debug, Default, clap::Parser, Serialize)]
#[command(name = "app-server", version)]
pub struct Flags {
    /// The flags that every service has.
    #[command(flatten)]
    #[serde(flatten)]
    pub process: ProcessFlags,
    /// Name of this app-server in the cluster.
    #[arg(long, value_name = "NAME")]
    pub id: Option<String>,
    /// Where coordinators listen, such as ws://127.0.0.1:7410; several are separated by commas.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub coordinator: Option<Vec<String>>,
    /// Names under which browsers may reach this server, beside its address and localhost; separated by commas.
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    pub allowed_hosts: Option<Vec<String>>,
    /// Where browsers reach this server's page, such as http://books.example:7400; told to the pages of the cluster's other
    /// app-servers. By default the address that it listens on, unless that is all of them.
    #[arg(long, value_name = "URL")]
    pub advertise: Option<String>,
    /// Where the supervisor of a local cluster listens, for the lab.
    #[arg(long, value_name = "PATH", hide = true)]
    pub lab_socket: Option<PathBuf>,
    /// How long a write waits for its outcome before it is answered with 202.
    #[arg(long, value_name = "MS")]
    pub answer_wait_ms: Option<u64>,
}

/// The settings of an app-server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The settings that every service has.
    #[serde(flatten)]
    pub process: ProcessSettings,
    /// How the link to the coordinator behaves.
    #[serde(flatten)]
    pub link: LinkSettings,
    /// Name of this app-server in the cluster.
    pub id: AppServerId,
    /// Where coordinators listen, in the order in which they are tried.
    pub coordinator: Vec<LinkAddress>,
    /// Host names under which this server may be reached beside its own address and localhost. A page from anywhere else
    /// could otherwise point its own name at this address and speak to it (DNS rebinding).
    pub allowed_hosts: Vec<String>,
    /// Where browsers reach the page of this server. Pages of the other app-servers go on here when theirs is gone, and a page
    /// from here may ask the others.
    pub advertise: Option<PageAddress>,
    /// Where the supervisor of a local cluster listens (`concordance up --lab`). None: nobody does to processes, links and files what the
    /// lab asks for.
    pub lab_socket: Option<PathBuf>,

    /// How long a write waits for its outcome before 202. Longer than a coordinator that crashed takes to come back, so that
    /// most crashes are a delay and not a question; shorter than browsers and proxies wait.
    pub answer_wait_ms: u64,
    /// How long a read waits for the version that it asks for. Longer than a copy that follows needs; one that has to catch up
    /// takes longer, and then another app-server is the better one to ask.
    pub version_wait_ms: u64,
    /// How long an import may take before it goes on in the background.
    pub import_answer_wait_ms: u64,
    /// How long a restore may take before it goes on in the background.
    pub restoration_answer_wait_ms: u64,
    /// How long a question to the coordinator may take. It answers from memory.
    pub question_timeout_ms: u64,
    /// How long a client may take between two pieces of a request's body.
    pub body_timeout_ms: u64,

    /// Largest JSON body. A legal book with every character escaped stays below it.
    pub json_bytes_max: usize,
    /// Largest import file. 10,000 books are about 4 MiB.
    pub import_bytes_max: usize,
    /// Imports that run at one time: each holds its file in memory.
    pub imports_max: usize,
    /// Imports that are remembered after they ended.
    pub imports_kept: usize,
    /// Changes that an import sends together, which is the least that becomes visible at once.
    pub import_changes_per_submission: usize,
    /// Bytes that an import sends together: what a round can carry with ease.
    pub import_bytes_per_submission: usize,
    /// Submissions of one import that are on their way at one time, so that the next round is never short of work.
    pub import_submissions_in_flight: usize,
    /// How long an import goes on trying while no round can be run.
    pub import_patience_ms: u64,

    /// Changes that may wait for their outcome here. One more is refused with 503.
    pub pending_changes_max: usize,
    /// Bytes of these changes. One more is refused with 503.
    pub pending_bytes_max: usize,
    /// Outcomes that are kept for those who ask `/changes`, beside what the coordinator keeps.
    pub outcomes_kept: usize,

    /// Committed bytes that may wait to be written to the files before a warning. The catalogue in memory is ahead by so much.
    pub file_backlog_bytes_max: u64,
    /// Threads that read files at the start and during a scan.
    pub scan_threads: usize,
    /// A checkpoint is saved so often while there are changes: what was committed since is compared anew after a crash.
    pub checkpoint_every_ms: u64,
    /// The files are looked through for edits so often, by size and time of change only. A large catalogue is looked
    /// through less often: the search takes at most a twentieth of the time.
    pub edits_search_every_ms: u64,

    /// Events that are kept for browsers that reconnect.
    pub events_kept: usize,
    /// Events that come so close together reach a browser together, and may be merged.
    pub events_merge_ms: u64,
    /// Events of one name that one browser gets at once; of more than that the newest are sent.
    pub events_of_a_name_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            process: ProcessSettings::at("data/app-server", 7400),
            link: LinkSettings::default(),
            id: "app-server".parse().expect("a plain word is a name"),
            coordinator: vec!["ws://127.0.0.1:7410".parse().expect("a loopback address can be dialled")],
            allowed_hosts: Vec::new(),
            advertise: None,
            lab_socket: None,
            answer_wait_ms: 10_000,
            version_wait_ms: 5_000,
            import_answer_wait_ms: 10_000,
            restoration_answer_wait_ms: 10_000,
            question_timeout_ms: 3_000,
            body_timeout_ms: 15_000,
            json_bytes_max: 512 * 1024,
            import_bytes_max: 64 * 1024 * 1024,
            imports_max: 4,
            imports_kept: 100,
            import_changes_per_submission: 256,
            import_bytes_per_submission: 1024 * 1024,
            import_submissions_in_flight: 2,
            import_patience_ms: 60_000,
            pending_changes_max: 16_384,
            pending_bytes_max: 128 * 1024 * 1024,
            outcomes_kept: 16_384,
            file_backlog_bytes_max: 64 * 1024 * 1024,
            scan_threads: 2,
            checkpoint_every_ms: 30_000,
            edits_search_every_ms: 3_000,
            events_kept: 1_000,
            events_merge_ms: 50,
            events_of_a_name_max: 100,
        }
    }
}

impl Settings {
    pub(crate) fn answer_wait(&self) -> Duration {
        Duration::from_millis(self.answer_wait_ms)
    }

    pub(crate) fn question_timeout(&self) -> Duration {
        Duration::from_millis(self.question_timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn flags_and_defaults_make_settings() {
        let flags =
            ["app-server", "--id", "app-2", "--coordinator", "ws://a:1,ws://b:2", "--listen", "127.0.0.1:0", "--lab"];
        let settings: Settings = service::config::load(&Flags::parse_from(flags), None).unwrap();
        assert_eq!(settings.id.as_str(), "app-2");
        assert_eq!(settings.coordinator.len(), 2);
        assert!(settings.process.lab && settings.process.listen.port() == 0);
        assert_eq!(settings.answer_wait_ms, 10_000);
    }

    #[test]
    fn address_that_is_no_pages_is_refused_naming_the_flag() {
        let flags = Flags::parse_from(["app-server", "--advertise", "books.example"]);
        let error = service::config::load::<Settings>(&flags, None).unwrap_err().to_string();
        assert!(error.contains("--advertise") && error.contains("http://host:port"), "{error}");
    }

    #[test]
    fn name_that_is_none_is_refused_naming_the_flag() {
        let flags = Flags::parse_from(["app-server", "--id", "Ä"]);
        let error = service::config::load::<Settings>(&flags, None).unwrap_err().to_string();
        assert!(error.contains("--id"), "{error}");
    }
}
