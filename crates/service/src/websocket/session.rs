//! One connected WebSocket from its first event to its last, the same at both ends.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::time::{MissedTickBehavior, timeout};
use tokio_util::sync::CancellationToken;

use super::frame::{Frame, FrameSink, FrameStream, Transport};
use super::outbox::Batch;
use super::{DialError, LinkAddress, LinkSettings, Outbox, Utf8Bytes};

/// Texts are written in batches of so many bytes with one flush each: enough to make the flush cheap, little enough for
/// the write timeout to mean "no progress".
const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// How long the end that closes waits for the peer to read what was said last.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What happens on a link, in the order in which it happens.
#[derive(Debug)]
pub enum LinkEvent {
    /// A session has begun. `peer` is an address for logs; `outbox` speaks to the peer of this session only.
    Connected {
        /// The peer's address.
        peer: String,
        /// The way to speak to it.
        outbox: Outbox,
    },
    /// The peer of the present session said this.
    Message {
        /// What it said.
        text: Utf8Bytes,
    },
    /// The session has ended. A dialler tries again by itself.
    Disconnected {
        /// Why.
        reason: DisconnectReason,
    },
    /// Dialling failed (dialling end only), and is tried again after the pause.
    DialFailed {
        /// Where to.
        address: LinkAddress,
        /// Why.
        error: DialError,
        /// The pause.
        retry_in: Duration,
    },
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DisconnectReason {
    /// The peer closed the link in due form.
    #[error("the peer closed the link: {} (code {code})", if reason.is_empty() { "no reason given" } else { reason })]
    ClosedByPeer {
        /// The WebSocket close code.
        code: u16,
        /// The peer's words.
        reason: String,
    },
    /// This process closed the link by [`Outbox::close`], or is stopping.
    #[error("this side closed the link: {reason}")]
    ClosedHere {
        /// The reason that the peer was given.
        reason: String,
    },
    /// The connection ended without a word, as when the peer's process died.
    #[error("the connection was lost")]
    Lost,
    /// Nothing arrived for longer than the heartbeat allows.
    #[error("the peer was silent for {silent_ms} ms")]
    Silent {
        /// The bound.
        silent_ms: u64,
    },
    /// More waited to be written than may wait.
    #[error("the peer is too slow: more than {bytes_max} bytes were waiting for it")]
    TooSlow {
        /// The bound.
        bytes_max: usize,
    },
    /// Nothing could be written for too long.
    #[error("the peer took nothing for {stuck_ms} ms")]
    Stuck {
        /// The bound.
        stuck_ms: u64,
    },
    /// The peer sent a message beyond the bound.
    #[error("the peer sent a message of {bytes} bytes, at most {bytes_max} are taken")]
    MessageTooLarge {
        /// Its size, as far as it was read.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// The connection or the peer's framing failed in another way.
    #[error("the link broke: {problem}")]
    Broken {
        /// What the library or the system said.
        problem: String,
    },
}

impl DisconnectReason {
    /// What the peer is told, by WebSocket close codes (RFC 6455, 7.4.1); `None` where it could not hear it.
    fn close_code(&self) -> Option<u16> {
        match self {
            DisconnectReason::ClosedHere { .. } => Some(1000),
            DisconnectReason::MessageTooLarge { .. } => Some(1009),
            DisconnectReason::TooSlow { .. } => Some(1008),
            DisconnectReason::Broken { .. } => Some(1002),
            DisconnectReason::ClosedByPeer { .. }
            | DisconnectReason::Lost
            | DisconnectReason::Silent { .. }
            | DisconnectReason::Stuck { .. } => None,
        }
    }
}

/// Runs one session to its end: `Connected` first, `Disconnected` last. Gives the reason of the end once more.
pub(super) async fn run(
    socket: impl Transport,
    peer: String,
    settings: &LinkSettings,
    on_event: &mut (impl FnMut(LinkEvent) + Send),
    stop: &CancellationToken,
) -> DisconnectReason {
    let outbox = Outbox::new(settings.outbox_bytes_max);
    let (mut sink, mut stream) = socket.frames();
    on_event(LinkEvent::Connected { peer, outbox: outbox.clone() });
    let close_when_stopped = async {
        stop.cancelled().await;
        outbox.close("the process is stopping");
        // From here the writer ends the session, once it has written what waits.
        std::future::pending().await
    };
    let End { reason, can_write } = tokio::select! {
        reason = read(&mut stream, settings.heartbeat_timeout(), on_event) => End { reason, can_write: true },
        end = write(&mut sink, &outbox, settings) => end,
        reason = outbox.overflowed() => End { reason, can_write: true },
        reason = close_when_stopped => End { reason, can_write: true },
    };
    outbox.shut();
    // Said before the farewell, which may take a second that the service need not wait for.
    on_event(LinkEvent::Disconnected { reason: reason.clone() });
    if let Some(code) = reason.close_code().filter(|_| can_write) {
        // A peer that does not listen any more will find the connection gone.
        let _ = timeout(CLOSE_TIMEOUT, farewell(sink, stream, code, &reason)).await;
    }
    reason
}

async fn read(
    stream: &mut impl FrameStream,
    silence_max: Duration,
    on_event: &mut (impl FnMut(LinkEvent) + Send),
) -> DisconnectReason {
    loop {
        match timeout(silence_max, stream.next()).await {
            Ok(Some(Ok(Frame::Text { text }))) => on_event(LinkEvent::Message { text }),
            // Pings are answered by the library; both are signs of life.
            Ok(Some(Ok(Frame::Ping | Frame::Pong))) => {}
            Ok(Some(Ok(Frame::Close { code, reason }))) => {
                return DisconnectReason::ClosedByPeer { code, reason };
            }
            Ok(Some(Ok(Frame::Binary))) => {
                return DisconnectReason::Broken { problem: "the peer sent a binary message".to_owned() };
            }
            Ok(Some(Err(reason))) => return reason,
            Ok(None) => return DisconnectReason::Lost,
            Err(_) => {
                return DisconnectReason::Silent { silent_ms: millis(silence_max) };
            }
        }
    }
}

/// How a session ended.
struct End {
    reason: DisconnectReason,
    /// Whether the sink still takes frames: one that has failed must not be touched again.
    can_write: bool,
}

async fn write(sink: &mut impl FrameSink, outbox: &Outbox, settings: &LinkSettings) -> End {
    let stuck_max = settings.write_timeout();
    let mut heartbeat = tokio::time::interval(settings.heartbeat());
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let writing = tokio::select! {
            batch = outbox.next(BATCH_BYTES_MAX) => match batch {
                Batch::Close { reason } => {
                    return End { reason: DisconnectReason::ClosedHere { reason }, can_write: true };
                }
                Batch::Texts { texts, bytes } => {
                    let written = timeout(stuck_max, write_texts(sink, texts)).await;
                    outbox.written(bytes);
                    written
                }
            },
            _ = heartbeat.tick() => timeout(stuck_max, sink.send(Frame::Ping)).await,
        };
        match writing {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => return End { reason, can_write: false },
            Err(_) => {
                let reason = DisconnectReason::Stuck { stuck_ms: millis(stuck_max) };
                return End { reason, can_write: false };
            }
        }
    }
}

async fn write_texts(sink: &mut impl FrameSink, texts: Vec<Utf8Bytes>) -> Result<(), DisconnectReason> {
    for text in texts {
        sink.feed(Frame::Text { text }).await?;
    }
    sink.flush().await
}

/// Tells the peer why, and reads on until it has gone: closing a socket with unread bytes resets the connection, which
/// would take back what was written last.
async fn farewell(mut sink: impl FrameSink, mut stream: impl FrameStream, code: u16, reason: &DisconnectReason) {
    let reason = match reason {
        DisconnectReason::ClosedHere { reason } => reason.clone(),
        other => other.to_string(),
    };
    if sink.send(Frame::Close { code, reason }).await.is_ok() {
        while let Some(Ok(_)) = stream.next().await {}
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{SinkExt, sink, stream};

    /// A connection of which every write fails and of which nothing is heard.
    struct BrokenSocket;

    impl Transport for BrokenSocket {
        fn frames(self) -> (impl FrameSink, impl FrameStream) {
            let refuse = |(), _frame: Frame| async { Err::<(), _>("connection reset".to_owned()) };
            // As the real ones do, the adapter panics if it is touched again after an error.
            let sink = Box::pin(sink::unfold((), refuse).sink_map_err(|problem| DisconnectReason::Broken { problem }));
            (sink, stream::pending())
        }
    }

    #[tokio::test]
    async fn a_sink_that_has_failed_is_not_touched_again() {
        let mut ended = false;
        let mut on_event = |event| match event {
            LinkEvent::Connected { outbox, .. } => outbox.send("hello"),
            LinkEvent::Disconnected { .. } => ended = true,
            LinkEvent::Message { .. } | LinkEvent::DialFailed { .. } => {}
        };
        let stop = CancellationToken::new();
        let reason = run(BrokenSocket, "peer".to_owned(), &LinkSettings::default(), &mut on_event, &stop).await;
        assert_eq!(reason, DisconnectReason::Broken { problem: "connection reset".to_owned() });
        assert!(ended);
    }
}
