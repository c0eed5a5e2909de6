//! The hub: a type, its table of methods, and how the runtime calls one.

use std::{fmt, future::Future, pin::Pin};

use crate::{
    Context, HubError, NegotiateRequest, Negotiation,
    args::Args,
    error::IntoHubError,
    filter::Filters,
    reply::Reply,
    shape::Shape,
    upstream::{CONNECTED, CONNECTIONS, DISCONNECTED, MESSAGES},
};

/// A type whose annotated `impl` block is a remote surface.
///
/// Write it with `#[serverless_hub]`; the table behind it is not for hands.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a hub",
    label = "this type has no hub methods",
    note = "put `#[serverless_hub]` on an `impl {Self}` block"
)]
pub trait Hub: Sized + Send + Sync + 'static {
    /// The hub's name: the type's, unless `#[serverless_hub(name = "…")]` gives another one. Routes and
    /// the service match it ignoring case.
    const NAME: &'static str;

    /// The setting that names the hub's service: a connection string, or what stands in for one. The same
    /// for every hub, unless `#[serverless_hub(connection = "…")]` gives another one.
    const CONNECTION: &'static str = "AzureSignalRConnectionString";

    /// The trait of what the clients implement: `dyn ChatClient`, or [`Untyped`].
    type Client: ?Sized + Client + 'static;

    /// The doc comment of the block.
    #[doc(hidden)]
    const DOCS: &'static str = "";

    #[doc(hidden)]
    const METHODS: &'static [Method<Self>];

    #[doc(hidden)]
    const NEGOTIATE: Option<Negotiator<Self>>;

    #[doc(hidden)]
    fn filters() -> Filters;
}

/// What the clients of a hub implement.
///
/// Write it with `#[hub_client]` on a trait; `dyn ChatClient` is the type that stands for it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what clients implement",
    label = "this is no client trait",
    note = "put `#[hub_client]` on the trait"
)]
pub trait Client {
    #[doc(hidden)]
    const CALLS: &'static [ClientCall];
}

impl Client for Untyped {
    const CALLS: &'static [ClientCall] = &[];
}

/// One row of a client's table.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct ClientCall {
    /// The name that is sent to clients.
    pub name: &'static str,
    /// The doc comment.
    pub docs: &'static str,
    /// The names of the arguments, in order.
    pub params: &'static [&'static str],
    /// The types.
    pub shape: Shape,
}

/// The client of a hub that names no client trait: everything goes through `send` and `invoke`.
#[derive(Clone, Copy, Debug)]
pub enum Untyped {}

/// What kind of event a method answers (`X-ASRS-Category` and, for connections, the event).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    /// `messages`: a client invoked or sent.
    Message,
    /// `connections`/`connected`: a client finished its handshake.
    Connected,
    /// `connections`/`disconnected`: a connection ended.
    Disconnected,
}

impl Category {
    /// The value of the `X-ASRS-Category` header.
    #[must_use]
    pub fn wire_name(self) -> &'static str {
        match self {
            Self::Message => MESSAGES,
            Self::Connected | Self::Disconnected => CONNECTIONS,
        }
    }

    /// The category that the headers `X-ASRS-Category` and `X-ASRS-Event` name, ignoring ASCII case;
    /// `None` when there is no such category or connection event.
    #[must_use]
    pub fn from_headers(category: &str, event: &str) -> Option<Self> {
        if category.eq_ignore_ascii_case(MESSAGES) {
            return Some(Self::Message);
        }
        if !category.eq_ignore_ascii_case(CONNECTIONS) {
            return None;
        }
        if event.eq_ignore_ascii_case(CONNECTED) {
            return Some(Self::Connected);
        }
        event.eq_ignore_ascii_case(DISCONNECTED).then_some(Self::Disconnected)
    }
}

/// One row of a hub's table.
#[doc(hidden)]
pub struct Method<H: Hub> {
    /// The name that clients use: `sendMessage`, or `connected`, `disconnected`.
    pub name: &'static str,
    pub category: Category,
    /// Whether the method answers every message that no other one does.
    pub fallback: bool,
    /// The names of the arguments that come from the client, in order; `...name` is all of them as one
    /// value.
    pub params: &'static [&'static str],
    /// The doc comment.
    pub docs: &'static str,
    /// The types.
    pub shape: Shape,
    /// Makes the method's own filters, outer first. Called once, when the hub is mounted.
    pub filters: fn() -> Filters,
    /// Binds and calls. The mounted hub has run the filters before.
    pub call: for<'a> fn(&'a H, &'a Context<H>, Args<'a>) -> CallFuture<'a>,
}

impl<H: Hub> fmt::Debug for Method<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Method").field("hub", &H::NAME).field("name", &self.name).finish()
    }
}

/// A bound and running hub method.
#[doc(hidden)]
pub type CallFuture<'a> = Pin<Box<dyn Future<Output = Result<Reply, HubError>> + Send + 'a>>;

/// Calls a hub's `negotiate`.
#[doc(hidden)]
pub type Negotiator<H> = for<'a> fn(&'a H, NegotiateRequest) -> NegotiateFuture<'a>;

/// A running `negotiate`.
#[doc(hidden)]
pub type NegotiateFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Negotiation, HubError>> + Send + 'a>>;

/// What `negotiate` may return.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`negotiate` returns `HubResult<Negotiation>`",
    label = "not a `Result<Negotiation, E>`",
    note = "say who the connection belongs to: `Ok(Negotiation::user(id))`, or `Ok(Negotiation::anonymous())`"
)]
pub trait IntoNegotiation {
    fn into_negotiation(self) -> Result<Negotiation, HubError>;
}

impl<E: IntoHubError> IntoNegotiation for Result<Negotiation, E> {
    fn into_negotiation(self) -> Result<Negotiation, HubError> {
        self.map_err(IntoHubError::into_hub_error)
    }
}
