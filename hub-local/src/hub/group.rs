//! Users and groups, and a cached snapshot of the members of each group.

use std::{collections::HashMap, sync::Arc};

use tokio::time::Instant;

use super::members::{Audience, Members, in_memory_order};

/// Maximum number of groups that a user can join without a time to live. When the user joins a further
/// group, the membership of the oldest group ends.
const MAX_LASTING_GROUPS: usize = 100;

/// A user of the hub, with or without connections.
#[derive(Debug)]
pub(super) struct User<M> {
    pub(super) connections: Members<M>,
    pub(super) groups: HashMap<String, UserMembership>,
}

#[derive(Debug)]
pub(super) struct UserMembership {
    pub(super) until: Instant,
    /// Sequence number of the join.
    pub(super) joined: u64,
    /// Whether no time to live was given.
    pub(super) lasting: bool,
}

#[derive(Debug)]
pub(super) struct Group<M> {
    pub(super) connections: HashMap<String, Membership<M>>,
    pub(super) snapshot: Option<Audience<M>>,
}

/// Membership of a connection.
#[derive(Debug)]
pub(super) struct Membership<M> {
    pub(super) connection: Arc<M>,
    /// Its user was added with `ttl=0`.
    pub(super) by_user: bool,
}

impl<M> Default for User<M> {
    fn default() -> Self {
        Self { connections: Members::default(), groups: HashMap::new() }
    }
}

impl<M> Default for Group<M> {
    fn default() -> Self {
        Self { connections: HashMap::new(), snapshot: None }
    }
}

impl<M> Group<M> {
    pub(super) fn audience(&mut self) -> Audience<M> {
        let Self { connections, snapshot } = self;
        let members = || connections.values().map(|member| Arc::clone(&member.connection));
        Arc::clone(snapshot.get_or_insert_with(|| in_memory_order(members())))
    }
}

impl<M> User<M> {
    /// The groups that a new connection of the user joins.
    pub(super) fn live_groups(&self, now: Instant) -> Vec<String> {
        let live = self.groups.iter().filter(|(_, membership)| now < membership.until);
        live.map(|(group, _)| group.clone()).collect()
    }

    /// The groups that the user must leave: those whose membership has expired, and, if the user has more than
    /// `MAX_LASTING_GROUPS` memberships without a time to live, the groups of the oldest of these.
    pub(super) fn expired_groups(&self, now: Instant) -> Vec<String> {
        let (live, expired): (Vec<_>, Vec<_>) =
            self.groups.iter().partition(|(_, membership)| now < membership.until);
        let mut lasting: Vec<_> = live.into_iter().filter(|(_, it)| it.lasting).collect();
        lasting.sort_by_key(|(_, membership)| std::cmp::Reverse(membership.joined));
        let beyond = lasting.into_iter().skip(MAX_LASTING_GROUPS);
        expired.into_iter().chain(beyond).map(|(group, _)| group.clone()).collect()
    }
}
