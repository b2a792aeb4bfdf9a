//! `restore`: compares all copies, shows the ballot of every file that is not intact everywhere, and what was done.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::CommandError;
use crate::arguments::RestoreArguments;
use crate::client::Client;
use crate::exit::Exit;
use crate::output::{Output, Progress};
use crate::tables::{count, or_dash, short, table};

/// How often a running restore is asked for.
const POLL_EVERY: Duration = Duration::from_millis(250);

/// The report of a restore, as far as it is shown.
#[derive(Debug, Deserialize)]
struct Report {
    state: String,
    dry_run: bool,
    detail: Option<String>,
    summary: Option<Summary>,
    #[serde(default)]
    not_compared: Vec<NotCompared>,
    #[serde(default)]
    files: Vec<File>,
}

#[derive(Debug, Deserialize)]
struct Summary {
    members: u64,
    files: u64,
    intact: u64,
    damaged: u64,
    healed: u64,
    lost: u64,
    undecided: u64,
    left: u64,
}

#[derive(Debug, Deserialize)]
struct NotCompared {
    member: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
struct File {
    path: String,
    title: Option<String>,
    record: Option<Record>,
    ballot: Vec<Vote>,
    verdict: String,
    winner: Option<String>,
    #[serde(default)]
    actions: Vec<Action>,
}

#[derive(Debug, Deserialize)]
struct Record {
    digest: String,
    version: u64,
}

#[derive(Debug, Deserialize)]
struct Vote {
    member: String,
    holding: String,
    digest: Option<String>,
    size: Option<u64>,
    note: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Action {
    member: String,
    action: String,
    detail: Option<String>,
    quarantined: Option<String>,
}

pub(crate) async fn run(client: &Client, output: &Output, arguments: &RestoreArguments) -> Result<Exit, CommandError> {
    let request = client.request(Method::POST, "/restorations").json(&json!({ "dry_run": arguments.dry_run }));
    let answer = client.send(request).await?;
    let raw = match (answer.status, answer.location) {
        (StatusCode::ACCEPTED, Some(location)) => wait(client, &location, output).await?,
        _ => answer.body,
    };
    let report: Report = client.read(&raw)?;
    output.answer(&raw, || report.draw());
    Ok(report.exit())
}

/// Asks for the report until the restore has ended. It only reads, so that a lost connection is merely asked again by
/// the person.
async fn wait(client: &Client, location: &str, output: &Output) -> Result<Value, CommandError> {
    let progress = output.progress("starting");
    loop {
        let raw = client.fetch(location).await?;
        if raw["state"] != "running" {
            return Ok(raw);
        }
        show(&progress, &raw["progress"]);
        tokio::time::sleep(POLL_EVERY).await;
    }
}

fn show(progress: &Progress, value: &Value) {
    let phase = value["phase"].as_str().unwrap_or("running");
    progress.show(phase, value["done"].as_u64().unwrap_or(0), value["total"].as_u64().unwrap_or(0));
}

impl Report {
    /// Incomplete goes before findings: what could not be looked at may be worse than what was found.
    fn exit(&self) -> Exit {
        let failed = self.files.iter().flat_map(|file| &file.actions).any(|action| action.action == "failed");
        let Some(summary) = self.summary.as_ref().filter(|_| self.state == "done") else {
            return Exit::Incomplete;
        };
        if failed || !self.not_compared.is_empty() {
            Exit::Incomplete
        } else if summary.lost + summary.undecided + summary.left > 0 || (self.dry_run && summary.damaged > 0) {
            Exit::Findings
        } else {
            Exit::Success
        }
    }

    fn draw(&self) -> String {
        let mut parts: Vec<String> = self.files.iter().map(File::draw).collect();
        for member in &self.not_compared {
            parts.push(format!("Not compared: {}: {}", member.member, member.reason));
        }
        parts.push(self.conclusion());
        parts.join("\n\n")
    }

