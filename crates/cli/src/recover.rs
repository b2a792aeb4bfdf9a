//! `recover`: a coordinator that lost its log, or stands on an old copy of it, is put right from what the replicators hold.
//!
//! Nothing is done before it was shown and agreed to.

use std::io::{BufRead as _, IsTerminal as _};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::CommandError;
use crate::arguments::{Connection, RecoverArguments};
use crate::client::Client;
use crate::exit::Exit;
use crate::output::{self, Output};
use crate::tables::{align_right, or_dash, short, table};

const PATH: &str = "/v1/recovery";
/// How often the coordinator is asked while members dial it.
const ASK_EVERY: Duration = Duration::from_millis(300);
/// How long the rebuilt coordinator may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// What the coordinator would do, as far as it is shown.
#[derive(Debug, Deserialize)]
struct Plan {
    reason: Option<String>,
    own_version: u64,
    witnesses: Vec<Witness>,
    missing: Vec<String>,
    version: u64,
    root: String,
    source: Option<String>,
    open_round: Option<OpenRound>,
    epoch: u64,
    costs: Vec<String>,
    obstacles: Vec<String>,
    view: Option<View>,
}

#[derive(Debug, Deserialize)]
struct View {
    number: u64,
}

#[derive(Debug, Deserialize)]
struct Witness {
    member: String,
    standing: String,
    version: u64,
    root: String,
    epoch: u64,
    in_doubt: Option<String>,
}

#[derive(Debug, Deserialize)]
struct OpenRound {
    round: String,
    commit: bool,
    reason: String,
    prepared: Vec<String>,
    not_prepared: Vec<String>,
    not_heard: Vec<String>,
}

pub(crate) async fn run(
    connection: &Connection,
    output: &Output,
    arguments: &RecoverArguments,
) -> Result<Exit, CommandError> {
    let connection = Connection { server: arguments.coordinator.clone(), token_file: connection.token_file.clone() };
    let client = Client::new(&connection)?;
    let (raw, plan) = hear_members(&client, arguments).await?;
    output.answer(&raw, || plan.draw(arguments));
    if plan.reason.is_none() {
        return Ok(Exit::Success);
    }
    if !plan.obstacles.is_empty() {
        return Ok(Exit::Findings);
    }
    if !arguments.yes && !agreed()? {
        output::say("Nothing was done.");
        return Ok(Exit::Findings);
    }
    let order = json!({
        "version": plan.version,
        "root": plan.root,
        "open_round": plan.open_round.as_ref().map(|open| &open.round),
        "commit": arguments.conclusion(),
        "accept_loss": arguments.accept_loss,
        "view": plan.view.as_ref().map(|view| view.number),
    });
    client.send(client.request_exactly(Method::POST, PATH).json(&order)).await?;
    wait_until_recovered(&client, arguments).await
}

/// Asks until every voter is heard, or the time for that is over.
async fn hear_members(client: &Client, arguments: &RecoverArguments) -> Result<(Value, Plan), CommandError> {
    let end = Instant::now() + Duration::from_secs(arguments.wait_seconds);
    loop {
        let raw = ask(client, arguments).await?;
        let plan: Plan = client.read(&raw)?;
        let all_heard = !plan.witnesses.is_empty() && plan.missing.is_empty();
        if plan.reason.is_none() || all_heard || Instant::now() >= end {
            return Ok((raw, plan));
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

async fn ask(client: &Client, arguments: &RecoverArguments) -> Result<Value, CommandError> {
    let path = format!("{PATH}?accept_loss={}", arguments.accept_loss);
    Ok(client.send(client.request_exactly(Method::GET, &path)).await?.body)
}

async fn wait_until_recovered(client: &Client, arguments: &RecoverArguments) -> Result<Exit, CommandError> {
    let end = Instant::now() + START_TIMEOUT;
    loop {
        let plan: Plan = client.read(&ask(client, arguments).await?)?;
        if plan.reason.is_none() {
            let at = format!("version {}", plan.own_version);
            output::say(&format!(
                "The coordinator has started anew at {at}; writes go on when a majority has accepted it."
            ));
            return Ok(Exit::Success);
        }
        if let Some(obstacle) = plan.obstacles.first() {
            output::say(&format!("It was not done: {obstacle}"));
            return Ok(Exit::Failure);
        }
        if Instant::now() >= end {
            output::say("It is not known yet whether it was done; ask again with `concordance recover`.");
            return Ok(Exit::Unknown);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

fn agreed() -> Result<bool, CommandError> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(CommandError::Input(
            "nobody is there to say yes; read the plan, then say it with --yes".to_owned(),
        ));
    }
    output::say("Do this? Type yes:");
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).map_err(|error| CommandError::Input(error.to_string()))?;
    Ok(answer.trim() == "yes")
}

impl Plan {
    fn draw(&self, arguments: &RecoverArguments) -> String {
        let Some(reason) = &self.reason else {
            return format!(
                "This coordinator is sure of its log (version {}): there is nothing to recover.",
                self.own_version
            );
        };
        let mut parts = vec![format!("The coordinator runs no rounds: {reason}."), self.draw_witnesses()];
        if !self.missing.is_empty() {
            parts.push(format!("Not heard: {}.", self.missing.join(", ")));
        }
        parts.push(format!("It would:\n{}", lines(&self.steps(arguments))));
        if !self.costs.is_empty() {
            parts.push(format!("What that could cost:\n{}", lines(&self.costs)));
        }
        if !self.obstacles.is_empty() {
            parts.push(format!("It cannot be done now:\n{}", lines(&self.obstacles)));
        }
        parts.join("\n\n")
    }

    fn draw_witnesses(&self) -> String {
        let mut table = table(&["member", "memory", "version", "root", "epoch", "in doubt about"]);
        align_right(&mut table, &[2, 4]);
        for witness in &self.witnesses {
            table.add_row([
                witness.member.clone(),
                witness.standing.clone(),
                witness.version.to_string(),
                short(&witness.root),
                witness.epoch.to_string(),
                or_dash(witness.in_doubt.as_ref()),
            ]);
        }
        table.to_string()
    }

    fn steps(&self, arguments: &RecoverArguments) -> Vec<String> {
        let from = match &self.source {
            Some(source) => format!("take version {} (root {}) from {source}", self.version, short(&self.root)),
            None => format!("go on from its own log, version {} (root {})", self.version, short(&self.root)),
        };
        let mut steps = vec![from];
        if let Some(open) = &self.open_round {
            steps.push(open.describe(arguments.conclusion()));
        }
        steps.push(format!("take an epoch above {}, so that whoever ran rounds before is refused", self.epoch));
        steps
    }
}

impl OpenRound {
    fn describe(&self, by_hand: Option<bool>) -> String {
        let commits = by_hand.unwrap_or(self.commit);
        let what = if commits { "commit" } else { "abort" };
        let why = if by_hand.is_some() { "because you say so" } else { self.reason.as_str() };
        let names = |members: &[String]| if members.is_empty() { "nobody".to_owned() } else { members.join(", ") };
        format!(
            "{what} round {}, which is in doubt, {why} (prepared: {}; not prepared: {}; not heard: {})",
            self.round,
            names(&self.prepared),
            names(&self.not_prepared),
            names(&self.not_heard),
        )
    }
}

fn lines(lines: &[String]) -> String {
    lines.iter().map(|line| format!("  - {line}")).collect::<Vec<_>>().join("\n")
}
