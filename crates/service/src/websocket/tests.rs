//! Goal: what a link promises holds at both ends. Method: a real listener and a real dialler on loopback, with peers
//! made of bare sockets where a peer must misbehave.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::access_token::AccessToken;
use crate::listen::{self, ListenLimits};

const PATIENCE: Duration = Duration::from_secs(30);

fn quick() -> LinkSettings {
    LinkSettings { reconnect_delay_ms_min: 1, reconnect_delay_ms_max: 20, ..LinkSettings::default() }
}

fn token(text: &str) -> AccessToken {
    AccessToken::parse(text).unwrap()
}

/// The events of one end, and what stops it.
struct End {
    events: UnboundedReceiver<LinkEvent>,
    stop: CancellationToken,
}

impl Drop for End {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl End {
    async fn next(&mut self) -> LinkEvent {
        timeout(PATIENCE, self.events.recv()).await.expect("an event in time").expect("a living end")
    }

    async fn connected(&mut self) -> Outbox {
        loop {
            if let LinkEvent::Connected { outbox, .. } = self.next().await {
                return outbox;
            }
        }
    }

    async fn message(&mut self) -> String {
        loop {
            if let LinkEvent::Message { text } = self.next().await {
                return text.to_string();
            }
        }
    }

    async fn disconnected(&mut self) -> DisconnectReason {
        loop {
            if let LinkEvent::Disconnected { reason } = self.next().await {
                return reason;
            }
        }
    }

    async fn dial_failure(&mut self) -> DialError {
        loop {
            if let LinkEvent::DialFailed { error, .. } = self.next().await {
                return error;
            }
        }
    }
}

#[derive(Clone)]
struct Accepting {
    token: Option<AccessToken>,
    settings: LinkSettings,
    events: UnboundedSender<LinkEvent>,
    stop: CancellationToken,
}

async fn accept(State(state): State<Arc<Accepting>>, upgrade: LinkUpgrade) -> Response {
    let Accepting { token, settings, events, stop } = state.as_ref().clone();
    let on_event = move |event| drop(events.send(event));
    upgrade.accept(token.as_ref(), settings, on_event, stop)
}

async fn accepting_at(address: SocketAddr, token: Option<AccessToken>, settings: LinkSettings) -> (SocketAddr, End) {
    let listener = listen::bind(address, None).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, events) = unbounded_channel();
    let stop = CancellationToken::new();
    let state = Accepting { token, settings, events: sender, stop: stop.clone() };
    let router = Router::new().route("/links/test", any(accept)).with_state(Arc::new(state));
    let until = stop.clone();
    tokio::spawn(async move { listen::serve(listener, router, &ListenLimits::default(), until).await });
    (address, End { events, stop })
}

async fn accepting(token: Option<AccessToken>, settings: LinkSettings) -> (SocketAddr, End) {
    accepting_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), token, settings).await
}

fn dialling(addresses: &[SocketAddr], token: Option<AccessToken>, settings: LinkSettings) -> End {
    let addresses = addresses.iter().map(|address| format!("ws://{address}/links/test").parse().unwrap()).collect();
    let (sender, events) = unbounded_channel();
    let stop = CancellationToken::new();
    let dialer = Dialer::new(addresses, token, settings);
    tokio::spawn(dialer.run(move |event| drop(sender.send(event)), stop.clone()));
    End { events, stop }
}

/// A peer that upgrades as it should and then does as the test pleases with the bare stream.
async fn bare_peer(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /links/test HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream
}

/// The first line of the answer to an upgrade with these extra header lines.
async fn upgrade_status(address: SocketAddr, extra: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /links/test HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extra}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

#[tokio::test]
async fn texts_arrive_in_order_both_ways_at_once() {
    let (address, mut server) = accepting(None, quick()).await;
    let mut client = dialling(&[address], None, quick());
    let (from_client, from_server) = (client.connected().await, server.connected().await);
    // Enough that neither end could write it all before the other reads.
    let padding = "x".repeat(4_000);
    for number in 0..3_000 {
        from_client.send(format!("{number} {padding}"));
        from_server.send(format!("{number} {padding}"));
    }
    for number in 0..3_000 {
        let begin = format!("{number} ");
        assert!(server.message().await.starts_with(&begin));
        assert!(client.message().await.starts_with(&begin));
    }
}

