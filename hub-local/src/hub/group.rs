//! Users and groups, and a cached snapshot of the members of each group.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tokio::time::Instant;

use super::members::{Audience, Member, Members, in_memory_order, trim, trim_set};

/// Maximum number of groups that a user can join without a time to live. When the user joins a further
/// group, the user leaves the oldest group.
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
    pub(super) users: HashSet<String>,
    pub(super) snapshot: Option<Snapshot<M>>,
}

/// Membership of a connection; at least one of the two flags is set.
#[derive(Debug)]
pub(super) struct Membership<M> {
    pub(super) connection: Arc<M>,
    /// The connection itself was added.
    pub(super) by_itself: bool,
    /// Its user was added with `ttl=0`.
    pub(super) by_user: bool,
}

/// The members of a group at one moment.
#[derive(Debug)]
pub(super) struct Snapshot<M> {
    pub(super) audience: Audience<M>,
    /// Earliest expiry of a user's membership.
    pub(super) until: Option<Instant>,
}

/// The members of a group, and the users whose membership has expired.
pub(super) fn collect<M: Member>(
    group: &mut Group<M>,
    name: &str,
    users: &mut HashMap<String, User<M>>,
    now: Instant,
) -> (Snapshot<M>, Vec<String>) {
    let mut members: HashMap<&str, &Arc<M>> =
        group.connections.iter().map(|(id, member)| (id.as_str(), &member.connection)).collect();
    let mut until = None;
    let mut expired = Vec::new();
    group.users.retain(|id| match users.get_mut(id) {
        Some(user) => match user.groups.get(name) {
            Some(membership) if now < membership.until => {
                until =
                    Some(until.map_or(membership.until, |it: Instant| it.min(membership.until)));
                true
            }
            _ => {
                if user.groups.remove(name).is_some() {
                    trim(&mut user.groups);
                    expired.push(id.clone());
                }
                false
            }
        },
        None => false,
    });
    trim_set(&mut group.users);
    for id in &expired {
        if users.get(id).is_some_and(|it| it.connections.is_empty() && it.groups.is_empty()) {
            users.remove(id);
        }
    }
    for user in group.users.iter().filter_map(|user| users.get(user)) {
        members.extend(user.connections.iter().map(|it| (it.id(), it)));
    }
    (Snapshot { audience: in_memory_order(members.into_values().cloned()), until }, expired)
}

/// Invalidates the snapshots of these groups.
pub(super) fn forget_snapshots<'a, M>(
    groups: &mut HashMap<String, Group<M>>,
    names: impl Iterator<Item = &'a String>,
) {
    for name in names {
        if let Some(group) = groups.get_mut(name) {
            group.snapshot = None;
        }
    }
}

impl<M> Default for User<M> {
    fn default() -> Self {
        Self { connections: Members::default(), groups: HashMap::new() }
    }
}

impl<M> Default for Group<M> {
    fn default() -> Self {
        Self { connections: HashMap::new(), users: HashSet::new(), snapshot: None }
    }
}

impl<M> User<M> {
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
