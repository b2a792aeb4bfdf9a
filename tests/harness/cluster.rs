//! Real processes: one coordinator, some replicators, one app-server.

use crate::{Client, eventually};
use std::fmt::Write as _;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Longer than any start or catch-up takes on a busy machine; only a broken cluster reaches it.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// One of the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// The coordinator.
    Coordinator,
    /// A replicator, from 1.
    Replicator(usize),
    /// The app-server.
    AppServer,
}

impl Service {
    fn name(self) -> String {
        match self {
            Self::Coordinator => "coordinator".to_owned(),
            Self::Replicator(number) => format!("replicator-{number}"),
            Self::AppServer => "app-server".to_owned(),
        }
    }

    fn binary(self) -> &'static str {
        match self {
            Self::Coordinator => "coordinator",
            Self::Replicator(_) => "replicator",
            Self::AppServer => "app-server",
        }
    }
}

/// What a test wants of a cluster.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many replicators.
    pub replicators: usize,
    /// More settings, as environment variables of every process.
    pub environment: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self { replicators: 3, environment: Vec::new() }
    }
}

/// A cluster of real processes.
#[derive(Debug)]
pub struct Cluster {
    directory: TempDir,
    options: Options,
    ports: Vec<u16>,
    running: Vec<(Service, Child)>,
}

impl Cluster {
    /// Starts one and waits until it accepts writes.
    pub async fn start(options: Options) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ports = free_ports(options.replicators + 2);
        let mut cluster = Self { directory, options, ports, running: Vec::new() };
        for service in cluster.services() {
            cluster.start_service(service);
        }
        cluster.wait_until_ready().await;
        cluster
    }

    /// All services, in the order in which they are started.
    #[must_use]
    pub fn services(&self) -> Vec<Service> {
        let replicators = (1..=self.options.replicators).map(Service::Replicator);
        [Service::Coordinator].into_iter().chain(replicators).chain([Service::AppServer]).collect()
    }

    /// Where the service keeps its data.
    #[must_use]
    pub fn data(&self, service: Service) -> PathBuf {
        self.directory.path().join(service.name())
    }

    /// A client of the app-server.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(format!("http://{}", self.address(Service::AppServer)))
    }

    /// Starts a service that does not run.
    pub fn start_service(&mut self, service: Service) {
        self.start_armed(service, None);
    }

    /// Starts a service that will die at a crash point (`name` or `name:n`).
    pub fn start_armed(&mut self, service: Service, crash_at: Option<&str>) {
        assert!(!self.running.iter().any(|(running, _)| *running == service), "{service:?} runs already");
        let coordinator = format!("ws://{}", self.address(Service::Coordinator));
        let mut command = Command::new(binary(service.binary()));
        command.arg("--data").arg(self.data(service)).arg("--listen").arg(self.address(service));
        command.args(["--lab", "--exit-with-parent"]);
        match service {
            Service::Coordinator => {
                let members: Vec<_> =
                    (1..=self.options.replicators).map(|number| format!("replicator-{number}")).collect();
                command.arg("--members").arg(members.join(","));
            }
            Service::Replicator(_) | Service::AppServer => {
                command.arg("--id").arg(service.name()).arg("--coordinator").arg(coordinator);
            }
        }
        command.envs(self.options.environment.iter().cloned());
        if let Some(crash_at) = crash_at {
            command.env("CONCORDANCE_CRASH_AT", crash_at);
        }
        let log = File::options().create(true).append(true).open(self.log_path(service)).unwrap();
        command.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("{service:?}: {error}"));
        self.running.push((service, child));
    }

    /// Kills a service with SIGKILL.
    pub fn kill(&mut self, service: Service) {
        let index = self.running.iter().position(|(running, _)| *running == service).expect("the service runs");
        let (_, mut child) = self.running.remove(index);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits until a service has died by itself.
    pub async fn wait_until_dead(&mut self, service: Service) {
        let index = self.running.iter().position(|(running, _)| *running == service).expect("the service runs");
        let (_, mut child) = self.running.remove(index);
        let what = format!("{service:?} dies");
        eventually(&what, READY_WITHIN, async || child.try_wait().unwrap()).await;
    }

    /// Waits until every process that runs is ready and writes are accepted.
    pub async fn wait_until_ready(&self) {
        let client = self.client();
        let ready = eventually_or(READY_WITHIN, async || {
            let status = client.cluster().await?;
            (status["accepting_writes"] == true && status["app_server"]["level"] == true).then_some(())
        });
        if !ready.await {
            let status = client.cluster().await;
            panic!("the cluster is not ready after {READY_WITHIN:?}: {status:#?}\n{}", self.logs());
        }
    }

    /// The last lines that each service wrote.
    #[must_use]
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for service in self.services() {
            let log = std::fs::read_to_string(self.log_path(service)).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(25)..].join("\n");
            writeln!(text, "--- {service:?}\n{tail}").unwrap();
        }
        text
    }

    fn log_path(&self, service: Service) -> PathBuf {
        self.directory.path().join(format!("{}.log", service.name()))
    }

    fn address(&self, service: Service) -> String {
        let index = match service {
            Service::Coordinator => 0,
            Service::AppServer => 1,
            Service::Replicator(number) => number + 1,
        };
        format!("127.0.0.1:{}", self.ports[index])
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for (_, child) in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
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

/// A service's binary, beside this test's own.
fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).expect("a test lies in target/<profile>/deps");
    let binary = folder.join(name);
    assert!(binary.exists(), "{} is missing: run `cargo build --workspace` first", binary.display());
    binary
}