#[tokio::test]
async fn text_of_several_megabytes_and_beyond_ascii_arrives_whole() {
    let (address, mut server) = accepting(None, quick()).await;
    let mut client = dialling(&[address], None, quick());
    let text = "Cien años de soledad 📚 ".repeat(200_000);
    client.connected().await.send(text.as_str());
    assert_eq!(server.message().await, text);
}

#[tokio::test]
async fn dialler_comes_back_after_the_server_was_gone_and_says_so() {
    let (address, mut server) = accepting(None, quick()).await;
    let mut client = dialling(&[address], None, quick());
    let first = client.connected().await;
    server.connected().await;
    server.stop.cancel();
    let reason = client.disconnected().await;
    assert!(
        matches!(&reason, DisconnectReason::ClosedByPeer { reason, .. } if reason.contains("stopping")),
        "{reason}"
    );
    assert!(matches!(client.dial_failure().await, DialError::Unreachable { .. }));
    drop(server);
    let (_, mut server) = accepting_at(address, None, quick()).await;
    let second = client.connected().await;
    // What is said to the old session is lost, never delivered to the new one.
    assert!(!second.is_same_session(&first));
    first.send("to the old session");
    second.send("to the new session");
    assert_eq!(server.message().await, "to the new session");
}

#[tokio::test]
async fn dialler_goes_on_to_the_next_address() {
    let closed = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        listener.local_addr().unwrap()
    };
    let (address, mut server) = accepting(None, quick()).await;
    let mut client = dialling(&[closed, address], None, quick());
    assert!(matches!(client.dial_failure().await, DialError::Unreachable { .. }));
    client.connected().await.send("here");
    assert_eq!(server.message().await, "here");
}

#[tokio::test]
async fn connection_that_breaks_without_a_word_is_reported_at_once() {
    let (address, mut server) = accepting(None, quick()).await;
    let peer = bare_peer(address).await;
    server.connected().await;
    drop(peer);
    let reason = server.disconnected().await;
    assert!(matches!(reason, DisconnectReason::Lost | DisconnectReason::Broken { .. }), "{reason}");
}

#[tokio::test]
async fn silent_peer_is_counted_as_dead_by_either_end() {
    let settings = LinkSettings { heartbeat_ms: 10, heartbeat_timeout_ms: 100, ..quick() };
    let (address, mut server) = accepting(None, settings.clone()).await;
    let _open_but_silent = bare_peer(address).await;
    assert_eq!(server.disconnected().await, DisconnectReason::Silent { silent_ms: 100 });

    // A server that upgrades by the book and never says another word.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut client = dialling(&[listener.local_addr().unwrap()], None, settings);
    let (stream, _) = listener.accept().await.unwrap();
    let _open_but_silent = tokio_tungstenite::accept_async(stream).await.unwrap();
    assert_eq!(client.disconnected().await, DisconnectReason::Silent { silent_ms: 100 });
}

#[tokio::test]
async fn quiet_but_living_peers_stay_connected_for_many_timeouts() {
    let settings = LinkSettings { heartbeat_ms: 20, heartbeat_timeout_ms: 1_000, ..quick() };
    let (address, mut server) = accepting(None, settings.clone()).await;
    let mut client = dialling(&[address], None, settings);
    let outbox = client.connected().await;
    server.connected().await;
    assert!(timeout(Duration::from_millis(2_500), server.events.recv()).await.is_err());
    outbox.send("still the same session");
    assert_eq!(server.message().await, "still the same session");
}

#[tokio::test]
async fn peer_that_reads_nothing_is_cut_when_too_much_waits_for_it() {
    let settings = LinkSettings { outbox_bytes_max: 1024 * 1024, ..quick() };
    let (address, mut server) = accepting(None, settings).await;
    let _reads_nothing = bare_peer(address).await;
    let outbox = server.connected().await;
    let text = Utf8Bytes::from("x".repeat(64 * 1024));
    let flood = tokio::spawn(async move {
        // Until the session refuses; the socket's own buffers take some megabytes before.
        loop {
            outbox.send(text.clone());
            tokio::task::yield_now().await;
        }
    });
    let reason = server.disconnected().await;
    flood.abort();
    assert_eq!(reason, DisconnectReason::TooSlow { bytes_max: 1024 * 1024 });
}

