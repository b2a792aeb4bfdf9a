//! `scrub`: has every replicator read its own files, and shows what each has found.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::CommandError;
use crate::arguments::ScrubArguments;
use crate::client::Client;
use crate::exit::Exit;
use crate::output::Output;
use crate::tables::{align_right, or_dash, table};

/// How often it is asked how far they are.
const POLL_EVERY: Duration = Duration::from_millis(250);

/// `GET /scrubs`, as far as it is shown.
#[derive(Debug, Deserialize)]
struct Scrubs {
    items: Vec<Member>,
}

#[derive(Debug, Deserialize)]
struct Member {
    member: String,
    connected: bool,
    last: Option<Pass>,
    running: Option<Pass>,
}

/// One pass over all files of a replicator.
#[derive(Debug, Deserialize)]
pub(crate) struct Pass {
    started_at: String,
    finished_at: Option<String>,
    files: u64,
    clean: u64,
    damaged: u64,
    stale: u64,
    changing: u64,
    unknown: u64,
    extra: u64,
    detail: Option<String>,
    #[serde(default)]
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
struct Finding {
    name: String,
    outcome: String,
    detail: Option<String>,
}

pub(crate) async fn run(client: &Client, output: &Output, arguments: &ScrubArguments) -> Result<Exit, CommandError> {
    let answer = client.send(client.request(Method::POST, "/scrubs").json(&json!({}))).await?;
    if arguments.no_wait {
        let scrubs: Scrubs = client.read(&answer.body)?;
        output.answer(&answer.body, || scrubs.draw());
        return Ok(Exit::Success);
    }
    let before: Scrubs = client.read(&answer.body)?;
    let raw = wait(client, output, &before).await?;
    let scrubs: Scrubs = client.read(&raw)?;
    output.answer(&raw, || scrubs.draw());
    Ok(scrubs.exit())
}

/// Asks until everybody who is connected has ended a pass that began since.
async fn wait(client: &Client, output: &Output, before: &Scrubs) -> Result<Value, CommandError> {
    let progress = output.progress("reading");
    loop {
        let raw = client.fetch("/scrubs").await?;
        let now: Scrubs = client.read(&raw)?;
        if now.items.iter().all(|member| !member.connected || member.has_ended_since(before)) {
            return Ok(raw);
        }
        let ended = now.items.iter().filter(|member| member.has_ended_since(before)).count();
        progress.show("reading", ended as u64, now.items.len() as u64);
        tokio::time::sleep(POLL_EVERY).await;
    }
}

impl Member {
    fn has_ended_since(&self, before: &Scrubs) -> bool {
        let Some(last) = &self.last else { return false };
        let known = before.items.iter().filter(|member| member.member == self.member);
        !known
            .flat_map(|member| [&member.last, &member.running])
            .flatten()
            .any(|pass| pass.started_at == last.started_at)
    }
}

impl Pass {
    /// How many files a restore would put right.
    fn to_restore(&self) -> u64 {
        self.damaged + self.stale + self.extra
    }

    /// For the list of members: when, and what is not clean.
    pub(crate) fn in_short(&self) -> String {
        let counts = [
            (self.damaged, "damaged"),
            (self.stale, "stale"),
            (self.changing, "changing"),
            (self.unknown, "unknown"),
            (self.extra, "extra"),
        ];
        let found: Vec<_> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        let found = if found.is_empty() { "all clean".to_owned() } else { found.join(", ") };
        format!("{}: {found}", or_dash(self.finished_at.as_deref()))
    }
}

impl Scrubs {
    /// Incomplete goes before findings: what could not be looked at may be worse than what was found.
    fn exit(&self) -> Exit {
        let is_complete =
            |member: &Member| member.connected && member.last.as_ref().is_some_and(|last| last.unknown == 0);
        if !self.items.iter().all(is_complete) {
            Exit::Incomplete
        } else if self.passes().any(|pass| pass.to_restore() > 0) {
            Exit::Findings
        } else {
            Exit::Success
        }
    }

    fn passes(&self) -> impl Iterator<Item = &Pass> {
        self.items.iter().filter_map(|member| member.last.as_ref())
    }

    fn draw(&self) -> String {
        let headings =
            ["member", "last full pass", "files", "clean", "damaged", "stale", "changing", "unknown", "extra", "note"];
        let mut table = table(&headings);
        align_right(&mut table, &[2, 3, 4, 5, 6, 7, 8]);
        for member in &self.items {
            let last = member.last.as_ref();
            let number = |count: fn(&Pass) -> u64| or_dash(last.map(count));
            let note = match (member.connected, &member.running) {
                (false, _) => Some("not connected".to_owned()),
                (true, Some(running)) => Some(format!("reading now: {} files so far", running.files)),
                (true, None) => last.and_then(|last| last.detail.clone()),
            };
            table.add_row([
                member.member.clone(),
                or_dash(last.and_then(|last| last.finished_at.as_deref())),
                number(|pass| pass.files),
                number(|pass| pass.clean),
                number(|pass| pass.damaged),
                number(|pass| pass.stale),
                number(|pass| pass.changing),
                number(|pass| pass.unknown),
                number(|pass| pass.extra),
                note.unwrap_or_default(),
            ]);
        }
        let mut lines = vec![table.to_string()];
        for member in &self.items {
            for Finding { name, outcome, detail } in member.last.iter().flat_map(|last| &last.findings) {
                let detail = detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
                lines.push(format!("{}: {name} is {outcome}{detail}", member.member));
            }
        }
        if self.passes().any(|pass| pass.to_restore() > 0) {
            lines.push("To put them right: concordance restore".to_owned());
        }
        lines.join("\n")
    }
}
