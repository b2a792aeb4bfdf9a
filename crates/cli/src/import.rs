//! `import`: sends a file, follows the import to its end, and lists the rows that failed.

use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::Value;

use crate::CommandError;
use crate::arguments::{ImportArguments, OnError};
use crate::client::{Answer, Client, ClientError};
use crate::exit::Exit;
use crate::output::{self, Output};
use crate::tables::{align_right, count, table};

/// How often a running import is asked for.
const POLL_EVERY: Duration = Duration::from_millis(250);
/// How long an app-server that does not answer is asked again before the outcome counts as unknown.
const PATIENCE: Duration = Duration::from_secs(30);

/// The state of an import, as far as it is shown.
#[derive(Debug, Deserialize)]
struct Report {
    state: String,
    imported: u64,
    #[serde(default)]
    failed: Vec<FailedRow>,
    total: Option<u64>,
    rounds: Option<u64>,
    detail: Option<String>,
}

#[derive(Debug, Deserialize)]
struct FailedRow {
    row: u64,
    error: String,
}

pub(crate) async fn run(client: &Client, output: &Output, arguments: &ImportArguments) -> Result<Exit, CommandError> {
    let path = &arguments.file;
    let body = std::fs::read(path).map_err(|source| CommandError::Read { path: path.clone(), source })?;
    let content_type = content_type(path, &body);
    let key = arguments.key.clone().unwrap_or_else(|| format!("import-{}", uuid::Uuid::new_v4()));
    let on_error = match arguments.on_error {
        OnError::Skip => "skip",
        OnError::Fail => "fail",
    };
    let raw = send(client, output, body, content_type, on_error, &key).await?;
    let report: Report = client.read(&raw)?;
    output.answer(&raw, || report.draw());
    Ok(match report.state.as_str() {
        "done" if report.failed.is_empty() => Exit::Success,
        "done" => Exit::Findings,
        "failed" => Exit::Failure,
        _ => {
            output::say(&format!("Send it again with `--key {key}`: that continues it and puts nothing in twice."));
            Exit::Unknown
        }
    })
}

/// Sends a file as one import and waits for its end; gives the last report.
pub(crate) async fn send(
    client: &Client,
    output: &Output,
    body: Vec<u8>,
    content_type: &str,
    on_error: &str,
    key: &str,
) -> Result<Value, CommandError> {
    let request = client
        .request(Method::POST, &format!("/imports?on_error={on_error}"))
        .header(CONTENT_TYPE, content_type)
        .header("Idempotency-Key", key)
        .header("Prefer", "respond-async")
        .body(body);
    let unknown = |error: ClientError| match error {
        ClientError::Interrupted { problem, .. } => CommandError::ImportUnknown { key: key.to_owned(), problem },
        other => other.into(),
    };
    let Answer { location, body, .. } = client.send(request).await.map_err(unknown)?;
    if body["state"].as_str().is_some_and(|state| state != "running") {
        return Ok(body);
    }
    let location = location.ok_or_else(|| client.strange("a running import without an address".to_owned()))?;
    wait(client, output, &location).await.map_err(|error| match error {
        // The import goes on without this command, or ended with the app-server: either may be.
        passing if passing.is_passing() => {
            CommandError::ImportUnknown { key: key.to_owned(), problem: passing.to_string() }
        }
        other => other.into(),
    })
}

async fn wait(client: &Client, output: &Output, location: &str) -> Result<Value, ClientError> {
    let progress = output.progress("importing");
    let mut answered = Instant::now();
    loop {
        match client.fetch(location).await {
            Ok(raw) if raw["state"] != "running" => return Ok(raw),
            Ok(raw) => {
                answered = Instant::now();
                let failed = raw["failed"].as_array().map_or(0, Vec::len) as u64;
                let done = raw["imported"].as_u64().unwrap_or(0) + failed;
                progress.show("importing", done, raw["total"].as_u64().unwrap_or(0));
            }
            Err(error) if error.is_passing() && answered.elapsed() < PATIENCE => {}
            Err(error) => return Err(error),
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}

/// By the file's name, and where that says nothing by its first character: XML begins with `<`.
fn content_type(path: &Path, body: &[u8]) -> &'static str {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match extension.as_str() {
        "csv" => "text/csv",
        "xml" => "application/xml",
        _ if body.trim_ascii_start().starts_with(b"<") => "application/xml",
        _ => "text/csv",
    }
}

impl Report {
    fn draw(&self) -> String {
        let mut parts = Vec::new();
        if !self.failed.is_empty() {
            let mut table = table(&["row", "error"]);
            align_right(&mut table, &[0]);
            for row in &self.failed {
                table.add_row([row.row.to_string(), row.error.clone()]);
            }
            parts.push(table.to_string());
        }
        let of = self.total.map(|total| format!(" of {total}")).unwrap_or_default();
        let rounds = self.rounds.map(|rounds| format!(" in {}", count(rounds, "round", "rounds"))).unwrap_or_default();
        let failed = self.failed.len() as u64;
        let mut sentence =
            format!("Imported {}{of} books{rounds}, {} failed.", self.imported, count(failed, "row", "rows"));
        if self.state != "done" {
            sentence.push_str(&format!(" The import is {}.", self.state));
        }
        if let Some(detail) = &self.detail {
            sentence.push(' ');
            sentence.push_str(detail);
        }
        parts.push(sentence);
        parts.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_is_told_by_name_and_else_by_content() {
        let told = |name: &str, body: &str| content_type(Path::new(name), body.as_bytes());
        assert_eq!(told("books.CSV", "<books>"), "text/csv");
        assert_eq!(told("books.xml", ""), "application/xml");
        assert_eq!(told("books", "\u{feff}\n <?xml version='1.0'?>"), "application/xml");
        assert_eq!(told("books.txt", "title,author"), "text/csv");
    }
}
