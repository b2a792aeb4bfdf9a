//! A replicator: stages, votes, commits, and keeps one XML file per book.

use clap::Parser as _;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let result = replicator::run(replicator::Flags::parse()).await;
    service::exit::exit_code_of("replicator", result, replicator::ReplicatorError::exit_code)
}
