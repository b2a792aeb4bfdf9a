//! What a session sees of a WebSocket, whichever library end it came from.
//!
//! The dialling end has tungstenite's messages, the accepting end axum's wrapping of the same; both become [`Frame`]s
//! here, and their errors [`DisconnectReason`]s.

use axum::extract::ws;
use futures::{Sink, SinkExt, Stream, StreamExt};
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::{DisconnectReason, Utf8Bytes};

/// The close frame's reason has at most 123 bytes (RFC 6455, 5.5).
const CLOSE_REASON_BYTES_MAX: usize = 123;

#[derive(Debug)]
pub(super) enum Frame {
    Text { text: Utf8Bytes },
    Binary,
    Ping,
    Pong,
    Close { code: u16, reason: String },
}

/// The two ends of a WebSocket, taken apart so that reading goes on while writing waits: two peers that write much to
/// each other would otherwise wait for each other for ever.
pub(super) trait Transport {
    fn frames(self) -> (impl FrameSink, impl FrameStream);
}

pub(super) trait FrameSink: Sink<Frame, Error = DisconnectReason> + Unpin + Send {}
impl<T: Sink<Frame, Error = DisconnectReason> + Unpin + Send> FrameSink for T {}

pub(super) trait FrameStream: Stream<Item = Result<Frame, DisconnectReason>> + Unpin + Send {}
impl<T: Stream<Item = Result<Frame, DisconnectReason>> + Unpin + Send> FrameStream for T {}

impl Transport for tokio_tungstenite::WebSocketStream<tokio::net::TcpStream> {
    fn frames(self) -> (impl FrameSink, impl FrameStream) {
        let (sink, stream) = self.split();
        let sink = sink
            .sink_map_err(|error| reason_of(&error))
            .with(|frame| std::future::ready(Ok::<_, DisconnectReason>(to_tungstenite(frame))));
        let stream = stream.map(|message| message.map(from_tungstenite).map_err(|error| reason_of(&error)));
        (sink, stream)
    }
}

impl Transport for ws::WebSocket {
    fn frames(self) -> (impl FrameSink, impl FrameStream) {
        let (sink, stream) = self.split();
        let sink = sink
            .sink_map_err(reason_of_axum)
            .with(|frame| std::future::ready(Ok::<_, DisconnectReason>(to_axum(frame))));
        let stream = stream.map(|message| message.map_err(reason_of_axum).and_then(from_axum));
        (sink, stream)
    }
}

fn to_tungstenite(frame: Frame) -> tungstenite::Message {
    match frame {
        Frame::Text { text } => tungstenite::Message::Text(text),
        Frame::Binary => tungstenite::Message::Binary(Default::default()),
        Frame::Ping => tungstenite::Message::Ping(Default::default()),
        Frame::Pong => tungstenite::Message::Pong(Default::default()),
        Frame::Close { code, reason } => {
            let reason = close_reason(&reason).into();
            tungstenite::Message::Close(Some(CloseFrame { code: CloseCode::from(code), reason }))
        }
    }
}

fn from_tungstenite(message: tungstenite::Message) -> Frame {
    match message {
        tungstenite::Message::Text(text) => Frame::Text { text },
        tungstenite::Message::Ping(_) => Frame::Ping,
        tungstenite::Message::Pong(_) => Frame::Pong,
        tungstenite::Message::Close(Some(close)) => {
            Frame::Close { code: close.code.into(), reason: close.reason.to_string() }
        }
        tungstenite::Message::Close(None) => Frame::Close { code: 1005, reason: String::new() },
        // Raw frames are never read, only written.
        tungstenite::Message::Binary(_) | tungstenite::Message::Frame(_) => Frame::Binary,
    }
}

fn to_axum(frame: Frame) -> ws::Message {
    match frame {
        Frame::Text { text } => {
            let text = bytes::Bytes::from(text);
            ws::Message::Text(ws::Utf8Bytes::try_from(text).expect("it came from a type that holds UTF-8 only"))
        }
        Frame::Binary => ws::Message::Binary(Default::default()),
        Frame::Ping => ws::Message::Ping(Default::default()),
        Frame::Pong => ws::Message::Pong(Default::default()),
        Frame::Close { code, reason } => {
            ws::Message::Close(Some(ws::CloseFrame { code, reason: close_reason(&reason).into() }))
        }
    }
}

fn from_axum(message: ws::Message) -> Result<Frame, DisconnectReason> {
    Ok(match message {
        ws::Message::Text(text) => {
            let text = Utf8Bytes::try_from(bytes::Bytes::from(text))
                .map_err(|error| DisconnectReason::Broken { problem: error.to_string() })?;
            Frame::Text { text }
        }
        ws::Message::Binary(_) => Frame::Binary,
        ws::Message::Ping(_) => Frame::Ping,
        ws::Message::Pong(_) => Frame::Pong,
        ws::Message::Close(Some(close)) => Frame::Close { code: close.code, reason: close.reason.to_string() },
        ws::Message::Close(None) => Frame::Close { code: 1005, reason: String::new() },
    })
}

fn reason_of(error: &tungstenite::Error) -> DisconnectReason {
    match error {
        tungstenite::Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
            DisconnectReason::MessageTooLarge { bytes: *size, bytes_max: *max_size }
        }
        tungstenite::Error::ConnectionClosed
        | tungstenite::Error::AlreadyClosed
        | tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
            DisconnectReason::Lost
        }
        other => DisconnectReason::Broken { problem: other.to_string() },
    }
}

fn reason_of_axum(error: axum::Error) -> DisconnectReason {
    match error.into_inner().downcast::<tungstenite::Error>() {
        Ok(error) => reason_of(&error),
        Err(other) => DisconnectReason::Broken { problem: other.to_string() },
    }
}

fn close_reason(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(CLOSE_REASON_BYTES_MAX)]
}
