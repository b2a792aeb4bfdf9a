//! The link to the coordinator: dials, decodes what comes, and hands it to the copy thread.

use super::thread::CopyEvent;
use crate::settings::Settings;
use protocol::{FromCoordinator, ToAppServer};
use service::access_token::AccessToken;
use service::websocket::{Dialer, LinkEvent};
use std::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

/// Where coordinators take app-servers in.
const LINK_PATH: &str = "/v1/app-servers";

/// Keeps a link until `shutdown`.
pub(super) fn dial(
    settings: &Settings,
    token: Option<AccessToken>,
    events: Sender<CopyEvent>,
    shutdown: CancellationToken,
) {
    let addresses =
        settings.coordinator.iter().map(|address| address.at_path(LINK_PATH).expect("the path is absolute")).collect();
    let dialer = Dialer::new(addresses, token, settings.link.clone());
    let hand_on = move |event| {
        // A copy thread that has stopped hears nothing any more.
        let _ = events.send(CopyEvent::Link { event: decoded(event) });
    };
    tokio::spawn(dialer.run(hand_on, shutdown));
}

/// What happens on the link, decoded. Decoding is done here, in the task of the socket, and not on the copy thread.
#[derive(Debug)]
pub(super) enum DecodedLinkEvent {
    Connected { peer: String, outbox: service::websocket::Outbox },
    Message { message: Box<FromCoordinator<ToAppServer>> },
    Undecodable { problem: String },
    Disconnected { reason: String },
    DialFailed { address: String, problem: String },
}

fn decoded(event: LinkEvent) -> DecodedLinkEvent {
    match event {
        LinkEvent::Connected { peer, outbox } => DecodedLinkEvent::Connected { peer, outbox },
        LinkEvent::Message { text } => match serde_json::from_str(&text) {
            Ok(message) => DecodedLinkEvent::Message { message: Box::new(message) },
            Err(error) => DecodedLinkEvent::Undecodable { problem: error.to_string() },
        },
        LinkEvent::Disconnected { reason } => DecodedLinkEvent::Disconnected { reason: reason.to_string() },
        LinkEvent::DialFailed { address, error, .. } => {
            DecodedLinkEvent::DialFailed { address: address.to_string(), problem: error.to_string() }
        }
    }
}
