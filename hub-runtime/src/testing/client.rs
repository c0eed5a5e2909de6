//! A client that speaks the hub protocol over memory.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use hub_core::{
    ArgumentList,
    protocol::{Message, Outcome, frame::Frames, json},
    seal::Identity,
    values,
};
use hub_local::{LocalService, MemoryReceiver, MemorySender};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};
use tokio::{
    sync::{Notify, oneshot},
    task::AbortHandle,
};

use super::{
    TestFailure,
    connect::{negotiate, shake_hands},
    events::Events,
};

/// The response of the app's negotiate.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ticket {
    pub(crate) url: String,
    pub(crate) access_token: String,
}

/// A connected client. Dropping the client simulates the loss of its transport.
#[derive(derive_more::Debug)]
#[debug("TestClient({})", self.connection_id)]
pub struct TestClient {
    connection_id: String,
    identity: Identity,
    shared: Arc<Shared>,
    events: Events,
    reader: AbortHandle,
}

struct Shared {
    sender: MemorySender,
    next_id: AtomicU64,
    state: Mutex<State>,
    news: Notify,
}

#[derive(Default)]
struct State {
    received: Vec<(String, Value)>,
    handlers: HashMap<String, Handler>,
    /// Events whose invocations are never completed.
    ignored: HashSet<String>,
    waiting: HashMap<String, oneshot::Sender<Outcome>>,
    /// Why the connection ended; `None` while it is open.
    ended: Option<String>,
}

/// Receives the encoded argument array and returns the encoded result.
type Handler = Arc<dyn Fn(&[u8]) -> Result<Vec<u8>, String> + Send + Sync>;

impl TestClient {
    pub(crate) async fn connect(
        service: &LocalService,
        ticket: Ticket,
        identity: Identity,
        events: Events,
    ) -> Result<Self, TestFailure> {
        let (connection_id, connection_token) = negotiate(service, &ticket).await?;
        let url = format!("{}&id={connection_token}", ticket.url);
        let connection =
            service.connect_memory(&url, &ticket.access_token).map_err(TestFailure::new)?;
        let (sender, mut receiver) = connection.split();
        let mut frames = Frames::new(usize::MAX);
        shake_hands(&sender, &mut receiver, &mut frames).await?;
        let shared = Arc::new(Shared {
            sender,
            next_id: AtomicU64::new(0),
            state: Mutex::default(),
            news: Notify::new(),
        });
        let reading = tokio::spawn(read(Arc::clone(&shared), receiver, frames));
        let reader = reading.abort_handle();
        let client = Self { connection_id, identity, shared, events, reader };
        client.events.answered("connected", &client.connection_id).await;
        client.flush().await?;
        Ok(client)
    }