#[tokio::test]
async fn peer_that_takes_nothing_is_cut_when_time_is_up_though_it_speaks() {
    let settings = LinkSettings { write_timeout_ms: 100, ..quick() };
    let (address, mut server) = accepting(None, settings).await;
    let mut reads_nothing = bare_peer(address).await;
    server.connected().await.send("x".repeat(32 * 1024 * 1024));
    // An empty masked pong every now and then: the peer lives.
    let speaking = tokio::spawn(async move {
        while reads_nothing.write_all(&[0x8a, 0x80, 0, 0, 0, 0]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert_eq!(server.disconnected().await, DisconnectReason::Stuck { stuck_ms: 100 });
    speaking.await.unwrap();
}

#[tokio::test]
async fn larger_message_than_allowed_ends_the_link_and_the_sender_is_told() {
    let small = LinkSettings { message_bytes_max: 1_000, ..quick() };
    let (address, mut server) = accepting(None, small).await;
    let mut client = dialling(&[address], None, quick());
    let outbox = client.connected().await;
    outbox.send("x".repeat(1_000));
    assert_eq!(server.message().await.len(), 1_000);
    outbox.send("x".repeat(1_001));
    let reason = server.disconnected().await;
    assert_eq!(reason, DisconnectReason::MessageTooLarge { bytes: 1_001, bytes_max: 1_000 });
    let told = client.disconnected().await;
    assert!(matches!(told, DisconnectReason::ClosedByPeer { code: 1009, .. }), "{told}");
}

#[tokio::test]
async fn last_words_arrive_before_the_close_and_its_reason() {
    let (address, mut server) = accepting(None, quick()).await;
    let mut client = dialling(&[address], None, quick());
    let (from_client, from_server) = (client.connected().await, server.connected().await);
    // Texts under way to the closing end must not take its last words back.
    for _ in 0..100 {
        from_client.send("x".repeat(10_000));
    }
    from_server.send("refused: another process has this id");
    from_server.close("refused");
    from_server.send("after the close");
    assert_eq!(client.message().await, "refused: another process has this id");
    let reason = client.disconnected().await;
    assert_eq!(reason, DisconnectReason::ClosedByPeer { code: 1000, reason: "refused".to_owned() });
    assert_eq!(server.disconnected().await, DisconnectReason::ClosedHere { reason: "refused".to_owned() });
}

#[tokio::test]
async fn binary_message_ends_the_link() {
    let (address, mut server) = accepting(None, quick()).await;
    let mut peer = bare_peer(address).await;
    peer.write_all(&[0x82, 0x80, 0, 0, 0, 0]).await.unwrap();
    assert!(matches!(server.disconnected().await, DisconnectReason::Broken { .. }));
}

#[tokio::test]
async fn only_the_right_token_is_let_in() {
    let right = "correct-horse-battery-staple";
    let (address, mut server) = accepting(Some(token(right)), quick()).await;
    for wrong in [None, Some(token("wrong-horse-battery-staple"))] {
        let mut client = dialling(&[address], wrong, quick());
        assert!(matches!(client.dial_failure().await, DialError::WrongToken));
    }
    let mut client = dialling(&[address], Some(token(right)), quick());
    client.connected().await.send("let in");
    assert_eq!(server.message().await, "let in");
}

#[tokio::test]
async fn browser_is_refused_even_without_a_token() {
    let (address, _server) = accepting(None, quick()).await;
    assert_eq!(upgrade_status(address, "Origin: http://evil.example\r\n").await, "HTTP/1.1 403 Forbidden");
    assert_eq!(upgrade_status(address, "").await, "HTTP/1.1 101 Switching Protocols");
}

#[tokio::test]
async fn other_servers_and_silent_ones_are_told_apart() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let silent = listener.local_addr().unwrap();
    let mut client = dialling(&[silent], None, LinkSettings { connect_timeout_ms: 50, ..quick() });
    assert!(matches!(client.dial_failure().await, DialError::NoAnswer { waited_ms: 50 }));

    let listener = listen::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), None).await.unwrap();
    let other = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let until = stop.clone();
    tokio::spawn(async move { listen::serve(listener, Router::new(), &ListenLimits::default(), until).await });
    let mut client = dialling(&[other], None, quick());
    assert!(matches!(client.dial_failure().await, DialError::Refused { status: 404 }));
    stop.cancel();
}
