//! The links between replicators: one question, one answer, and the link ends.
//!
//! What is asked, when, and what an answer means is the core's affair. Here a question goes out and comes to exactly one event: the
//! answer, or why there is none.

use crate::event::Event;
use crate::settings::Settings;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use protocol::{Participant, PeerAnswer, PeerQuestion};
use service::access_token::AccessToken;
use service::websocket::{Dialer, LinkAddress, LinkEvent, LinkSettings, LinkUpgrade, Outbox};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use two_phase::replicator::PeerRequest;

/// Where peers are asked.
const PATH: &str = "/v1/peers";

/// No question or answer is larger: both name rounds and members, and carry no books.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// Both ends of the links to the peers.
#[derive(Debug, Clone)]
pub(crate) struct Peers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    link: LinkSettings,
    answer_within: Duration,
    token: Option<AccessToken>,
    events: Sender<Event>,
    stop: CancellationToken,
    next_request: AtomicU64,
    /// The questions that the runtime thread asks run here.
    tasks: Handle,
}

impl Peers {
    /// Must be called inside a tokio runtime.
    pub(crate) fn new(
        settings: &Settings,
        token: Option<AccessToken>,
        events: Sender<Event>,
        stop: CancellationToken,
    ) -> Self {
        let link = LinkSettings {
            message_bytes_max: MESSAGE_BYTES_MAX,
            outbox_bytes_max: MESSAGE_BYTES_MAX,
            ..settings.link.clone()
        };
        // When the next question is due, this one is over: a silent peer never has more than one waiting.
        let answer_within = Duration::from_millis(settings.peer_ask_again_ms);
        let (next_request, tasks) = (AtomicU64::new(1), Handle::current());
        Self(Arc::new(Inner { link, answer_within, token, events, stop, next_request, tasks }))
    }

    /// Where this replicator is asked. One link carries one question; the listener bounds the links.
    pub(crate) fn router(self) -> Router {
        Router::new().route(PATH, get(accept)).with_state(self)
    }

    /// Asks a peer, in the background.
    pub(crate) fn ask(&self, peer: Participant, question: &PeerQuestion) {
        let (inner, round) = (Arc::clone(&self.0), question.round);
        let text = serde_json::to_string(question).expect("a question has only text keys and plain values");
        self.0.tasks.spawn(async move {
            let asked = peer.id.clone();
            let event = match inner.ask(&peer, text).await {
                Ok(answer) => Event::PeerAnswered { asked, answer },
                Err(reason) => Event::PeerSilent { asked, round, reason },
            };
            // A closed channel means that the process is stopping.
            let _ = inner.events.send(event);
        });
    }
}

/// Answers a question, and ends its link.
pub(crate) fn answer(outbox: &Outbox, answer: &PeerAnswer) {
    let text = serde_json::to_string(answer).expect("an answer has only text keys and plain values");
    outbox.send(text);
    outbox.close("the question is answered");
}

impl Inner {
    /// What the peer answers, or why it does not, for people.
    async fn ask(&self, peer: &Participant, question: String) -> Result<PeerAnswer, String> {
        let address: LinkAddress = format!("ws://{}", peer.address).parse().map_err(|error| format!("{error}"))?;
        let address = address.at_path(PATH).map_err(|error| error.to_string())?;
        let over = self.stop.child_token();
        let mut heard: Option<Result<String, String>> = None;
        let on_event = |event| {
            let news = match event {
                LinkEvent::Connected { outbox, .. } => return outbox.send(question.clone()),
                LinkEvent::Message { text } => Ok(text.to_string()),
                LinkEvent::Disconnected { reason } => Err(reason.to_string()),
                LinkEvent::DialFailed { error, .. } => Err(error.to_string()),
            };
            heard.get_or_insert(news);
            over.cancel();
        };
        let link = Dialer::new(vec![address], self.token.clone(), self.link.clone()).run(on_event, over.clone());
        let _ = tokio::time::timeout(self.answer_within, link).await;
        let text = heard.unwrap_or_else(|| Err(format!("no answer within {} ms", self.answer_within.as_millis())))?;
        serde_json::from_str(&text).map_err(|error| format!("its answer is not of the protocol: {error}"))
    }
}

async fn accept(State(peers): State<Peers>, upgrade: LinkUpgrade) -> Response {
    let inner = peers.0;
    let request = PeerRequest(inner.next_request.fetch_add(1, Ordering::Relaxed));
    let events = inner.events.clone();
    let mut open: Option<Outbox> = None;
    let on_event = move |event| match event {
        LinkEvent::Connected { outbox, .. } => open = Some(outbox),
        LinkEvent::Message { text } => {
            // Taken with the first question: a link has no second one.
            let Some(outbox) = open.take() else { return };
            match serde_json::from_str(&text) {
                Ok(question) => {
                    let _ = events.send(Event::PeerAsks { request, question: Box::new(question), outbox });
                }
                Err(error) => outbox.close(format!("this question is not of the protocol: {error}")),
            }
        }
        LinkEvent::Disconnected { .. } | LinkEvent::DialFailed { .. } => {}
    };
    upgrade.accept(inner.token.as_ref(), inner.link.clone(), on_event, inner.stop.clone())
}
