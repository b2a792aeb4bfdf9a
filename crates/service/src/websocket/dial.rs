//! The dialling end: one task that keeps a link to one of several addresses, whatever happens to it.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tokio_util::sync::CancellationToken;

use super::{LinkAddress, LinkEvent, LinkSettings, session};
use crate::access_token::AccessToken;

/// Keeps a link to the first address that answers; after an end or a failure it goes on with the next one.
#[derive(Clone, Debug)]
pub struct Dialer {
    addresses: Vec<LinkAddress>,
    token: Option<AccessToken>,
    settings: LinkSettings,
}

impl Dialer {
    /// A dialler for these addresses, in this order. With none of them it never connects.
    pub fn new(addresses: Vec<LinkAddress>, token: Option<AccessToken>, settings: LinkSettings) -> Self {
        Dialer { addresses, token, settings }
    }

    /// Dials, runs the session, and dials again, until `stop`; the open session is then closed in due form.
    ///
    /// `on_event` is called from this task, one event after the other. While it runs nothing more is read from the peer,
    /// so it hands the event on and returns.
    pub async fn run(self, mut on_event: impl FnMut(LinkEvent) + Send, stop: CancellationToken) {
        let settings = &self.settings;
        let mut pauses = pauses(settings);
        for address in self.addresses.iter().cycle() {
            let dialled = tokio::select! {
                dialled = self.dial(address) => dialled,
                () = stop.cancelled() => return,
            };
            let pause = match dialled {
                Ok(socket) => {
                    let connected = Instant::now();
                    session::run(socket, address.to_string(), settings, &mut on_event, &stop).await;
                    // A session that ends at once, time after time, is dialled ever more slowly like one that fails.
                    if connected.elapsed() >= Duration::from_millis(settings.reconnect_delay_ms_max) {
                        pauses = self::pauses(settings);
                    }
                    next_pause(&mut pauses, settings)
                }
                Err(error) => {
                    let retry_in = next_pause(&mut pauses, settings);
                    on_event(LinkEvent::DialFailed { address: address.clone(), error, retry_in });
                    retry_in
                }
            };
            tokio::select! { () = tokio::time::sleep(pause) => {}, () = stop.cancelled() => return }
        }
    }

    async fn dial(&self, address: &LinkAddress) -> Result<WebSocketStream<TcpStream>, DialError> {
        let timeout = self.settings.connect_timeout();
        tokio::time::timeout(timeout, self.dial_untimed(address))
            .await
            .unwrap_or(Err(DialError::NoAnswer { waited_ms: self.settings.connect_timeout_ms }))
    }

    async fn dial_untimed(&self, address: &LinkAddress) -> Result<WebSocketStream<TcpStream>, DialError> {
        let unreachable = |source| DialError::Unreachable { source };
        let stream = TcpStream::connect((address.host(), address.port())).await.map_err(unreachable)?;
        // Rounds are ping-pong of small texts: none may wait for the peer's delayed acknowledgement.
        stream.set_nodelay(true).map_err(unreachable)?;
        let upgrade = |error: tungstenite::Error| DialError::from_upgrade(&error);
        let mut request = address.to_string().into_client_request().map_err(upgrade)?;
        if let Some(token) = &self.token {
            request.headers_mut().insert(AUTHORIZATION, token.header());
        }
        let (socket, _) =
            client_async_with_config(request, stream, Some(self.settings.socket())).await.map_err(upgrade)?;
        Ok(socket)
    }
}

fn pauses(settings: &LinkSettings) -> backon::ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(settings.reconnect_delay_ms_min))
        .with_max_delay(Duration::from_millis(settings.reconnect_delay_ms_max))
        .with_factor(2.0)
        // Many peers that lost the same coordinator must not come back in step.
        .with_jitter()
        .without_max_times()
        .build()
}

fn next_pause(pauses: &mut backon::ExponentialBackoff, settings: &LinkSettings) -> Duration {
    pauses.next().unwrap_or(Duration::from_millis(settings.reconnect_delay_ms_max))
}

/// Why a peer could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// No connection.
    #[error("{source}")]
    Unreachable {
        /// What the system said.
        source: std::io::Error,
    },
    /// Neither yes nor no in time.
    #[error("no answer within {waited_ms} ms")]
    NoAnswer {
        /// The bound.
        waited_ms: u64,
    },
    /// The peer wants another token, or one at all.
    #[error("it refused the access token; give the cluster's own with --token-file")]
    WrongToken,
    /// Something answered, but not a link of Concordance.
    #[error("it answered with HTTP status {status}; is this the address of a Concordance process?")]
    Refused {
        /// What it answered.
        status: u16,
    },
    /// Something answered that does not speak WebSocket.
    #[error("it does not speak as it should: {problem}")]
    Strange {
        /// What was wrong.
        problem: String,
    },
}

impl DialError {
    fn from_upgrade(error: &tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Http(response) if response.status() == StatusCode::UNAUTHORIZED => {
                DialError::WrongToken
            }
            tungstenite::Error::Http(response) => DialError::Refused { status: response.status().as_u16() },
            other => DialError::Strange { problem: other.to_string() },
        }
    }
}
