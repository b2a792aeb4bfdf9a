//! `rounds`: the newest rounds, or one of them with its votes.

use serde::Deserialize;

use crate::CommandError;
use crate::arguments::RoundsArguments;
use crate::client::Client;
use crate::cluster;
use crate::exit::Exit;
use crate::output::Output;
use crate::tables::{align_right, facts, millis, or_dash, table};

/// One round, as far as it is shown.
#[derive(Debug, Deserialize)]
struct Round {
    id: String,
    outcome: String,
    version: Option<u64>,
    changes: u64,
    #[serde(default)]
    participants: Vec<String>,
    #[serde(default)]
    votes: Vec<Vote>,
    started_at: Option<String>,
    decided_after_us: Option<u64>,
    ended_after_us: Option<u64>,
    reason: Option<String>,
}

/// One participant's vote.
#[derive(Debug, Deserialize)]
pub(crate) struct Vote {
    member: String,
    vote: String,
    cause: Option<String>,
    reason: Option<String>,
    after_us: Option<u64>,
    durable_after_us: Option<u64>,
    acknowledged_after_us: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct List {
    items: Vec<Round>,
}

pub(crate) async fn run(client: &Client, output: &Output, arguments: &RoundsArguments) -> Result<Exit, CommandError> {
    if arguments.in_doubt {
        return cluster::in_doubt(client, output).await;
    }
    match &arguments.id {
        Some(id) => {
            check(id)?;
            let raw = client.fetch(&format!("/rounds/{id}")).await?;
            let round: Round = client.read(&raw)?;
            output.answer(&raw, || draw_one(&round));
        }
        None => {
            let raw = client.fetch(&format!("/rounds?limit={}", arguments.limit)).await?;
            let list: List = client.read(&raw)?;
            output.answer(&raw, || draw_list(&list.items));
        }
    }
    Ok(Exit::Success)
}

/// Only a round's id goes into the address.
fn check(id: &str) -> Result<(), CommandError> {
    let is_number = |text: &str| text.parse::<u64>().is_ok();
    match id.split_once('-') {
        Some((epoch, number)) if is_number(epoch) && is_number(number) => Ok(()),
        _ => Err(CommandError::Input(format!("`{id}` is no round; write epoch-number, such as 3-17"))),
    }
}

fn draw_list(rounds: &[Round]) -> String {
    if rounds.is_empty() {
        return "No rounds since the coordinator started.".to_owned();
    }
    let mut table = table(&["round", "outcome", "version", "changes", "decided ms", "ended ms", "started", "why"]);
    align_right(&mut table, &[2, 3, 4, 5]);
    for round in rounds {
        table.add_row([
            round.id.clone(),
            round.outcome.replace('_', " "),
            or_dash(round.version),
            round.changes.to_string(),
            or_dash(round.decided_after_us.map(millis)),
            or_dash(round.ended_after_us.map(millis)),
            or_dash(round.started_at.as_deref()),
            round.reason.clone().unwrap_or_default(),
        ]);
    }
    table.to_string()
}

fn draw_one(round: &Round) -> String {
    let mut lines = vec![
        ("round", round.id.clone()),
        ("outcome", round.outcome.replace('_', " ")),
        ("version", or_dash(round.version)),
        ("changes", round.changes.to_string()),
        ("participants", round.participants.join(", ")),
        ("started", or_dash(round.started_at.as_deref())),
        ("decided after", or_dash(round.decided_after_us.map(|micros| format!("{} ms", millis(micros))))),
        ("ended after", or_dash(round.ended_after_us.map(|micros| format!("{} ms", millis(micros))))),
    ];
    if let Some(reason) = &round.reason {
        lines.push(("why", reason.clone()));
    }
    format!("{}\n\n{}", facts(&lines), draw_votes(&round.votes))
}

/// The votes of a round.
pub(crate) fn draw_votes(votes: &[Vote]) -> String {
    let mut table = table(&["member", "vote", "on disk ms", "voted ms", "acknowledged ms", "cause", "reason"]);
    align_right(&mut table, &[2, 3, 4]);
    for vote in votes {
        table.add_row([
            vote.member.clone(),
            vote.vote.clone(),
            or_dash(vote.durable_after_us.map(millis)),
            or_dash(vote.after_us.map(millis)),
            or_dash(vote.acknowledged_after_us.map(millis)),
            or_dash(vote.cause.as_deref()),
            vote.reason.clone().unwrap_or_default(),
        ]);
    }
    table.to_string()
}
