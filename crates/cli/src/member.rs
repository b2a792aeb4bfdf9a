//! `member`: who is a member, changed while the cluster runs.

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::CommandError;
use crate::arguments::MemberCommand;
use crate::client::{Client, ClientError};
use crate::exit::Exit;
use crate::output::Output;

pub(crate) async fn run(client: &Client, output: &Output, command: &MemberCommand) -> Result<Exit, CommandError> {
    let (request, done) = match command {
        MemberCommand::Add { id, observer } => {
            let role = if *observer { "observer" } else { "voter" };
            let request = request_to_add(client, id, role);
            let then = if *observer { "follows" } else { "votes" };
            (request, format!("{id} may come in. Start it; it {then} when it has caught up (`concordance members`)."))
        }
        MemberCommand::Remove { id } => {
            let request = request_to_remove(client, id);
            (request, format!("{id} is no longer a member; if it runs it was told so and stops."))
        }
        MemberCommand::Promote { id } => {
            let request = client.request(Method::PATCH, &format!("/members/{id}")).json(&json!({ "role": "voter" }));
            (request, format!("{id} votes as soon as it is level."))
        }
        MemberCommand::Demote { id } => {
            let request = client.request(Method::PATCH, &format!("/members/{id}")).json(&json!({ "role": "observer" }));
            (request, format!("{id} only follows from now on."))
        }
    };
    let answer = client.send(request).await?;
    output.answer(&answer.body, || done);
    Ok(Exit::Success)
}

/// Lets a replicator in that is to vote.
pub(crate) async fn add_voter(client: &Client, id: &str) -> Result<(), ClientError> {
    client.send(request_to_add(client, id, "voter")).await.map(|_| ())
}

/// Sends a member away.
pub(crate) async fn remove(client: &Client, id: &str) -> Result<(), ClientError> {
    client.send(request_to_remove(client, id)).await.map(|_| ())
}

fn request_to_add(client: &Client, id: &str, role: &str) -> RequestBuilder {
    client.request(Method::POST, "/members").json(&json!({ "id": id, "role": role }))
}

fn request_to_remove(client: &Client, id: &str) -> RequestBuilder {
    client.request(Method::DELETE, &format!("/members/{id}"))
}
