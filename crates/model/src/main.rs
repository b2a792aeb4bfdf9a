//! Explores the model to the end, and says how large it is and what it found.

use clap::Parser;
use model::{Configuration, Explored, explore};
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(about = "Every order of events of a small cluster, with the protocol core that the services run.")]
struct Arguments {
    /// Only this configuration; all of those that every test run has, if it is left out.
    #[arg(long, value_name = "NAME")]
    configuration: Option<String>,
    /// Print one JSON object a configuration.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let chosen = match arguments.configuration.as_deref() {
        None => Configuration::ALL.to_vec(),
        Some(name) => match Configuration::named(name) {
            Some(configuration) => vec![configuration],
            None => {
                let all = Configuration::ALL.into_iter().chain(Configuration::LARGE);
                let names: Vec<_> = all.map(|configuration| configuration.name).collect();
                eprintln!("there is no configuration {name}; choose from {}", names.join(", "));
                return ExitCode::FAILURE;
            }
        },
    };
    let mut holds = true;
    for configuration in chosen {
        let explored = explore(configuration);
        holds &= explored.breach.is_none() && explored.commits;
        println!("{}", if arguments.json { as_json(&explored) } else { as_line(&explored) });
    }
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn as_line(explored: &Explored) -> String {
    let Explored { configuration, states, depth, took, .. } = explored;
    let mut line =
        format!("{:<22} {states:>9} states, depth {depth:>3}, {:>6.1} s", configuration.name, took.as_secs_f64());
    match &explored.breach {
        Some((events, why)) => {
            line += &format!(": {why}");
            for (number, event) in events.iter().enumerate() {
                line += &format!("\n  {:>3}. {event:?}", number + 1);
            }
        }
        None => line += ": every rule holds",
    }
    line
}

fn as_json(explored: &Explored) -> String {
    let breach = explored.breach.as_ref().map(|(events, why)| {
        json!({ "why": why, "events": events.iter().map(|event| format!("{event:?}")).collect::<Vec<_>>() })
    });
    json!({
        "configuration": explored.configuration.name,
        "states": explored.states,
        "depth": explored.depth,
        "seconds": explored.took.as_secs_f64(),
        "commits": explored.commits,
        "breach": breach,
    })
    .to_string()
}
