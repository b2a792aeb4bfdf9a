//! The services that run: who they are, one more of them, and the end of all in good order.

use tokio::sync::mpsc;

use super::UpError;
use super::control::Roster;
use super::data_directory::DataDirectory;
use super::keeper::{Death, Keeper, Kept};
use super::lab::Lab;
use super::plan::{ServicePlan, replicator_number};
use super::readiness::Awaited;

/// All services of this process; the directory is held until they have ended.
#[derive(Debug)]
pub(crate) struct Services {
    directory: DataDirectory,
    restart: bool,
    deaths: mpsc::UnboundedSender<Death>,
    keepers: Vec<Keeper>,
    roster: Roster,
    lab: Option<Lab>,
}

impl Services {
    pub(crate) fn new(
        directory: DataDirectory,
        restart: bool,
        deaths: mpsc::UnboundedSender<Death>,
        roster: Roster,
        lab: Option<Lab>,
    ) -> Self {
        Services { directory, restart, deaths, keepers: Vec::new(), roster, lab }
    }

    /// Starts a service, in the place of an earlier one of that name.
    pub(crate) async fn start(&mut self, plan: ServicePlan) {
        self.stop(&plan.name).await;
        let plan = match &self.lab {
            Some(lab) => lab.wire(plan).await,
            None => plan,
        };
        let keeper = Keeper::start(plan, &self.directory, self.restart, self.deaths.clone());
        self.roster.enter(&keeper.plan().name, keeper.control());
        self.keepers.push(keeper);
    }

    /// Whether a service is kept alive; none if there is no such service.
    pub(crate) fn kept(&self, name: &str) -> Option<Kept> {
        self.keepers.iter().find(|keeper| keeper.plan().name == name).map(|keeper| *keeper.kept().borrow())
    }

    /// Stops one service, if it is there.
    pub(crate) async fn stop(&mut self, name: &str) {
        if let Some(position) = self.keepers.iter().position(|keeper| keeper.plan().name == name) {
            self.keepers.swap_remove(position).stop().await;
            self.roster.leave(name);
        }
    }

    /// The numbers of all replicators that run or have ever run here.
    pub(crate) fn replicators(&self) -> Result<std::collections::BTreeSet<u16>, UpError> {
        let running = self.keepers.iter().filter_map(|keeper| replicator_number(&keeper.plan().name));
        Ok(self.directory.replicators()?.into_iter().chain(running).collect())
    }

    /// All of them, for somebody who waits until they are ready.
    pub(crate) fn awaited(&self) -> Vec<Awaited> {
        self.keepers.iter().map(|keeper| Awaited { plan: keeper.plan().clone(), kept: keeper.kept() }).collect()
    }

    /// The app-servers first, so that nothing new comes in; then the others together.
    pub(crate) async fn stop_all(self) {
        let (first, rest): (Vec<_>, Vec<_>) = self.keepers.into_iter().partition(Keeper::faces_clients);
        futures::future::join_all(first.into_iter().map(Keeper::stop)).await;
        futures::future::join_all(rest.into_iter().map(Keeper::stop)).await;
    }
}
