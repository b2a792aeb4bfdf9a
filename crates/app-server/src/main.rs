//! The app-server's process: see the library.

use clap::Parser as _;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    service::exit::exit_code("app-server", app_server::run(app_server::Flags::parse()).await)
}
