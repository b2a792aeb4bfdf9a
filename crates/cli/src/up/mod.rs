//! `concordance up`: a whole cluster on this machine, from its start to its end.
//!
//! A supervisor and nothing more: it starts the programs that lie beside it, watches them, starts those that become members, and speaks to them as any
//! client does. None of them outlives it, however it ends: each watches the pipe that is its standard input.

mod control;
mod data_directory;
mod keeper;
mod lab;
mod log_tail;
mod members;
mod plan;
mod readiness;
mod replacement;
mod services;

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::arguments::{Connection, UpArguments};
use crate::client::{Client, ClientError};
use crate::exit::Exit;
use crate::output::{self, Output};
use crate::tables::{count, facts};
use crate::{cluster, import, sample};

use control::Roster;
use data_directory::DataDirectory;
use keeper::Death;
use lab::Lab;
use members::Members;
use plan::{Plan, ServicePlan, replicator_number};
use readiness::{Awaited, Waiting};
use services::Services;

/// How long the services together may take to be ready. Reading a large catalogue takes a while.
const READY_TIMEOUT: Duration = Duration::from_secs(120);
/// How often one service may die before the cluster was ever ready.
const DEATHS_AT_START_MAX: u32 = 3;
/// The import's key: a second try continues the first.
const SAMPLE_KEY: &str = "sample-catalogue";

/// Runs a cluster until a signal stops it.
pub(crate) async fn run(arguments: &UpArguments, token_file: Option<&Path>) -> Result<Exit, UpError> {
    let plan = Plan::new(arguments, token_file)?;
    // Held until everything has ended.
    let directory = DataDirectory::claim(&plan.data)?;
    let present = directory.replicators()?;
    let (first, newcomers) = (plan.services(&present), plan.newcomers(&present));
    let later: Vec<ServicePlan> = newcomers.iter().filter_map(|&number| plan.replicator(number)).collect();
    plan::check_ports(first.iter().chain(&later))?;
    let members = Members::new(&plan, newcomers, arguments.replace_dead.map(Duration::from_secs))?;
    let stop = service::shutdown::on_signals().map_err(|source| UpError::Signals { source })?;

    let replicators = first.iter().filter(|service| replicator_number(&service.name).is_some()).count();
    let description = plan.describe(replicators);
    output::say(&format!("starting {description} …"));
    let (deaths_sender, deaths) = mpsc::unbounded_channel();
    let roster = Roster::default();
    let lab = match arguments.lab {
        true => Some(Lab::open(&plan.data, roster.clone()).map_err(|source| UpError::Lab { source })?),
        false => None,
    };
    let mut services = Services::new(directory, !arguments.no_restart, deaths_sender, roster, lab);
    for service in first {
        services.start(service).await;
    }
    let cluster = Cluster { plan: &plan, arguments, description, members };
    let result = cluster.oversee(&mut services, deaths, &stop).await;
    output::say("stopping …");
    services.stop_all().await;
    result.map(|()| {
        output::say("stopped");
        Exit::Success
    })
}

/// What was started.
struct Cluster<'a> {
    plan: &'a Plan,
    arguments: &'a UpArguments,
    description: String,
    members: Members<'a>,
}

impl Cluster<'_> {
    /// Brings the cluster up, follows its members, and waits for the signal to stop.
    async fn oversee(
        mut self,
        services: &mut Services,
        mut deaths: mpsc::UnboundedReceiver<Death>,
        stop: &CancellationToken,
    ) -> Result<(), UpError> {
        let awaited = services.awaited();
        // From the first moment: a member without its directory has to run before the cluster can be ready.
        let mut following = pin!(self.members.follow(services));
        let waiting = tokio::select! {
            waiting = bring_up(self.plan, self.arguments, &awaited) => waiting,
            died = too_many_deaths(&mut deaths, self.arguments.no_restart) => return Err(died),
            never = &mut following => match never {},
            () = stop.cancelled() => return Ok(()),
        };
        output::print(&welcome(self.plan, &self.description, &waiting));
        tokio::select! { never = following => match never {}, () = stop.cancelled() => Ok(()) }
    }
}

