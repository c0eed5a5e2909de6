//! The state of one service.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use hub_core::Secret;
use hub_net::{clock::Clock, idle_sockets::IdleSockets, log_limit::LogLimit};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    access::Access,
    auth::Authority,
    connection::{Connection, departed::DepartedBudget, ending::Ending, shared::Shared},
    delivery::backlog::Backlog,
    descriptors,
    hub::{hubs::Hubs, quota::Quota},
    limits::Limits,
    transport::negotiations::Negotiations,
    upstream::{Unmatched, Upstream, permits::Permits},
};

/// Sockets younger than this time are evicted only above twice the limit.
const IDLE_GRACE: Duration = Duration::from_secs(1);

/// State shared by the handles of a service and its requests.
#[derive(derive_more::Debug)]
#[debug("State({})", self.authority.public_url())]
pub(crate) struct State {
    pub(crate) shared: Arc<Shared>,
    pub(crate) authority: Authority,
    pub(crate) access: Access,
    pub(crate) hubs: Hubs<Connection>,
    pub(crate) negotiations: Arc<Negotiations>,
    /// Whether stateful reconnect is offered in negotiate.
    pub(crate) stateful_reconnect: bool,
    /// Cancelled after the last `disconnected` was delivered; listeners then end.
    pub(crate) stopped: CancellationToken,
    /// Sockets of all listeners that have received no complete request yet.
    pub(crate) idle_sockets: Arc<IdleSockets>,
}

/// Settings of the builder, with the defaults applied.
pub(crate) struct Config {
    /// The primary key first.
    pub(crate) keys: Vec<Secret>,
    pub(crate) access: Access,
    pub(crate) public_url: Option<String>,
    pub(crate) upstream: Option<Arc<dyn Upstream>>,
    pub(crate) unmatched: Unmatched,
    pub(crate) relay_invalid_completions: bool,
    pub(crate) limits: Limits,
    pub(crate) detailed_errors: bool,
    pub(crate) allow_reconnect: bool,
    pub(crate) stateful_reconnect: bool,
}

impl State {
    /// Refuses new connections, and ends those of all hubs. A connection without a handshake watches the token itself.
    pub(crate) fn close(&self) {
        self.shared.closing.cancel();
        for audience in self.hubs.everyone() {
            for connection in audience.iter() {
                // A subscriber that panics must not leave other connections open.
                let end = || connection.end(Ending::shutdown());
                let _ = catch_unwind(AssertUnwindSafe(end));
            }
        }
    }

    pub(crate) fn new(config: Config) -> Self {
        let Config { keys, public_url, upstream, unmatched, limits, .. } = config;
        let (clock, tasks) = (Clock::start(), TaskTracker::new());
        let upstream_calls = Permits::new(limits.max_upstream_calls, limits.max_upstream_bytes);
        let departed = DepartedBudget::new(limits.max_departed_bytes);
        let backlog = Arc::new(Backlog::new(limits.max_total_outbox_bytes, limits.max_send_delay));
        let memberships = Quota::new(limits.max_groups_per_member, limits.max_memberships);
        Self {
            authority: Authority::new(keys, clock, limits.token_leeway, public_url.as_deref()),
            access: config.access,
            hubs: Hubs::new(Arc::clone(&backlog), memberships, tasks.clone()),
            negotiations: Arc::default(),
            stateful_reconnect: config.stateful_reconnect,
            stopped: CancellationToken::new(),
            idle_sockets: IdleSockets::new(descriptors::max_idle_sockets(&limits), IDLE_GRACE),
            shared: Arc::new(Shared {
                limits,
                detailed_errors: config.detailed_errors,
                allow_reconnect: config.allow_reconnect,
                clock,
                upstream,
                unmatched,
                relay_invalid_completions: config.relay_invalid_completions,
                upstream_calls,
                departed,
                backlog,
                log: LogLimit::default(),
                tasks,
                closing: CancellationToken::new(),
                upstream_requests: AtomicU64::new(0),
                slow_clients: AtomicU64::new(0),
            }),
        }
    }
}
