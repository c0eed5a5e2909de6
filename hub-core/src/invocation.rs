//! One upstream call with raw arguments.

mod claims;
mod query;

use std::{
    any::Any,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use parking_lot::Mutex;

pub use self::{claims::Claims, query::Query};
use crate::{
    cancellation::Cancellation, hub::Category, hub::Hub, protocol::Protocol,
    reading::MethodReading, trace::TraceContext, upstream,
};

/// One call of the service: the caller, the event and the raw arguments.
///
/// Filters and extractors of all hubs receive the call in this form.
pub struct Invocation {
    pub(crate) parts: InvocationParts,
    pub(crate) hub_value: Arc<dyn Any + Send + Sync>,
    /// The called method.
    method: Option<Arc<MethodReading>>,
    extensions: Extensions,
}

impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.parts, f)
    }
}

/// The contents of an upstream request.
#[derive(Clone)]
pub struct InvocationParts {
    /// The hub, lower-case, as the service names it.
    pub hub: Arc<str>,
    /// The kind of the event.
    pub category: Category,
    /// The event as the client wrote it: the method name, `connected` or `disconnected`.
    pub event: String,
    /// The public id of the client's connection.
    pub connection_id: Arc<str>,
    /// The user of the connection, set by `negotiate`.
    pub user_id: Option<Arc<str>>,
    /// The claims of the connection, set by `negotiate`.
    pub claims: Claims,
    /// The query of the client's connect request.
    pub query: Query,
    /// The headers of the upstream request, without the client's query, which may contain the client's token.
    pub headers: CallHeaders,
    /// The client's protocol.
    pub protocol: Protocol,
    /// The encoded argument array. Empty for `connected` and `disconnected`.
    pub arguments: Bytes,
    /// The error that ended the connection. Only `disconnected` can have one.
    pub error: Option<Box<str>>,
    /// The invocation id. `None` if the client expects no result (`send`).
    pub invocation_id: Option<String>,
    /// When the call arrived, as the time since the app started.
    pub arrived: Duration,
    /// Cancelled when the client cancels the call, or the service closes the connection of the upstream call before the
    /// response.
    pub cancellation: Cancellation,
    /// The trace that the call belongs to.
    pub trace: Option<Box<TraceContext>>,
}

// Arguments, claims and headers may contain secrets.
impl fmt::Debug for InvocationParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Invocation({}, {:?}, {}, {})",
            self.hub, self.category, self.event, self.connection_id
        )
    }
}

impl InvocationParts {
    /// Creates an anonymous JSON call without arguments, claims, query and headers.
    #[doc(hidden)]
    #[must_use]
    pub fn new(
        hub: impl Into<Arc<str>>,
        category: Category,
        event: impl Into<String>,
        connection_id: impl Into<Arc<str>>,
    ) -> Self {
        Self {
            hub: hub.into(),
            category,
            event: event.into(),
            connection_id: connection_id.into(),
            user_id: None,
            claims: Claims::default(),
            query: Query::default(),
            headers: CallHeaders::default(),
            protocol: Protocol::default(),
            arguments: Bytes::new(),
            error: None,
            invocation_id: None,
            arrived: Duration::ZERO,
            cancellation: Cancellation::new(),
            trace: None,
        }
    }

    /// The headers of the upstream request.
    #[doc(hidden)]
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        let CallHeaders { made, source } = &self.headers;
        made.get_or_init(|| {
            source.as_ref().map_or_else(HeaderMap::new, |(connection, request_id)| {
                let mut headers = connection.headers();
                headers.remove(upstream::CLIENT_QUERY);
                let category = self.category.wire_name();
                let mut headers = upstream::with_category(headers, category, self.protocol);
                upstream::address(&mut headers, &self.event, *request_id);
                if let Some(trace) = &self.trace {
                    upstream::add_trace(&mut headers, trace);
                }
                headers
            })
        })
    }
}

/// The headers of an upstream request. For a call within the process, they are created when they are read.
#[doc(hidden)]
#[derive(Clone, Default)]
pub struct CallHeaders {
    made: OnceLock<HeaderMap>,
    /// The connection, and the id of the request.
    source: Option<(Arc<dyn ConnectionHeaders>, u64)>,
}

// Omits the headers, which may contain secrets.
impl fmt::Debug for CallHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallHeaders")
    }
}

/// A connection that makes the headers of all its upstream requests when they are read.
#[doc(hidden)]
pub trait ConnectionHeaders: Send + Sync {
    /// The headers, with the client's query.
    fn headers(&self) -> HeaderMap;
}

impl CallHeaders {
    /// The headers of a call within the process.
    #[must_use]
    pub fn of_connection(connection: Arc<dyn ConnectionHeaders>, request_id: u64) -> Self {
        Self { made: OnceLock::new(), source: Some((connection, request_id)) }
    }
}

impl From<HeaderMap> for CallHeaders {
    fn from(headers: HeaderMap) -> Self {
        Self { made: headers.into(), source: None }
    }
}

/// The parts of a call that its response needs.
#[doc(hidden)]
pub struct EndedCall {
    pub category: Category,
    pub protocol: Protocol,
    pub connection_id: Arc<str>,
    pub invocation_id: Option<String>,
    /// The call without the values of the app. `None` if the app still uses the call.
    pub invocation: Option<Arc<Invocation>>,
}

