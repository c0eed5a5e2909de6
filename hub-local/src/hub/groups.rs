//! Who is in which group: connections by themselves, and users with all their connections.
//!
//! A user's membership belongs to the user id: it may come before the first connection and
//! outlives the last one, until its time is over.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use hub_core::protocol::Protocol;
use tokio::time::Instant;

use super::members::{Audience, Members, in_memory_order};
use crate::connection::Connection;

/// How long a user stays in a group when no time is given.
const LASTING: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// Of the groups that a user joined without a time, the newest so many are kept.
const LASTING_GROUPS: usize = 100;

/// All memberships of one hub.
#[derive(Debug, Default)]
pub(super) struct Registry {
    connections: Members,
    /// The groups that each connection joined by itself or with `ttl=0`.
    joined: HashMap<String, HashSet<String>>,
    users: HashMap<String, User>,
    groups: HashMap<String, Group>,
    /// How many connections speak each protocol.
    protocols: HashMap<Protocol, usize>,
    /// Counts joins, so that the newest are known.
    joins: u64,
}

#[derive(Debug, Default)]
struct User {
    connections: Members,
    groups: HashMap<String, UserMembership>,
}

#[derive(Debug)]
struct UserMembership {
    until: Instant,
    joined: u64,
    lasting: bool,
}

#[derive(Debug, Default)]
struct Group {
    connections: HashMap<String, Member>,
    users: HashSet<String>,
    snapshot: Option<Snapshot>,
}

/// Why a connection is in a group; at least one holds.
#[derive(Debug)]
struct Member {
    connection: Arc<Connection>,
    by_itself: bool,
    by_user: bool,
}

#[derive(Debug)]
struct Snapshot {
    audience: Audience,
    /// The first time at which a user's membership ends.
    until: Option<Instant>,
}

impl Registry {
    pub(super) fn insert(&mut self, connection: &Arc<Connection>) {
        self.connections.insert(connection);
        *self.protocols.entry(connection.protocol()).or_default() += 1;
        let Some(name) = &connection.user else { return };
        let user = self.users.entry(name.clone()).or_default();
        user.connections.insert(connection);
        forget_snapshots(&mut self.groups, user.groups.keys());
    }

    pub(super) fn remove(&mut self, id: &str) {
        let Some(connection) = self.connections.get(id).cloned() else { return };
        self.remove_from_all_groups(id);
        self.connections.remove(id);
        if let Some(speakers) = self.protocols.get_mut(&connection.protocol()) {
            *speakers -= 1;
        }
        let Some(name) = &connection.user else { return };
        if let Some(user) = self.users.get_mut(name) {
            user.connections.remove(id);
            forget_snapshots(&mut self.groups, user.groups.keys());
        }
        self.drop_empty_user(name);
    }

