//! Who is a member: replicators are added, removed, promoted and demoted while the cluster runs.

use super::App;
use super::request::{Id, json};
use crate::error::{ApiError, Problem};
use crate::working_copy::Order;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use protocol::{MemberId, MembershipChange};
use serde::Deserialize;
use std::sync::Arc;

/// What a member is to be there for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Role {
    /// It votes.
    #[default]
    Voter,
    /// It follows every round and has no vote.
    Observer,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMember {
    /// Its name, such as replicator-4.
    #[schema(value_type = String)]
    id: MemberId,
    #[serde(default)]
    role: Role,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRole {
    role: Role,
}

#[utoipa::path(post, path = "/members", tag = "cluster", operation_id = "add_member", request_body = NewMember,
    responses((status = 204, description = "It may come in: it is brought level as soon as it connects."), (status = 409, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn add(State(app): State<Arc<App>>, request: Request) -> Result<StatusCode, ApiError> {
    let (parts, body) = request.into_parts();
    let NewMember { id, role } = json(&app, &parts, body).await?;
    order(&app, MembershipChange::Add { member: id, observer: role == Role::Observer }).await
}

#[utoipa::path(patch, path = "/members/{id}", tag = "cluster", operation_id = "change_member", params(("id" = String, Path)),
    request_body = NewRole, responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Id(id): Id<String>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let member = member_id(&id)?;
    let (parts, body) = request.into_parts();
    let NewRole { role } = json(&app, &parts, body).await?;
    let change = match role {
        Role::Voter => MembershipChange::Promote { member },
        Role::Observer => MembershipChange::Demote { member },
    };
    order(&app, change).await
}

#[utoipa::path(delete, path = "/members/{id}", tag = "cluster", operation_id = "remove_member", params(("id" = String, Path)),
    responses((status = 204, description = "It is told so and stops."), (status = 404, body = Problem), (status = 409, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn remove(State(app): State<Arc<App>>, Id(id): Id<String>) -> Result<StatusCode, ApiError> {
    order(&app, MembershipChange::Remove { member: member_id(&id)? }).await
}

fn member_id(id: &str) -> Result<MemberId, ApiError> {
    id.parse().map_err(|_| ApiError::NotFound { detail: format!("There is no replicator {id}.") })
}

async fn order(app: &App, change: MembershipChange) -> Result<StatusCode, ApiError> {
    let done = app.copy.order(Order::ChangeMembers { change }).await?;
    done.map(|()| StatusCode::NO_CONTENT).map_err(|reason| ApiError::MembersRefused { reason })
}
