//! The builder of an app. Reports all problems together.

mod assemble;
#[cfg(feature = "local")]
pub(crate) mod embedded;
mod error;
mod plan;
mod problems;
mod secrets;
mod start_table;

use std::{fmt, sync::Arc, time::Duration};

use hub_core::{
    __private::Filters,
    Filter, Hub, Secret,
    mounted::{Mounted, MountedHub},
};

#[cfg(feature = "local")]
use self::embedded::AfterCall;
pub use self::error::{BuildError, BuildProblem};
use self::plan::planned_services;
use crate::{
    HubApp, SignalR,
    endpoints::EndpointRouter,
    negotiate::NegotiateLimit,
    rest::Retries,
    service_group::WrapOutbound,
    trace_propagator::{Propagator, TracePropagator},
};

/// The default size limit of upstream bodies, in bytes.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
/// How long `shutdown` waits by default.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(10);

/// Builds a [`HubApp`].
#[must_use = "a builder does nothing until `build()`"]
pub struct HubAppBuilder {
    pub(crate) signalr: Option<SignalR>,
    pub(crate) hubs: Vec<Box<dyn MountedHub>>,
    pub(crate) filters: Filters,
    /// Whether `discover` found no hub.
    pub(crate) found_none: bool,
    pub(crate) origins: Vec<String>,
    pub(crate) hosts: Vec<String>,
    pub(crate) max_connection_lifetime: Option<Duration>,
    pub(crate) route_prefix: String,
    pub(crate) upstream_paths: Vec<String>,
    pub(crate) upstream_code: Option<Secret>,
    pub(crate) max_body: usize,
    pub(crate) shutdown_wait: Duration,
    pub(crate) detailed_errors: Option<bool>,
    pub(crate) keep_refused_connections: bool,
    pub(crate) trust_app_service: bool,
    #[cfg(feature = "server")]
    pub(crate) ignores_arguments: bool,
    pub(crate) negotiate_limit: Option<NegotiateLimit>,
    pub(crate) rest_timeout: Option<Duration>,
    pub(crate) retries: Option<Retries>,
    pub(crate) trace_messages: bool,
    pub(crate) propagator: Propagator,
    pub(crate) router: Option<Arc<dyn EndpointRouter>>,
    #[cfg(feature = "deploy")]
    pub(crate) functions: Vec<crate::function::Function>,
    pub(crate) wrap_outbound: Option<WrapOutbound>,
    /// The file to which the embedded service writes its events.
    #[cfg(feature = "local")]
    pub(crate) record: Option<std::path::PathBuf>,
    /// Gets the events of the embedded service.
    #[cfg(feature = "local")]
    pub(crate) event_tap: Option<Arc<hub_local::EventTap>>,
    /// `Some(None)` turns the inspector off.
    #[cfg(feature = "local")]
    pub(crate) inspector: Option<Option<hub_local::Inspector>>,
    #[cfg(feature = "local")]
    pub(crate) after_call: Option<AfterCall>,
    /// Receives what the app logs while it handles upstream calls of the embedded service.
    #[cfg(feature = "local")]
    pub(crate) operator: Option<tracing::Dispatch>,
}

impl fmt::Debug for HubAppBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HubAppBuilder({:?})", self.hubs.iter().map(|hub| hub.name()).collect::<Vec<_>>())
    }
}

impl HubAppBuilder {
    pub(crate) fn new() -> Self {
        Self {
            signalr: None,
            hubs: Vec::new(),
            filters: Filters::new(),
            found_none: false,
            origins: Vec::new(),
            hosts: Vec::new(),
            max_connection_lifetime: None,
            route_prefix: String::new(),
            upstream_paths: Vec::new(),
            upstream_code: None,
            max_body: MAX_BODY_BYTES,
            shutdown_wait: SHUTDOWN_WAIT,
            detailed_errors: None,
            keep_refused_connections: false,
            trust_app_service: false,
            #[cfg(feature = "server")]
            ignores_arguments: false,
            negotiate_limit: None,
            rest_timeout: None,
            retries: None,
            trace_messages: false,
            propagator: Propagator::default(),
            router: None,
            #[cfg(feature = "deploy")]
            functions: Vec::new(),
            wrap_outbound: None,
            #[cfg(feature = "local")]
            record: None,
            #[cfg(feature = "local")]
            event_tap: None,
            #[cfg(feature = "local")]
            inspector: None,
            #[cfg(feature = "local")]
            after_call: None,
            #[cfg(feature = "local")]
            operator: None,
        }
    }

    /// Sets the service. Most apps use [`SignalR::from_env_or_local`].
    pub fn signalr(mut self, signalr: SignalR) -> Self {
        self.signalr = Some(signalr);
        self
    }

    /// Mounts a hub and builds its filters.
    pub fn hub<H: Hub>(mut self, hub: H) -> Self {
        self.hubs.push(Box::new(Mounted::new(hub)));
        self
    }

