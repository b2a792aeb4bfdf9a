//! How the lab speaks to a keeper: orders go in and are answered, and the state of the service can be watched.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::ServiceState;
use tokio::sync::{mpsc, oneshot, watch};

/// How long a process may take to start or to die.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(10);

/// What the lab asks of a keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeeperOrder {
    Kill,
    Start,
    Pause,
    Resume,
    /// Whether the next death is not followed by a start.
    StayDead(bool),
}

/// An order and whoever waits for its answer.
pub(crate) struct Order {
    what: KeeperOrder,
    answer: oneshot::Sender<Result<(), String>>,
}

impl Order {
    pub(crate) fn what(&self) -> KeeperOrder {
        self.what
    }

    pub(crate) fn answer(self, answer: Result<(), String>) {
        // Whoever asked may be gone.
        let _ = self.answer.send(answer);
    }
}

/// The lab's side.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    orders: mpsc::UnboundedSender<Order>,
    state: watch::Receiver<ServiceState>,
}

/// The keeper's side.
pub(crate) struct Orders {
    orders: mpsc::UnboundedReceiver<Order>,
    state: watch::Sender<ServiceState>,
}

impl Control {
    pub(crate) fn new() -> (Self, Orders) {
        let (order_sender, orders) = mpsc::unbounded_channel();
        let (state_sender, state) = watch::channel(ServiceState::Restarting);
        (Control { orders: order_sender, state }, Orders { orders, state: state_sender })
    }

    pub(crate) fn state(&self) -> ServiceState {
        *self.state.borrow()
    }

    /// Gives an order; the error is a sentence.
    pub(crate) async fn order(&self, what: KeeperOrder) -> Result<(), String> {
        let (answer, answered) = oneshot::channel();
        let gone = || "the service is no longer kept by `concordance up`".to_owned();
        self.orders.send(Order { what, answer }).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Waits until it stands so.
    pub(crate) async fn wait_for(&self, wanted: ServiceState) -> Result<(), String> {
        let mut state = self.state.clone();
        let reached = tokio::time::timeout(CHANGE_TIMEOUT, state.wait_for(|state| *state == wanted)).await;
        match reached {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err("the service is no longer kept by `concordance up`".to_owned()),
            Err(_) => Err(format!("this has not happened within {} s; see its log", CHANGE_TIMEOUT.as_secs())),
        }
    }
}

impl Orders {
    /// The next order; waits for ever if nobody can give one any more.
    pub(crate) async fn next(&mut self) -> Order {
        match self.orders.recv().await {
            Some(order) => order,
            None => std::future::pending().await,
        }
    }

    pub(crate) fn tell(&self, state: ServiceState) {
        self.state.send_replace(state);
    }

    pub(crate) fn state(&self) -> ServiceState {
        *self.state.borrow()
    }
}

/// The controls of all services by their names. Clones are one roster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster(Arc<Mutex<BTreeMap<String, Control>>>);

impl Roster {
    pub(crate) fn enter(&self, service: &str, control: Control) {
        self.lock().insert(service.to_owned(), control);
    }

    pub(crate) fn leave(&self, service: &str) {
        self.lock().remove(service);
    }

    pub(crate) fn control(&self, service: &str) -> Option<Control> {
        self.lock().get(service).cloned()
    }

    /// How those stand that are still kept: one that is no longer a member is not.
    pub(crate) fn states(&self) -> Vec<(String, ServiceState)> {
        let lock = self.lock();
        let kept = lock.iter().filter(|(_, control)| !control.orders.is_closed());
        kept.map(|(name, control)| (name.clone(), control.state())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Control>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
