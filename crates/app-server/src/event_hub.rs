//! What happens, for everybody who watches: events of the cluster, of this server's imports, of its catalogue and its link.
//!
//! Events are kept in a short ring. Each watcher reads it at its own pace; one that is slow, or too much at once, costs
//! nobody anything: of what piled up the newest events are sent, and changes of the catalogue are merged.

use crate::clock;
use crate::settings::Settings;
use crate::working_copy::LinkStatus;
use catalogue::BookId;
use protocol::{TimedEvent, Version};
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Ids that a `catalogue` event names at most; it counts the rest.
const CHANGED_IDS_MAX: usize = 100;

/// One event, as it is streamed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StreamedEvent {
    /// Its number since the start.
    pub(crate) number: u64,
    /// Its name.
    pub(crate) name: &'static str,
    /// Its data.
    pub(crate) data: Value,
}

/// Where events come in and go out. Clones are one hub.
#[derive(Debug, Clone)]
pub(crate) struct EventHub {
    ring: Arc<Mutex<Ring>>,
    newest: watch::Sender<u64>,
    /// Tells the events of this process from those of the one before.
    start_ms: u64,
    kept: usize,
    merge: Duration,
    of_a_name_max: usize,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Arc<StreamedEvent>>,
    last: u64,
}

impl EventHub {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            ring: Arc::default(),
            newest: watch::Sender::new(0),
            start_ms: clock::unix_ms(),
            kept: settings.events_kept,
            merge: Duration::from_millis(settings.events_merge_ms),
            of_a_name_max: settings.events_of_a_name_max,
        }
    }

    /// Something happened in the cluster.
    pub(crate) fn cluster_event(&self, event: &TimedEvent) {
        let kind = event.event.kind();
        let mut data = serde_json::to_value(&event.event).expect("an event has only text keys and plain values");
        let standard = json!({
            "at": clock::text(event.at_ms),
            "kind": kind,
            "round": event.event.round(),
            "epoch": event.epoch,
            "parties": event.event.parties(),
            "text": event.event.sentence(),
        });
        if let (Value::Object(data), Value::Object(standard)) = (&mut data, standard) {
            data.extend(standard);
        }
        self.publish(name_of(kind), data);
    }

    /// A round changed these books.
    pub(crate) fn catalogue_changed(&self, version: Version, changed: Vec<BookId>) {
        let text = format!("Version {version}: {}.", books(changed.len()));
        let more = changed.len().saturating_sub(CHANGED_IDS_MAX);
        let named: Vec<_> = changed.into_iter().take(CHANGED_IDS_MAX).collect();
        self.publish("catalogue", catalogue_data(version.0, &json!(named), more as u64, &text));
    }

    /// The copy was brought level in one step; what is on show should be loaded again.
    pub(crate) fn catalogue_replaced(&self, version: Version) {
        let text = format!("This server's copy was brought level at version {version}.");
        let mut data = catalogue_data(version.0, &json!([]), 0, &text);
        data["reload"] = json!(true);
        self.publish("catalogue", data);
    }

    /// The link to the coordinator changed.
    pub(crate) fn link_changed(&self, link: &LinkStatus) {
        use crate::working_copy::LinkStage::{Down, Level, Welcomed};
        let text = match link.stage {
            Down => "The coordinator cannot be reached; what is shown may be out of date.",
            Welcomed => "The coordinator is there; this server's copy is being brought level.",
            Level => "This server's copy is level with the coordinator.",
        };
        let data = json!({
            "at": clock::text(clock::unix_ms()), "kind": "link", "round": null, "epoch": null, "parties": [],
            "text": text, "connected": link.is_connected(), "level": link.stage == Level,
        });
        self.publish("link", data);
    }

    /// An event of that name; `data` has all its members.
    pub(crate) fn publish(&self, name: &'static str, data: Value) {
        let mut ring = self.ring();
        ring.last += 1;
        let number = ring.last;
        ring.events.push_back(Arc::new(StreamedEvent { number, name, data }));
        while ring.events.len() > self.kept {
            ring.events.pop_front();
        }
        drop(ring);
        self.newest.send_replace(number);
    }

    /// The text by which a watcher that comes again says where it was.
    pub(crate) fn event_id(&self, number: u64) -> String {
        format!("{}-{number}", self.start_ms)
    }

    /// A watcher; with the last event id that it has seen it gets what came since, as far as that is kept.
    pub(crate) fn watch(&self, last_event_id: Option<&str>) -> Watcher {
        let seen = last_event_id.and_then(|id| {
            let (start, number) = id.split_once('-')?;
            (start.parse() == Ok(self.start_ms)).then(|| number.parse().ok()).flatten()
        });
        Watcher {
            hub: self.clone(),
            newest: self.newest.subscribe(),
            seen: seen.unwrap_or_else(|| self.ring().last),
            waiting: VecDeque::new(),
        }
    }

    fn since(&self, seen: u64) -> Vec<Arc<StreamedEvent>> {
        let ring = self.ring();
        let first = ring.events.partition_point(|event| event.number <= seen);
        ring.events.range(first..).cloned().collect()
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // Events are put in whole; after a panic elsewhere the ring is still one.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who watches.
#[derive(Debug)]
pub(crate) struct Watcher {
    hub: EventHub,
    newest: watch::Receiver<u64>,
    seen: u64,
    waiting: VecDeque<StreamedEvent>,
}

impl Watcher {
    /// The next event; waits for it.
    pub(crate) async fn next(&mut self) -> StreamedEvent {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return event;
            }
            // The hub is held by this watcher too, so its sender cannot be gone.
            let _ = self.newest.wait_for(|newest| *newest > self.seen).await;
            tokio::time::sleep(self.hub.merge).await;
            let events = self.hub.since(self.seen);
            self.seen = events.last().map_or(self.seen, |event| event.number);
            self.waiting = merged(&events, self.hub.of_a_name_max);
        }
    }
}

