//! The hub: a type, its table of methods, and how the runtime calls a method.

use std::{fmt, future::Future, pin::Pin};

use crate::{
    Context, HubError, NegotiateRequest, Negotiation, RefreshRequest,
    args::{Args, HubArg},
    error::IntoHubError,
    filter::Filters,
    reply::Reply,
    shape::Shape,
    upstream::{CONNECTED, CONNECTIONS, DISCONNECTED, MESSAGES},
};

/// A type whose methods SignalR clients can call.
///
/// Implemented by `#[serverless_hub]`; do not implement it by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a hub; put `#[serverless_hub]` on an `impl {Self}` block",
    label = "this type has no hub methods"
)]
pub trait Hub: Sized + Send + Sync + 'static {
    /// The hub's name: `#[serverless_hub(name = "…")]`, defaults to the type's name. Routes and the
    /// service ignore its case.
    const NAME: &'static str;

    /// The name of the setting with the hub's connection string: `#[serverless_hub(connection = "…")]`,
    /// defaults to `AzureSignalRConnectionString`.
    const CONNECTION: &'static str = "AzureSignalRConnectionString";

    /// The trait that the clients implement: `dyn ChatClient`, or [`Untyped`].
    type Client: ?Sized + Client + 'static;

    /// The doc comment of the block.
    #[doc(hidden)]
    const DOCS: &'static str = "";

    #[doc(hidden)]
    const METHODS: &'static [Method<Self>];

    #[doc(hidden)]
    const NEGOTIATE: Option<Negotiator<Self>>;

    #[doc(hidden)]
    const REFRESH: Option<Refresher<Self>> = None;

    #[doc(hidden)]
    fn filters() -> Filters;
}

/// The methods that the clients of a hub implement.
///
/// Implemented by `#[hub_client]` for `dyn ChatClient`, the trait object of the annotated trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a client trait; put `#[hub_client]` on the trait",
    label = "not annotated with `#[hub_client]`"
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

/// The client type of a hub without a client trait: only `send` and `invoke` are available.
#[derive(Clone, Copy, Debug)]
pub enum Untyped {}

/// The kind of an event: `X-ASRS-Category` and, for connections, `X-ASRS-Event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    /// `messages`: a client called a hub method.
    Message,
    /// `connections`/`connected`: a client finished its handshake.
    Connected,
    /// `connections`/`disconnected`: a connection ended.
    Disconnected,
    /// `refreshed`: a client refreshed the authentication of its connection. The app reports it, not the service.
    Refreshed,
}

impl Category {
    /// The value of the `X-ASRS-Category` header.
    #[must_use]
    pub fn wire_name(self) -> &'static str {
        match self {
            Self::Message => MESSAGES,
            Self::Connected | Self::Disconnected | Self::Refreshed => CONNECTIONS,
        }
    }

    /// Returns the category for the headers `X-ASRS-Category` and `X-ASRS-Event`, ignoring ASCII case.
    /// Returns `None` if the category or the connection event is unknown.
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
    /// The name that clients use: `sendMessage`, or `connected`, `disconnected`, `refreshed`.
    pub name: &'static str,
    pub category: Category,
    /// Whether the method receives all messages for which the hub has no method.
    pub fallback: bool,
    /// Whether struct fields match the members of arguments exactly, and not in any case.
    pub exact_names: bool,
    /// The names of the arguments that come from the client, in order. `...name` stands for all arguments as
    /// one value.
    pub params: &'static [&'static str],
    /// The doc comment.
    pub docs: &'static str,
    /// The types.
    pub shape: Shape,
    /// Creates the method's own filters, outer first. Called once, when the hub is mounted.
    pub filters: fn() -> Filters,
    /// Binds the arguments and calls the method. Called after the filters.
    pub call: for<'a> fn(&'a H, &'a Context<H>, Args<'a>) -> CallFuture<'a>,
}

impl<H: Hub> fmt::Debug for Method<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Method({}.{})", H::NAME, self.name)
    }
}