    /// Mounts every hub with `#[serverless_hub(register)]` in all crates that the program links. The linker
    /// drops a crate of which the program uses no item. To keep such a crate, import it:
    /// `use chat_hubs as _;`.
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

    /// Adds a filter before all methods of all hubs and all new connections. These filters run in the order
    /// in which they are added, before the filters of hubs and methods.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hub_runtime::{HubApp, filter::{Maintenance, RateLimit}};
    /// let maintenance = Maintenance::off();
    /// HubApp::builder()
    ///     .filter(maintenance.clone())
    ///     .filter(RateLimit::per_connection(50, Duration::from_secs(1)));
    /// // Later, from any task:
    /// maintenance.begin("Back at ten");
    /// ```
    pub fn filter<F: Filter + 'static>(mut self, filter: F) -> Self {
        self.filters = self.filters.with(filter);
        self
    }

    /// Allows pages of an origin to negotiate: `https://app.example`, `https://*.app.example` for every name
    /// below a host, or the origin of a native shell, such as `capacitor://localhost`. Pages of the app's own
    /// origin are always allowed. With the embedded service, pages on loopback are also allowed.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Calls [`Self::allow_origin`] for several origins.
    pub fn allow_origins(mut self, origins: impl IntoIterator<Item: Into<String>>) -> Self {
        self.origins.extend(origins.into_iter().map(Into::into));
        self
    }

    /// Allows requests for this host (`app.example`, `*.app.example`, without a port) while the app embeds the
    /// service, as `HUB_LOCAL_HOSTS` does. App and service then refuse other hosts with status 403, because
    /// any page can point its name to this machine (DNS rebinding). IP addresses, `localhost`, names without a
    /// dot and the host of `HUB_LOCAL_URL` are always allowed. The app does not check the host under the
    /// Functions host, with [`NegotiateLimit::behind_proxies`], nor of a signed upstream call.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// Sets the maximum age of connections of the embedded service, at least 1 s. Connections of this age are closed
    /// with `allowReconnect`, although they are healthy: Azure SignalR Service can do the same, and this shows how
    /// the app and its clients behave then. Each connection ends at its own time in the last tenth. Has no effect on
    /// another service. Defaults to no maximum age.
    pub fn max_connection_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_connection_lifetime = Some(lifetime);
        self
    }

    /// Sets the inspector of the embedded service: a page that shows the calls of clients, the responses of the app, and the
    /// messages to clients. Takes precedence over `HUB_LOCAL_INSPECTOR` and its siblings. Defaults to an inspector with a
    /// random token if no public URL is set (`HUB_LOCAL_URL`).
    #[cfg(feature = "local")]
    #[cfg_attr(docsrs, doc(cfg(feature = "local")))]
    pub fn inspector(mut self, inspector: crate::Inspector) -> Self {
        self.inspector = Some(Some(inspector));
        self
    }

    /// Writes what happens in the embedded service to a file, as JSON lines: the calls of clients with their arguments, and the
    /// answers of the app, without keys and tokens. What the inspector hides is not in the file either. `hub-local replay` and
    /// [`TestHub::replay`](crate::testing::TestHub::replay) (feature `testing`) repeat the calls. The file is emptied first; if it cannot be created,
    /// [`build`](Self::build) returns [`BuildError::Record`].
    #[cfg(feature = "local")]
    #[cfg_attr(docsrs, doc(cfg(feature = "local")))]
    pub fn record(mut self, file: impl Into<std::path::PathBuf>) -> Self {
        self.record = Some(file.into());
        self
    }

    /// Turns the inspector of the embedded service off.
    #[cfg(feature = "local")]
    #[cfg_attr(docsrs, doc(cfg(feature = "local")))]
    pub fn without_inspector(mut self) -> Self {
        self.inspector = Some(None);
        self
    }

    /// Limits the requests of a client to negotiate and to refresh, together. Requests above the limit receive status
    /// 429 with `Retry-After`, and the hub's `negotiate` or `refresh` does not run. Defaults to no limit.
    pub fn negotiate_limit(mut self, limit: NegotiateLimit) -> Self {
        self.negotiate_limit = Some(limit);
        self
    }

    /// Sets a path prefix for all routes of the app.
    pub fn route_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.route_prefix = prefix.into();
        self
    }

    /// Adds a path for upstream calls. A segment in braces, such as `{event}`, matches any segment, because
    /// the target of a call is read from its headers.
    pub fn upstream_path(mut self, path: impl Into<String>) -> Self {
        self.upstream_paths.push(path.into());
        self
    }

    /// Requires this secret in the query of upstream calls (`?code=…`), in addition to the signature. If the
    /// service is not on loopback, it has at least 16 bytes. Calls with a wrong code are counted
    /// ([`Counters::wrong_codes`](crate::service::Counters::wrong_codes)) and answered after a second.
    pub fn upstream_code(mut self, code: impl Into<Secret>) -> Self {
        self.upstream_code = Some(code.into());
        self
    }

    /// Sets the size limit of upstream bodies, in bytes. Defaults to 4 MiB.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets how long `shutdown` waits for running calls. Defaults to 10 s.
    pub fn shutdown_wait(mut self, wait: Duration) -> Self {
        self.shutdown_wait = wait;
        self
    }

    /// Sets how much clients read about a call that does not fit a method. With `false`, only which argument is
    /// wrong: `argument 2 is missing or not valid`. With `true`, also the names of parameters and types, the text
    /// of the decoder, and suggestions such as `did you mean 'sendMessage'?`. By default, all but the suggestions,
    /// which need the embedded service. The log has the details in every case, at level DEBUG. Takes precedence
    /// over the setting `HUB_DETAILED_ERRORS`.
    pub fn detailed_errors(mut self, detailed: bool) -> Self {
        self.detailed_errors = Some(detailed);
        self
    }

    /// Sets the timeout of one attempt of a call to the service, signing in included. Defaults to 100 s. Client
    /// results have their own timeout: [`InvokeFuture::timeout`](crate::clients::InvokeFuture::timeout).
    pub fn rest_timeout(mut self, timeout: Duration) -> Self {
        self.rest_timeout = Some(timeout);
        self
    }

    /// Sets the retry policy for calls to the service. Defaults to three retries.
    pub fn retries(mut self, retries: Retries) -> Self {
        self.retries = Some(retries);
        self
    }

    /// Adds a tracing id to every call to the service. The id relates entries of the service's messaging log
    /// to the app's span `hub.rest`. The service logs every message with an id, and the log may be billed.
    pub fn trace_messages(mut self) -> Self {
        self.trace_messages = true;
        self
    }

    /// Connects the spans of the runtime with the traces of clients and of the service. Defaults to none: each span
    /// `hub.call` begins a trace.
    pub fn trace_propagator(mut self, propagator: impl TracePropagator) -> Self {
        self.propagator = Propagator(Some(Arc::new(propagator)));
        self
    }

    /// Keeps a connection open if a filter or `on_connected` refuses it or fails. By default it is closed, and its
    /// calls are refused until then.
    pub fn keep_refused_connections(mut self) -> Self {
        self.keep_refused_connections = true;
        self
    }

    /// Trusts the headers `x-ms-client-principal…`. Use this setting only if a proxy removes these headers
    /// from external requests. Behind App Service authentication, which the app detects, this setting is not
    /// needed.
    pub fn trust_app_service_headers(mut self) -> Self {
        self.trust_app_service = true;
        self
    }

    /// Lets [`HubApp::run`] and `run_with` ignore the arguments of the process, for a program that reads
    /// arguments of its own. By default they are a small command line: `--help`, `--version` and commands.
    #[cfg(feature = "server")]
    pub fn ignore_arguments(mut self) -> Self {
        self.ignores_arguments = true;
        self
    }

    /// Selects the endpoints of a client or an operation. By default a client connects to a random primary
    /// endpoint that is online, and operations go to all endpoints.
    pub fn endpoint_router(mut self, router: impl EndpointRouter) -> Self {
        self.router = Some(Arc::new(router));
        self
    }

    /// Adds a function of the app itself to the files that `deploy-files` writes.
    #[cfg(feature = "deploy")]
    pub fn function(mut self, function: crate::function::Function) -> Self {
        self.functions.push(function);
        self
    }

    /// Checks hubs and settings, starts the embedded service if it is configured, and returns the app.
    ///
    /// # Errors
    /// When hubs or settings are invalid, or when a port is in use. An error about hubs or settings lists all
    /// problems.
    pub fn build(mut self) -> Result<HubApp, BuildError> {
        let mut problems = problems::of(&self);
        let hubs: Vec<_> = self.hubs.drain(..).map(|hub| surrounded(hub, &self.filters)).collect();
        let signalr = self.signalr.take();
        let planned = signalr.map(|signalr| {
            let code = self.upstream_code.as_ref().or(signalr.upstream_code.as_ref());
            let planned = planned_services(&signalr, &hubs, code.is_some(), &mut problems);
            let reach = planned.iter().map(|service| service.connection.plan.reach()).max();
            let check = |code| secrets::problem("the upstream code", code, reach?);
            problems.extend(code.and_then(check));
            (planned, signalr)
        });
        let Some((planned, signalr)) = planned.filter(|_| problems.is_empty()) else {
            return Err(BuildError::Problems(problems));
        };
        assemble::assemble(self, &signalr, planned)
    }
}

/// Adds the app's filters to a hub.
fn surrounded(mut hub: Box<dyn MountedHub>, filters: &Filters) -> Arc<dyn MountedHub> {
    hub.surround(filters);
    Arc::from(hub)
}
