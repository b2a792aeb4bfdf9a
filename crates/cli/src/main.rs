//! The operator's command: starts a whole cluster on this machine, and operates any cluster over its REST interface.
//!
//! Knows books (`catalogue`) and the REST interface (`docs/rest.md`), and nothing of what goes on inside the services.

mod arguments;
mod bench;
mod client;
mod cluster;
mod events;
mod exit;
mod export;
mod import;
mod member;
mod output;
mod recover;
mod replicate;
mod restore;
mod rounds;
mod sample;
mod scrub;
mod tables;
mod up;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command, Operation};
use client::{Client, ClientError};
use exit::Exit;
use output::Output;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::say(&format!("concordance: {error}"));
            error.exit().into()
        }
    }
}

async fn run(arguments: Arguments) -> Result<Exit, CommandError> {
    let Arguments { connection, json, command } = arguments;
    let operation = match command {
        Command::Up(up) => return Ok(up::run(&up, connection.token_file.as_deref()).await?),
        Command::Operate(operation) => operation,
    };
    let output = Output::new(json);
    if let Operation::Recover(recover) = &operation {
        return recover::run(&connection, &output, recover).await;
    }
    let client = Client::new(&connection)?;
    let result = match operation {
        Operation::Status => cluster::status(&client, &output).await,
        Operation::Members => cluster::members(&client, &output).await,
        Operation::Member { command } => member::run(&client, &output, &command).await,
        Operation::Rounds(rounds) => rounds::run(&client, &output, &rounds).await,
        Operation::Restore(restore) => restore::run(&client, &output, &restore).await,
        Operation::Scrub(scrub) => scrub::run(&client, &output, &scrub).await,
        Operation::Import(import) => import::run(&client, &output, &import).await,
        Operation::Export(export) => export::run(&client, &export).await,
        Operation::Replicate(replicate) => replicate::run(&client, &output, &replicate).await,
        Operation::Recover(_) => unreachable!("it speaks to the coordinator, and was done above"),
        Operation::Events => events::run(&client, &output).await,
        Operation::Bench(bench) => bench::run(&client, &output, &bench).await,
    };
    if let Err(CommandError::Client(error)) = &result {
        // A script that asked for JSON finds the votes and field errors where it looks for the answer.
        output.problem(error);
    }
    result
}

/// Why a command failed: a sentence for a person and an exit code for a script.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Up(#[from] up::UpError),
    #[error("cannot read {}: {source}", path.display())]
    Read { path: std::path::PathBuf, source: std::io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: std::path::PathBuf, source: std::io::Error },
    #[error("{0}")]
    Input(String),
    #[error(
        "it is not known how the import ended: {problem}; send it again with `--key {key}`, which continues it and \
         puts nothing in twice"
    )]
    ImportUnknown { key: String, problem: String },
}

impl CommandError {
    fn exit(&self) -> Exit {
        match self {
            CommandError::Client(error) => error.exit(),
            CommandError::ImportUnknown { .. } => Exit::Unknown,
            CommandError::Input(_) => Exit::Usage,
            CommandError::Up(_) | CommandError::Read { .. } | CommandError::Write { .. } => Exit::Failure,
        }
    }
}
