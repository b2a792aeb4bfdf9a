//! Follows the membership: whoever is made a member of a local cluster is started here.
//!
//! One that is removed stops by itself. Decides nothing about who is a member, except what the command line asked for:
//! more replicators, or a new one for a dead one.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use super::keeper::Kept;
use super::plan::{Plan, replicator_name, replicator_number};
use super::replacement::{Replacement, Step};
use super::services::Services;
use crate::arguments::Connection;
use crate::client::{Client, ClientError};
use crate::cluster::{self, Cluster};
use crate::{member, output};

/// How often the cluster is asked who is a member.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long an app-server may take to answer that.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Who is a member, seen from here.
#[derive(Debug)]
pub(crate) struct Members<'a> {
    plan: &'a Plan,
    /// Every app-server: one of them may be dead.
    clients: Vec<Client>,
    /// Those that are to be made members.
    newcomers: BTreeSet<u16>,
    /// Members that somebody else runs.
    elsewhere: BTreeSet<u16>,
    replacement: Option<Replacement>,
}

impl<'a> Members<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        newcomers: BTreeSet<u16>,
        replace_after: Option<Duration>,
    ) -> Result<Self, ClientError> {
        let pages = std::iter::once(plan.page()).chain(plan.other_pages());
        let client = |server| Client::new(&Connection { server, token_file: plan.token_file.clone() });
        Ok(Members {
            plan,
            clients: pages.map(client).collect::<Result<_, _>>()?,
            newcomers,
            elsewhere: BTreeSet::new(),
            replacement: replace_after.map(Replacement::new),
        })
    }

    /// Looks again and again, and does what is to be done.
    pub(crate) async fn follow(&mut self, services: &mut Services) -> Infallible {
        loop {
            if let Some((client, cluster)) = self.look().await {
                self.start_missing(&cluster, services).await;
                self.add_newcomer(&client, &cluster).await;
                self.replace_dead(&client, &cluster, services).await;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What the first app-server that knows says of the cluster; none if it would only be what was last known.
    async fn look(&self) -> Option<(Client, Cluster)> {
        for client in &self.clients {
            let answer = tokio::time::timeout(ANSWER_TIMEOUT, cluster::fetch(client)).await;
            if let Ok(Ok((_, cluster))) = answer
                && cluster.coordinator.connected
            {
                return Some((client.clone(), cluster));
            }
        }
        None
    }

    async fn start_missing(&mut self, cluster: &Cluster, services: &mut Services) {
        for one in &cluster.members {
            let Some(number) = replicator_number(&one.id) else { continue };
            let now = match services.kept(&one.id) {
                Some(Kept::Alive | Kept::LeftDead) => continue,
                Some(Kept::NotWanted) => "a member again",
                None if one.connected => {
                    self.elsewhere.insert(number);
                    continue;
                }
                None => "a member",
            };
            if self.elsewhere.contains(&number) {
                continue;
            }
            // Beyond the last port somebody else has to run it.
            let Some(plan) = self.plan.replicator(number) else { continue };
            output::say(&format!("{} is {now}: starting it", one.id));
            services.start(plan).await;
        }
    }

    /// One at each look: the cluster makes one change at a time.
    async fn add_newcomer(&mut self, client: &Client, cluster: &Cluster) {
        self.newcomers.retain(|&number| cluster.members.iter().all(|one| one.id != replicator_name(number)));
        let Some(&number) = self.newcomers.first() else { return };
        if !cluster.accepting_writes {
            return;
        }
        let name = replicator_name(number);
        match member::add_voter(client, &name).await {
            Ok(()) => output::say(&format!("{name} is new and was made a member (--replicators)")),
            Err(error) if error.is_passing() => return,
            Err(error) => output::say(&format!("{name} was not made a member: {error}")),
        }
        self.newcomers.remove(&number);
    }

    async fn replace_dead(&mut self, client: &Client, cluster: &Cluster, services: &mut Services) {
        let Some(replacement) = &mut self.replacement else { return };
        let now = Instant::now();
        match replacement.next(cluster, now) {
            None => {}
            Some(Step::End { why }) => output::say(&why),
            Some(Step::Add { dead, down }) => {
                let members = cluster.members.iter().filter_map(|one| replicator_number(&one.id));
                let taken = services.replicators().unwrap_or_default().into_iter().chain(members).collect();
                let Some(number) = self.plan.next_replicator(&taken) else {
                    output::say(&format!("{dead} is down and cannot be replaced: there is no port left for another"));
                    return replacement.postpone(now);
                };
                let new = replicator_name(number);
                match member::add_voter(client, &new).await {
                    Err(error) if !error.is_passing() => {
                        output::say(&format!("{dead} is down and was not replaced: {error}"));
                        replacement.postpone(now);
                    }
                    // Whether it was added shows at the next look.
                    _ => {
                        output::say(&format!(
                            "{dead} has been down for {} s: {new} is to take its place, and is brought level",
                            down.as_secs()
                        ));
                        replacement.begin(dead, new);
                    }
                }
            }
            Some(Step::Remove { dead, new }) => match member::remove(client, &dead).await {
                Ok(()) => {
                    output::say(&format!("{new} is in sync: it has replaced {dead}, which is no longer a member"));
                    // It may be one that dies again and again, before anybody can tell it.
                    services.stop(&dead).await;
                    replacement.end();
                }
                Err(error) if error.is_passing() => {}
                Err(error) => {
                    output::say(&format!("{new} is in sync, but {dead} cannot be removed: {error}"));
                    replacement.postpone(now);
                }
            },
        }
    }
}
