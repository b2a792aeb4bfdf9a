//! Links: the WebSocket connections between the processes of a cluster.
//!
//! Replicators and app-servers dial ([`Dialer`]); the coordinator, and a replicator asked by its peers, accept
//! ([`LinkUpgrade`]). Both ends then run the same session: texts in order, heartbeats, and an end that is always said.
//!
//! ```text
//!   Dialer ----\                       /--> LinkEvent::Connected { peer, outbox }
//!               >--- session (a task) ----> LinkEvent::Message { text }
//!   LinkUpgrade/          ^            \--> LinkEvent::Disconnected { reason }
//!                         '--- Outbox::send(text)
//! ```
//!
//! Events come one after the other to one callback, so that they can be fed into the queue of a thread that knows no
//! tokio. Each session has its own outbox: what was said to a session that broke never reaches the next one. What a
//! text means is none of this module's business.

mod accept;
mod address;
mod dial;
mod frame;
mod outbox;
mod session;
mod settings;
#[cfg(test)]
mod tests;

pub use accept::LinkUpgrade;
pub use address::{LinkAddress, LinkAddressError};
pub use dial::{DialError, Dialer};
pub use outbox::Outbox;
pub use session::{DisconnectReason, LinkEvent};
pub use settings::LinkSettings;
/// The text of a message: UTF-8 that is cheap to clone, so that one text can go to many peers.
pub use tokio_tungstenite::tungstenite::Utf8Bytes;
