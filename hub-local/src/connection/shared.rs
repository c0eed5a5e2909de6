//! State shared by all connections of a service.

use std::sync::{Arc, atomic::AtomicU64};

use hub_net::{clock::Clock, log_limit::LogLimit};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{departed::DepartedBudget, ended_requests::EndedRequests};
use crate::{
    delivery::backlog::Backlog,
    inspect::Recorder,
    limits::Limits,
    upstream::{Unmatched, Upstream, permits::Permits},
};

pub(crate) struct Shared {
    pub(crate) limits: Limits,
    /// Whether errors to clients include the cause.
    pub(crate) detailed_errors: bool,
    /// Whether clients that a REST call closes may reconnect.
    pub(crate) allow_reconnect: bool,
    pub(crate) clock: Clock,
    pub(crate) upstream: Option<Arc<dyn Upstream>>,
    pub(crate) unmatched: Unmatched,
    /// Whether a response of the app that is no completion goes to the client.
    pub(crate) relay_invalid_completions: bool,
    pub(crate) upstream_calls: Permits,
    /// The number of requests that cancels may end.
    pub(crate) ended_requests: EndedRequests,
    /// The memory for events of connections that have ended.
    pub(crate) departed: DepartedBudget,
    /// The number of upstream requests, from which their ids are made. Relaxed: only uniqueness matters.
    pub(crate) upstream_requests: AtomicU64,
    pub(crate) backlog: Arc<Backlog>,
    /// Limits the log lines that clients and callers can cause.
    pub(crate) log: LogLimit,
    /// Tasks of all connections, including upstream calls.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the service stops: open connections are closed, and new connections are refused.
    pub(crate) closing: CancellationToken,
    /// The recorder of the inspector; `None` if the inspector is off.
    pub(crate) recorder: Option<Arc<Recorder>>,
    /// Number of clients closed as slow. Relaxed: a counter that publishes no other data.
    pub(crate) slow_clients: AtomicU64,
}
