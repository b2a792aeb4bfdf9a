//! What an operator asks a coordinator that is not sure of its log: over HTTP at the coordinator itself, for the app-servers do not
//! know such a coordinator as theirs.

use crate::event::Event;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use protocol::RecoveryOrder;
use serde::{Deserialize, Serialize};
use service::access_token::AccessToken;
use std::sync::mpsc::Sender;
use tokio::sync::oneshot;

#[derive(Debug, Clone)]
struct Operator {
    events: Sender<Event>,
    token: Option<AccessToken>,
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    accept_loss: bool,
}

/// `GET /v1/recovery` tells the plan, `POST /v1/recovery` carries it out.
pub(crate) fn router(events: Sender<Event>, token: Option<AccessToken>) -> Router {
    Router::new().route("/v1/recovery", get(tell_plan).post(carry_out)).with_state(Operator { events, token })
}

async fn tell_plan(State(operator): State<Operator>, headers: HeaderMap, Query(asked): Query<Asked>) -> Response {
    operator.ask(&headers, |reply| Event::RecoveryAsked { accept_loss: asked.accept_loss, reply }).await
}

async fn carry_out(State(operator): State<Operator>, headers: HeaderMap, Json(order): Json<RecoveryOrder>) -> Response {
    let event = |reply| Event::RecoveryOrdered { order: Box::new(order), reply };
    operator.ask(&headers, event).await
}

/// What an answer looks like over HTTP.
trait Told {
    fn tell(self) -> Response;
}

impl Told for protocol::RecoveryPlan {
    fn tell(self) -> Response {
        Json(self).into_response()
    }
}

impl Told for Result<(), String> {
    fn tell(self) -> Response {
        match self {
            Ok(()) => StatusCode::ACCEPTED.into_response(),
            Err(detail) => problem(StatusCode::CONFLICT, "The recovery was not begun", &detail),
        }
    }
}

impl Operator {
    async fn ask<T: Told>(&self, headers: &HeaderMap, event: impl FnOnce(oneshot::Sender<T>) -> Event) -> Response {
        if self.token.as_ref().is_some_and(|token| !token.admits(headers)) {
            return problem(StatusCode::UNAUTHORIZED, "No access", "Show the cluster's access token.");
        }
        let (reply, answer) = oneshot::channel();
        let stopping = "The coordinator is stopping; try again when it runs.";
        if self.events.send(event(reply)).is_err() {
            return problem(StatusCode::SERVICE_UNAVAILABLE, "Stopping", stopping);
        }
        match answer.await {
            Ok(told) => told.tell(),
            Err(_) => problem(StatusCode::SERVICE_UNAVAILABLE, "Stopping", stopping),
        }
    }
}

#[derive(Serialize)]
struct Problem<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
}

fn problem(status: StatusCode, title: &str, detail: &str) -> Response {
    let body = Problem { title, status: status.as_u16(), detail };
    (status, [("content-type", "application/problem+json")], serde_json::to_string(&body).unwrap_or_default())
        .into_response()
}
