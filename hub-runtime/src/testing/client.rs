//! A client that speaks the hub protocol over memory.

use std::{
    fmt,
    marker::PhantomData,
    sync::{Arc, Weak},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, request::Parts, uri::PathAndQuery};
use http_body_util::Full;
use hub_core::{
    ArgumentList, Hub,
    client_access::CONNECTION_TOKEN,
    protocol::{Message, frame::Frames},
    seal::{self, Identity},
    token, values,
};
use hub_local::LocalService;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};
use tokio::task::AbortHandle;
use tracing::{Dispatch, instrument::WithSubscriber};

use super::{
    TestFailure, TypedHub,
    connect::{negotiate, shake_hands},
    connection::{Handler, Shared, read, receive},
    events::Events,
};
use crate::{service, shared::Inner, wire_name::wire_name};

/// The response of the app's negotiate.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ticket {
    pub(crate) url: String,
    pub(crate) access_token: String,
}

/// The response of the app's refresh route.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refreshed {
    access_token: String,
}

/// What a client needs of the app.
pub(crate) struct AppOfClient {
    pub(crate) app: Weak<Inner>,
    pub(crate) operator: Dispatch,
    pub(crate) events: Events,
}

/// Sends a request to a route of the app. The path `/` stands for the route of the hub.
pub(super) async fn post(
    app: &Arc<Inner>,
    operator: &Dispatch,
    mut parts: Parts,
    hub: impl fmt::Display,
    route: &str,
) -> Result<Response<Bytes>, TestFailure> {
    parts.method = Method::POST;
    if parts.uri.path() == "/" {
        let query = parts.uri.query().unwrap_or("negotiateVersion=1");
        let route = format!("/{hub}/{route}?{query}");
        parts.uri = route.parse::<PathAndQuery>().map_err(TestFailure::new)?.into();
    }
    let answering = service::answer(Arc::clone(app), parts, Full::new(Bytes::new()));
    Ok(answering.with_subscriber(operator.clone()).await)
}

/// The identity in a token, as upstream calls will carry it.
pub(super) fn identity_in(app: &Inner, access_token: &str) -> Result<Identity, TestFailure> {
    let keys = &app.first_group.keys;
    let claims = token::verify(access_token, keys.access(), app.clock.unix_seconds(), 0)
        .map_err(TestFailure::new)?;
    let sealed = claims.get(seal::CLAIM).and_then(Value::as_str).unwrap_or_default();
    seal::open(sealed, keys.seals()).map_err(TestFailure::new)
}

/// A connected client of the hub `H`. Dropping the client simulates the loss of its transport.
pub struct TestClient<H> {
    connection_id: String,
    connection_token: String,
    /// As upstream calls carry it. A refresh replaces it.
    identity: Mutex<Identity>,
    /// Weak, so that the app ends with its `TestHub`.
    app: Weak<Inner>,
    operator: Dispatch,
    pub(super) shared: Arc<Shared>,
    events: Events,
    reader: AbortHandle,
    _hub: PhantomData<fn() -> H>,
}

impl<H> fmt::Debug for TestClient<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestClient({})", self.connection_id)
    }
}

impl<H> TestClient<H> {
    pub(crate) async fn connect(
        service: &LocalService,
        ticket: Ticket,
        identity: Identity,
        app: AppOfClient,
    ) -> Result<Self, TestFailure> {
        let AppOfClient { app, operator, events } = app;
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
        let client = Self {
            connection_id,
            connection_token,
            identity: Mutex::new(identity),
            app,
            operator,
            shared,
            events,
            reader,
            _hub: PhantomData,
        };
        client.events.answered("connected", &client.connection_id).await;
        client.flush().await?;
        Ok(client)
    }

    /// The public id of the connection.
    #[must_use]
    pub fn connection_id(&self) -> &str {
        &self.connection_id
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity.lock().clone()
    }

    /// Sends this request with the token of the connection to the hub's refresh route, as clients do before their token
    /// expires. The path defaults to the route of this hub; the method is always POST. When the function returns,
    /// `on_refreshed` has run, and later calls have the new claims.
    ///
    /// ```
    /// # use hub_runtime::{prelude::*, testing::{Request, TestHub}};
    /// # struct Chat;
    /// # #[serverless_hub] impl Chat {
    /// #     async fn negotiate(&self) -> HubResult<Negotiation> { Ok(Negotiation::user("ada")) }
    /// #     async fn refresh(&self, request: RefreshRequest) -> HubResult<Negotiation> {
    /// #         let role = request.bearer_token().ok_or_else(|| HubError::unauthenticated("Who?"))?;
    /// #         Ok(Negotiation::user("ada").claim("role", role))
    /// #     }
    /// #     async fn role(&self, ctx: &Context<Self>) -> HubResult<Option<String>> {
    /// #         Ok(ctx.claims().get("role").map(str::to_owned))
    /// #     }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let hub = TestHub::new(Chat);
    /// let ada = hub.user("ada").connect().await.unwrap();
    /// let request = Request::builder().header("authorization", "Bearer admin").body(()).unwrap();
    /// ada.refresh(request).await.unwrap();
    /// assert_eq!(ada.call().role().await.unwrap().as_deref(), Some("admin"));
    /// let refused = ada.refresh(Request::new(())).await.unwrap_err();
    /// assert_eq!(refused, "401: invalid_token: Who?");
    /// # }
    /// ```
    ///
    /// # Errors
    /// The refusal, with its status, code and text.
    pub async fn refresh<B>(&self, request: Request<B>) -> Result<(), TestFailure>
    where
        H: Hub,
    {
        let app = self.app.upgrade().ok_or_else(|| TestFailure::new("the app has ended"))?;
        let (mut parts, _) = request.into_parts();
        let token = HeaderValue::from_str(&self.connection_token).map_err(TestFailure::new)?;
        parts.headers.insert(CONNECTION_TOKEN, token);
        let answer = post(&app, &self.operator, parts, wire_name(H::NAME), "refresh").await?;
        if answer.status() != StatusCode::OK {
            return Err(TestFailure::refused(answer.status(), answer.body()));
        }
        let answer: Refreshed = serde_json::from_slice(answer.body()).map_err(TestFailure::new)?;
        *self.identity.lock() = identity_in(&app, &answer.access_token)?;
        Ok(())
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
