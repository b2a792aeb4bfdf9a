//! Events: what happens, as a stream (server-sent events).

use super::App;
use crate::event_hub::Watcher;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use std::convert::Infallible;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// A comment goes out so often when nothing happens, so that proxies keep the connection, and a vanished client is noticed.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);

#[utoipa::path(get, path = "/events", tag = "events", operation_id = "stream_events", params(("Last-Event-ID" = Option<String>, Header)), responses(
    (status = 200, description = "A stream of server-sent events.", content_type = "text/event-stream", body = String)
))]
pub(super) async fn stream(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let last_event_id = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let watching = Watching::new(app, last_event_id);
    let events = futures::stream::unfold(watching, |mut watching| async move {
        let event = watching.next().await?;
        Some((Ok(event), watching))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE_EVERY))
}

/// A client that follows the events. The coordinator streams them while there is one.
struct Watching {
    app: Arc<App>,
    watcher: Watcher,
    is_greeted: bool,
}

impl Watching {
    fn new(app: Arc<App>, last_event_id: Option<&str>) -> Self {
        // Said under the lock, so that the first who comes is not taken back by the last who went.
        let mut watchers = app.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        *watchers += 1;
        if *watchers == 1 {
            app.copy.follow_events(true);
        }
        drop(watchers);
        let watcher = app.hub.watch(last_event_id);
        Self { app, watcher, is_greeted: false }
    }

    /// The next event; none when the process ends.
    async fn next(&mut self) -> Option<Event> {
        // Something goes out at once, so that the client knows that it is connected.
        if !std::mem::replace(&mut self.is_greeted, true) {
            return Some(Event::default().comment("following"));
        }
        let event = tokio::select! {
            event = self.watcher.next() => event,
            () = self.app.shutdown.cancelled() => return None,
        };
        let id = self.app.hub.event_id(event.number);
        Some(Event::default().id(id).event(event.name).data(event.data.to_string()))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut watchers = self.app.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        *watchers -= 1;
        if *watchers == 0 {
            self.app.copy.follow_events(false);
        }
    }
}
