//! All hubs of a service.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::{
    Hub,
    members::{Audience, Member},
    quota::{Quota, QuotaExceeded},
};
use crate::delivery::backlog::Backlog;

/// Hubs by name. A hub is created when its name is first used.
#[derive(Debug)]
pub(crate) struct Hubs<M> {
    by_name: Mutex<HashMap<String, Arc<Hub<M>>>>,
    backlog: Arc<Backlog>,
    memberships: Arc<Quota>,
    tasks: TaskTracker,
}

impl<M: Member> Hubs<M> {
    pub(crate) fn new(backlog: Arc<Backlog>, memberships: Arc<Quota>, tasks: TaskTracker) -> Self {
        Self { by_name: Mutex::default(), backlog, memberships, tasks }
    }

    /// The hub with this name, created if needed. Hub names are case-insensitive.
    pub(crate) fn hub(&self, name: &str) -> Arc<Hub<M>> {
        let mut hubs = self.by_name.lock();
        if let Some(hub) = hubs.get(name) {
            return Arc::clone(hub);
        }
        let name = name.to_ascii_lowercase();
        let hub = hubs.entry(name).or_insert_with_key(|name| {
            let (backlog, tasks) = (Arc::clone(&self.backlog), self.tasks.clone());
            Arc::new(Hub::new(name.as_str().into(), backlog, Arc::clone(&self.memberships), tasks))
        });
        Arc::clone(hub)
    }

    /// The hub with this name, if it was used.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Hub<M>>> {
        self.by_name.lock().get(&name.to_ascii_lowercase()).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Hub<M>>> {
        self.by_name.lock().values().cloned().collect()
    }

    /// Joins a group. When the memberships of all hubs have reached their limit, removes the expired
    /// memberships of every hub and tries again.
    pub(crate) fn join<T>(
        &self,
        join: impl Fn() -> Result<T, QuotaExceeded>,
    ) -> Result<T, QuotaExceeded> {
        match join() {
            Err(QuotaExceeded::Total(_)) => {
                self.all().iter().for_each(|hub| hub.remove_expired());
                // Retry even if this sweep removed nothing: another thread may have released quota.
                join()
            }
            joined => joined,
        }
    }

    /// The connections of each hub.
    pub(crate) fn everyone(&self) -> Vec<Audience<M>> {
        self.all().iter().map(|hub| hub.everyone()).collect()
    }

    /// The number of connections.
    pub(crate) fn connections(&self) -> usize {
        self.all().iter().map(|hub| hub.connections()).sum()
    }

    /// Delays a sender while the outboxes of all clients together exceed their limit. Stalled clients do not
    /// count: they are closed when their outboxes are full, and a delay would only postpone this close.
    pub(crate) async fn settle(&self) {
        if !self.backlog.settle().await {
            return;
        }
        let (everyone, now) = (self.everyone().into_iter(), Instant::now());
        let stalled =
            everyone.map(|all| all.iter().map(|it| it.outbox().stalled_bytes(now)).sum::<u64>());
        self.backlog.exclude_stalled(usize::try_from(stalled.sum::<u64>()).unwrap_or(usize::MAX));
    }

    /// The number of clients with pending data, and the pending bytes of all clients.
    pub(crate) fn waiting(&self) -> (usize, u64) {
        let everyone = self.everyone().into_iter().flat_map(|all| all.to_vec());
        let waiting = everyone.map(|connection| connection.outbox().waiting_bytes());
        waiting
            .filter(|bytes| *bytes > 0)
            .fold((0, 0), |(clients, all), bytes| (clients + 1, all + bytes))
    }
}
