//! The script of a run: bytes that say what becomes of each message. Owns how messages are changed; knows nothing of what they mean.

use serde_json::{Value, json};

/// Bytes below this leave a message as it is.
const CHANGES_FROM: u8 = 192;

pub(super) struct Script<'a> {
    bytes: std::slice::Iter<'a, u8>,
    /// What was said before, to be said again at the wrong time.
    said: Vec<String>,
}

impl<'a> Script<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.iter(), said: Vec::new() }
    }

    /// The next byte; none at the end.
    pub(super) fn byte(&mut self) -> Option<u8> {
        self.bytes.next().copied()
    }

    fn below(&mut self, bound: usize) -> usize {
        let number = u16::from_le_bytes([self.byte().unwrap_or_default(), self.byte().unwrap_or_default()]);
        usize::from(number) % bound.max(1)
    }

    /// What arrives of a message. Behind the end of the script all do, as they are.
    pub(super) fn carry(&mut self, text: &str) -> Vec<String> {
        let arrives = match self.byte() {
            Some(how) if how >= CHANGES_FROM => self.change(how - CHANGES_FROM, text),
            _ => vec![text.to_owned()],
        };
        self.said.push(text.to_owned());
        arrives
    }

    fn change(&mut self, how: u8, text: &str) -> Vec<String> {
        match how % 8 {
            0 => Vec::new(),
            1 => vec![text.to_owned(), text.to_owned()],
            2 => {
                let earlier = self.below(self.said.len());
                self.said.get(earlier).cloned().into_iter().collect()
            }
            3 => {
                let at = text.floor_char_boundary(self.below(text.len()));
                vec![text[..at].to_owned()]
            }
            4 => {
                let mut bytes = text.as_bytes().to_vec();
                let (at, byte) = (self.below(bytes.len()), self.byte().unwrap_or_default());
                bytes[at] = byte;
                vec![String::from_utf8_lossy(&bytes).into_owned()]
            }
            _ => vec![self.change_value(text)],
        }
    }

    /// Puts another value in the place of one that is somewhere in a message.
    fn change_value(&mut self, text: &str) -> String {
        let Ok(mut message) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
        let count = count(&message);
        let place = self.below(count);
        let new = match self.byte().unwrap_or_default() {
            which @ 0..=127 => special(which),
            128..=159 => self.somewhere_else(text).unwrap_or_default(),
            _ => {
                let from = self.below(count);
                nth(&mut message.clone(), from).cloned().unwrap_or_default()
            }
        };
        if let Some(value) = nth(&mut message, place) {
            *value = new;
        }
        message.to_string()
    }

    /// A value of an earlier message.
    fn somewhere_else(&mut self, text: &str) -> Option<Value> {
        let earlier = self.below(self.said.len());
        let earlier = self.said.get(earlier).map_or(text, String::as_str);
        let mut message = serde_json::from_str::<Value>(earlier).ok()?;
        let from = self.below(count(&message));
        nth(&mut message, from).cloned()
    }
}

/// Values at which programs stumble.
fn special(which: u8) -> Value {
    match which % 16 {
        0 => Value::Null,
        1 => json!(0),
        2 => json!(1),
        3 => json!(2),
        4 => json!(u64::MAX),
        5 => json!(u64::MAX / 2),
        6 => json!((1_u64 << 53) - 1),
        7 => json!(-1),
        8 => json!(""),
        9 => json!("replicator-9"),
        10 => json!("18446744073709551615-18446744073709551615"),
        11 => json!([]),
        12 => json!({}),
        13 => json!(true),
        14 => json!("0".repeat(64)),
        _ => json!(1.5),
    }
}

/// How many values a value holds, itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// The n-th of the values that a value holds, itself being the first.
fn nth(value: &mut Value, n: usize) -> Option<&mut Value> {
    if n == 0 {
        return Some(value);
    }
    let inside: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(members) => members.values_mut().collect(),
        _ => Vec::new(),
    };
    let mut left = n - 1;
    for inner in inside {
        let size = count(inner);
        if left < size {
            return nth(inner, left);
        }
        left -= size;
    }
    None
}
