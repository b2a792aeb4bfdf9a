//! What breaks, drawn at random, and how it is brought about. Each fault is over when its function returns, but for what the cluster
//! still has to mend.

use fastrand::Rng;
use std::time::Duration;
use system_tests::{Cluster, LinkState, Service, Way};

pub(crate) const REPLICATORS: [Service; 3] = [Service::Replicator(1), Service::Replicator(2), Service::Replicator(3)];

/// Points that every service of its kind comes by again and again while rounds go on.
const COORDINATOR_POINTS: [&str; 6] = [
    "prepare_sent",
    "votes_received",
    "decision_appended",
    "decision_durable",
    "first_commit_sent",
    "last_commit_sent",
];
const REPLICATOR_POINTS: [&str; 7] = [
    "prepare_received",
    "prepare_appended",
    "prepare_durable",
    "vote_sent",
    "commit_appended",
    "book_half_written",
    "acknowledge_sent",
];

/// A point that a round comes by is reached at once; where no round goes on the service is killed instead.
const REACHED_WITHIN: Duration = Duration::from_secs(3);

/// One fault.
#[derive(Debug)]
pub(crate) enum Fault {
    Killed(Vec<Service>),
    KilledAt(Service, &'static str),
    Stopped(Service, Duration),
    Linked(Service, LinkState, Duration),
    Flapping(Service),
}

impl Fault {
    pub(crate) fn draw(random: &mut Rng) -> Self {
        let replicator = REPLICATORS[random.usize(..REPLICATORS.len())];
        let anybody = [Service::Coordinator, Service::AppServer, replicator, replicator][random.usize(..4)];
        let dials = if random.u8(..3) == 0 { Service::AppServer } else { replicator };
        let a_while = Duration::from_millis(random.u64(50..1_500));
        match random.u8(..10) {
            0 => Self::Killed(all()),
            1 | 2 => Self::Killed(vec![anybody]),
            3 => Self::KilledAt(Service::Coordinator, COORDINATOR_POINTS[random.usize(..COORDINATOR_POINTS.len())]),
            4 => Self::KilledAt(replicator, REPLICATOR_POINTS[random.usize(..REPLICATOR_POINTS.len())]),
            5 => Self::Stopped(anybody, a_while),
            6 => Self::Flapping(dials),
            _ => Self::Linked(dials, broken(random), a_while),
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Killed(services) if services.len() > 1 => "kills of all",
            Self::Killed(_) => "kills",
            Self::KilledAt(..) => "kills at a point",
            Self::Stopped(..) => "stops",
            Self::Linked(_, LinkState::Cut, _) => "links cut",
            Self::Linked(_, LinkState::Up(Way::Slow(..), _), _) => "links slowed",
            Self::Linked(..) => "links held",
            Self::Flapping(_) => "links flapping",
        }
    }

    pub(crate) async fn strike(&self, cluster: &mut Cluster) {
        match self {
            Self::Killed(services) => {
                services.iter().for_each(|service| cluster.kill(*service));
                services.iter().for_each(|service| cluster.start_service(*service));
            }
            Self::KilledAt(service, point) => {
                cluster.kill(*service);
                cluster.start_armed(*service, Some(point));
                // Who waits in vain kills it by giving its process up.
                let _ = tokio::time::timeout(REACHED_WITHIN, cluster.wait_until_dead(*service)).await;
                cluster.start_service(*service);
            }
            Self::Stopped(service, how_long) => {
                cluster.process(*service).pause();
                tokio::time::sleep(*how_long).await;
                cluster.process(*service).resume();
            }
            Self::Linked(service, state, how_long) => {
                cluster.link(*service).set(*state);
                tokio::time::sleep(*how_long).await;
                cluster.link(*service).set(LinkState::OPEN);
            }
            Self::Flapping(service) => {
                for turn in 0..8 {
                    cluster.link(*service).set(if turn % 2 == 0 { LinkState::Cut } else { LinkState::OPEN });
                    tokio::time::sleep(Duration::from_millis(60)).await;
                }
            }
        }
    }
}

fn all() -> Vec<Service> {
    [Service::Coordinator, Service::AppServer].into_iter().chain(REPLICATORS).collect()
}

fn broken(random: &mut Rng) -> LinkState {
    let slow = Way::Slow(Duration::from_millis(random.u64(1..30)), 1 << random.u8(6..13));
    match random.u8(..5) {
        0 => LinkState::Cut,
        1 => LinkState::Up(Way::Held, Way::Open),
        2 => LinkState::Up(Way::Open, Way::Held),
        3 => LinkState::Up(Way::Held, Way::Held),
        _ => LinkState::Up(slow, slow),
    }
}
