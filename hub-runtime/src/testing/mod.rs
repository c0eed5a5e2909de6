//! Tests without a network: the real app, the real local service, and clients over memory.
//!
//! Tokens, seals, signatures, ordering and the hub protocol are the production code; only sockets are
//! replaced. See [`TestHub`].

mod client;
mod connect;
mod connection;
mod events;
mod failure;
mod log;
mod recorder;
mod replay;
mod typed_calls;

use std::{any::Any, fmt, marker::PhantomData, sync::Arc};

use bytes::Bytes;
pub use http::Request;
use http::StatusCode;
use hub_core::{
    Category, Context, Hub, HubContext, Invocation, InvocationParts, Negotiation,
    client_access::client_url,
};
use hub_local::EventTap;
use tracing::Dispatch;

pub use self::{
    client::TestClient,
    failure::TestFailure,
    log::LogLine,
    recorder::Sent,
    replay::{ReplayDifference, Replayed},
    typed_calls::{Readable, TestArgument, TestCall, TestReply, TypedHub},
};
use self::{
    client::{AppOfClient, Ticket, identity_in, post},
    events::Events,
    log::Log,
    recorder::{Record, Recorder},
};
use crate::{HubApp, HubAppBuilder, SignalR, auth::CLIENT_TOKEN_TIMEOUT, wire_name::wire_name};

/// A hub with its own service, in memory.
///
/// ```
/// use hub_runtime::{prelude::*, testing::TestHub};
///
/// struct Echo;
///
/// #[serverless_hub]
/// impl Echo {
///     async fn echo(&self, text: String) -> HubResult<String> {
///         Ok(text)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let hub = TestHub::new(Echo);
/// let ada = hub.user("ada").connect().await.unwrap();
/// assert_eq!(ada.call().echo("hi").await.unwrap(), "hi");
/// assert_eq!(ada.invoke::<String>("echo", ()).await.unwrap_err(), "argument 1 (`text`) is missing");
/// # }
/// ```
pub struct TestHub<H: Hub> {
    app: HubApp,
    record: Record,
    events: Events,
    log: Log,
    operator: Dispatch,
    tap: Arc<EventTap>,
    _hub: PhantomData<fn() -> H>,
}

impl<H: Hub> fmt::Debug for TestHub<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestHub({:?})", self.app)
    }
}

impl<H: Hub> TestHub<H> {
    /// Mounts a hub.
    ///
    /// # Panics
    /// When the hub cannot be mounted, or outside a tokio runtime.
    #[must_use]
    pub fn new(hub: H) -> Self {
        Self::configured(hub, |builder| builder)
    }

    /// Mounts a hub on a configured app, for example with filters or a limit of negotiate requests.
    ///
    /// ```
    /// # use hub_runtime::{prelude::*, testing::TestHub};
    /// # struct Echo;
    /// # #[serverless_hub] impl Echo {}
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let hub = TestHub::configured(Echo, |app| app.filter(SignedIn));
    /// # drop(hub); }
    /// ```
    ///
    /// # Panics
    /// Like [`Self::new`].
    #[must_use]
    pub fn configured(hub: H, configure: impl FnOnce(HubAppBuilder) -> HubAppBuilder) -> Self {
        let record = Record::default();
        let sent = record.clone();
        let events = Events::default();
        let heard = events.clone();
        let log = Log::default();
        let operator = log.listener();
        let builder = HubApp::builder().signalr(SignalR::in_memory()).hub(hub);
        let mut builder = configure(builder);
        builder.wrap_outbound = Some(Box::new(move |next| Arc::new(Recorder { next, sent })));
        builder.after_call = Some(Box::new(move |headers| heard.note(headers)));
        builder.operator = Some(operator.clone());
        let tap = Arc::new(EventTap::default());
        builder.event_tap = Some(Arc::clone(&tap));
        match builder.build() {
            Ok(app) => Self { app, record, events, log, operator, tap, _hub: PhantomData },
            Err(error) => panic!("the hub cannot be mounted: {error}"),
        }
    }

