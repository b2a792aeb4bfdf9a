//! The accepting end: the upgrade of an HTTP request to a link.

use std::net::SocketAddr;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::StatusCode;
use axum::http::header::{HeaderMap, ORIGIN};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;

use super::{LinkEvent, LinkSettings, session};
use crate::access_token::{self, AccessToken};
use crate::listen::ConnectionPermit;

/// An extractor: a request that asks to become a link. The handler checks and accepts it with [`LinkUpgrade::accept`].
#[derive(Debug)]
pub struct LinkUpgrade {
    upgrade: WebSocketUpgrade,
    headers: HeaderMap,
    peer: String,
    /// Held as long as the link lives, so that links count as connections.
    permit: Option<ConnectionPermit>,
}

impl<S: Send + Sync> FromRequestParts<S> for LinkUpgrade {
    type Rejection = WebSocketUpgradeRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(LinkUpgrade {
            peer: peer.map_or_else(|| "unknown address".to_owned(), |ConnectInfo(address)| address.to_string()),
            permit: parts.extensions.get::<ConnectionPermit>().cloned(),
            headers: parts.headers.clone(),
            upgrade: WebSocketUpgrade::from_request_parts(parts, state).await?,
        })
    }
}

impl LinkUpgrade {
    /// Answers the request: with the upgrade, after which a task of its own runs the session until its end or `stop`;
    /// with 401 if `token` is given and not shown; with 403 if a browser asks, which no process of a cluster is (a page
    /// from anywhere could otherwise join a cluster on its user's machine).
    ///
    /// `on_event` gets the events of this one session, as in [`super::Dialer::run`].
    pub fn accept(
        self,
        token: Option<&AccessToken>,
        settings: LinkSettings,
        mut on_event: impl FnMut(LinkEvent) + Send + 'static,
        stop: CancellationToken,
    ) -> Response {
        if self.headers.contains_key(ORIGIN) {
            return (StatusCode::FORBIDDEN, "Links are for the processes of a cluster, not for browsers.\n")
                .into_response();
        }
        if token.is_some_and(|token| !token.admits(&self.headers)) {
            return access_token::refusal();
        }
        let LinkUpgrade { upgrade, peer, permit, .. } = self;
        upgrade.max_message_size(settings.message_bytes_max).max_frame_size(settings.message_bytes_max).on_upgrade(
            move |socket| async move {
                session::run(socket, peer, &settings, &mut on_event, &stop).await;
                drop(permit);
            },
        )
    }
}
