//! The lab: what an instructor may do to a cluster that runs with `--lab`.
//!
//! `rounds` are things that the coordinator does in its next rounds, `steps` holds their messages, `stage` asks the supervisor of a local
//! cluster for what is done to processes, links and files.

mod rounds;
mod stage;
mod steps;

use super::App;
use crate::error::{ApiError, Problem};
use crate::working_copy::Order;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::{LabAction, Query, QueryAnswer, SupervisorOrder};
use serde::Serialize;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How everything stands that the lab can change.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct LabJson {
    /// Whether processes, links and files can be changed: this is a local cluster of `concordance up --lab`.
    supervised: bool,
    /// The processes; none if nobody supervises them.
    services: Vec<stage::ServiceJson>,
    /// The messages that are held; none while the coordinator cannot be reached.
    #[schema(required = true)]
    steps: Option<steps::StepsJson>,
    /// Where the coordinator will die in its next round; null if nowhere, or while it cannot be reached.
    #[schema(required = true)]
    crash_at: Option<rounds::ShownCrashPoint>,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(load))
        .routes(routes!(rounds::vote_abort))
        .routes(routes!(rounds::crash_at, rounds::crash_nowhere))
        .routes(routes!(steps::turn))
        .routes(routes!(steps::release))
        .routes(routes!(stage::change))
        .routes(routes!(stage::link))
        .routes(routes!(stage::damage))
}

#[utoipa::path(get, path = "/lab", tag = "lab", operation_id = "load_lab",
    responses((status = 200, body = LabJson), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn load(State(app): State<Arc<App>>) -> Result<Json<LabJson>, ApiError> {
    check_lab(&app)?;
    let services = match &app.settings.lab_socket {
        Some(_) => stage::ask(&app, &SupervisorOrder::Look).await?,
        None => Vec::new(),
    };
    let supervised = app.settings.lab_socket.is_some();
    let (steps, crash_at) = match app.copy.ask(Query::Held).await {
        Ok(QueryAnswer::Held { on, messages, crash_at }) => {
            let crash_at = crash_at.as_deref().and_then(rounds::ShownCrashPoint::named);
            (Some(steps::StepsJson::new(on, messages)), crash_at)
        }
        _ => (None, None),
    };
    Ok(Json(LabJson { supervised, services, steps, crash_at }))
}

fn check_lab(app: &App) -> Result<(), ApiError> {
    // While the coordinator is dead it does not say so; the supervisor of this server does.
    if app.copy.link().lab || app.settings.lab_socket.is_some() {
        return Ok(());
    }
    Err(ApiError::NotFound { detail: "There is no lab: this cluster was started without --lab.".to_owned() })
}

async fn order(app: &App, action: LabAction) -> Result<StatusCode, ApiError> {
    let done = app.copy.order(Order::Lab { action }).await?;
    done.map(|()| StatusCode::NO_CONTENT).map_err(|reason| ApiError::LabRefused { reason })
}
