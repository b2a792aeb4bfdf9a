//! What is done to processes, links and files: asked of the supervisor, and answered with how things stand afterwards.

use super::super::App;
use super::super::request::{Id, json};
use super::check_lab;
use crate::described;
use crate::error::{ApiError, Problem};
use crate::supervisor;
use axum::Json;
use axum::extract::{Request, State};
use catalogue::{BookId, BookPath};
use protocol::{FileDamage, LinkCondition, ServiceState, ServiceStatus, SupervisorOrder};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A process, and its link if it is a replicator.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ServiceJson {
    name: String,
    #[schema(value_type = described::ServiceState)]
    state: ServiceState,
    #[schema(required = true)]
    link: Option<LinkJson>,
}

/// A link between a replicator and the coordinator.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct LinkJson {
    state: ShownLinkState,
    /// How much later everything arrives, each way, when it is slow: 1 to 10,000.
    delay_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LinkState)]
enum ShownLinkState {
    Whole,
    Cut,
    Slow,
}

#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum ServiceAction {
    Kill,
    Start,
    Pause,
    Resume,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ServiceInput {
    action: ServiceAction,
}

#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FileDamage)]
enum ShownFileDamage {
    FlipLetter,
    Truncate,
    Delete,
    Remember,
    PutBack,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct DamageInput {
    /// The book whose file is changed.
    #[schema(value_type = String)]
    book: BookId,
    /// At whose disks: the same is done to all of them.
    replicators: Vec<String>,
    /// `remember` changes nothing: the bytes at the first replicator can be `put_back` later.
    how: ShownFileDamage,
}

#[utoipa::path(post, path = "/lab/services/{name}", tag = "lab", operation_id = "lab_service", params(("name" = String, Path, example = "replicator-2")),
    request_body = ServiceInput, responses((status = 200, body = Vec<ServiceJson>), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Id(service): Id<String>,
    request: Request,
) -> Result<Json<Vec<ServiceJson>>, ApiError> {
    check_lab(&app)?;
    let (parts, body) = request.into_parts();
    let ServiceInput { action } = json(&app, &parts, body).await?;
    let order = match action {
        ServiceAction::Kill => SupervisorOrder::Kill { service },
        ServiceAction::Start => SupervisorOrder::Start { service },
        ServiceAction::Pause => SupervisorOrder::Pause { service },
        ServiceAction::Resume => SupervisorOrder::Resume { service },
    };
    ask(&app, &order).await.map(Json)
}

#[utoipa::path(put, path = "/lab/services/{name}/link", tag = "lab", operation_id = "lab_link", params(("name" = String, Path, example = "replicator-2")),
    request_body = LinkJson, responses((status = 200, body = Vec<ServiceJson>), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn link(
    State(app): State<Arc<App>>,
    Id(service): Id<String>,
    request: Request,
) -> Result<Json<Vec<ServiceJson>>, ApiError> {
    check_lab(&app)?;
    let (parts, body) = request.into_parts();
    let condition = match json(&app, &parts, body).await? {
        LinkJson { state: ShownLinkState::Whole, delay_ms: None } => LinkCondition::Whole,
        LinkJson { state: ShownLinkState::Cut, delay_ms: None } => LinkCondition::Cut,
        LinkJson { state: ShownLinkState::Slow, delay_ms: Some(delay_ms) } => LinkCondition::Slow { delay_ms },
        LinkJson { .. } => return Err(ApiError::field("delay_ms", "belongs to a slow link, and only to it")),
    };
    ask(&app, &SupervisorOrder::Link { service, condition }).await.map(Json)
}

#[utoipa::path(post, path = "/lab/damage", tag = "lab", operation_id = "lab_damage", request_body = DamageInput,
    responses((status = 200, body = Vec<ServiceJson>), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn damage(State(app): State<Arc<App>>, request: Request) -> Result<Json<Vec<ServiceJson>>, ApiError> {
    check_lab(&app)?;
    let (parts, body) = request.into_parts();
    let DamageInput { book, replicators, how } = json(&app, &parts, body).await?;
    let how = match how {
        ShownFileDamage::FlipLetter => FileDamage::FlipLetter,
        ShownFileDamage::Truncate => FileDamage::Truncate,
        ShownFileDamage::Delete => FileDamage::Delete,
        ShownFileDamage::Remember => FileDamage::Remember,
        ShownFileDamage::PutBack => FileDamage::PutBack,
    };
    let path = BookPath::from(book).to_string();
    ask(&app, &SupervisorOrder::Damage { services: replicators, path, how }).await.map(Json)
}

/// Gives the supervisor an order.
pub(super) async fn ask(app: &App, order: &SupervisorOrder) -> Result<Vec<ServiceJson>, ApiError> {
    let Some(socket) = &app.settings.lab_socket else {
        let reason = "processes, links and files can be changed only in a local cluster of `concordance up --lab`";
        return Err(ApiError::LabRefused { reason: reason.to_owned() });
    };
    let answer = supervisor::ask(socket, order).await.map_err(|reason| ApiError::LabRefused { reason })?;
    match answer.refused {
        Some(reason) => Err(ApiError::LabRefused { reason }),
        None => Ok(answer.services.into_iter().map(ServiceJson::from).collect()),
    }
}

impl From<ServiceStatus> for ServiceJson {
    fn from(status: ServiceStatus) -> Self {
        Self { name: status.name, state: status.state, link: status.link.map(LinkJson::from) }
    }
}

impl From<LinkCondition> for LinkJson {
    fn from(condition: LinkCondition) -> Self {
        match condition {
            LinkCondition::Whole => Self { state: ShownLinkState::Whole, delay_ms: None },
            LinkCondition::Cut => Self { state: ShownLinkState::Cut, delay_ms: None },
            LinkCondition::Slow { delay_ms } => Self { state: ShownLinkState::Slow, delay_ms: Some(delay_ms) },
        }
    }
}
