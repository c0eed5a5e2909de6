//! A client that speaks the hub protocol over memory.

use std::{marker::PhantomData, sync::Arc};

use bytes::Bytes;
use hub_core::{
    ArgumentList,
    protocol::{Message, frame::Frames},
    seal::Identity,
    values,
};
use hub_local::LocalService;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};
use tokio::task::AbortHandle;

use super::{
    TestFailure, TypedHub,
    connect::{negotiate, shake_hands},
    connection::{Handler, Shared, read, receive},
    events::Events,
};

/// The response of the app's negotiate.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ticket {
    pub(crate) url: String,
    pub(crate) access_token: String,
}

/// A connected client of the hub `H`. Dropping the client simulates the loss of its transport.
#[derive(derive_more::Debug)]
#[debug("TestClient({})", self.connection_id)]
pub struct TestClient<H> {
    connection_id: String,
    identity: Identity,
    pub(super) shared: Arc<Shared>,
    events: Events,
    reader: AbortHandle,
    _hub: PhantomData<fn() -> H>,
}

impl<H> TestClient<H> {
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
        let shared = Arc::new(Shared::new(sender));
        let reading = tokio::spawn(receive(Arc::clone(&shared), receiver, frames));
        let reader = reading.abort_handle();
        let client = Self { connection_id, identity, shared, events, reader, _hub: PhantomData };
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

    /// The methods of the hub as functions. If a method gets another name, other parameters or another result, tests
    /// that call it no longer compile.
    ///
    /// Each function takes the arguments of clients, in order; an optional argument is a `None` or a `Some`. An
    /// argument for a `T` is a `T` or a `&T`, and for a `String` also a `&str`. The function returns a [`TestCall`](super::TestCall):
    /// `.await` waits for the result, [`TestCall::send`](super::TestCall::send) does not, and [`TestCall::decode`](super::TestCall::decode) reads the result as another
    /// type.
    ///
    /// To call a method with other arguments than its own, use [`Self::invoke`].
    ///
    /// ```
    /// # use hub_runtime::{prelude::*, testing::TestHub};
    /// # struct Chat;
    /// #[serverless_hub]
    /// impl Chat {
    ///     async fn send_message(&self, room: String, text: String, notify: Option<bool>) -> HubResult<usize> {
    ///         Ok(text.len())
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let hub = TestHub::new(Chat);
    /// let ada = hub.user("ada").connect().await.unwrap();
    /// assert_eq!(ada.call().send_message("lobby", "hi", None).await.unwrap(), 2);
    /// # }
    /// ```
    #[must_use]
    pub fn call(&self) -> H::Methods<'_>
    where
        H: TypedHub,
    {
        H::methods(self)
    }

    /// Calls a hub method by its name and waits for its result. For arguments that do not fit the method; see
    /// [`Self::call`].
    ///
    /// # Errors
    /// The error text that the client receives.
    pub async fn invoke<R: DeserializeOwned>(
        &self,
        method: &str,
        arguments: impl ArgumentList,
    ) -> Result<R, TestFailure> {
        let arguments = arguments.encode().into_json().map_err(TestFailure::new)?;
        read(self.shared.invoke(method, arguments).await?)
    }

    /// Calls a hub method by its name without waiting for its result.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn send(
        &self,
        method: &str,
        arguments: impl ArgumentList,
    ) -> Result<(), TestFailure> {
        let arguments = arguments.encode().into_json().map_err(TestFailure::new)?;
        self.shared.send(method, arguments).await
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

impl<H> Drop for TestClient<H> {
    fn drop(&mut self) {
        self.reader.abort();
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
