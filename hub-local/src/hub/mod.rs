//! One hub: its connections, users and groups, and what is sent to them.

pub(crate) mod broadcast;
pub(crate) mod members;
pub(crate) mod quota;
pub(crate) mod registry;
mod snapshot;

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock},
    time::Duration,
};

use hub_core::protocol::Protocol;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use self::{
    members::Audience,
    quota::{Budget, Full},
    registry::{Joined, Registry},
};
use crate::{
    connection::Connection,
    delivery::{backlog::Backlog, log::Log},
    sync::lock,
};

/// A hub and everyone who is connected to it.
#[derive(Debug)]
pub(crate) struct Hub {
    name: String,
    registry: Mutex<Registry>,
    /// One for each protocol that anybody ever spoke, in the order of all protocols.
    logs: [OnceLock<Arc<Log>>; Protocol::ALL.len()],
    backlog: Arc<Backlog>,
    tasks: TaskTracker,
}

impl Hub {
    pub(crate) fn new(
        name: String,
        backlog: Arc<Backlog>,
        budget: Arc<Budget>,
        tasks: TaskTracker,
    ) -> Self {
        let registry = Mutex::new(Registry::new(budget));
        Self { name, registry, logs: Default::default(), backlog, tasks }
    }

    /// The name in lower case.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn insert(&self, connection: &Arc<Connection>) {
        let log = self.log(connection.protocol());
        let mut registry = self.registry();
        registry.insert(connection);
        if let Some(log) = log {
            connection.outbox.follow(log);
        }
    }

    /// What everyone who speaks this protocol is sent.
    fn log(&self, protocol: Protocol) -> Option<&Arc<Log>> {
        let index = Protocol::ALL.iter().position(|it| *it == protocol)?;
        let log = || Arc::new(Log::new(Arc::clone(&self.backlog), self.tasks.clone()));
        Some(self.logs.get(index)?.get_or_init(log))
    }

    pub(crate) fn remove(&self, connection: &Connection) {
        self.registry().remove(&connection.id);
    }

    pub(crate) fn connections(&self) -> usize {
        self.registry().len()
    }

    /// What the clients speak, of any audience that was taken before.
    pub(crate) fn protocols(&self) -> Vec<Protocol> {
        self.registry().protocols()
    }

    pub(crate) fn connection(&self, id: &str) -> Option<Arc<Connection>> {
        self.registry().connection(id)
    }

    pub(crate) fn everyone(&self) -> Audience {
        self.registry().everyone()
    }

    pub(crate) fn user(&self, user: &str) -> Audience {
        self.registry().user(user)
    }

    pub(crate) fn group(&self, group: &str) -> Audience {
        self.registry().group(group, Instant::now())
    }

    /// Says whether there is such a connection to add.
    pub(crate) fn add_to_group(&self, connection: &str, group: &str) -> Result<Joined, Full> {
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
    ) -> Result<(), Full> {
        self.registry().add_user_to_group(user, group, ttl, Instant::now())
    }

    /// Ends memberships whose time is over.
    pub(crate) fn make_room(&self) {
        self.registry().make_room(Instant::now());
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

    fn registry(&self) -> MutexGuard<'_, Registry> {
        lock(&self.registry)
    }
}
