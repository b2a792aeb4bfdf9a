//! What the coordinator's core asks of its driver. There is no other way out of the core.

use super::{CoordinatorRecord, CoordinatorState};
use crate::{LogSequence, SyncWhen};
use protocol::{ClusterEvent, FromCoordinator, RecoveryPlan, RestorationReport, ToAppServer, ToReplicator};

/// One connection, numbered by the driver. Never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// One thing for the driver to do. Effects are done in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoordinatorEffect {
    /// Write this record to the decision log, and report when it is durable.
    Append {
        /// Its number.
        sequence: LogSequence,
        /// The record.
        record: CoordinatorRecord,
        /// How soon.
        sync: SyncWhen,
    },
    /// Say this to these replicators.
    ToReplicators {
        /// Their connections.
        sessions: Vec<SessionId>,
        /// What.
        message: FromCoordinator<ToReplicator>,
    },
    /// Say this to these app-servers.
    ToAppServers {
        /// Their connections.
        sessions: Vec<SessionId>,
        /// What.
        message: FromCoordinator<ToAppServer>,
    },
    /// End this connection, after what was said on it.
    Close {
        /// The connection.
        session: SessionId,
        /// Why, for people.
        reason: String,
    },
    /// Something happened that people may want to know.
    Happened(ClusterEvent),
    /// Put the log aside, write this state in its place, and start anew on it.
    Rebuild {
        /// The state.
        state: Box<CoordinatorState>,
        /// What the operator said yes to: kept for the records.
        plan: Box<RecoveryPlan>,
    },
    /// A restore ended: keep its report.
    KeepReport(Box<RestorationReport>),
}
