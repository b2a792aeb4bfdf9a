//! The lab of a local cluster: does to processes, links and files what an instructor asks for on the page.
//!
//! App-servers ask over a socket in a folder that only this user can open. Nothing here runs without `--lab`.

mod damage;
mod links;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::{LinkCondition, ServiceState, ServiceStatus, SupervisorAnswer, SupervisorOrder};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use self::damage::Damager;
use self::links::Links;
use super::control::{KeeperOrder, Roster};
use super::plan::{ServicePlan, replicator_number};
use crate::output;

/// An order names a file and a few services; nothing longer is one.
const ORDER_BYTES_MAX: u64 = 64 * 1024;

/// The lab; it ends with this value.
#[derive(Debug)]
pub(crate) struct Lab {
    inner: Arc<Inner>,
    socket: PathBuf,
    server: JoinHandle<()>,
    /// Removed with the socket in it.
    _folder: tempfile::TempDir,
}

#[derive(Debug)]
struct Inner {
    roster: Roster,
    links: Links,
    damager: Damager,
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Lab {
    /// Opens the socket and answers on it from now on.
    pub(crate) fn open(data: &Path, roster: Roster) -> std::io::Result<Self> {
        // Not in the data directory: the path of a socket has at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("concordance-lab-").tempdir()?;
        let socket = folder.path().join("socket");
        let listener = UnixListener::bind(&socket)?;
        let inner = Arc::new(Inner { roster, links: Links::default(), damager: Damager::new(data) });
        let server = tokio::spawn(serve(listener, Arc::clone(&inner)));
        Ok(Lab { inner, socket, server, _folder: folder })
    }

    /// A plan with what the lab needs in it: replicators dial the coordinator through a link that can be cut, and app-servers
    /// know the socket.
    pub(crate) async fn wire(&self, mut plan: ServicePlan) -> ServicePlan {
        if plan.faces_clients {
            plan.arguments.extend(["--lab-socket".into(), self.socket.clone().into()]);
        }
        if replicator_number(&plan.name).is_some()
            && let Err(error) = self.inner.links.lead_through(&mut plan).await
        {
            output::say(&format!("the link of {} cannot be cut in the lab: {error}", plan.name));
        }
        plan
    }
}

async fn serve(listener: UnixListener, inner: Arc<Inner>) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let inner = Arc::clone(&inner);
            tokio::spawn(async move {
                // Whoever asked may be gone.
                let _ = answer(stream, &inner).await;
            });
        }
    }
}

async fn answer(stream: UnixStream, inner: &Inner) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    BufReader::new(reader.take(ORDER_BYTES_MAX)).read_line(&mut line).await?;
    let done = match serde_json::from_str(&line) {
        Ok(order) => inner.obey(order).await,
        Err(error) => Err(format!("this is no order: {error}")),
    };
    let answer = SupervisorAnswer { refused: done.err(), services: inner.services() };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    writer.write_all(&text).await
}

impl Inner {
    async fn obey(&self, order: SupervisorOrder) -> Result<(), String> {
        match order {
            SupervisorOrder::Look => Ok(()),
            SupervisorOrder::Kill { service } => self.change(&service, KeeperOrder::Kill, ServiceState::Dead).await,
            SupervisorOrder::Start { service } => {
                self.change(&service, KeeperOrder::Start, ServiceState::Running).await
            }
            SupervisorOrder::Pause { service } => self.change(&service, KeeperOrder::Pause, ServiceState::Paused).await,
            SupervisorOrder::Resume { service } => {
                self.change(&service, KeeperOrder::Resume, ServiceState::Running).await
            }
            SupervisorOrder::StayDead { service, stays } => {
                self.keeper(&service)?.order(KeeperOrder::StayDead(stays)).await
            }
            SupervisorOrder::Link { service, condition } => self.links.set(&service, condition),
            SupervisorOrder::Damage { services, path, how } => {
                let known: Result<Vec<_>, _> = services.iter().map(|service| self.known_replicator(service)).collect();
                self.damager.damage(&known?, &path, how)
            }
        }
    }

    async fn change(&self, service: &str, order: KeeperOrder, wanted: ServiceState) -> Result<(), String> {
        let keeper = self.keeper(service)?;
        keeper.order(order).await?;
        keeper.wait_for(wanted).await
    }

    fn keeper(&self, service: &str) -> Result<super::control::Control, String> {
        self.roster.control(service).ok_or_else(|| format!("`concordance up` runs no {service}"))
    }

    /// Its name as it was written, once it is known to be one of ours: names become parts of paths.
    fn known_replicator<'a>(&self, service: &'a str) -> Result<&'a str, String> {
        let is_ours = replicator_number(service).is_some() && self.roster.control(service).is_some();
        is_ours.then_some(service).ok_or_else(|| format!("`concordance up` runs no replicator {service}"))
    }

    fn services(&self) -> Vec<ServiceStatus> {
        let link = |name: &str| -> Option<LinkCondition> { self.links.condition(name) };
        let states = self.roster.states().into_iter();
        states.map(|(name, state)| ServiceStatus { link: link(&name), name, state }).collect()
    }
}
