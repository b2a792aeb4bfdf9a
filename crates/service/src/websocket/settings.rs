//! The bounds and times of a link, all in one place.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// How a link behaves. Both ends of a link should have the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkSettings {
    /// A ping goes out this often, so that a living peer is heard at least as often.
    pub heartbeat_ms: u64,
    /// A peer of which no frame arrives for so long counts as dead. Several heartbeats long, and longer than the largest
    /// message takes to arrive.
    pub heartbeat_timeout_ms: u64,
    /// A peer that does not take what is written to it for so long counts as stuck.
    pub write_timeout_ms: u64,
    /// How long connecting and the upgrade may take together.
    pub connect_timeout_ms: u64,
    /// The first pause before dialling again.
    pub reconnect_delay_ms_min: u64,
    /// Pauses double up to this.
    pub reconnect_delay_ms_max: u64,
    /// A larger message from the peer ends the link.
    pub message_bytes_max: usize,
    /// When more than this waits to be written, the peer is too slow and the link ends.
    pub outbox_bytes_max: usize,
}

impl Default for LinkSettings {
    fn default() -> Self {
        LinkSettings {
            heartbeat_ms: 500,
            // Three lost heartbeats and some patience for a busy machine.
            heartbeat_timeout_ms: 3_000,
            write_timeout_ms: 5_000,
            connect_timeout_ms: 3_000,
            reconnect_delay_ms_min: 50,
            reconnect_delay_ms_max: 1_000,
            message_bytes_max: 64 * 1024 * 1024,
            // A few of the largest messages.
            outbox_bytes_max: 256 * 1024 * 1024,
        }
    }
}

impl LinkSettings {
    /// No compression: the library has none, and texts on a local network do not want it.
    pub(super) fn socket(&self) -> WebSocketConfig {
        WebSocketConfig::default()
            .max_message_size(Some(self.message_bytes_max))
            .max_frame_size(Some(self.message_bytes_max))
    }

    pub(super) fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat_ms.max(1))
    }

    pub(super) fn heartbeat_timeout(&self) -> Duration {
        Duration::from_millis(self.heartbeat_timeout_ms)
    }

    pub(super) fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms)
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }
}
