//! Real processes: one coordinator, some replicators, one app-server or more.

use crate::process::{Process, command};
use crate::small_disk::on_a_disk_of;
use crate::{Client, Link, SmallDisk, eventually};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;
use tempfile::TempDir;

/// Longer than any start or catch-up takes on a busy machine; only a broken cluster reaches it.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// How many replicators may be started besides those of the beginning.
const SPARE_REPLICATORS: usize = 4;

/// One of the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// The coordinator.
    Coordinator,
    /// A replicator, from 1.
    Replicator(usize),
    /// The app-server.
    AppServer,
    /// A further app-server, from 2.
    FurtherAppServer(usize),
}

impl Service {
    /// Its id, and the name of its folder.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Coordinator => "coordinator".to_owned(),
            Self::Replicator(number) => format!("replicator-{number}"),
            Self::AppServer => "app-server".to_owned(),
            Self::FurtherAppServer(number) => format!("app-server-{number}"),
        }
    }

    fn binary(self) -> &'static str {
        match self {
            Self::Coordinator => "coordinator",
            Self::Replicator(_) => "replicator",
            Self::AppServer | Self::FurtherAppServer(_) => "app-server",
        }
    }
}

/// What a test wants of a cluster.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many replicators.
    pub replicators: usize,
    /// How many app-servers.
    pub app_servers: usize,
    /// More settings, as environment variables of every process.
    pub environment: Vec<(String, String)>,
    /// The access token of the cluster.
    pub token: Option<String>,
    /// Name of the folder that holds all data.
    pub folder: String,
    /// Those that dial the coordinator over a [`Link`] of their own.
    pub linked: Vec<Service>,
    /// Those that keep their data on a disk of their own of so many bytes; it is gone when they end.
    pub small_disks: Vec<(Service, u64)>,
    /// Disks can be made to refuse, by [`Cluster::break_disk`].
    pub disk_faults: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            replicators: 3,
            app_servers: 1,
            environment: Vec::new(),
            token: None,
            folder: "cluster".to_owned(),
            linked: Vec::new(),
            small_disks: Vec::new(),
            disk_faults: false,
        }
    }
}

/// A cluster of real processes.
#[derive(Debug)]
pub struct Cluster {
    /// First, so that the processes have ended when the directory is removed.
    running: Vec<(Service, Process)>,
    directory: TempDir,
    options: Options,
    /// The numbers of the replicators that are members, or are to be.
    replicators: Vec<usize>,
    ports: Vec<u16>,
    links: BTreeMap<Service, Link>,
    is_evidence: bool,
}

impl Cluster {
    /// Starts one and waits until it accepts writes.
    pub async fn start(options: Options) -> Self {
        Self::start_with_armed(options, None).await
    }

    /// Starts one in which a service will die at a crash point (`name` or `name:n`), and waits until it accepts writes.
    pub async fn start_with_armed(options: Options, armed: Option<(Service, &str)>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ports = free_ports(1 + options.replicators + SPARE_REPLICATORS + options.app_servers);
        let replicators = (1..=options.replicators).collect();
        let (running, links) = (Vec::new(), BTreeMap::new());
        let mut cluster = Self { running, directory, options, replicators, ports, links, is_evidence: false };
        for service in cluster.options.linked.clone() {
            let link = Link::to(cluster.address(Service::Coordinator)).await.unwrap();
            cluster.links.insert(service, link);
        }
        std::fs::create_dir(cluster.folder()).unwrap();
        if let Some(token) = &cluster.options.token {
            write_token_file(&cluster.token_file(), token, 0o600);
        }
        for service in cluster.services() {
            cluster.start_armed(service, armed.filter(|(victim, _)| *victim == service).map(|(_, point)| point));
        }
        cluster.wait_until_ready().await;
        cluster
    }

    /// Its directory is to be kept if something fails, for whoever looks into it.
    pub fn keep_if_it_fails(&mut self) {
        self.is_evidence = true;
    }

    /// All services, in the order in which they are started.
    #[must_use]
    pub fn services(&self) -> Vec<Service> {
        let replicators = self.replicators.iter().copied().map(Service::Replicator);
        let further = (2..=self.options.app_servers).map(Service::FurtherAppServer);
        [Service::Coordinator].into_iter().chain(replicators).chain([Service::AppServer]).chain(further).collect()
    }

