//! Putting an app together, with every problem reported at once.

mod assemble;
#[cfg(feature = "local")]
mod embedded;
mod error;
mod plan;
mod problems;
mod start_table;

use std::{fmt, sync::Arc, time::Duration};

use hub_core::{
    __private::Filters,
    Filter, Hub, Secret,
    mounted::{Mounted, MountedHub},
};

#[cfg(feature = "local")]
use self::embedded::AfterCall;
pub use self::error::BuildError;
use self::plan::planned_services;
use crate::{
    HubApp, SignalR, endpoints::EndpointRouter, negotiate::NegotiateLimit, rest::Retries,
    service_group::WrapOutbound,
};

/// How large an upstream body may be, in bytes, unless the builder says otherwise.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// How long `shutdown` waits unless the builder says otherwise.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(10);

/// Builds a [`HubApp`].
#[must_use = "a builder does nothing until `build()`"]
pub struct HubAppBuilder {
    pub(crate) signalr: Option<SignalR>,
    pub(crate) hubs: Vec<Box<dyn MountedHub>>,
    pub(crate) filters: Filters,
    /// Whether `discover` was asked for and found nothing.
    pub(crate) found_none: bool,
    pub(crate) origins: Vec<String>,
    pub(crate) route_prefix: String,
    pub(crate) upstream_paths: Vec<String>,
    pub(crate) upstream_code: Option<Secret>,
    pub(crate) max_body: usize,
    pub(crate) shutdown_wait: Duration,
    pub(crate) detailed_errors: bool,
    pub(crate) keep_refused_connections: bool,
    pub(crate) trust_app_service: bool,
    pub(crate) negotiate_limit: Option<NegotiateLimit>,
    pub(crate) rest_timeout: Option<Duration>,
    pub(crate) retries: Option<Retries>,
    pub(crate) trace_messages: bool,
    pub(crate) router: Option<Arc<dyn EndpointRouter>>,
    pub(crate) wrap_outbound: Option<WrapOutbound>,
    #[cfg(feature = "local")]
    pub(crate) after_call: Option<AfterCall>,
    /// Hears what is logged during the calls of the embedded service.
    #[cfg(feature = "local")]
    pub(crate) operator: Option<tracing::Dispatch>,
}

impl HubAppBuilder {
    pub(crate) fn new() -> Self {
        Self {
            signalr: None,
            hubs: Vec::new(),
            filters: Filters::new(),
            found_none: false,
            origins: Vec::new(),
            route_prefix: String::new(),
            upstream_paths: Vec::new(),
            upstream_code: None,
            max_body: MAX_BODY,
            shutdown_wait: SHUTDOWN_WAIT,
            detailed_errors: false,
            keep_refused_connections: false,
            trust_app_service: false,
            negotiate_limit: None,
            rest_timeout: None,
            retries: None,
            trace_messages: false,
            router: None,
            wrap_outbound: None,
            #[cfg(feature = "local")]
            after_call: None,
            #[cfg(feature = "local")]
            operator: None,
        }
    }

    /// The service to stand on; [`SignalR::from_env_or_local`] in most apps.
    pub fn signalr(mut self, signalr: SignalR) -> Self {
        self.signalr = Some(signalr);
        self
    }

    /// Mounts a hub. Its filters are built now, once.
    pub fn hub<H: Hub>(mut self, hub: H) -> Self {
        self.hubs.push(Box::new(Mounted::new(hub)));
        self
    }

    /// Mounts every hub that says `#[serverless_hub(register)]`, in this crate and in those that the
    /// program links. A crate that nothing else uses must be named for that: `use chat_hubs as _;`.
    ///
    /// ```
    /// # use hub_runtime::prelude::*;
    /// #[derive(Default)]
    /// struct Chat;
    ///
    /// #[serverless_hub(register)]
    /// impl Chat {}
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let app = HubApp::builder().signalr(SignalR::local()).discover().build()?;
    /// # drop(app); Ok(()) }
    /// ```
    #[cfg(feature = "discover")]
    pub fn discover(mut self) -> Self {
        let found = hub_core::registry::registered();
        self.found_none |= found.is_empty();
        self.hubs.extend(found.into_iter().map(|entry| entry.mount()));
        self
    }

