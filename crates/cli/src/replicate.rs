//! `replicate`: publishes what was edited in the app-server's own copy, as one round.

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::CommandError;
use crate::arguments::ReplicateArguments;
use crate::client::{Client, ClientError};
use crate::exit::Exit;
use crate::output::{self, Output};
use crate::rounds::{Vote, draw_votes};
use crate::tables::count;

#[derive(Debug, Deserialize)]
struct Outcome {
    outcome: String,
    round: Option<String>,
    version: Option<u64>,
    changes: u64,
    #[serde(default)]
    votes: Vec<Vote>,
}

pub(crate) async fn run(
    client: &Client,
    output: &Output,
    arguments: &ReplicateArguments,
) -> Result<Exit, CommandError> {
    let vote = if arguments.abort { "abort" } else { "commit" };
    let request = client.request(Method::POST, "/replications").json(&json!({ "vote": vote }));
    match client.send(request).await {
        Ok(answer) if answer.status == StatusCode::ACCEPTED => {
            output.answer(&answer.body, || draw_unknown(&answer.body, answer.location.as_deref()));
            Ok(Exit::Unknown)
        }
        Ok(answer) => {
            let outcome: Outcome = client.read(&answer.body)?;
            output.answer(&answer.body, || outcome.draw());
            Ok(Exit::Success)
        }
        // The abort that was asked for.
        Err(ClientError::Problem { status: 409, body }) if arguments.abort => {
            let votes: Vec<Vote> = if body["votes"].is_array() { client.read(&body["votes"])? } else { Vec::new() };
            output.answer(&body, || format!("{}\n\n{}", draw_votes(&votes), detail(&body)));
            output::say("The round was aborted, as asked: nothing changed anywhere.");
            Ok(Exit::Success)
        }
        Err(error) => Err(error.into()),
    }
}

fn draw_unknown(body: &Value, location: Option<&str>) -> String {
    let location = location.map(|location| format!(" Ask {location} for the outcome.")).unwrap_or_default();
    format!("It is not known yet whether the round committed. {}{location}", detail(body))
}

fn detail(body: &Value) -> &str {
    body["detail"].as_str().unwrap_or_default()
}

impl Outcome {
    fn draw(&self) -> String {
        if self.outcome == "nothing_to_do" {
            return "Nothing to publish: the files here are what was committed.".to_owned();
        }
        let round = self.round.as_deref().unwrap_or("-");
        let version = self.version.map(|version| format!(", now version {version}")).unwrap_or_default();
        let changes = count(self.changes, "change", "changes");
        format!("{}\n\nRound {round} {}: {changes}{version}.", draw_votes(&self.votes), self.outcome)
    }
}
