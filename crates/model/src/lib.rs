//! Every order of events of a small cluster: the protocol core that the services run, explored by a model checker (stateright) to the
//! end, where the simulator looks at some of them in clusters that are large.
//!
//! | file | owns |
//! | --- | --- |
//! | `configuration` | what may happen, and how often: the bounds |
//! | `cluster` | the state, and what each event makes of it |
//! | `coordinator_node`, `replicator_node` | a process and its log |
//! | `facts` | what was durable and what was said, and the rules that both must keep |
//! | `exploration` | the model, its properties, and a run to the end |
//!
//! Time stands still: a timeout is an event that may come at any moment. Nothing here decides anything of the protocol.

mod cluster;
mod configuration;
mod coordinator_node;
mod exploration;
mod facts;
mod replicator_node;

pub use cluster::Event;
pub use configuration::Configuration;
#[cfg(feature = "mutants")]
pub use exploration::explore_with;
pub use exploration::{Explored, explore};