/// What one watcher gets of events that came together: of each name the newest, in order; changes of the catalogue as one.
fn merged(events: &[Arc<StreamedEvent>], of_a_name_max: usize) -> VecDeque<StreamedEvent> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut kept: VecDeque<StreamedEvent> = VecDeque::new();
    let changes: Vec<_> = events.iter().filter(|event| event.name == "catalogue").collect();
    for event in events.iter().rev() {
        let count = counts.entry(event.name).or_default();
        *count += 1;
        if event.name == "catalogue" && changes.len() > 1 {
            if *count == 1 {
                kept.push_front(merged_changes(event, &changes));
            }
        } else if *count <= of_a_name_max {
            kept.push_front(StreamedEvent::clone(event));
        }
    }
    kept
}

fn merged_changes(newest: &StreamedEvent, changes: &[&Arc<StreamedEvent>]) -> StreamedEvent {
    let named = |event: &&Arc<StreamedEvent>| event.data["changed"].as_array().cloned().unwrap_or_default();
    let mut ids: Vec<Value> = changes.iter().flat_map(named).collect();
    let more = changes.iter().map(|event| event.data["more"].as_u64().unwrap_or(0)).sum::<u64>();
    let beyond = ids.len().saturating_sub(CHANGED_IDS_MAX) as u64;
    ids.truncate(CHANGED_IDS_MAX);
    let version = newest.data["version"].as_u64().unwrap_or(0);
    let text = format!("Version {version}: {}.", books(ids.len() + (more + beyond) as usize));
    let mut data = catalogue_data(version, &Value::Array(ids), more + beyond, &text);
    if changes.iter().any(|event| event.data["reload"] == json!(true)) {
        data["reload"] = json!(true);
    }
    StreamedEvent { number: newest.number, name: "catalogue", data }
}

fn catalogue_data(version: u64, changed: &Value, more: u64, text: &str) -> Value {
    json!({
        "at": clock::text(clock::unix_ms()), "kind": "catalogue", "round": null, "epoch": null, "parties": [],
        "text": text, "version": version, "changed": changed, "more": more,
    })
}

fn name_of(kind: protocol::EventKind) -> &'static str {
    match kind {
        protocol::EventKind::Round => "round",
        protocol::EventKind::Member => "member",
        protocol::EventKind::View => "view",
        protocol::EventKind::CatchUp => "catch_up",
        protocol::EventKind::Restoration => "restoration",
        protocol::EventKind::Scrub => "scrub",
        protocol::EventKind::Lab => "lab",
    }
}

fn books(count: usize) -> String {
    if count == 1 { "1 book changed".to_owned() } else { format!("{count} books changed") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{ClusterEvent, Epoch};

    fn hub() -> EventHub {
        EventHub::new(&Settings { events_merge_ms: 0, events_of_a_name_max: 3, events_kept: 10, ..Settings::default() })
    }

    fn ids(numbers: std::ops::Range<u64>) -> Vec<BookId> {
        numbers.map(|number| BookId::from_parts(number, [7; 10])).collect()
    }

    #[tokio::test]
    async fn cluster_event_has_the_documented_members() {
        let hub = hub();
        let mut watcher = hub.watch(None);
        let event = ClusterEvent::RoundCommitted { round: "3-17".parse().unwrap(), version: Version(9) };
        hub.cluster_event(&TimedEvent { at_ms: 0, epoch: Epoch(3), event });
        let event = watcher.next().await;
        assert_eq!(event.name, "round");
        for (member, value) in [
            ("at", json!("1970-01-01T00:00:00.000Z")),
            ("kind", json!("round")),
            ("round", json!("3-17")),
            ("epoch", json!(3)),
            ("parties", json!(["coordinator"])),
            ("version", json!(9)),
        ] {
            assert_eq!(event.data[member], value, "{member}");
        }
        assert!(event.data["text"].as_str().unwrap().ends_with('.'));
    }

    #[tokio::test]
    async fn of_too_much_at_once_the_newest_arrive_and_catalogue_changes_are_merged() {
        let hub = hub();
        let mut watcher = hub.watch(None);
        for number in 0..5 {
            hub.publish("round", json!({ "number": number }));
        }
        hub.catalogue_changed(Version(1), ids(0..70));
        hub.catalogue_changed(Version(2), ids(70..140));
        let mut rounds = Vec::new();
        let change = loop {
            match watcher.next().await {
                event if event.name == "catalogue" => break event,
                event => rounds.push(event.data["number"].as_u64().unwrap()),
            }
        };
        assert_eq!(rounds, [2, 3, 4]);
        assert_eq!(change.data["version"], json!(2));
        assert_eq!(change.data["changed"].as_array().unwrap().len(), 100);
        assert_eq!(change.data["more"], json!(40));
    }

    #[tokio::test]
    async fn watcher_that_comes_again_gets_what_it_missed() {
        let hub = hub();
        hub.publish("round", json!({ "number": 1 }));
        hub.publish("round", json!({ "number": 2 }));
        let mut again = hub.watch(Some(&hub.event_id(1)));
        assert_eq!(again.next().await.data["number"], json!(2));
    }

    #[tokio::test]
    async fn watcher_of_a_process_before_gets_what_comes_from_now_on() {
        let hub = hub();
        hub.publish("round", json!({ "number": 1 }));
        for id in ["1-0", "nonsense", ""] {
            let mut watcher = hub.watch(Some(id));
            hub.publish("member", json!({}));
            assert_eq!(watcher.next().await.name, "member");
        }
    }
}
