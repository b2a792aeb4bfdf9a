//! Clients that read, replace and delete the same books at the same time through one app-server, and note what they ask and are told.

use crate::register::{Answer, Event, Operation, Value};
use crate::{Client, book};
use serde_json::Value as Json;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// So many clients have a book for themselves. The cost of the check grows fast with it.
const CLIENTS_OF_A_BOOK: usize = 3;

/// How often each of them does something with a book before all go on to the next one.
const TURNS: usize = 4;

/// A pause before something is asked again that had no answer.
const PAUSE: Duration = Duration::from_millis(10);

/// What happened to one book.
#[derive(Debug)]
pub struct History {
    /// The book.
    pub id: String,
    /// What its clients asked and were told. Its first value is 0.
    pub events: Vec<Event>,
}

/// Groups of clients, each with one book after the other.
#[derive(Debug)]
pub struct Groups {
    stop: Arc<AtomicBool>,
    books: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<Vec<History>>>,
}

impl Groups {
    /// Starts so many groups of clients.
    #[must_use]
    pub fn start(client: &Client, count: usize) -> Self {
        let (stop, books) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let tasks = (0..count).map(|group| {
            let (client, stop, books) = (client.clone(), Arc::clone(&stop), Arc::clone(&books));
            tokio::spawn(async move {
                let mut histories = Vec::new();
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    histories.push(one_book(&client, &format!("{group}-{number}"), group + number).await);
                    books.fetch_add(1, Ordering::Relaxed);
                }
                histories
            })
        });
        Self { tasks: tasks.collect(), stop, books }
    }

    /// How many books all clients are done with.
    #[must_use]
    pub fn books(&self) -> u64 {
        self.books.load(Ordering::Relaxed)
    }

    /// Has them end with the books that they have, and returns what happened to all.
    pub async fn finish(self) -> Vec<History> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for task in self.tasks {
            all.extend(task.await.unwrap());
        }
        all
    }
}

/// What all clients of a book share.
struct Shared {
    client: Client,
    name: String,
    id: String,
    events: Mutex<Vec<Event>>,
}

async fn one_book(client: &Client, name: &str, variety: usize) -> History {
    let made = decided(client, "POST", "/books", name, Some(&book(&title(0))), None).await;
    let (_, body) = made.expect("nobody else has this book");
    let id = body["id"].as_str().expect("a book has an id").to_owned();
    let shared = Arc::new(Shared { client: client.clone(), name: name.to_owned(), id, events: Mutex::default() });
    let clients: Vec<_> =
        (0..CLIENTS_OF_A_BOOK).map(|number| tokio::spawn(play(Arc::clone(&shared), number, variety))).collect();
    for client in clients {
        client.await.unwrap();
    }
    let events = std::mem::take(&mut *shared.events.lock().unwrap());
    History { id: shared.id.clone(), events }
}

/// Reads, and then changes what it has read, unless it is its turn to read only.
async fn play(shared: Arc<Shared>, number: usize, variety: usize) {
    let mut seen: Option<(Value, String)> = None;
    for turn in 0..TURNS {
        let choice = (number + turn + variety) % 4;
        let key = format!("{}/{number}/{turn}", shared.name);
        match seen.take() {
            Some((expected, digest)) if choice != 0 => {
                let deletes = (number + 3 * turn + variety).is_multiple_of(7);
                let new = Value::try_from(1 + number * TURNS + turn).unwrap();
                let operation =
                    if deletes { Operation::Delete { expected } } else { Operation::Replace { expected, new } };
                shared.change(number, operation, &key, &digest).await;
            }
            _ => seen = shared.read(number).await,
        }
    }
}

impl Shared {
    fn note(&self, event: Event) {
        self.events.lock().unwrap().push(event);
    }

    /// Gives back what there is, for the next change.
    async fn read(&self, number: usize) -> Option<(Value, String)> {
        self.note(Event::Asked(number, Operation::Read));
        let answer = self.client.get(&format!("/books/{}", self.id)).await;
        let (told, seen) = match answer.map(|answer| (answer.status, answer.body)) {
            Some((200, body)) => {
                let (value, digest) = (value_of(&body), body["digest"].as_str().expect("it has a digest").to_owned());
                (Answer::Is(Some(value)), Some((value, digest)))
            }
            Some((404, _)) => (Answer::Is(None), None),
            Some((503, _)) | None => (Answer::Nothing, None),
            Some(other) => panic!("unexpected answer to a read: {other:?}"),
        };
        let learned_nothing = told == Answer::Nothing;
        self.note(Event::Told(number, told));
        if learned_nothing {
            tokio::time::sleep(PAUSE).await;
        }
        seen
    }

    async fn change(&self, number: usize, operation: Operation, key: &str, digest: &str) {
        self.note(Event::Asked(number, operation.clone()));
        let path = format!("/books/{}", self.id);
        let decided = match operation {
            Operation::Replace { new, .. } => {
                decided(&self.client, "PUT", &path, key, Some(&book(&title(new))), Some(digest)).await
            }
            _ => decided(&self.client, "DELETE", &path, key, None, Some(digest)).await,
        };
        let told = match decided {
            Ok(_) => Answer::Done,
            Err(404 | 412) => Answer::Refused,
            Err(409) => Answer::Nothing,
            Err(status) => panic!("unexpected answer {status} to {key}"),
        };
        self.note(Event::Told(number, told));
    }
}

/// Sends a change with the same key until its outcome is known: however often it is carried out, it must have been once.
async fn decided(
    client: &Client,
    method: &str,
    path: &str,
    key: &str,
    body: Option<&Json>,
    digest: Option<&str>,
) -> Result<(u16, Json), u16> {
    loop {
        let mut request = client.request(method, path).header("Idempotency-Key", key);
        if let Some(digest) = digest {
            request = request.header("If-Match", format!("\"{digest}\""));
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        match client.ask(request).await.map(|answer| (answer.status, answer.body)) {
            Some((status @ (200 | 201 | 204), body)) => return Ok((status, body)),
            Some((202 | 503, _)) | None => tokio::time::sleep(PAUSE).await,
            Some((status, _)) => return Err(status),
        }
    }
}

fn title(value: Value) -> String {
    format!("value {value}")
}

fn value_of(body: &Json) -> Value {
    let title = body["title"].as_str().expect("a book has a title");
    title.strip_prefix("value ").and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("read {title:?}"))
}
