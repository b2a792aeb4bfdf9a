//! The sockets of replicators and app-servers: accepts them, reads their messages, and hands both on as events.

use crate::event::Event;
use crate::settings::Settings;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::de::DeserializeOwned;
use service::access_token::AccessToken;
use service::websocket::{LinkEvent, LinkSettings, LinkUpgrade, Outbox};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;
use two_phase::coordinator::SessionId;

/// What every accepted link needs.
#[derive(Debug, Clone)]
pub(crate) struct Links(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: LinkSettings,
    token: Option<AccessToken>,
    events: Sender<Event>,
    stop: CancellationToken,
    next_session: AtomicU64,
}

impl Links {
    pub(crate) fn new(
        settings: &Settings,
        token: Option<AccessToken>,
        events: Sender<Event>,
        stop: CancellationToken,
    ) -> Self {
        let settings = settings.link.clone();
        Self(Arc::new(Inner { settings, token, events, stop, next_session: AtomicU64::new(1) }))
    }

    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/v1/replicators", get(accept_replicator))
            .route("/v1/app-servers", get(accept_app_server))
            .with_state(self)
    }

    fn accept<M: DeserializeOwned + 'static>(
        &self,
        upgrade: LinkUpgrade,
        event: impl Fn(SessionId, Box<M>) -> Event + Send + 'static,
    ) -> Response {
        let inner = Arc::clone(&self.0);
        let session = SessionId(inner.next_session.fetch_add(1, Ordering::Relaxed));
        let events = inner.events.clone();
        let mut open: Option<Outbox> = None;
        let on_event = move |link_event| {
            let event = match link_event {
                LinkEvent::Connected { peer, outbox } => {
                    open = Some(outbox.clone());
                    Event::Connected { session, peer, outbox }
                }
                LinkEvent::Message { text } => match serde_json::from_str(&text) {
                    Ok(message) => event(session, Box::new(message)),
                    Err(error) => {
                        if let Some(outbox) = &open {
                            outbox.close(format!("this message is not of the protocol: {error}"));
                        }
                        return;
                    }
                },
                LinkEvent::Disconnected { reason } => Event::Disconnected { session, reason: reason.to_string() },
                LinkEvent::DialFailed { .. } => return,
            };
            // A closed channel means that the process is stopping.
            let _ = events.send(event);
        };
        upgrade.accept(inner.token.as_ref(), inner.settings.clone(), on_event, inner.stop.clone())
    }
}

async fn accept_replicator(State(links): State<Links>, upgrade: LinkUpgrade) -> Response {
    links.accept(upgrade, |session, message| Event::Replicator { session, message })
}

async fn accept_app_server(State(links): State<Links>, upgrade: LinkUpgrade) -> Response {
    links.accept(upgrade, |session, message| Event::AppServer { session, message })
}
