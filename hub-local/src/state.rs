//! The state of one service.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use http::StatusCode;
use hub_core::{Secret, secret_rule::Reach};
use hub_net::{clock::Clock, host, idle_sockets::IdleSockets, log_limit::LogLimit};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    access::Access,
    auth::Authority,
    causes::Refusal,
    connection::{
        Connection, departed::DepartedBudget, ended_requests::EndedRequests, ending::Ending,
        shared::Shared,
    },
    delivery::backlog::Backlog,
    descriptors,
    hub::{hubs::Hubs, quota::Quota},
    inspect::{Inspection, Inspector, Matter, Subject, Trouble},
    limits::Limits,
    record::EventSink,
    transport::negotiations::Negotiations,
    upstream::{Unmatched, Upstream, permits::Permits},
};

/// Sockets younger than this time are evicted only above twice the limit.
const IDLE_GRACE: Duration = Duration::from_secs(1);

/// State shared by the handles of a service and its requests.
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
    /// The inspector; `None` if it is off.
    pub(crate) inspection: Option<Inspection>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "State({})", self.authority.public_url())
    }
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
    pub(crate) inspector: Option<Inspector>,
    /// Gets the events of the service.
    pub(crate) sink: Option<Box<dyn EventSink>>,
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

    /// Ends an inspector that is for loopback only, unless the public URL and a listener with this reach are on loopback.
    pub(crate) fn check_inspector(&self, listener: Reach) {
        let url = self.authority.public_url();
        let is_on_loopback = host::of_url(&url).is_some_and(host::is_loopback);
        if let Some(inspection) = &self.inspection
            && (listener == Reach::Beyond || !is_on_loopback)
        {
            inspection.beyond_loopback();
        }
    }

    /// Records a request for a foreign host or from a foreign page for the inspector.
    pub(crate) fn record_foreign(&self, status: StatusCode, refusal: &Refusal) {
        if let Some(recorder) = &self.shared.recorder {
            let Refusal { cause, text } = refusal;
            let trouble = Trouble { cause: Some(*cause), text: text.as_str().into() };
            let subject = Subject::default();
            recorder.refused(subject, Matter::Connect, Some(status.as_u16()), trouble);
        }
    }

    pub(crate) fn new(config: Config) -> Self {
        let Config { keys, public_url, upstream, unmatched, limits, .. } = config;
        let (inspector, sink) = (config.inspector, config.sink);
        let inspector =
            inspector.or_else(|| sink.is_some().then(|| Inspector::new().without_page()));
        let inspection = inspector.and_then(|settings| Inspection::new(settings, &keys, sink));
        let recorder = inspection.as_ref().map(|inspection| Arc::clone(&inspection.recorder));
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
            inspection,
            shared: Arc::new(Shared {
                recorder,
                limits,
                detailed_errors: config.detailed_errors,
                allow_reconnect: config.allow_reconnect,
                clock,
                upstream,
                unmatched,
                relay_invalid_completions: config.relay_invalid_completions,
                upstream_calls,
                departed,
                ended_requests: EndedRequests::default(),
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