    pub(super) fn protocols(&self) -> Vec<Protocol> {
        let spoken = self.protocols.iter().filter(|(_, speakers)| **speakers > 0);
        spoken.map(|(protocol, _)| *protocol).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    pub(super) fn connection(&self, id: &str) -> Option<Arc<Connection>> {
        self.connections.get(id).cloned()
    }

    pub(super) fn everyone(&mut self) -> Audience {
        self.connections.audience()
    }

    pub(super) fn user(&mut self, name: &str) -> Audience {
        self.users.get_mut(name).map(|user| user.connections.audience()).unwrap_or_default()
    }

    pub(super) fn group(&mut self, name: &str, now: Instant) -> Audience {
        let Some(group) = self.groups.get_mut(name) else { return Audience::default() };
        let usable = |known: &&Snapshot| known.until.is_none_or(|until| now < until);
        if let Some(known) = group.snapshot.as_ref().filter(usable) {
            return Arc::clone(&known.audience);
        }
        let snapshot = collect(group, name, &mut self.users, now);
        let audience = Arc::clone(&snapshot.audience);
        group.snapshot = Some(snapshot);
        self.drop_empty_group(name);
        audience
    }

    pub(super) fn add_to_group(&mut self, id: &str, group: &str) -> bool {
        let Some(connection) = self.connections.get(id).cloned() else { return false };
        self.join(connection, group).by_itself = true;
        true
    }

    pub(super) fn remove_from_group(&mut self, id: &str, group: &str) {
        if let Some(joined) = self.joined.get_mut(id) {
            joined.remove(group);
            if joined.is_empty() {
                self.joined.remove(id);
            }
        }
        if let Some(left) = self.groups.get_mut(group) {
            left.connections.remove(id);
            left.snapshot = None;
        }
        self.drop_empty_group(group);
    }

    pub(super) fn remove_from_all_groups(&mut self, id: &str) {
        for group in self.joined.remove(id).unwrap_or_default() {
            self.remove_from_group(id, &group);
        }
    }

    pub(super) fn add_user_to_group(
        &mut self,
        name: &str,
        group: &str,
        ttl: Option<Duration>,
        now: Instant,
    ) {
        if ttl == Some(Duration::ZERO) {
            for connection in self.user(name).iter() {
                self.join(Arc::clone(connection), group).by_user = true;
            }
            return;
        }
        self.joins += 1;
        let membership = UserMembership {
            until: now + ttl.map_or(LASTING, |ttl| ttl.min(LASTING)),
            joined: self.joins,
            lasting: ttl.is_none(),
        };
        let user = self.users.entry(name.to_owned()).or_default();
        user.groups.insert(group.to_owned(), membership);
        let outdated = user.outdated_groups(now);
        let joined = self.groups.entry(group.to_owned()).or_default();
        joined.users.insert(name.to_owned());
        joined.snapshot = None;
        for group in outdated {
            self.end_user_membership(name, &group);
        }
    }

    pub(super) fn is_user_in_group(&self, name: &str, group: &str, now: Instant) -> bool {
        let Some(user) = self.users.get(name) else { return false };
        let lasts = user.groups.get(group).is_some_and(|membership| now < membership.until);
        lasts || user.connections.iter().any(|connection| self.is_by_user(&connection.id, group))
    }

    pub(super) fn remove_user_from_group(&mut self, name: &str, group: &str) {
        self.end_user_membership(name, group);
        for connection in self.user(name).iter() {
            self.leave_as_user(&connection.id, group);
        }
        self.drop_empty_user(name);
    }

    pub(super) fn remove_user_from_all_groups(&mut self, name: &str) {
        let Some(user) = self.users.get(name) else { return };
        let mut groups: HashSet<String> = user.groups.keys().cloned().collect();
        for connection in user.connections.iter() {
            groups.extend(self.joined.get(&connection.id).into_iter().flatten().cloned());
        }
        for group in groups {
            self.remove_user_from_group(name, &group);
        }
    }

    fn join(&mut self, connection: Arc<Connection>, name: &str) -> &mut Member {
        self.joined.entry(connection.id.clone()).or_default().insert(name.to_owned());
        let group = self.groups.entry(name.to_owned()).or_default();
        group.snapshot = None;
        group.connections.entry(connection.id.clone()).or_insert(Member {
            connection,
            by_itself: false,
            by_user: false,
        })
    }

    fn is_by_user(&self, id: &str, group: &str) -> bool {
        let member = self.groups.get(group).and_then(|group| group.connections.get(id));
        member.is_some_and(|member| member.by_user)
    }

    /// Ends what `ttl=0` began; a connection that joined by itself stays.
    fn leave_as_user(&mut self, id: &str, group: &str) {
        let member = self.groups.get_mut(group).and_then(|it| it.connections.get_mut(id));
        let Some(member) = member else { return };
        member.by_user = false;
        if !member.by_itself {
            self.remove_from_group(id, group);
        }
    }

    fn end_user_membership(&mut self, name: &str, group: &str) {
        if let Some(user) = self.users.get_mut(name) {
            user.groups.remove(group);
        }
        if let Some(left) = self.groups.get_mut(group) {
            left.users.remove(name);
            left.snapshot = None;
        }
        self.drop_empty_group(group);
    }

    fn drop_empty_group(&mut self, name: &str) {
        let empty = |group: &Group| group.connections.is_empty() && group.users.is_empty();
        if self.groups.get(name).is_some_and(empty) {
            self.groups.remove(name);
        }
    }

    fn drop_empty_user(&mut self, name: &str) {
        let empty = |user: &User| user.connections.is_empty() && user.groups.is_empty();
        if self.users.get(name).is_some_and(empty) {
            self.users.remove(name);
        }
    }
}

impl User {
    /// Groups whose time is over, and those beyond the newest that last.
    fn outdated_groups(&self, now: Instant) -> Vec<String> {
        let (live, over): (Vec<_>, Vec<_>) =
            self.groups.iter().partition(|(_, membership)| now < membership.until);
        let mut lasting: Vec<_> = live.into_iter().filter(|(_, it)| it.lasting).collect();
        lasting.sort_by_key(|(_, membership)| std::cmp::Reverse(membership.joined));
        let beyond = lasting.into_iter().skip(LASTING_GROUPS);
        over.into_iter().chain(beyond).map(|(group, _)| group.clone()).collect()
    }
}

/// Everyone in a group. Users whose time is over leave it.
fn collect(
    group: &mut Group,
    name: &str,
    users: &mut HashMap<String, User>,
    now: Instant,
) -> Snapshot {
    let mut members: HashMap<&str, &Arc<Connection>> =
        group.connections.iter().map(|(id, member)| (id.as_str(), &member.connection)).collect();
    let mut until = None;
    let mut left = Vec::new();
    group.users.retain(|id| match users.get_mut(id) {
        Some(user) => match user.groups.get(name) {
            Some(membership) if now < membership.until => {
                until =
                    Some(until.map_or(membership.until, |it: Instant| it.min(membership.until)));
                true
            }
            _ => {
                user.groups.remove(name);
                left.push(id.clone());
                false
            }
        },
        None => false,
    });
    for id in left {
        if users.get(&id).is_some_and(|it| it.connections.is_empty() && it.groups.is_empty()) {
            users.remove(&id);
        }
    }
    for user in group.users.iter().filter_map(|user| users.get(user)) {
        members.extend(user.connections.iter().map(|it| (it.id.as_str(), it)));
    }
    Snapshot { audience: in_memory_order(members.into_values().cloned()), until }
}

fn forget_snapshots<'a>(
    groups: &mut HashMap<String, Group>,
    names: impl Iterator<Item = &'a String>,
) {
    for name in names {
        if let Some(group) = groups.get_mut(name) {
            group.snapshot = None;
        }
    }
}