    /// A client of this user that is not connected yet. The client gets the same kind of token as from
    /// `negotiate`, but the hub's `negotiate` is not called; see [`Self::negotiate`].
    pub fn user(&self, id: impl Into<String>) -> Connecting<'_, H> {
        Connecting { hub: self, negotiation: Negotiation::user(id) }
    }

    /// A client without a user that is not connected yet.
    pub fn anonymous(&self) -> Connecting<'_, H> {
        Connecting { hub: self, negotiation: Negotiation::anonymous() }
    }

    /// Sends this request to the hub's negotiate route and connects with the returned token. The path defaults
    /// to the route of this hub; the method is always POST.
    ///
    /// ```
    /// # use hub_runtime::{prelude::*, testing::{Request, TestHub}};
    /// # struct Chat;
    /// # #[serverless_hub] impl Chat {
    /// #     async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
    /// #         request.bearer_token().map(Negotiation::user).ok_or_else(|| HubError::unauthenticated("Who?"))
    /// #     }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let hub = TestHub::new(Chat);
    /// let request = Request::builder().header("authorization", "Bearer ada").body(()).unwrap();
    /// let ada = hub.negotiate(request).await.unwrap();
    /// let refused = hub.negotiate(Request::new(())).await.unwrap_err();
    /// assert_eq!(refused, "401: Who?");
    /// # drop(ada); }
    /// ```
    ///
    /// # Errors
    /// The rejection, with its status and text.
    pub async fn negotiate<B>(&self, request: Request<B>) -> Result<TestClient<H>, TestFailure> {
        let (parts, _) = request.into_parts();
        let (app, hub) = (&self.app.inner, wire_name(H::NAME));
        let answer = post(app, &self.operator, parts, hub, "negotiate").await?;
        if answer.status() != StatusCode::OK {
            return Err(TestFailure::answered(answer.status(), answer.body()));
        }
        let ticket: Ticket = serde_json::from_slice(answer.body()).map_err(TestFailure::new)?;
        self.connect(ticket).await
    }

    /// The log so far: all events at level DEBUG and above from the runtime and the hub during calls and
    /// negotiate requests. A subscriber that was installed before the hub was mounted receives these events
    /// too.
    #[must_use]
    pub fn log(&self) -> Vec<LogLine> {
        self.log.all()
    }

    /// All messages that the hub has sent, recorded at the boundary of the app.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.record.all()
    }

    /// A handle to send from outside a call.
    #[must_use]
    pub fn context(&self) -> HubContext<H> {
        self.app.context()
    }

    /// Creates the context of a call from `client`, for calling hub methods directly.
    #[must_use]
    pub fn context_of(&self, client: &TestClient<H>) -> Context<H> {
        let identity = client.identity();
        let parts = InvocationParts {
            user_id: identity.user_id.as_deref().map(Arc::from),
            claims: identity.claims.clone(),
            arguments: Bytes::from_static(b"[]"),
            arrived: self.app.inner.clock.elapsed(),
            ..InvocationParts::new(
                wire_name(H::NAME),
                Category::Message,
                "",
                client.connection_id(),
            )
        };
        let value: Arc<dyn Any + Send + Sync> = match self.app.inner.hubs.single() {
            Some(mount) => mount.hub.value(),
            None => Arc::new(()),
        };
        Context::new(self.context(), Arc::new(Invocation::new(parts, value)))
    }

    /// The app, for access to its routes.
    #[must_use]
    pub fn app(&self) -> &HubApp {
        &self.app
    }

    async fn connect(&self, ticket: Ticket) -> Result<TestClient<H>, TestFailure> {
        let Some(embedded) = &self.app.inner.embedded else {
            return Err(TestFailure::new("the app has no embedded service"));
        };
        let identity = identity_in(&self.app.inner, &ticket.access_token)?;
        let app = AppOfClient {
            app: Arc::downgrade(&self.app.inner),
            operator: self.operator.clone(),
            events: self.events.clone(),
        };
        TestClient::connect(&embedded.service, ticket, identity, app).await
    }
}

/// A client that is not connected yet.
#[derive(Debug)]
#[must_use = "a client connects when `connect()` is awaited"]
pub struct Connecting<'a, H: Hub> {
    hub: &'a TestHub<H>,
    negotiation: Negotiation,
}

impl<H: Hub> Connecting<'_, H> {
    /// Adds a claim.
    pub fn claim(mut self, claim_type: impl Into<String>, value: impl Into<String>) -> Self {
        self.negotiation = self.negotiation.claim(claim_type, value);
        self
    }

    /// Connects and waits until `on_connected` has run.
    ///
    /// # Errors
    /// The text that the client receives when the service rejects the token, or when a filter or `on_connected`
    /// refuses the connection or fails.
    pub async fn connect(self) -> Result<TestClient<H>, TestFailure> {
        let app = &self.hub.app.inner;
        let hub = app.first_group.wire_name(H::NAME);
        let Some(endpoint) = app.first_group.endpoints.all.first() else {
            return Err(TestFailure::new("the app has no endpoint"));
        };
        let deadline = tokio::time::Instant::now() + CLIENT_TOKEN_TIMEOUT;
        let access_token = endpoint
            .client_token(&hub, &self.negotiation, app.clock.unix_seconds(), deadline)
            .await
            .map_err(TestFailure::new)?;
        let url = client_url(&endpoint.client_base, &hub);
        self.hub.connect(Ticket { url, access_token }).await
    }
}
