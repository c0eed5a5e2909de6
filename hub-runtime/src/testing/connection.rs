//! The open connection of a test client: pending calls, received messages and handlers.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use hub_core::{
    protocol::{Message, Outcome, frame::Frames, json},
    values,
};
use hub_local::{MemoryReceiver, MemorySender};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Notify, oneshot};

use super::TestFailure;

/// The state that the client shares with its reader.
pub(super) struct Shared {
    sender: MemorySender,
    next_id: AtomicU64,
    pub(super) state: Mutex<State>,
    pub(super) news: Notify,
}

#[derive(Default)]
pub(super) struct State {
    received: Vec<(String, Value)>,
    pub(super) handlers: HashMap<String, Handler>,
    /// Events whose invocations are never completed.
    pub(super) ignored: HashSet<String>,
    waiting: HashMap<String, oneshot::Sender<Outcome>>,
    /// Why the connection ended; `None` while it is open.
    pub(super) ended: Option<String>,
}

/// Receives the encoded argument array and returns the encoded result.
pub(super) type Handler = Arc<dyn Fn(&[u8]) -> Result<Vec<u8>, String> + Send + Sync>;

impl Shared {
    pub(super) fn new(sender: MemorySender) -> Self {
        Self { sender, next_id: AtomicU64::new(0), state: Mutex::default(), news: Notify::new() }
    }

    pub(super) fn next_id(&self) -> String {
        self.next_id.fetch_add(1, Ordering::Relaxed).to_string()
    }

    pub(super) async fn invoke(
        &self,
        method: &str,
        arguments: Bytes,
    ) -> Result<Outcome, TestFailure> {
        let id = self.next_id();
        let message = Message::Invocation {
            invocation_id: Some(id.clone()),
            target: method.to_owned(),
            arguments,
            stream_ids: Vec::new(),
            trace: None,
        };
        self.ask(id, &message).await
    }

    pub(super) async fn send(&self, method: &str, arguments: Bytes) -> Result<(), TestFailure> {
        let message = Message::Invocation {
            invocation_id: None,
            target: method.to_owned(),
            arguments,
            stream_ids: Vec::new(),
            trace: None,
        };
        self.write(&message).await
    }

    pub(super) fn received(&self, event: &str) -> Vec<Value> {
        let state = self.state.lock();
        let same = state.received.iter().filter(|(name, _)| name.eq_ignore_ascii_case(event));
        same.map(|(_, arguments)| arguments.clone()).collect()
    }

    pub(super) async fn write(&self, message: &Message) -> Result<(), TestFailure> {
        match self.sender.send(json::encode(message)).await {
            Ok(()) => Ok(()),
            // The close message with the reason may not have been read yet.
            Err(_) => Err(TestFailure::new(self.why_ended().await)),
        }
    }

    pub(super) async fn ask(&self, id: String, message: &Message) -> Result<Outcome, TestFailure> {
        let (answer, waiting) = oneshot::channel();
        {
            let mut state = self.state.lock();
            if let Some(reason) = &state.ended {
                return Err(TestFailure::new(reason));
            }
            state.waiting.insert(id, answer);
        }
        self.write(message).await?;
        match waiting.await {
            Ok(outcome) => Ok(outcome),
            Err(_) => Err(TestFailure::new(self.why_ended().await)),
        }
    }

    /// Waits for the end of the connection, and returns its reason.
    async fn why_ended(&self) -> String {
        loop {
            let news = self.news.notified();
            if let Some(reason) = self.state.lock().ended.clone() {
                return reason;
            }
            news.await;
        }
    }

    fn end(&self, reason: Option<String>) {
        let mut state = self.state.lock();
        state.ended.get_or_insert_with(|| {
            reason.unwrap_or_else(|| "the connection was closed".to_owned())
        });
        // Dropping the senders ends the pending invocations with an error.
        state.waiting.clear();
        drop(state);
        self.news.notify_waiters();
    }
}

/// Ends pending waits when the reader stops, also when a handler of the test panics.
struct Reading(Arc<Shared>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.end(Some("the client stopped: a handler of `on(…)` panicked".to_owned()));
    }
}

/// The value of a completion, or its error.
pub(super) fn read<R: DeserializeOwned>(outcome: Outcome) -> Result<R, TestFailure> {
    match outcome {
        Outcome::Result(value) => values::read_json(&value).map_err(TestFailure::new),
        Outcome::Error(text) => Err(TestFailure::new(text)),
        Outcome::Void => serde_json::from_str("null").map_err(TestFailure::new),
    }
}

/// Handles incoming messages until the connection ends.
pub(super) async fn receive(shared: Arc<Shared>, mut receiver: MemoryReceiver, mut frames: Frames) {
    let _reading = Reading(Arc::clone(&shared));
    loop {
        while let Ok(Some(frame)) = frames.next_frame() {
            if let Ok(Some(message)) = json::parse(&frame) {
                take(&shared, message).await;
            }
        }
        match receiver.recv().await {
            Some(bytes) => frames.push(&bytes),
            None => return shared.end(None),
        }
    }
}

async fn take(shared: &Shared, message: Message) {
    match message {
        Message::Invocation { invocation_id, target, arguments, .. } => {
            let name = target.to_lowercase();
            let (handler, ignored) = {
                let mut state = shared.state.lock();
                let value = serde_json::from_slice(&arguments).unwrap_or_default();
                state.received.push((target, value));
                (state.handlers.get(&name).cloned(), state.ignored.contains(&name))
            };
            shared.news.notify_waiters();
            let result = handler.map(|handler| handler(&arguments));
            let Some(invocation_id) = invocation_id.filter(|_| !ignored) else { return };
            let outcome = match result {
                Some(Ok(value)) => Outcome::Result(value.into()),
                Some(Err(text)) => Outcome::Error(text),
                // The text of the official JavaScript client.
                None => Outcome::Error("Client didn't provide a result.".to_owned()),
            };
            // An error means that the service has closed the connection. The reader reports the close.
            let _ = shared.write(&Message::Completion { invocation_id, outcome }).await;
        }
        Message::Completion { invocation_id, outcome } => {
            let waiting = shared.state.lock().waiting.remove(&invocation_id);
            if let Some(waiting) = waiting {
                // An error means that the invoking future was dropped.
                let _ = waiting.send(outcome);
            }
        }
        Message::Close { error, .. } => shared.end(error),
        _ => {}
    }
}
