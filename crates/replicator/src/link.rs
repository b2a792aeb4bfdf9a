//! The socket to the coordinator: dials, reads messages, and hands them on as events.

use crate::event::Event;
use crate::settings::Settings;
use service::access_token::AccessToken;
use service::websocket::{Dialer, LinkEvent, Outbox};
use std::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

/// Keeps a link to the coordinator until told to stop.
pub(crate) async fn dial(
    settings: &Settings,
    token: Option<AccessToken>,
    events: Sender<Event>,
    stop: CancellationToken,
) {
    let addresses = settings.addresses().expect("the addresses were read when the settings were loaded");
    let mut open: Option<Outbox> = None;
    let on_event = move |link_event| {
        let event = match link_event {
            LinkEvent::Connected { peer, outbox } => {
                open = Some(outbox.clone());
                Event::Connected { peer, outbox }
            }
            LinkEvent::Message { text } => match serde_json::from_str(&text) {
                Ok(message) => Event::Message { message: Box::new(message) },
                Err(error) => {
                    tracing::error!(%error, "the coordinator said something that is not of the protocol");
                    if let Some(outbox) = &open {
                        outbox.close(format!("this message is not of the protocol: {error}"));
                    }
                    return;
                }
            },
            LinkEvent::Disconnected { reason } => Event::Disconnected { reason: reason.to_string() },
            LinkEvent::DialFailed { address, error, .. } => Event::NotReached { reason: format!("{address}: {error}") },
        };
        // A closed channel means that the process is stopping.
        let _ = events.send(event);
    };
    Dialer::new(addresses, token, settings.link.clone()).run(on_event, stop).await;
}
