//! `events`: follows the cluster's event stream (server-sent events), reconnecting where it broke.

use std::time::Duration;

use futures::StreamExt;
use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};

use crate::CommandError;
use crate::client::{Client, ClientError};
use crate::exit::Exit;
use crate::output::{self, Output};

/// The pause before a broken stream is asked for again.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

pub(crate) async fn run(client: &Client, output: &Output) -> Result<Exit, CommandError> {
    let mut last_id = None;
    // The first connection must succeed: a wrong address should not be tried for ever.
    let mut ended = follow(client, output, &mut last_id).await?;
    loop {
        output::say(&format!("The stream ended ({ended}); asking again."));
        tokio::time::sleep(RECONNECT_AFTER).await;
        ended = match follow(client, output, &mut last_id).await {
            Ok(ended) => ended,
            Err(error) if error.is_passing() => error.to_string(),
            Err(error) => return Err(error.into()),
        };
    }
}

/// Prints events until the stream breaks; gives the reason.
async fn follow(client: &Client, output: &Output, last_id: &mut Option<String>) -> Result<String, ClientError> {
    let mut request = client.request(Method::GET, "/events").header(ACCEPT, "text/event-stream");
    if let Some(id) = last_id.as_deref() {
        request = request.header("Last-Event-ID", id);
    }
    let (response, _) = client.send_raw(request).await?;
    let mut chunks = response.bytes_stream();
    let mut parser = EventParser::default();
    while let Some(chunk) = chunks.next().await {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(error) => return Ok(client.interrupted(&error, false).to_string()),
        };
        for event in parser.feed(&chunk) {
            if let Some(id) = &event.id {
                *last_id = Some(id.clone());
            }
            print(output, &event);
        }
    }
    Ok("the server closed it".to_owned())
}

fn print(output: &Output, event: &Event) {
    let data = serde_json::from_str(&event.data).unwrap_or(Value::String(event.data.clone()));
    if output.is_json() {
        // One line per event, for line-wise readers such as jq.
        output::print(&json!({ "id": event.id, "event": event.name, "data": data }).to_string());
    } else {
        let text = |key: &str| data[key].as_str().unwrap_or("-").to_owned();
        output::print(&format!("{}  {:<11}  {}", text("at"), event.name, text("text")));
    }
}

/// One event of the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Event {
    id: Option<String>,
    name: String,
    data: String,
}

/// Takes a stream of server-sent events apart (WHATWG HTML, 9.2.6), however it is cut into chunks.
#[derive(Default)]
struct EventParser {
    line: Vec<u8>,
    event: Event,
}

impl EventParser {
    fn feed(&mut self, chunk: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for &byte in chunk {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line = String::from_utf8_lossy(&self.line).trim_end_matches('\r').to_owned();
            self.line.clear();
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                // Comments keep the connection alive and make no event.
                if !event.data.is_empty() {
                    events.push(event);
                }
            } else {
                self.take_field(&line);
            }
        }
        events
    }

    fn take_field(&mut self, line: &str) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.event.id = Some(value.to_owned()),
            "event" => self.event.name = value.to_owned(),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_the_stream_is_cut() {
        let stream = ": hello\n\nid: 7\nevent: round\ndata: {\"a\":\ndata: 1}\n\ndata:é\r\n\r\n".as_bytes();
        let expected = [
            Event { id: Some("7".to_owned()), name: "round".to_owned(), data: "{\"a\":\n1}".to_owned() },
            Event { id: None, name: String::new(), data: "é".to_owned() },
        ];
        for size in 1..stream.len() {
            let mut parser = EventParser::default();
            let events: Vec<Event> = stream.chunks(size).flat_map(|chunk| parser.feed(chunk)).collect();
            assert_eq!(events, expected, "in chunks of {size}");
        }
    }
}
