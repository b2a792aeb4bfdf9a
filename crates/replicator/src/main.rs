//! A replicator: stages, votes, commits, and keeps one XML file per book.

use clap::Parser as _;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    service::exit::exit_code("replicator", replicator::run(replicator::Flags::parse()).await)
}
