//! The coordinator: holds the connections, runs the rounds, keeps the decision log.

use clap::Parser as _;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    service::exit::exit_code("coordinator", coordinator::run(coordinator::Flags::parse()).await)
}
