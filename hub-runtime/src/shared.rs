//! The state that the parts of a running app share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{HeaderMap, Method, StatusCode, Uri};
#[cfg(feature = "server")]
use hub_core::secret_rule::Weakness;
use hub_core::{bounded_map::BoundedMap, mounted::MountedHub};
use hub_net::{clock::Clock, log_limit::LogLimit};
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use crate::{
    answer::ErrorDetail,
    counters::AtomicCounters,
    hosts::HostRule,
    negotiate::{cors::Cors, limit::Limiter},
    routes::Routes,
    service_group::ServiceGroup,
    trace_propagator::Propagator,
    upstream::{refused::RefusedConnections, replay::Replays, verified::VerifiedCallers},
    wrong_codes::WrongCodes,
};

/// The state that all clones of an app share.
pub(crate) struct Inner {
    pub(crate) hubs: Hubs,
    /// The group of the first hub.
    pub(crate) first_group: Arc<ServiceGroup>,
    /// The groups of all hubs, including `first_group`.
    pub(crate) groups: Vec<Arc<ServiceGroup>>,
    pub(crate) upstream: UpstreamOptions,
    pub(crate) negotiate: NegotiateOptions,
    pub(crate) routes: Routes,
    pub(crate) clock: Clock,
    /// Limits the log lines that any caller can cause.
    pub(crate) log: LogLimit,
    /// Running calls, including calls whose peer has disconnected.
    pub(crate) tasks: TaskTracker,
    pub(crate) counts: AtomicCounters,
    #[cfg(feature = "deploy")]
    pub(crate) functions: Vec<crate::function::Function>,
    pub(crate) shutdown_wait: Duration,
    pub(crate) closing: AtomicBool,
    /// Whether the Functions host calls the app. Only then the app accepts the call format of the host.
    #[cfg(feature = "functions")]
    pub(crate) functions_host: AtomicBool,
    /// The weakness of a key or code with which the app binds loopback only.
    #[cfg(feature = "server")]
    pub(crate) loopback_only: Option<Weakness>,
    /// Whether `run` does not read the arguments of the process.
    #[cfg(feature = "server")]
    pub(crate) ignores_arguments: bool,
    /// The hosts of an app that embeds the service.
    pub(crate) hosts: Option<HostRule>,
    pub(crate) wrong_codes: WrongCodes,
    #[cfg(feature = "local")]
    pub(crate) embedded: Option<crate::embedded::Embedded>,
}

/// The options of the negotiate route.
#[derive(Debug)]
pub(crate) struct NegotiateOptions {
    pub(crate) cors: Cors,
    pub(crate) limit: Option<Limiter>,
    pub(crate) trust_app_service: bool,
    pub(crate) warned_app_service: AtomicBool,
}

/// The mounted hubs.
#[derive(Default)]
pub(crate) struct Hubs {
    /// A `Vec`, because for a few hubs a scan is faster than hashing a name.
    mounts: Vec<Arc<Mount>>,
}

/// A hub and its name on the wire.
pub(crate) struct Mount {
    pub(crate) hub: Arc<dyn MountedHub>,
    pub(crate) wire_name: Arc<str>,
    pub(crate) group: Arc<ServiceGroup>,
}

impl Hubs {
    pub(crate) fn insert(&mut self, hub: Arc<dyn MountedHub>, group: &Arc<ServiceGroup>) {
        let wire_name: Arc<str> = group.wire_name(hub.name()).into();
        self.mounts.push(Arc::new(Mount { hub, wire_name, group: Arc::clone(group) }));
    }

    /// A hub by its name in any case.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Mount>> {
        self.mounts.iter().find(|mount| mount.hub.name().eq_ignore_ascii_case(name)).cloned()
    }

    /// A hub by its name at the service, in any case.
    pub(crate) fn find_at_service(&self, name: &str) -> Option<&Arc<Mount>> {
        self.mounts.iter().find(|mount| mount.wire_name.eq_ignore_ascii_case(name))
    }

    /// The hub of an app with exactly one hub.
    pub(crate) fn single(&self) -> Option<Arc<Mount>> {
        let [only] = &self.mounts[..] else { return None };
        Some(Arc::clone(only))
    }

    /// All hubs, sorted by name.
    pub(crate) fn all(&self) -> Vec<Arc<Mount>> {
        let mut mounts = self.mounts.clone();
        mounts.sort_unstable_by(|left, right| left.wire_name.cmp(&right.wire_name));
        mounts
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.mounts.iter().map(|mount| &*mount.wire_name).collect();
        names.sort_unstable();
        names
    }
}

/// The options and caches of the upstream route.
#[derive(Debug, Default)]
pub(crate) struct UpstreamOptions {
    pub(crate) trust_plain_claims: bool,
    /// Whether a call without a seal is accepted for a hub that has a `negotiate`.
    pub(crate) accept_unsealed: bool,
    pub(crate) error_detail: ErrorDetail,
    pub(crate) keep_refused_connections: bool,
    pub(crate) propagator: Propagator,
    pub(crate) max_body: usize,
    /// Whether a caller with claims but without a seal was logged.
    pub(crate) warned_unsealed: AtomicBool,
    /// Ids of connections about whose copied calls a warning was logged.
    pub(crate) copied: Mutex<BoundedMap<String, (), 4096>>,
    /// Callers whose signature and seal were verified.
    pub(crate) verified: VerifiedCallers,
    /// Connections whose calls are refused.
    pub(crate) refused: RefusedConnections,
    /// Running and finished calls, so that none runs twice.
    pub(crate) replays: Arc<Replays>,
}

impl Inner {
    /// Whether [`HubApp::shutdown`] has begun.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Status and text of the refusal of a request for a host that the app does not answer.
    pub(crate) fn host_refusal(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Option<(StatusCode, String)> {
        let hosts = self.hosts.as_ref()?;
        #[cfg(feature = "functions")]
        if self.functions_host.load(Ordering::Relaxed) {
            // The host passes on the name under which it was called.
            return None;
        }
        hosts.refusal(&self.routes, method, uri, headers)
    }
}