    /// The public id of the connection.
    #[must_use]
    pub fn connection_id(&self) -> &str {
        &self.connection_id
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Registers a handler of an event, as `connection.on(…)` does. The handler takes the argument, a tuple of
    /// arguments, or `()`. Its return value is the client result if the hub invoked the client.
    pub fn on<A, R>(&self, event: &str, handler: impl Fn(A) -> R + Send + Sync + 'static)
    where
        A: DeserializeOwned,
        R: Serialize,
    {
        let handler: Handler = Arc::new(move |arguments| {
            let argument = bind(arguments).map_err(|error| error.to_string())?;
            let mut result = Vec::new();
            let written = values::write_json(&mut result, &handler(argument));
            written.map(|()| result).map_err(|error| error.to_string())
        });
        self.shared.state.lock().handlers.insert(event.to_lowercase(), handler);
    }

    /// Never completes invocations of this event, like a client that hangs. Use this method to test the timeout
    /// of a client result.
    pub fn ignores(&self, event: &str) {
        self.shared.state.lock().ignored.insert(event.to_lowercase());
    }

    /// Calls a hub method and waits for its result.
    ///
    /// # Errors
    /// The error text that the client receives.
    pub async fn invoke<R: DeserializeOwned>(
        &self,
        method: &str,
        arguments: impl ArgumentList,
    ) -> Result<R, TestFailure> {
        let arguments = arguments.encode().into_json().map_err(TestFailure::new)?;
        let id = self.shared.next_id();
        let message = Message::Invocation {
            invocation_id: Some(id.clone()),
            target: method.to_owned(),
            arguments,
            stream_ids: Vec::new(),
        };
        match self.shared.ask(id, &message).await? {
            Outcome::Result(value) => values::read_json(&value).map_err(TestFailure::new),
            Outcome::Error(text) => Err(TestFailure::new(text)),
            Outcome::Void => serde_json::from_str("null").map_err(TestFailure::new),
        }
    }

    /// Calls a hub method without waiting for its result.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn send(
        &self,
        method: &str,
        arguments: impl ArgumentList,
    ) -> Result<(), TestFailure> {
        let message = Message::Invocation {
            invocation_id: None,
            target: method.to_owned(),
            arguments: arguments.encode().into_json().map_err(TestFailure::new)?,
            stream_ids: Vec::new(),
        };
        self.shared.write(&message).await
    }

    /// The arguments of all received messages of this event, in order. Includes every message that the
    /// service accepted before this call.
    pub async fn received(&self, event: &str) -> Vec<Value> {
        // A closed client keeps its received messages.
        let _ = self.flush().await;
        self.shared.received(event)
    }

    /// Waits for the message of this event that follows the first `seen` messages, and returns its arguments.
    ///
    /// # Errors
    /// When the connection ends first.
    pub async fn next(&self, event: &str, seen: usize) -> Result<Value, TestFailure> {
        loop {
            let news = self.shared.news.notified();
            if let Some(arguments) = self.shared.received(event).into_iter().nth(seen) {
                return Ok(arguments);
            }
            if let Some(reason) = self.shared.state.lock().ended.clone() {
                return Err(TestFailure::new(reason));
            }
            news.await;
        }
    }

    /// Why the connection ended; `None` while it is open.
    #[must_use]
    pub fn ended(&self) -> Option<String> {
        self.shared.state.lock().ended.clone()
    }

    /// Closes the connection and waits until `on_disconnected` has run.
    pub async fn disconnect(self) {
        // An error means that the connection is already closed.
        let _ = self.shared.write(&Message::Close { error: None, allow_reconnect: false }).await;
        self.events.answered("disconnected", &self.connection_id).await;
    }

    /// Waits until all messages that the service has queued for this client have arrived. To do so, the client
    /// sends a stream invocation: the service rejects the invocation immediately, and the rejection is queued
    /// after the other messages.
    async fn flush(&self) -> Result<(), TestFailure> {
        let id = self.shared.next_id();
        let message = Message::StreamInvocation {
            invocation_id: id.clone(),
            target: "flush".to_owned(),
            arguments: Bytes::from_static(b"[]"),
            stream_ids: Vec::new(),
        };
        self.shared.ask(id, &message).await.map(drop)
    }
}

impl Drop for TestClient {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Shared {
    fn next_id(&self) -> String {
        self.next_id.fetch_add(1, Ordering::Relaxed).to_string()
    }

    fn received(&self, event: &str) -> Vec<Value> {
        let state = self.state.lock();
        let same = state.received.iter().filter(|(name, _)| name.eq_ignore_ascii_case(event));
        same.map(|(_, arguments)| arguments.clone()).collect()
    }

    async fn write(&self, message: &Message) -> Result<(), TestFailure> {
        match self.sender.send(json::encode(message)).await {
            Ok(()) => Ok(()),
            // The close message with the reason may not have been read yet.
            Err(_) => Err(TestFailure::new(self.why_ended().await)),
        }
    }

    async fn ask(&self, id: String, message: &Message) -> Result<Outcome, TestFailure> {
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

async fn read(shared: Arc<Shared>, mut receiver: MemoryReceiver, mut frames: Frames) {
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

/// The single argument, a tuple of all arguments, or `()`.
fn bind<A: DeserializeOwned>(arguments: &[u8]) -> Result<A, serde_json::Error> {
    let items: Vec<&RawValue> = serde_json::from_slice(arguments)?;
    if items.is_empty()
        && let Ok(nothing) = serde_json::from_str("null")
    {
        return Ok(nothing);
    }
    if let [only] = items.as_slice()
        && let Ok(argument) = values::read_json(only.get().as_bytes())
    {
        return Ok(argument);
    }
    values::read_json(arguments)
}
