//! What every request and every connection of one service shares.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use hub_core::Secret;
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    auth::KnownTokens,
    clock::Clock,
    delivery::backlog::Backlog,
    descriptors,
    hub::{
        Hub,
        quota::{Budget, Full},
    },
    limits::Limits,
    serve::Silent,
    sync::lock,
    transport::negotiations::Negotiations,
    upstream::{Unmatched, Upstream},
};

/// The service behind its handles. Connections hold it; it ends them when the last handle goes.
pub(crate) struct State {
    /// The primary key first.
    pub(crate) keys: Vec<Secret>,
    pub(crate) upstream: Option<Arc<dyn Upstream>>,
    pub(crate) unmatched: Unmatched,
    /// One for each upstream call that may run.
    pub(crate) upstream_calls: Semaphore,
    pub(crate) limits: Limits,
    pub(crate) detailed_errors: bool,
    /// Whether clients that ask for it may resume a connection on another WebSocket.
    pub(crate) stateful_reconnect: bool,
    pub(crate) clock: Clock,
    pub(crate) known_tokens: KnownTokens,
    pub(crate) negotiations: Mutex<Negotiations>,
    /// Every task of every connection, upstream calls included.
    pub(crate) tasks: TaskTracker,
    /// No new clients; those that are there are closed.
    pub(crate) closing: CancellationToken,
    /// All `disconnected` are delivered: listeners end.
    pub(crate) stopped: CancellationToken,
    pub(crate) slow_clients: AtomicU64,
    /// Sockets without a request, of all listeners.
    pub(crate) silent: Arc<Silent>,
    pub(crate) backlog: Arc<Backlog>,
    memberships: Arc<Budget>,
    public_url: RwLock<Arc<str>>,
    hubs: Mutex<HashMap<String, Arc<Hub>>>,
}

impl State {
    pub(crate) fn new(
        keys: Vec<Secret>,
        upstream: Option<Arc<dyn Upstream>>,
        limits: Limits,
        detailed_errors: bool,
        public_url: &str,
    ) -> Self {
        Self {
            keys,
            upstream,
            unmatched: Unmatched::default(),
            upstream_calls: Semaphore::new(
                limits.max_upstream_calls.clamp(1, Semaphore::MAX_PERMITS),
            ),
            backlog: Arc::new(Backlog::new(limits.max_total_outbox_bytes, limits.max_send_delay)),
            memberships: Budget::new(limits.max_groups_per_member, limits.max_memberships),
            silent: Silent::new(descriptors::silent(&limits)),
            limits,
            detailed_errors,
            stateful_reconnect: true,
            clock: Clock::start(),
            known_tokens: KnownTokens::default(),
            negotiations: Mutex::default(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            stopped: CancellationToken::new(),
            slow_clients: AtomicU64::new(0),
            public_url: RwLock::new(public_url.trim_end_matches('/').into()),
            hubs: Mutex::default(),
        }
    }

    /// Where clients and REST callers reach the service, without a slash at the end.
    pub(crate) fn public_url(&self) -> Arc<str> {
        Arc::clone(&self.public_url.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    pub(crate) fn set_public_url(&self, url: &str) {
        let mut current =
            self.public_url.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        *current = url.trim_end_matches('/').into();
    }

    /// The hub of this name, made when it is new. Hub names ignore case.
    pub(crate) fn hub(&self, name: &str) -> Arc<Hub> {
        let name = name.to_ascii_lowercase();
        let mut hubs = lock(&self.hubs);
        let hub = hubs.entry(name).or_insert_with_key(|name| {
            let (backlog, tasks) = (Arc::clone(&self.backlog), self.tasks.clone());
            Arc::new(Hub::new(name.clone(), backlog, Arc::clone(&self.memberships), tasks))
        });
        Arc::clone(hub)
    }

    fn hubs(&self) -> Vec<Arc<Hub>> {
        lock(&self.hubs).values().cloned().collect()
    }

    /// Joins a group. Where all hubs together have no room for one more membership, those whose time
    /// is over make some, in whichever hub they are.
    pub(crate) fn join<T>(&self, join: impl Fn() -> Result<T, Full>) -> Result<T, Full> {
        match join() {
            Err(Full::All(_)) => {
                self.hubs().iter().for_each(|hub| hub.make_room());
                // Another may have made the room just before.
                join()
            }
            joined => joined,
        }
    }

    pub(crate) fn connections(&self) -> usize {
        lock(&self.hubs).values().map(|hub| hub.connections()).sum()
    }

    /// Holds a sender back while clients have too much to read, but not for clients that take nothing:
    /// they are closed when their outboxes are full, and that must come soon.
    pub(crate) async fn settle(&self) {
        if !self.backlog.settle().await {
            return;
        }
        let (hubs, now) = (self.hubs(), Instant::now());
        let everyone = hubs.iter().map(|hub| hub.everyone());
        let still =
            everyone.map(|all| all.iter().map(|it| it.outbox.still_bytes(now)).sum::<u64>());
        self.backlog.pass_over(usize::try_from(still.sum::<u64>()).unwrap_or(usize::MAX));
    }

    /// For how many clients something waits, and how many bytes in all.
    pub(crate) fn waiting(&self) -> (usize, u64) {
        let hubs = self.hubs();
        let everyone = hubs.iter().flat_map(|hub| hub.everyone().to_vec());
        let waiting = everyone.map(|connection| connection.outbox.waiting_bytes());
        waiting
            .filter(|bytes| *bytes > 0)
            .fold((0, 0), |(clients, all), bytes| (clients + 1, all + bytes))
    }

    pub(crate) fn count_slow_client(&self) {
        self.slow_clients.fetch_add(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("State")
            .field("public_url", &self.public_url())
            .finish_non_exhaustive()
    }
}