    /// Puts a filter in front of every method of every hub, and of every new connection. Several
    /// stack, outer first; those of a hub and its methods come after them.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hub_runtime::{HubApp, filter::{Maintenance, RateLimit}};
    /// let maintenance = Maintenance::off();
    /// HubApp::builder()
    ///     .filter(maintenance.clone())
    ///     .filter(RateLimit::per_connection(50, Duration::from_secs(1)));
    /// // At any time, from anywhere:
    /// maintenance.begin("Back at ten");
    /// ```
    pub fn filter<F: Filter + 'static>(mut self, filter: F) -> Self {
        self.filters = self.filters.with(filter);
        self
    }

    /// Lets pages of this origin (`https://app.example`) negotiate. Pages served by the app itself
    /// need no permission, and with the embedded service neither do pages on loopback.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// [`Self::allow_origin`] for several origins.
    pub fn allow_origins<I>(mut self, origins: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.origins.extend(origins.into_iter().map(Into::into));
        self
    }

    /// Bounds how often one client may negotiate. Above that it is answered 429 with `Retry-After`, and
    /// the hub is not asked. Without this there is no limit.
    pub fn negotiate_limit(mut self, limit: NegotiateLimit) -> Self {
        self.negotiate_limit = Some(limit);
        self
    }

    /// Puts a path before every route of the app.
    pub fn route_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.route_prefix = prefix.into();
        self
    }

    /// Takes upstream calls at this path too. A segment in braces, `{event}` say, matches anything:
    /// calls are told apart by their headers.
    pub fn upstream_path(mut self, path: impl Into<String>) -> Self {
        self.upstream_paths.push(path.into());
        self
    }

    /// Asks every upstream call for this secret in its query (`?code=…`), on top of the signature.
    pub fn upstream_code(mut self, code: impl Into<Secret>) -> Self {
        self.upstream_code = Some(code.into());
        self
    }

    /// The largest upstream body in bytes; 4 MiB unless said otherwise.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// How long `shutdown` waits for running calls; 10 s unless said otherwise.
    pub fn shutdown_wait(mut self, wait: Duration) -> Self {
        self.shutdown_wait = wait;
        self
    }

    /// Helps callers with suggestions such as `did you mean 'sendMessage'?`. Always on with the
    /// embedded service.
    pub fn detailed_errors(mut self) -> Self {
        self.detailed_errors = true;
        self
    }

    /// How long one attempt of a call to the service may take; 100 s unless said otherwise. A client
    /// result has its own time, see [`InvokeFuture::timeout`](crate::clients::InvokeFuture::timeout).
    pub fn rest_timeout(mut self, timeout: Duration) -> Self {
        self.rest_timeout = Some(timeout);
        self
    }

    /// How often a call to the service is tried again; three times unless said otherwise.
    pub fn retries(mut self, retries: Retries) -> Self {
        self.retries = Some(retries);
        self
    }

    /// Gives every call to the service a tracing id, by which the service's messaging log and the app's
    /// span `hub.rest` name the same message. The service logs each of them, which has its price there.
    pub fn trace_messages(mut self) -> Self {
        self.trace_messages = true;
        self
    }

    /// Leaves a connection open whose `on_connected` was denied. Without this it is closed.
    pub fn keep_refused_connections(mut self) -> Self {
        self.keep_refused_connections = true;
        self
    }

    /// Believes the `x-ms-client-principal…` headers. Only where something in front of the app strips
    /// them from outside requests; on App Service the app finds out by itself.
    pub fn trust_app_service_headers(mut self) -> Self {
        self.trust_app_service = true;
        self
    }

    /// Decides which of several endpoints takes a client or an operation. Without it a client goes to a
    /// random primary endpoint that is online, and operations to all that are.
    pub fn endpoint_router(mut self, router: impl EndpointRouter) -> Self {
        self.router = Some(Arc::new(router));
        self
    }

    /// Checks everything, opens the embedded service if it is planned, and returns the app.
    ///
    /// # Errors
    /// When hubs or settings do not fit, with all problems at once, or a port is taken.
    pub fn build(mut self) -> Result<HubApp, BuildError> {
        let mut problems = problems::of(&self);
        let hubs: Vec<_> = self.hubs.drain(..).map(|hub| surrounded(hub, &self.filters)).collect();
        let signalr = self.signalr.take();
        let planned = signalr.map(|signalr| {
            let code = self.upstream_code.is_some() || signalr.upstream_code.is_some();
            (planned_services(&signalr, &hubs, code, &mut problems), signalr)
        });
        let Some((planned, signalr)) = planned.filter(|_| problems.is_empty()) else {
            return Err(BuildError::Problems(problems));
        };
        assemble::assemble(self, &signalr, planned)
    }
}

/// The hub behind the filters of all hubs.
fn surrounded(mut hub: Box<dyn MountedHub>, filters: &Filters) -> Arc<dyn MountedHub> {
    hub.surround(filters);
    Arc::from(hub)
}

impl fmt::Debug for HubAppBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hubs: Vec<_> = self.hubs.iter().map(|hub| hub.name()).collect();
        f.debug_struct("HubAppBuilder").field("hubs", &hubs).finish_non_exhaustive()
    }
}
