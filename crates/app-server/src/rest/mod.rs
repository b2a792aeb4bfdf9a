//! The REST interface of `docs/rest.md`: one file per noun.
//!
//! `origin` and `guard` stand before everything, `request` reads what clients send, `write` knows keys, preconditions and outcomes.

mod at_least;
mod book_json;
mod books;
mod changes;
mod cluster;
mod events;
mod exports;
mod guard;
mod imports;
mod lab;
mod members;
mod origin;
mod replications;
mod request;
mod restoration_json;
mod restorations;
mod rounds;
mod scrubs;
mod write;

use crate::error::ApiError;
use crate::event_hub::EventHub;
use crate::import_jobs::ImportJobs;
use crate::settings::Settings;
use crate::working_copy::{Unreachable, WorkingCopy};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use origin::AllowedHosts;
use protocol::ClusterStatus;
use service::access_token::AccessToken;
use service::health::{self, Readiness};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;
use utoipa::OpenApi;
use utoipa::openapi::RefOr;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Where the interface begins.
const BASE: &str = "/api/v1";

/// What handlers need.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) settings: Settings,
    pub(crate) copy: WorkingCopy,
    pub(crate) hub: EventHub,
    pub(crate) imports: ImportJobs,
    allowed_hosts: AllowedHosts,
    token: Option<AccessToken>,
    shutdown: CancellationToken,
    /// How many follow the events: the coordinator streams them only while somebody does.
    watchers: Mutex<usize>,
    /// What the coordinator said last of the cluster, for the time when it cannot be asked.
    cluster: Mutex<Option<ClusterStatus>>,
}

impl App {
    pub(crate) fn new(
        settings: Settings,
        address: SocketAddr,
        copy: WorkingCopy,
        hub: EventHub,
        token: Option<AccessToken>,
        shutdown: CancellationToken,
    ) -> Self {
        let allowed_hosts = AllowedHosts::new(address, &settings.allowed_hosts, settings.advertise.as_ref());
        let imports = ImportJobs::new(&settings);
        Self {
            settings,
            copy,
            hub,
            imports,
            allowed_hosts,
            token,
            shutdown,
            watchers: Mutex::new(0),
            cluster: Mutex::new(None),
        }
    }

    /// Refuses before the copy was level for the first time: it would show a catalogue that never was.
    pub(crate) fn check_ready(&self) -> Result<(), ApiError> {
        let link = self.copy.link();
        if link.was_level {
            return Ok(());
        }
        let detail = match link.problem {
            Some(problem) => {
                format!(
                    "This server has just started and waits for the coordinator ({problem}); try again in a moment."
                )
            }
            None => "This server has just started and is being brought level; try again in a moment.".to_owned(),
        };
        Err(ApiError::NotReady { detail })
    }
}

impl From<Unreachable> for ApiError {
    fn from(_: Unreachable) -> Self {
        Self::CoordinatorUnreachable {
            detail: "Only the coordinator knows this, and it cannot be reached at present; try again in a moment."
                .to_owned(),
        }
    }
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Concordance",
    description = "A catalogue of books on several servers, changed by two-phase commit. Errors are problem+json (RFC 9457)."
))]
struct Description;

/// Smaller files of the page are not worth the time that compressing takes.
const COMPRESSED_BYTES_MIN: u64 = 4_096;

const JSON: &str = "application/json";
const PROBLEM_JSON: &str = "application/problem+json";

/// All routes: the interface, its description, the health of the process, and the page.
pub(crate) fn router(app: Arc<App>, readiness: Readiness, metrics: PrometheusHandle) -> Router {
    let (interface, mut description) =
        OpenApiRouter::with_openapi(Description::openapi()).nest(BASE, interface(&app)).split_for_parts();
    name_problems(&mut description);
    let guarded = interface
        .layer(from_fn_with_state(Arc::clone(&app), guard::require_token))
        .layer(from_fn_with_state(Arc::clone(&app), guard::tell_version))
        .layer(from_fn(guard::measure))
        .with_state(Arc::clone(&app));
    let document = Json(description);
    let docs = utoipa_swagger_ui::SwaggerUi::new(format!("{BASE}/docs"))
        .config(utoipa_swagger_ui::Config::from(format!("{BASE}/openapi.json")));
    let compressed = CompressionLayer::new().compress_when(SizeAbove::new(COMPRESSED_BYTES_MIN));
    let page = Router::new().fallback(crate::page::serve).layer(compressed);
    Router::new()
        .merge(guarded)
        .route(&format!("{BASE}/openapi.json"), get(move || std::future::ready(document.clone())))
        .merge(docs)
        .route("/api/{*rest}", axum::routing::any(no_such_address))
        .fallback_service(page)
        .method_not_allowed_fallback(|| std::future::ready(ApiError::MethodNotAllowed))
        .layer(from_fn_with_state(Arc::clone(&app), origin::check))
        .merge(health::router(readiness, metrics))
        .layer(from_fn_with_state(app, guard::harden))
}

/// Gives problems the media type that they are sent with, which the attributes would have to say at each of them.
fn name_problems(description: &mut utoipa::openapi::OpenApi) {
    for item in description.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            for (status, response) in &mut operation.responses.responses {
                let RefOr::T(response) = response else { continue };
                let content = if status.starts_with('2') { None } else { response.content.shift_remove(JSON) };
                if let Some(content) = content {
                    response.content.insert(PROBLEM_JSON.to_owned(), content);
                }
            }
        }
    }
}

fn interface(app: &Arc<App>) -> OpenApiRouter<Arc<App>> {
    let of_a_version = OpenApiRouter::new()
        .routes(routes!(books::list, books::create))
        .routes(routes!(books::load, books::replace, books::remove))
        .routes(routes!(exports::load))
        .layer(from_fn_with_state(Arc::clone(app), at_least::wait));
    of_a_version
        .routes(routes!(changes::load))
        .routes(routes!(imports::create))
        .routes(routes!(imports::load))
        .routes(routes!(replications::list, replications::create))
        .routes(routes!(restorations::list, restorations::create))
        .routes(routes!(restorations::load))
        .routes(routes!(restorations::load_copy))
        .routes(routes!(scrubs::list, scrubs::create))
        .routes(routes!(cluster::load))
        .routes(routes!(members::add))
        .routes(routes!(members::change, members::remove))
        .routes(routes!(rounds::list))
        .routes(routes!(rounds::load))
        .routes(routes!(events::stream))
        .merge(lab::routes())
}

async fn no_such_address(uri: axum::http::Uri) -> ApiError {
    ApiError::NotFound { detail: format!("There is no address {}; see {BASE}/openapi.json.", uri.path()) }
}
