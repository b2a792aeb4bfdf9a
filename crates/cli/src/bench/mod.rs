//! `bench`: how many writes per second a cluster takes, and how long each takes, at several numbers of clients.
//!
//! Closed loop: every client has one connection and sends its next write when the last one was answered. The figures are
//! of what a client sees, over HTTP, and include this program's own share of the machine.

mod load;

use std::collections::BTreeMap;
use std::time::Duration;

use catalogue::sample::SampleGenerator;
use hdrhistogram::Histogram;
use reqwest::Method;
use serde_json::{Value, json};

use crate::CommandError;
use crate::arguments::BenchArguments;
use crate::client::Client;
use crate::exit::Exit;
use crate::output::{self, Output};
use crate::tables::{align_right, millis, table};
use crate::{import, sample};

/// Books per import when the catalogue is filled.
const FILL_CHUNK: u64 = 5_000;
/// How many different books are changed by `--update`.
const UPDATED_BOOKS_MAX: usize = 20_000;
/// Books per page when they are listed.
const PAGE: u64 = 500;

/// What became of the writes of one number of clients.
pub(crate) struct Tally {
    /// Microseconds of each committed write.
    latency: Histogram<u64>,
    /// Answered 202: neither committed nor aborted as far as the client knows.
    unknown: u64,
    /// Why writes were not made -> how many.
    refused: BTreeMap<String, u64>,
}

impl Tally {
    fn new() -> Self {
        // One microsecond to ten minutes with three digits; what takes longer counts as ten minutes.
        let latency = Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds are constants");
        Tally { latency, unknown: 0, refused: BTreeMap::new() }
    }

    fn add(&mut self, other: Tally) {
        self.latency.add(other.latency).expect("all histograms have the same bounds");
        self.unknown += other.unknown;
        for (why, number) in other.refused {
            *self.refused.entry(why).or_default() += number;
        }
    }

    fn refused(&self) -> u64 {
        self.refused.values().sum()
    }
}

/// The figures of one number of clients.
struct Measured {
    clients: u32,
    seconds: f64,
    tally: Tally,
}

impl Measured {
    fn writes_per_second(&self) -> f64 {
        self.tally.latency.len() as f64 / self.seconds
    }

    fn json(&self) -> Value {
        let latency = &self.tally.latency;
        json!({
            "clients": self.clients,
            "seconds": self.seconds,
            "writes": latency.len(),
            "writes_per_second": self.writes_per_second(),
            "latency_us": {
                "p50": latency.value_at_quantile(0.5),
                "p99": latency.value_at_quantile(0.99),
                "max": latency.max(),
            },
            "unknown": self.tally.unknown,
            "refused": self.tally.refused,
        })
    }
}

pub(crate) async fn run(client: &Client, output: &Output, arguments: &BenchArguments) -> Result<Exit, CommandError> {
    if let Some(books) = arguments.books {
        fill(client, output, books).await?;
    }
    let targets = if arguments.update { book_ids(client).await? } else { Vec::new() };
    let clients_max = arguments.clients.iter().copied().max().unwrap_or(0);
    if arguments.update && targets.len() < clients_max as usize {
        return Err(CommandError::Input(format!(
            "there are {} books, too few for {clients_max} clients to change one each; fill the catalogue with --books N",
            targets.len()
        )));
    }
    let mut levels = Vec::new();
    for &clients in &arguments.clients {
        output::say(&format!("measuring {clients} clients for {} s", arguments.seconds));
        let duration = Duration::from_secs(arguments.seconds);
        let tally = load::measure(client, clients, duration, &targets).await;
        levels.push(Measured { clients, seconds: duration.as_secs_f64(), tally });
    }
    output.answer(&levels.iter().map(Measured::json).collect(), || draw(&levels));
    Ok(exit(&levels))
}

fn exit(levels: &[Measured]) -> Exit {
    if levels.iter().any(|level| level.tally.latency.is_empty()) {
        Exit::Failure
    } else if levels.iter().any(|level| level.tally.refused() + level.tally.unknown > 0) {
        Exit::Findings
    } else {
        Exit::Success
    }
}

fn draw(levels: &[Measured]) -> String {
    let mut table = table(&["clients", "writes/s", "p50 ms", "p99 ms", "max ms", "writes", "unknown", "refused"]);
    align_right(&mut table, &[0, 1, 2, 3, 4, 5, 6, 7]);
    let mut reasons = BTreeMap::new();
    for level in levels {
        let latency = &level.tally.latency;
        table.add_row([
            level.clients.to_string(),
            format!("{:.0}", level.writes_per_second()),
            millis(latency.value_at_quantile(0.5)),
            millis(latency.value_at_quantile(0.99)),
            millis(latency.max()),
            latency.len().to_string(),
            level.tally.unknown.to_string(),
            level.tally.refused().to_string(),
        ]);
        for (why, number) in &level.tally.refused {
            *reasons.entry(why).or_insert(0) += number;
        }
    }
    let reasons: String = reasons.iter().map(|(why, number)| format!("\n{number} refused: {why}")).collect();
    format!("{table}{reasons}")
}

/// Imports generated books until the catalogue has so many.
async fn fill(client: &Client, output: &Output, books: u64) -> Result<(), CommandError> {
    let total = |raw: &Value| raw["total"].as_u64().unwrap_or(0);
    let mut missing = books.saturating_sub(total(&client.fetch("/books?limit=1").await?));
    let mut generator = generator();
    while missing > 0 {
        output::say(&format!("filling the catalogue: {missing} books to go"));
        let chunk = missing.min(FILL_CHUNK);
        let file = sample::books_xml(generator.by_ref().take(chunk as usize));
        let key = format!("bench-{}", uuid::Uuid::new_v4());
        let report = import::send(client, output, file, "application/xml", "fail", &key).await?;
        if report["state"] != "done" {
            let detail = report["detail"].as_str().unwrap_or("no reason given");
            return Err(CommandError::Input(format!("the catalogue could not be filled: {detail}")));
        }
        missing -= chunk;
    }
    Ok(())
}

/// A generator that no other run has had.
fn generator() -> SampleGenerator {
    SampleGenerator::new(uuid::Uuid::new_v4().as_u64_pair().0)
}

async fn book_ids(client: &Client) -> Result<Vec<String>, CommandError> {
    let mut ids = Vec::new();
    let mut cursor = None;
    while ids.len() < UPDATED_BOOKS_MAX {
        let mut request = client.request(Method::GET, "/books").query(&[("limit", PAGE)]);
        if let Some(cursor) = &cursor {
            request = request.query(&[("cursor", cursor)]);
        }
        let page = client.send(request).await?.body;
        let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        ids.extend(items.iter().filter_map(|book| book["id"].as_str()).map(ToOwned::to_owned));
        cursor = page["next"].as_str().map(ToOwned::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    Ok(ids)
}