    fn conclusion(&self) -> String {
        let detail = self.detail.as_deref().map(|detail| format!(" {detail}")).unwrap_or_default();
        let Some(summary) = &self.summary else {
            return format!("The restore did not finish.{detail}");
        };
        let compared = format!(
            "{} compared on {}, {} intact everywhere",
            count(summary.files, "file", "files"),
            count(summary.members, "member", "members"),
            summary.intact
        );
        let mut found = vec![compared];
        for (number, what) in [
            (summary.damaged, "damaged"),
            (summary.healed, "healed"),
            (summary.lost, "lost"),
            (summary.undecided, "undecided"),
            (summary.left, "left alone"),
        ] {
            if number > 0 {
                found.push(format!("{number} {what}"));
            }
        }
        let dry = if self.dry_run { " Dry run: nothing was changed." } else { "" };
        let unfinished = if self.state == "done" { "" } else { " The restore did not finish." };
        format!("{}.{dry}{unfinished}{detail}", found.join(", "))
    }
}

impl File {
    fn draw(&self) -> String {
        let title = self.title.as_deref().map(|title| format!("  \"{title}\"")).unwrap_or_default();
        let record = match &self.record {
            Some(record) => format!("recorded {} at version {}", short(&record.digest), record.version),
            None => "no committed record knows it".to_owned(),
        };
        let winner = match self.winner.as_deref() {
            None => "no winner".to_owned(),
            Some("absent") => "it should not be there".to_owned(),
            Some(digest) => format!("winner {}", short(digest)),
        };
        let mut table = table(&["member", "holds", "digest", "bytes", "action", "note"]);
        crate::tables::align_right(&mut table, &[3]);
        for vote in &self.ballot {
            let actions: Vec<&Action> = self.actions.iter().filter(|action| action.member == vote.member).collect();
            let names: Vec<String> = actions.iter().map(|action| action.action.replace('_', " ")).collect();
            let notes: Vec<String> = vote
                .note
                .iter()
                .chain(actions.iter().filter_map(|action| action.detail.as_ref()))
                .cloned()
                .chain(
                    actions
                        .iter()
                        .filter_map(|action| action.quarantined.as_ref())
                        .map(|path| format!("old bytes in {path}")),
                )
                .collect();
            table.add_row([
                vote.member.clone(),
                vote.holding.replace('_', " "),
                or_dash(vote.digest.as_deref().map(short)),
                or_dash(vote.size),
                names.join(", "),
                notes.join("; "),
            ]);
        }
        // An action beyond the ballot: the app-server's own copy has no vote, and is put right all the same.
        for action in self.actions.iter().filter(|action| self.ballot.iter().all(|vote| vote.member != action.member)) {
            table.add_row([
                action.member.clone(),
                "no vote".to_owned(),
                "-".to_owned(),
                "-".to_owned(),
                action.action.replace('_', " "),
                action.detail.clone().unwrap_or_default(),
            ]);
        }
        format!("{}{title}\n{record}; verdict: {}, {winner}\n{table}", self.path, self.verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(change: impl FnOnce(&mut Value)) -> Report {
        let mut raw = json!({
            "state": "done", "dry_run": false, "detail": null,
            "summary": {"members": 3, "files": 30, "intact": 29, "damaged": 1, "healed": 1, "lost": 0, "undecided": 0, "left": 0},
            "not_compared": [],
            "files": [{
                "path": "books/3f/x.xml", "id": "x", "title": "Emma", "record": {"digest": "abc", "version": 7},
                "ballot": [{"member": "replicator-1", "holding": "damaged", "digest": "def", "size": 412, "note": null}],
                "verdict": "proven", "winner": "abc",
                "actions": [{"member": "replicator-1", "action": "healed", "detail": null, "quarantined": "quarantine/x"}],
            }],
        });
        change(&mut raw);
        Report::deserialize(&raw).unwrap()
    }

    #[test]
    fn healed_is_success_and_is_told_with_file_member_and_quarantine() {
        let report = report(|_| {});
        assert_eq!(report.exit(), Exit::Success);
        let told = report.draw();
        for expected in ["books/3f/x.xml", "Emma", "proven", "replicator-1", "healed", "quarantine/x", "29 intact"] {
            assert!(told.contains(expected), "{expected} is missing in\n{told}");
        }
    }

    #[test]
    fn lost_undecided_and_left_files_are_findings() {
        for key in ["lost", "undecided", "left"] {
            assert_eq!(report(|raw| raw["summary"][key] = json!(1)).exit(), Exit::Findings, "{key}");
        }
    }

    #[test]
    fn damage_is_a_finding_of_a_dry_run() {
        assert_eq!(report(|raw| raw["dry_run"] = json!(true)).exit(), Exit::Findings);
    }

    #[test]
    fn what_could_not_be_compared_or_healed_is_incomplete_whatever_else_was_found() {
        let unreachable = json!([{"member": "replicator-3", "reason": "down"}]);
        let changes: [fn(&mut Value, Value); 4] = [
            |raw, unreachable| raw["not_compared"] = unreachable,
            |raw, _| raw["files"][0]["actions"][0]["action"] = json!("failed"),
            |raw, _| raw["state"] = json!("failed"),
            |raw, _| raw["summary"] = Value::Null,
        ];
        for change in changes {
            let report = report(|raw| {
                raw["summary"]["lost"] = json!(1);
                change(raw, unreachable.clone());
            });
            assert_eq!(report.exit(), Exit::Incomplete);
        }
    }
}
