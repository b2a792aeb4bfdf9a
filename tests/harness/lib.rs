//! What tests with real processes need: a cluster that can be killed, a client, writers that remember every answer, and
//! a comparison of what is on disk.
//!
//! Every cluster is in a temporary directory of its own, on free ports of loopback, and ends with the value that holds it.

#![allow(clippy::unwrap_used, reason = "this is test code: what fails here is a failed test")]

mod client;
mod cluster;
mod copies;
mod damage;
mod ledger;
mod process;
mod readers_and_writers;
mod register;
mod small_disk;
mod writers;

pub use client::{Answer, Client, book};
pub use cluster::{Cluster, Options, Service, write_token_file};
pub use copies::{Copies, book_files, digest_of};
pub use damage::{copy_folder, flip_byte_in_the_middle, newest_segment, tear_last_record};
pub use ledger::{Ledger, Outcome};
pub use link_proxy::{Link, LinkState, Way};
pub use process::{Process, command};
pub use readers_and_writers::{Groups, History};
pub use register::is_linearizable;
pub use small_disk::{SmallDisk, why_no_small_disks};
pub use writers::Writers;

use std::time::{Duration, Instant};

/// Waits until a condition holds.
///
/// # Panics
/// When it does not within the deadline, naming what was waited for.
pub async fn eventually<T>(what: &str, deadline: Duration, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < end, "waited {deadline:?} in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