/// A bound and running hub method.
#[doc(hidden)]
pub type CallFuture<'a> = Pin<Box<dyn Future<Output = Result<Reply, HubError>> + Send + 'a>>;

/// Calls a hub's `negotiate`.
#[doc(hidden)]
pub type Negotiator<H> = for<'a> fn(&'a H, NegotiateRequest) -> NegotiateFuture<'a>;

/// Calls a hub's `refresh`.
#[doc(hidden)]
pub type Refresher<H> = for<'a> fn(&'a H, RefreshRequest) -> NegotiateFuture<'a>;

/// The types of the context parameter: `&Context<Self>` only.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the context of a call of this hub; write `&Context<Self>`, or an owned type for a client argument",
    label = "not `&Context<Self>`"
)]
pub trait ContextParam<'a, H: Hub> {
    fn of(context: &'a Context<H>) -> Self;
}

impl<'a, H: Hub> ContextParam<'a, H> for &'a Context<H> {
    fn of(context: &'a Context<H>) -> Self {
        context
    }
}

/// The types of the parameter of `on_disconnected`: `Option<String>` only.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the close reason is `error: Option<String>`, because a connection that ends in order has none",
    label = "not `Option<String>`"
)]
pub trait CloseReason: Sized {
    /// Binds the parameter.
    fn bind(args: &mut Args<'_>, name: &'static str) -> Result<Self, HubError>;
}

impl CloseReason for Option<String> {
    fn bind(args: &mut Args<'_>, name: &'static str) -> Result<Self, HubError> {
        HubArg::bind(args, name)
    }
}

/// What an `async fn` of a trait returns. Without this trait, the compiler reports a missing `async` as a
/// result that "is not a future".
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the method must be `async`; write `async fn`",
    label = "a plain `fn` returns this value; an `async fn` returns a future of it"
)]
pub trait AsyncMethod<T>: Future<Output = T> {}

#[diagnostic::do_not_recommend]
impl<T, F: Future<Output = T>> AsyncMethod<T> for F {}

/// A running `negotiate`.
#[doc(hidden)]
pub type NegotiateFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Negotiation, HubError>> + Send + 'a>>;

/// The types of the parameter of `refresh`: `RefreshRequest` only.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`refresh` is the method for clients that refresh their authentication, and its parameter is `request: RefreshRequest`; for a method of clients, write `#[hub(rename = \"refresh\")]` on it",
    label = "not `RefreshRequest`"
)]
pub trait RefreshParam: Sized {
    fn of(request: RefreshRequest) -> Self;
}

impl RefreshParam for RefreshRequest {
    fn of(request: RefreshRequest) -> Self {
        request
    }
}

/// The return types of `refresh`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`refresh` is the method for clients that refresh their authentication, and returns `HubResult<Negotiation>`; for a method of clients, write `#[hub(rename = \"refresh\")]` on it",
    label = "not a `Result<Negotiation, E>`"
)]
pub trait IntoRefreshed {
    fn into_refreshed(self) -> Result<Negotiation, HubError>;
}

impl<E: IntoHubError> IntoRefreshed for Result<Negotiation, E> {
    fn into_refreshed(self) -> Result<Negotiation, HubError> {
        self.map_err(IntoHubError::into_hub_error)
    }
}

/// The return types of `negotiate`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`negotiate` returns a `Result`; write `HubResult<Negotiation>`",
    label = "not a `Result<Negotiation, E>`",
    note = "return the user of the connection: `Ok(Negotiation::user(id))`, or `Ok(Negotiation::anonymous())`"
)]
pub trait IntoNegotiation {
    fn into_negotiation(self) -> Result<Negotiation, HubError>;
}

impl<E: IntoHubError> IntoNegotiation for Result<Negotiation, E> {
    fn into_negotiation(self) -> Result<Negotiation, HubError> {
        self.map_err(IntoHubError::into_hub_error)
    }
}