impl fmt::Debug for EndedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndedCall({:?}, {})", self.category, self.connection_id)
    }
}

impl Invocation {
    /// Creates a call to this hub value.
    #[doc(hidden)]
    #[must_use]
    pub fn new(parts: InvocationParts, hub_value: Arc<dyn Any + Send + Sync>) -> Self {
        Self::of_method(parts, hub_value, None)
    }

    /// Creates a call of a method.
    pub(crate) fn of_method(
        parts: InvocationParts,
        hub_value: Arc<dyn Any + Send + Sync>,
        method: Option<Arc<MethodReading>>,
    ) -> Self {
        Self { parts, hub_value, method, extensions: Extensions::default() }
    }

    /// Ends the call. The second value contains the values of the app, or the whole call if the app still uses it.
    /// Dropping it may run code of the app.
    #[doc(hidden)]
    pub fn end(mut self: Arc<Self>) -> (EndedCall, Result<Extensions, Arc<Self>>) {
        let mut ended = EndedCall {
            category: self.parts.category,
            protocol: self.parts.protocol,
            connection_id: Arc::clone(&self.parts.connection_id),
            invocation_id: None,
            invocation: None,
        };
        if let Some(invocation) = Arc::get_mut(&mut self) {
            ended.invocation_id = invocation.parts.invocation_id.take();
            let extensions = std::mem::take(&mut invocation.extensions);
            ended.invocation = Some(self);
            (ended, Ok(extensions))
        } else {
            ended.invocation_id = self.parts.invocation_id.clone();
            (ended, Err(self))
        }
    }

    /// Takes the headers of the upstream request. Empty if nothing created them, as in most calls within the process.
    #[doc(hidden)]
    #[must_use]
    pub fn take_headers(&mut self) -> HeaderMap {
        std::mem::take(&mut self.parts.headers).made.into_inner().unwrap_or_default()
    }

    /// How the arguments are read.
    pub(crate) fn reading(&self) -> Option<&MethodReading> {
        self.method.as_deref()
    }

    /// The hub's name, lower-case, as the service uses it.
    #[must_use]
    pub fn hub_name(&self) -> &str {
        &self.parts.hub
    }

    /// The hub value, if the hub has the type `H`. Filters and extractors can read the state of the
    /// application from it.
    #[must_use]
    pub fn hub<H: Hub>(&self) -> Option<&H> {
        self.hub_value.downcast_ref()
    }

    /// The kind of the event.
    #[must_use]
    pub fn category(&self) -> Category {
        self.parts.category
    }

    /// The event in the client's spelling.
    #[must_use]
    pub fn event(&self) -> &str {
        &self.parts.event
    }

    /// The client name of the called hub method, in its declared spelling. `None` for a `connected` event
    /// without a method, for which only filters run.
    #[must_use]
    pub fn method(&self) -> Option<&'static str> {
        self.reading().map(|reading| reading.method)
    }

    /// When the call arrived, as the time since the app started. Measured with tokio's clock, so tests can
    /// pause it.
    #[must_use]
    pub fn arrived(&self) -> Duration {
        self.parts.arrived
    }

    /// The public id of the client's connection.
    #[must_use]
    pub fn connection_id(&self) -> &str {
        &self.parts.connection_id
    }

    /// The user of the connection, set by `negotiate`.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.parts.user_id.as_deref()
    }

    /// The claims of the connection, set by `negotiate`. They are sealed, so a client cannot add a claim.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.parts.claims
    }

    /// The query of the client's connect request, without its access token.
    #[must_use]
    pub fn query(&self) -> &Query {
        &self.parts.query
    }

    /// The headers of the upstream request, without the client's query: see [`Self::query`].
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.parts.headers()
    }

    /// The client's protocol.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.parts.protocol
    }

    /// The argument array as the client encoded it, before any decoding.
    #[must_use]
    pub fn raw_arguments(&self) -> &Bytes {
        &self.parts.arguments
    }

    /// The error that ended the connection. `None` if the connection ended without an error, or if the event is
    /// not `disconnected`.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.parts.error.as_deref()
    }

    /// The invocation id. `None` if the client expects no result (`send`).
    #[must_use]
    pub fn invocation_id(&self) -> Option<&str> {
        self.parts.invocation_id.as_deref()
    }

    /// The trace that the call belongs to: the headers `traceparent` and `tracestate` of the client's message, or those that
    /// a program between the service and the app has added. Clients of .NET send them. `None` without a valid
    /// `traceparent`.
    #[must_use]
    pub fn trace(&self) -> Option<&TraceContext> {
        self.parts.trace.as_deref()
    }

    /// Cancelled when the client cancels the call, or the service closes the connection of the upstream call before the
    /// response.
    #[must_use]
    pub fn cancellation(&self) -> &Cancellation {
        &self.parts.cancellation
    }

    /// Values that filters pass to later filters, extractors and the method.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }
}

/// Values by type, added while a call runs.
#[derive(Default)]
pub struct Extensions {
    values: Mutex<http::Extensions>,
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Extensions")
    }
}

impl Extensions {
    /// Inserts a value and returns the previous value of the same type.
    pub fn insert<T: Clone + Send + Sync + 'static>(&self, value: T) -> Option<T> {
        self.values.lock().insert(value)
    }

    /// A copy of the value of this type.
    #[must_use]
    pub fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.values.lock().get().cloned()
    }
}
