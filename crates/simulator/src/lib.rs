//! The seeded simulator: the protocol core of `two-phase`, run as whole clusters in one thread and in virtual time, while disks,
//! processes and connections break.
//!
//! One seed fixes everything. A run has a faulty phase, in which an oracle judges every step, and a calm one, at whose end every
//! copy must hold what was committed. The core is the very code that the services run; only the drivers are simulated.
//!
//! | module | owns |
//! | --- | --- |
//! | `scenario` | how big, how slow and how unlucky a cluster is |
//! | `world`, `connections` | the loop, the processes, what they share |
//! | `coordinator_driver`, `replicator_driver`, `app_server_driver` | what a driver does with the core's effects |
//! | `replicator_files`, `file_work`, `app_server_copy`, `holding` | the files that follow the log; what is said of them, and mended |
//! | `peers` | what replicators ask each other |
//! | `clients` | who asks for changes |
//! | `fault_mix` | which faults a run has, and how often |
//! | `faults`, `damage`, `succession` | what breaks: processes, disks and links; files; a coordinator that hangs beside its successor |
//! | `operator`, `rest` | who puts it right; how it must end |
//! | `simulated_log`, `simulated_files`, `network`, `agenda` | the world outside the processes |
//! | `oracle` | the rules, one file each |
//! | `planted` | bugs in drivers, which the oracle must find |

mod agenda;
mod app_server_copy;
mod app_server_driver;
mod books;
mod clients;
mod connections;
mod coordinator_driver;
mod damage;
mod fault_mix;
mod faults;
mod figures;
mod file_work;
pub mod holding;
mod membership;
mod network;
mod operator;
mod oracle;
mod peers;
mod planted;
mod random;
mod replicator_driver;
mod replicator_files;
mod rest;
mod run;
mod scenario;
mod simulated_files;
mod simulated_log;
mod succession;
mod trace;
mod violation;
mod world;

pub use figures::Figures;
pub use planted::PlantedBug;
#[cfg(feature = "mutants")]
pub use run::run_mutant;
pub use run::{Failure, Run, run, run_all, scenario_of};
pub use simulated_files::SimulatedFiles;
pub use trace::TraceMode;
pub use violation::{Rule, Violation};
