//! Everything that can wake the coordinator: the closed list of what its thread is told.

use protocol::{FromAppServer, RecoveryOrder, RecoveryPlan, ToCoordinator};
use service::websocket::Outbox;
use tokio::sync::oneshot::Sender as Reply;
use two_phase::LogSequence;
use two_phase::coordinator::SessionId;

/// Something that happened outside of the runtime thread.
#[derive(Debug)]
pub(crate) enum Event {
    /// A link was accepted.
    Connected { session: SessionId, peer: String, outbox: Outbox },
    /// A replicator said something.
    Replicator { session: SessionId, message: Box<ToCoordinator> },
    /// An app-server said something.
    AppServer { session: SessionId, message: Box<FromAppServer> },
    /// A link ended.
    Disconnected { session: SessionId, reason: String },
    /// A checkpoint is durable: the log may be trimmed below this record.
    CheckpointSaved { log_from: LogSequence },
    /// A checkpoint could not be saved.
    CheckpointFailed { reason: String },
    /// An operator asks what could be recovered.
    RecoveryAsked { accept_loss: bool, reply: Reply<RecoveryPlan> },
    /// An operator has said yes to a plan.
    RecoveryOrdered { order: Box<RecoveryOrder>, reply: Reply<Result<(), String>> },
    /// The process is to stop.
    Stop,
}