/// Waits until all are ready, and fills a new cluster; gives those that did not become ready.
async fn bring_up(plan: &Plan, arguments: &UpArguments, services: &[Awaited]) -> Vec<Waiting> {
    let waiting = readiness::wait(services, READY_TIMEOUT).await;
    if waiting.is_empty() && !arguments.empty {
        seed(plan).await;
    }
    waiting
}

/// Returns when a service has died too often to believe that it will ever start.
async fn too_many_deaths(deaths: &mut mpsc::UnboundedReceiver<Death>, no_restart: bool) -> UpError {
    let deaths_max = if no_restart { 1 } else { DEATHS_AT_START_MAX };
    loop {
        match deaths.recv().await {
            Some(death) if death.times >= deaths_max && !death.not_wanted => {
                return UpError::DoesNotStart {
                    service: death.service,
                    ended: death.ended,
                    last_words: death.last_words,
                    log: death.log,
                };
            }
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
}

/// Puts the sample catalogue into a cluster that has never held anything. A failure leaves an empty cluster, which is
/// worth a warning and no more.
async fn seed(plan: &Plan) {
    let output = Output::new(false);
    let connection = Connection { server: plan.page(), token_file: plan.token_file.clone() };
    let seeded = async {
        let client = Client::new(&connection)?;
        let (_, cluster) = cluster::fetch(&client).await?;
        if cluster.version > 0 {
            return Ok(());
        }
        let file = sample::classics_xml();
        import::send(&client, &output, file, "application/xml", "fail", SAMPLE_KEY).await.map(|report| {
            let imported = report["imported"].as_u64().unwrap_or(0);
            output::say(&format!("the sample catalogue is in: {}", count(imported, "book", "books")));
        })
    };
    if let Err(error) = seeded.await {
        output::say(&format!("the sample catalogue was not put in: {error}"));
    }
}

fn welcome(plan: &Plan, description: &str, waiting: &[Waiting]) -> String {
    let state = if waiting.is_empty() {
        format!("Concordance is running: {description}.")
    } else {
        let who: String = waiting.iter().map(|waiting| format!("\n  {waiting}")).collect();
        format!("Concordance was started, but not all of it is ready (it goes on trying):{who}")
    };
    let data = plan.data.display();
    let mut lines = vec![("page", plan.page())];
    let others = plan.other_pages();
    if !others.is_empty() {
        lines.push(("pages of the others", others.join(" ")));
    }
    lines.extend([
        ("try the REST interface", format!("{}/api/v1/docs/", plan.page())),
        ("books of the app-server", format!("{data}/app-server/books")),
        ("books of a replicator", format!("{data}/replicator-1/books")),
        ("logs", format!("{data}/logs")),
    ]);
    let lines = facts(&lines);
    format!("{state}\n{lines}\nStop it with Ctrl-C.")
}

/// Why a cluster was not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpError {
    #[error(
        "the program {} is missing; build it with `cargo build --release`, or start with `scripts/run`",
        path.display()
    )]
    MissingProgram { path: PathBuf },
    #[error("cannot find out where this program lies: {source}")]
    Whereabouts { source: std::io::Error },
    #[error("{busy}; stop what uses it, or choose other ports with --port N (a cluster takes N on, N+10, and N+21 on)")]
    PortsInUse { busy: String },
    #[error("cannot use the data directory {}: {source}", path.display())]
    Directory { path: PathBuf, source: std::io::Error },
    #[error("the data directory {} is in use by another `concordance up`; stop that one, or choose another with --data", path.display())]
    DirectoryInUse { path: PathBuf },
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("{service} does not start ({ended}): {last_words}\nits log is {}", log.display())]
    DoesNotStart { service: String, ended: String, last_words: String, log: PathBuf },
    #[error("cannot open the socket of the lab in the folder for temporary files: {source}")]
    Lab { source: std::io::Error },
    #[error("cannot watch for signals: {source}")]
    Signals { source: std::io::Error },
}
