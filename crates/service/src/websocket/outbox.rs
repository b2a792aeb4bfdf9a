//! What waits to be written to one peer, bounded by bytes.
//!
//! [`Outbox`] is the half that a service holds, on any thread; the session takes from it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{DisconnectReason, Utf8Bytes};

/// The way to speak to the peer of one session. Clones speak to the same one. Nothing here ever blocks; what is sent
/// after the session has ended goes nowhere, and `LinkEvent::Disconnected` has said or will say so.
#[derive(Clone)]
pub struct Outbox(Arc<Shared>);

struct Shared {
    bytes_max: usize,
    state: Mutex<State>,
    /// Wakes the writer: texts, or the end, are waiting.
    filled: Notify,
    /// Wakes the session even while the writer is stuck: it must end at once.
    overflowed: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Utf8Bytes>,
    /// Bytes that wait here, and those that the writer took and has not yet got rid of.
    bytes: usize,
    /// Set once: nothing more is taken in. The reason is for the peer.
    closing: Option<String>,
}

/// What the writer does next.
pub(super) enum Batch {
    /// Write these, then say how many bytes they were to [`Outbox::written`].
    Texts { texts: Vec<Utf8Bytes>, bytes: usize },
    /// Everything is written; close for this reason.
    Close { reason: String },
}

impl Outbox {
    pub(super) fn new(bytes_max: usize) -> Self {
        Outbox(Arc::new(Shared {
            bytes_max,
            state: Mutex::default(),
            filled: Notify::new(),
            overflowed: Notify::new(),
        }))
    }

    /// Sends a text after those sent before. If too much is waiting already, the link ends as too slow instead.
    pub fn send(&self, text: impl Into<Utf8Bytes>) {
        let text = text.into();
        let mut state = self.state();
        if state.closing.is_some() {
            return;
        }
        if state.bytes + text.len() > self.0.bytes_max {
            state.closing = Some(DisconnectReason::TooSlow { bytes_max: self.0.bytes_max }.to_string());
            state.waiting.clear();
            drop(state);
            self.0.overflowed.notify_one();
            return;
        }
        state.bytes += text.len();
        state.waiting.push_back(text);
        drop(state);
        self.0.filled.notify_one();
    }

    /// Ends the link once everything sent so far is written; the peer is told the reason.
    pub fn close(&self, reason: impl Into<String>) {
        self.state().closing.get_or_insert_with(|| reason.into());
        self.0.filled.notify_one();
    }

    /// Whether this opens to the same session as `other`.
    pub fn is_same_session(&self, other: &Outbox) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Waits for something to do: up to `bytes_max` of texts (at least one), or the end.
    pub(super) async fn next(&self, bytes_max: usize) -> Batch {
        loop {
            if let Some(batch) = self.take(bytes_max) {
                return batch;
            }
            // A notification between the look and the wait is kept, so none is missed.
            self.0.filled.notified().await;
        }
    }

    fn take(&self, bytes_max: usize) -> Option<Batch> {
        let mut state = self.state();
        let mut texts = Vec::new();
        let mut bytes = 0;
        while let Some(text) = state.waiting.front() {
            if !texts.is_empty() && bytes + text.len() > bytes_max {
                break;
            }
            bytes += text.len();
            texts.extend(state.waiting.pop_front());
        }
        if !texts.is_empty() {
            return Some(Batch::Texts { texts, bytes });
        }
        state.closing.clone().map(|reason| Batch::Close { reason })
    }

    /// These bytes are in the system's hands now.
    pub(super) fn written(&self, bytes: usize) {
        let mut state = self.state();
        state.bytes = state.bytes.saturating_sub(bytes);
    }

    /// Returns once more was sent than may wait.
    pub(super) async fn overflowed(&self) -> DisconnectReason {
        self.0.overflowed.notified().await;
        DisconnectReason::TooSlow { bytes_max: self.0.bytes_max }
    }

    /// The session has ended: what waits is dropped, and nothing more is taken in.
    pub(super) fn shut(&self) {
        let mut state = self.state();
        state.waiting = VecDeque::new();
        state.bytes = 0;
        state.closing.get_or_insert_default();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs while the lock is held.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        write!(formatter, "Outbox({} texts, {} bytes)", state.waiting.len(), state.bytes)
    }
}
