//! Listening: binding a port, and serving HTTP on it within bounds.
//!
//! Nothing listens beyond loopback without a token. Every connection has `TCP_NODELAY`, a deadline for its request's
//! head, and counts towards a maximum; what a route does with a body is the route's affair.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use crate::access_token::AccessToken;

/// How long to wait after the system refused a connection for want of resources (say, file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The least that the HTTP library takes as a bound on its buffer.
const HEAD_BYTES_MIN: u32 = 8 * 1024;

/// Bounds on what a process accepts from the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListenLimits {
    /// Connections open at one time; one more is closed at once. Event streams and links count too.
    pub connections_max: u32,
    /// How long a client may take to send the head of a request, and may keep an idle connection open.
    pub request_head_timeout_ms: u64,
    /// Bytes that the head of a request may have, and that are buffered per connection.
    pub request_head_bytes_max: u32,
    /// How long requests in flight may go on once the process was told to stop.
    pub shutdown_grace_ms: u64,
}

impl Default for ListenLimits {
    fn default() -> Self {
        ListenLimits {
            connections_max: 4_096,
            // Longer than the idle time of common client pools, so that the client closes first.
            request_head_timeout_ms: 120_000,
            request_head_bytes_max: 64 * 1024,
            shutdown_grace_ms: 5_000,
        }
    }
}

/// Binds the address.
///
/// # Errors
/// If the address lies beyond this machine and there is no token, the port is in use, or the system refuses.
pub async fn bind(address: SocketAddr, token: Option<&AccessToken>) -> Result<TcpListener, ListenError> {
    if !address.ip().is_loopback() && token.is_none() {
        return Err(ListenError::NoToken { address });
    }
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => ListenError::InUse { address },
        _ => ListenError::Refused { address, source },
    })
}

/// Serves `router` until `shutdown`, then lets requests in flight end within the grace. Links and event streams must
/// watch `shutdown` themselves; what is still open after the grace is dropped.
///
/// Handlers find the peer's address as `ConnectInfo<SocketAddr>`.
pub async fn serve(listener: TcpListener, router: Router, limits: &ListenLimits, shutdown: CancellationToken) {
    let connections = Arc::new(Semaphore::new(limits.connections_max as usize));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match connections.clone().try_acquire_owned() {
            Ok(permit) => {
                let (router, shutdown) = (router.clone(), shutdown.clone());
                tokio::spawn(serve_one(stream, peer, router, limits.clone(), shutdown, permit));
            }
            Err(_) => {
                tracing::warn!(%peer, max = limits.connections_max, "too many connections: one more was closed")
            }
        }
    }
    // Closed before the wait, so that nobody connects to a process that is about to end.
    drop(listener);
    let grace = Duration::from_millis(limits.shutdown_grace_ms);
    // All shares back means that every connection has ended, upgraded ones too.
    let all_ended = connections.acquire_many(limits.connections_max);
    if tokio::time::timeout(grace, all_ended).await.is_err() {
        tracing::warn!("connections that were still open after {} ms are dropped", grace.as_millis());
    }
}

async fn serve_one(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: ListenLimits,
    shutdown: CancellationToken,
    permit: OwnedSemaphorePermit,
) {
    // Without it small answers wait for the peer's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    // The permit rides in every request, and so in an upgraded one's handler, for which this future ends early.
    let permit = ConnectionPermit { _permit: Arc::new(permit) };
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(permit.clone());
        answer(router.clone(), request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.request_head_timeout_ms))
        .max_buf_size(limits.request_head_bytes_max.max(HEAD_BYTES_MIN) as usize)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            // An idle connection ends now, a busy one after its answer.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Peers vanish and time out all the time; nobody has to act on it.
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

async fn answer(mut router: Router, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    // A router is always ready: it keeps no state between requests.
    router.call(request.map(Body::new)).await
}

/// One connection's share of `connections_max`, found in the extensions of its requests. An upgraded connection keeps
/// it for as long as it lives.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionPermit {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// Why a process cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Beyond loopback everybody who connects must show a token, and there is none.
    #[error("refusing to listen on {address} without an access token; give --token-file, or listen on 127.0.0.1")]
    NoToken {
        /// The address asked for.
        address: SocketAddr,
    },
    /// Another process has the port.
    #[error("port {} on {} is in use by another process; stop that one, or choose another port", address.port(), address.ip())]
    InUse {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The system refused for another reason.
    #[error("cannot listen on {address}: {source}")]
    Refused {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    fn limits() -> ListenLimits {
        ListenLimits { shutdown_grace_ms: 30_000, ..ListenLimits::default() }
    }

    async fn start(limits: ListenLimits) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let listener = bind(ANY_PORT, None).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let router = Router::new().route(
            "/",
            axum::routing::get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }),
        );
        let serving = tokio::spawn(async move { serve(listener, router, &limits, stop).await });
        (address, shutdown, serving)
    }

    async fn ask(stream: &mut TcpStream) -> String {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
        let mut answer = vec![0; 4096];
        let length = stream.read(&mut answer).await.unwrap_or(0);
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    async fn is_closed(stream: &mut TcpStream) -> bool {
        let ended = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut [0; 64])).await.unwrap();
        // A reset is as closed as an end.
        ended.unwrap_or(0) == 0
    }

    #[tokio::test]
    async fn address_beyond_loopback_needs_a_token() {
        let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let message = bind(everywhere, None).await.unwrap_err().to_string();
        assert!(message.contains("--token-file") && message.contains("127.0.0.1"), "{message}");
        let token = AccessToken::parse("correct-horse-battery-staple").unwrap();
        bind(everywhere, Some(&token)).await.unwrap();
    }

    #[tokio::test]
    async fn port_in_use_is_named() {
        let first = bind(ANY_PORT, None).await.unwrap();
        let address = first.local_addr().unwrap();
        let message = bind(address, None).await.unwrap_err().to_string();
        assert!(message.contains(&address.port().to_string()) && message.contains("in use"), "{message}");
    }

    #[tokio::test]
    async fn requests_are_answered_and_see_the_peers_address() {
        let (address, _shutdown, _serving) = start(limits()).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut client).await.ends_with("127.0.0.1"));
        assert!(ask(&mut client).await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn connection_beyond_the_maximum_is_closed_and_a_place_that_is_free_again_is_given() {
        let (address, _shutdown, _serving) = start(ListenLimits { connections_max: 1, ..limits() }).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut first).await.starts_with("HTTP/1.1 200"));
        assert!(is_closed(&mut TcpStream::connect(address).await.unwrap()).await);
        drop(first);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while !ask(&mut TcpStream::connect(address).await.unwrap()).await.starts_with("HTTP/1.1 200") {
            assert!(tokio::time::Instant::now() < deadline, "the place was never given");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn client_that_never_ends_its_request_head_is_cut() {
        let (address, _shutdown, _serving) = start(ListenLimits { request_head_timeout_ms: 50, ..limits() }).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
        assert!(is_closed(&mut client).await);
    }

    #[tokio::test]
    async fn shutdown_closes_idle_connections_and_frees_the_port() {
        let (address, shutdown, serving) = start(limits()).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        ask(&mut client).await;
        shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(20), serving).await.unwrap().unwrap();
        assert!(is_closed(&mut client).await);
        bind(address, None).await.unwrap();
    }
}