    /// The folder of all data directories; a place for whatever else a test keeps.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.directory.path().join(&self.options.folder)
    }

    /// Where the service keeps its data, as a test reaches it.
    #[must_use]
    pub fn data(&self, service: Service) -> PathBuf {
        let own = self.own_data(service);
        if self.disk_bytes(service).is_some() { SmallDisk::of(self.process(service), &own).path } else { own }
    }

    /// The disk of a service that has a small one, and runs.
    #[must_use]
    pub fn small_disk(&self, service: Service) -> SmallDisk {
        SmallDisk::of(self.process(service), &self.own_data(service))
    }

    /// Where the service itself finds its data.
    fn own_data(&self, service: Service) -> PathBuf {
        self.folder().join(service.name())
    }

    fn disk_bytes(&self, service: Service) -> Option<u64> {
        self.options.small_disks.iter().find(|(small, _)| *small == service).map(|(_, bytes)| *bytes)
    }

    /// A client of the app-server.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client_of(Service::AppServer)
    }

    /// A client of one of several app-servers.
    #[must_use]
    pub fn client_of(&self, app_server: Service) -> Client {
        Client::new(format!("http://{}", self.address(app_server)), self.options.token.as_deref())
    }

    /// Where the cluster's token is, if it has one.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.folder().join("access token")
    }

    /// Starts a service that does not run.
    pub fn start_service(&mut self, service: Service) {
        self.start_armed(service, None);
    }

    /// Starts a service that will die at a crash point (`name` or `name:n`).
    pub fn start_armed(&mut self, service: Service, crash_at: Option<&str>) {
        let variable = crash_at.map(|point| ("CONCORDANCE_CRASH_AT", point));
        self.start_with(service, variable);
    }

    /// Starts a service that will freeze at a crash point (`name` or `name:n`), until [`Process::resume`].
    pub fn start_pausing(&mut self, service: Service, pause_at: &str) {
        self.start_with(service, Some(("CONCORDANCE_PAUSE_AT", pause_at)));
    }

    fn start_with(&mut self, service: Service, variable: Option<(&str, &str)>) {
        assert!(!self.running.iter().any(|(running, _)| *running == service), "{service:?} runs already");
        let mut command = self.command(service, &self.own_data(service), &self.address(service));
        if let Some(bytes) = self.disk_bytes(service) {
            command = on_a_disk_of(bytes, &self.own_data(service), &command);
        }
        command.envs(variable);
        let process = Process::start(command, &self.log_path(service));
        self.running.push((service, process));
    }

    /// The command that starts a service of this cluster, with a data directory and an address that may be other than its own.
    #[must_use]
    pub fn command(&self, service: Service, data: &Path, listen: &str) -> Command {
        let link = self.links.get(&service).map(|link| link.address().to_string());
        let coordinator = format!("ws://{}", link.unwrap_or_else(|| self.address(Service::Coordinator)));
        let mut command = command(service.binary());
        command.arg("--data").arg(data).arg("--listen").arg(listen);
        command.args(["--lab", "--exit-with-parent"]);
        match service {
            Service::Coordinator => {
                let members: Vec<_> =
                    (1..=self.options.replicators).map(|number| format!("replicator-{number}")).collect();
                command.arg("--members").arg(members.join(","));
            }
            Service::Replicator(_) | Service::AppServer | Service::FurtherAppServer(_) => {
                command.arg("--id").arg(service.name()).arg("--coordinator").arg(coordinator);
            }
        }
        if self.options.token.is_some() {
            command.arg("--token-file").arg(self.token_file());
        }
        if self.options.disk_faults {
            command.env("CONCORDANCE_DISK_FAULTS", self.disk_faults(service));
        }
        command.envs(self.options.environment.iter().cloned());
        command
    }

    fn disk_faults(&self, service: Service) -> PathBuf {
        self.folder().join(format!("{}.disk-faults", service.name()))
    }

    /// From now on the disk of this service refuses: lines of what fails and how, such as `log_sync io_error`.
    pub fn break_disk(&self, service: Service, faults: &str) {
        assert!(self.options.disk_faults, "the cluster was started so that its disks can be made to refuse");
        // In one step, so that nobody reads half of it.
        let aside = self.folder().join("disk-faults.new");
        std::fs::write(&aside, faults).unwrap();
        std::fs::rename(aside, self.disk_faults(service)).unwrap();
    }

    /// Its disk is as it should be again.
    pub fn mend_disk(&self, service: Service) {
        std::fs::remove_file(self.disk_faults(service)).unwrap();
    }

    /// Starts one more replicator; it is let in by [`Client::add_member`].
    pub fn start_new_replicator(&mut self) -> Service {
        let number = self.replicators.iter().max().map_or(1, |newest| newest + 1);
        assert!(number <= self.options.replicators + SPARE_REPLICATORS, "there are no more ports");
        self.replicators.push(number);
        self.start_service(Service::Replicator(number));
        Service::Replicator(number)
    }

    /// Waits until a replicator that is no longer a member has ended, and returns its exit code.
    pub async fn wait_until_gone(&mut self, service: Service) -> Option<i32> {
        self.replicators.retain(|number| Service::Replicator(*number) != service);
        self.take(service).wait_until_dead().await.code()
    }

    /// Kills a service with SIGKILL.
    pub fn kill(&mut self, service: Service) {
        drop(self.take(service));
    }

    /// Stops a service in due form.
    pub async fn stop(&mut self, service: Service) {
        self.take(service).stop().await;
    }

    /// Waits until a service has died by itself, and says how.
    pub async fn wait_until_dead(&mut self, service: Service) -> ExitStatus {
        self.take(service).wait_until_dead().await
    }

    /// Whether a service has died by itself.
    pub fn has_died(&mut self, service: Service) -> bool {
        let found = self.running.iter_mut().find(|(running, _)| *running == service);
        found.expect("the service was started").1.has_died()
    }

    /// The process of a service that runs.
    #[must_use]
    pub fn process(&self, service: Service) -> &Process {
        let found = self.running.iter().find(|(running, _)| *running == service);
        &found.expect("the service runs").1
    }

    fn take(&mut self, service: Service) -> Process {
        let index = self.running.iter().position(|(running, _)| *running == service).expect("the service runs");
        self.running.remove(index).1
    }

    /// The link over which a service dials the coordinator.
    #[must_use]
    pub fn link(&self, service: Service) -> &Link {
        &self.links[&service]
    }

    /// Waits until writes are accepted and every process that runs is level.
    pub async fn wait_until_ready(&self) {
        let client = self.client();
        let ready = eventually_or(READY_WITHIN, async || {
            let status = client.cluster().await?;
            let in_sync = |service: &Service| {
                let mut members = status["members"].as_array().into_iter().flatten();
                members.any(|member| member["id"] == service.name() && member["state"] == "in_sync")
            };
            let replicators = self.running.iter().map(|(service, _)| service);
            let mut replicators = replicators.filter(|service| matches!(service, Service::Replicator(_)));
            let level = status["accepting_writes"] == true && status["app_server"]["level"] == true;
            (level && replicators.all(in_sync)).then_some(())
        });
        if !ready.await {
            let status = client.cluster().await;
            panic!("the cluster is not ready after {READY_WITHIN:?}: {status:#?}\n{}", self.logs());
        }
    }

    /// Waits until every replicator is in sync, and in doubt about nothing.
    pub async fn wait_until_nothing_is_in_doubt(&self) {
        let client = self.client();
        eventually("nobody is in doubt", Duration::from_secs(60), async || {
            let status = client.cluster().await?;
            let mut members = status["members"].as_array()?.iter();
            let is_settled = |member: &Value| member["in_doubt_since"].is_null() && member["state"] == "in_sync";
            members.all(is_settled).then_some(())
        })
        .await;
    }

    /// What a replicator says of itself; none while it does not answer.
    pub async fn status(&self, service: Service) -> Option<Value> {
        self.fetch(service, "/status").await
    }

    /// Why a service is not ready, by its own word.
    pub async fn readiness(&self, service: Service) -> Vec<String> {
        let report = self.fetch(service, "/readyz").await.unwrap_or_default();
        let reasons = report["reasons"].as_array().cloned().unwrap_or_default();
        reasons.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    async fn fetch(&self, service: Service, path: &str) -> Option<Value> {
        let response = reqwest::get(format!("http://{}{path}", self.address(service))).await.ok()?;
        serde_json::from_str(&response.text().await.ok()?).ok()
    }

    /// The last lines that each service wrote.
    #[must_use]
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for service in self.services() {
            let log = self.log(service);
            let lines: Vec<_> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(25)..].join("\n");
            writeln!(text, "--- {service:?}\n{tail}").unwrap();
        }
        text
    }

    /// All that a service has written.
    #[must_use]
    pub fn log(&self, service: Service) -> String {
        std::fs::read_to_string(self.log_path(service)).unwrap_or_default()
    }

    fn log_path(&self, service: Service) -> PathBuf {
        self.folder().join(format!("{}.log", service.name()))
    }

    /// Where a service listens.
    #[must_use]
    pub fn address(&self, service: Service) -> String {
        let index = match service {
            Service::Coordinator => 0,
            Service::AppServer => 1,
            Service::Replicator(number) => number + 1,
            Service::FurtherAppServer(number) => self.options.replicators + SPARE_REPLICATORS + number,
        };
        format!("127.0.0.1:{}", self.ports[index])
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
            if self.is_evidence {
                self.directory.disable_cleanup(true);
                eprintln!("what the services left is kept in {}", self.folder().display());
            }
        }
    }
}

async fn eventually_or(deadline: Duration, mut condition: impl AsyncFnMut() -> Option<()>) -> bool {
    let end = std::time::Instant::now() + deadline;
    while std::time::Instant::now() < end {
        if condition().await.is_some() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// Ports that were free a moment ago, all different.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

/// Writes a file with a token, readable as `mode` says.
pub fn write_token_file(path: &Path, token: &str, mode: u32) {
    std::fs::write(path, format!("{token}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
