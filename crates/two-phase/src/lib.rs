//! The rules of Concordance's two-phase commit, without IO.
//!
//! ```text
//!   messages, "record is durable", time          effects: append, send, write files
//!   ------------------------------------>  core  ----------------------------------->  driver
//! ```
//!
//! Everything that is decided about rounds, epochs, views, catch-ups and ballots is decided here, and only here. There are no
//! files, sockets, threads, clocks or random numbers in this crate: the real drivers and the simulator feed the same code. The
//! rules that it upholds are named in `docs/protocol.md`; comments and tests cite them by name.
//!
//! - [`coordinator`]: forms rounds, counts votes, decides; leads catch-ups and restores.
//! - [`replicator`]: stages, votes, concludes.
//! - [`follower`]: an app-server's copy, which follows the committed rounds.
//! - [`Manifest`]: what every committed file must hold.
//! - [`AwaitingDurable`]: what may be said only when a record is durable.

mod checkpoint_text;
pub mod coordinator;
mod fence;
pub mod follower;
mod learner;
mod log_sequence;
mod manifest;
pub mod mutant;
mod now;
pub mod recovery_plan;
pub mod replicator;
pub mod restoration;

pub use checkpoint_text::{InvalidCheckpoint, read_checkpoint, write_checkpoint};
pub use fence::{Admission, Fence};
pub use log_sequence::{AwaitingDurable, LogSequence, SyncWhen};
pub use manifest::{Manifest, committed_record, record_of};
pub use now::Now;
