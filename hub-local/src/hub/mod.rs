//! One hub: its connections, users and groups, and broadcasts to them.

pub(crate) mod broadcast;
mod group;
pub(crate) mod hubs;
pub(crate) mod members;
pub(crate) mod quota;
pub(crate) mod registry;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use hub_core::protocol::Protocol;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use self::{
    members::{Audience, Member},
    quota::{Quota, QuotaExceeded},
    registry::{JoinOutcome, Registry, overview::UserOverview},
};
use crate::delivery::{backlog::Backlog, log::Log, pace::WakePacer};

/// A hub and its connections.
#[derive(Debug)]
pub(crate) struct Hub<M> {
    name: Arc<str>,
    registry: Mutex<Registry<M>>,
    /// One log per hub protocol in use, in the order of `Protocol::ALL`; created on first use.
    logs: [OnceLock<Arc<Log>>; Protocol::ALL.len()],
    backlog: Arc<Backlog>,
    pace: Arc<WakePacer>,
}

impl<M: Member> Hub<M> {
    /// `tasks` tracks the task that wakes the writers of clients.
    pub(crate) fn new(
        name: Arc<str>,
        backlog: Arc<Backlog>,
        quota: Arc<Quota>,
        tasks: TaskTracker,
    ) -> Self {
        let registry = Mutex::new(Registry::new(quota));
        let pace = WakePacer::new(tasks);
        Self { name, registry, logs: Default::default(), backlog, pace }
    }

    /// The name in lower case.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Like [`Self::name`], for a value that outlives the hub.
    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// Adds a connection, and adds it to the groups of its user. Returns the number of groups for which the
    /// quota has no room.
    pub(crate) fn insert(&self, connection: &Arc<M>) -> usize {
        let log = self.log(connection.protocol());
        let mut registry = self.registry();
        let missed = registry.insert(connection);
        if let Some(log) = log {
            connection.outbox().follow(log);
        }
        missed
    }

    /// The broadcast log of this protocol.
    fn log(&self, protocol: Protocol) -> Option<&Arc<Log>> {
        let index = Protocol::ALL.iter().position(|it| *it == protocol)?;
        let log = || Arc::new(Log::new(Arc::clone(&self.backlog), Arc::clone(&self.pace)));
        Some(self.logs.get(index)?.get_or_init(log))
    }

    pub(crate) fn remove(&self, id: &str) {
        self.registry().remove(id);
    }

    pub(crate) fn connections(&self) -> usize {
        self.registry().len()
    }

    /// The protocols of the connected clients. Determine the audience before this call, so that the result
    /// includes the protocols of its members.
    pub(crate) fn protocols(&self) -> Vec<Protocol> {
        self.registry().protocols()
    }

    pub(crate) fn connection(&self, id: &str) -> Option<Arc<M>> {
        self.registry().connection(id)
    }

    pub(crate) fn everyone(&self) -> Audience<M> {
        self.registry().everyone()
    }

    pub(crate) fn user(&self, user: &str) -> Audience<M> {
        self.registry().user(user)
    }

    pub(crate) fn group(&self, group: &str) -> Audience<M> {
        self.registry().group(group)
    }

    /// Adds a connection to a group.
    pub(crate) fn add_to_group(
        &self,
        connection: &str,
        group: &str,
    ) -> Result<JoinOutcome, QuotaExceeded> {
        self.registry().add_to_group(connection, group)
    }

    pub(crate) fn remove_from_group(&self, connection: &str, group: &str) {
        self.registry().remove_from_group(connection, group);
    }

    pub(crate) fn remove_from_all_groups(&self, connection: &str) {
        self.registry().remove_from_all_groups(connection);
    }

    pub(crate) fn add_user_to_group(
        &self,
        user: &str,
        group: &str,
        ttl: Option<Duration>,
    ) -> Result<(), QuotaExceeded> {
        self.registry().add_user_to_group(user, group, ttl, Instant::now())
    }

    /// Removes expired memberships.
    pub(crate) fn remove_expired(&self) {
        self.registry().remove_expired(Instant::now());
    }

    pub(crate) fn is_user_in_group(&self, user: &str, group: &str) -> bool {
        self.registry().is_user_in_group(user, group, Instant::now())
    }

    pub(crate) fn remove_user_from_group(&self, user: &str, group: &str) {
        self.registry().remove_user_from_group(user, group);
    }

    pub(crate) fn remove_user_from_all_groups(&self, user: &str) {
        self.registry().remove_user_from_all_groups(user);
    }

    /// The groups of a connection.
    pub(crate) fn groups_of(&self, connection: &str) -> Vec<String> {
        self.registry().groups_of(connection)
    }

    /// All groups with their numbers of connections.
    pub(crate) fn groups(&self) -> Vec<(String, usize)> {
        self.registry().groups()
    }

    /// All users with connections or memberships.
    pub(crate) fn users(&self) -> Vec<UserOverview> {
        self.registry().users(Instant::now())
    }

    fn registry(&self) -> MutexGuard<'_, Registry<M>> {
        self.registry.lock()
    }
}
