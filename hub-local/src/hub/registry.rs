//! Group memberships of connections and users.
//!
//! Only connections are in groups. A user's membership belongs to the user id: it adds the open connections of
//! the user, and until it expires each new connection of the user. It may start before the user's first
//! connection. Its expiry does not affect open connections. One connection of the user can leave the group
//! ("Group management" of the Azure SignalR Service documentation; Microsoft's emulator).

pub(crate) mod overview;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use hub_core::protocol::Protocol;
use tokio::time::Instant;

use super::{
    group::{Group, Membership, User, UserMembership},
    members::{Audience, Member, Members, trim, trim_set},
    quota::{Quota, QuotaExceeded},
};

/// Time to live of a user's membership if the caller gives none.
const DEFAULT_TTL: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A sweep of expired memberships starts when the number of users' memberships has doubled since the last
/// sweep, but not below this number.
const MIN_SWEEP_SIZE: usize = 1024;
/// The minimum time between two sweeps while the quota is exceeded.
const MIN_SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// All memberships of one hub.
#[derive(Debug)]
pub(super) struct Registry<M> {
    /// Shared with other hubs.
    quota: Arc<Quota>,
    /// The number of users' memberships.
    timed: usize,
    /// The number of users' memberships at which the next sweep starts.
    sweep_threshold: usize,
    swept_at: Option<Instant>,
    connections: Members<M>,
    /// The groups of each connection.
    joined: HashMap<String, HashSet<String>>,
    users: HashMap<String, User<M>>,
    groups: HashMap<String, Group<M>>,
    /// Number of connections per protocol.
    protocols: HashMap<Protocol, usize>,
    /// Number of joins so far. The value at the time of a join orders memberships by age.
    joins: u64,
}

/// The result of a join within the quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinOutcome {
    Added,
    /// The connection does not exist.
    NoConnection,
}

impl<M: Member> Registry<M> {
    pub(super) fn new(quota: Arc<Quota>) -> Self {
        Self {
            quota,
            timed: 0,
            sweep_threshold: MIN_SWEEP_SIZE,
            swept_at: None,
            connections: Members::default(),
            joined: HashMap::new(),
            users: HashMap::new(),
            groups: HashMap::new(),
            protocols: HashMap::new(),
            joins: 0,
        }
    }

    /// Adds a connection, and adds it to the groups of its user. Returns the number of groups for which the
    /// quota has no room.
    pub(super) fn insert(&mut self, connection: &Arc<M>) -> usize {
        self.connections.insert(connection);
        *self.protocols.entry(connection.protocol()).or_default() += 1;
        let Some(name) = connection.user() else { return 0 };
        let user = self.users.entry(name.to_owned()).or_default();
        user.connections.insert(connection);
        if user.groups.is_empty() {
            return 0;
        }
        let live = user.live_groups(Instant::now());
        live.iter().filter(|group| self.join(Arc::clone(connection), group).is_err()).count()
    }

    pub(super) fn remove(&mut self, id: &str) {
        let Some(connection) = self.connections.get(id).cloned() else { return };
        self.remove_from_all_groups(id);
        self.connections.remove(id);
        if let Some(count) = self.protocols.get_mut(&connection.protocol()) {
            *count -= 1;
        }
        let Some(name) = connection.user() else { return };
        if let Some(user) = self.users.get_mut(name) {
            user.connections.remove(id);
        }
        self.drop_empty_user(name);
    }

    pub(super) fn protocols(&self) -> Vec<Protocol> {
        let in_use = self.protocols.iter().filter(|(_, count)| **count > 0);
        in_use.map(|(protocol, _)| *protocol).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    pub(super) fn connection(&self, id: &str) -> Option<Arc<M>> {
        self.connections.get(id).cloned()
    }

    pub(super) fn everyone(&mut self) -> Audience<M> {
        self.connections.audience()
    }

    pub(super) fn user(&mut self, name: &str) -> Audience<M> {
        self.users.get_mut(name).map(|user| user.connections.audience()).unwrap_or_default()
    }

    pub(super) fn group(&mut self, name: &str) -> Audience<M> {
        self.groups.get_mut(name).map(Group::audience).unwrap_or_default()
    }

    pub(super) fn add_to_group(
        &mut self,
        id: &str,
        group: &str,
    ) -> Result<JoinOutcome, QuotaExceeded> {
        let Some(connection) = self.connections.get(id).cloned() else {
            return Ok(JoinOutcome::NoConnection);
        };
        self.join(connection, group)?;
        Ok(JoinOutcome::Added)
    }

    pub(super) fn remove_from_group(&mut self, id: &str, group: &str) {
        if let Some(joined) = self.joined.get_mut(id) {
            if joined.remove(group) {
                self.quota.release(&[group]);
                trim_set(joined);
            }
            if joined.is_empty() {
                self.joined.remove(id);
                trim(&mut self.joined);
            }
        }
        if let Some(left) = self.groups.get_mut(group) {
            left.connections.remove(id);
            trim(&mut left.connections);
            left.snapshot = None;
        }
        self.drop_empty_group(group);
    }

    pub(super) fn remove_from_all_groups(&mut self, id: &str) {
        let joined = self.joined.remove(id).unwrap_or_default();
        trim(&mut self.joined);
        for group in joined {
            self.quota.release(&[&group]);
            self.remove_from_group(id, &group);
        }
    }

    pub(super) fn add_user_to_group(
        &mut self,
        name: &str,
        group: &str,
        ttl: Option<Duration>,
        now: Instant,
    ) -> Result<(), QuotaExceeded> {
        let connections = self.user(name);
        let mut added = Vec::new();
        let joined = connections.iter().try_for_each(|connection| {
            if !self.is_in_group(connection.id(), group) {
                self.join(Arc::clone(connection), group)?;
                added.push(connection.id());
            }
            Ok(())
        });
        let open_only = ttl == Some(Duration::ZERO);
        let begun = joined.and_then(|()| match open_only {
            true => Ok(()),
            false => self.begin_user_membership(name, group, ttl, now),
        });
        if begun.is_err() {
            // All connections of the user join, or none.
            added.into_iter().for_each(|id| self.remove_from_group(id, group));
        } else if open_only && let Some(group) = self.groups.get_mut(group) {
            for connection in connections.iter() {
                let member = group.connections.get_mut(connection.id());
                member.into_iter().for_each(|member| member.by_user = true);
            }
        }
        begun
    }

    fn begin_user_membership(
        &mut self,
        name: &str,
        group: &str,
        ttl: Option<Duration>,
        now: Instant,
    ) -> Result<(), QuotaExceeded> {
        if self.timed >= self.sweep_threshold {
            self.remove_expired_memberships(now);
        }
        self.admit_user(name, group, now)?;
        self.joins += 1;
        let membership = UserMembership {
            until: now + ttl.map_or(DEFAULT_TTL, |ttl| ttl.min(DEFAULT_TTL)),
            joined: self.joins,
            lasting: ttl.is_none(),
        };
        let user = self.users.entry(name.to_owned()).or_default();
        user.groups.insert(group.to_owned(), membership);
        for group in user.expired_groups(now) {
            self.end_user_membership(name, &group);
        }
        Ok(())
    }

    /// Counts a membership of a user, unless it exists already.
    fn admit_user(&mut self, name: &str, group: &str, now: Instant) -> Result<(), QuotaExceeded> {
        let each = self.quota.each;
        if let Some(user) = self.users.get(name) {
            if user.groups.contains_key(group) {
                return Ok(());
            }
            if user.groups.len() >= each {
                for expired in user.expired_groups(now) {
                    self.end_user_membership(name, &expired);
                }
                self.drop_empty_user(name);
            }
        }
        if self.users.get(name).map_or(0, |user| user.groups.len()) >= each {
            return Err(QuotaExceeded::PerMember(each));
        }
        self.quota.acquire(&[name, group])?;
        self.timed += 1;
        Ok(())
    }

    pub(super) fn is_user_in_group(&self, name: &str, group: &str, now: Instant) -> bool {
        let Some(user) = self.users.get(name) else { return false };
        let lasts = user.groups.get(group).is_some_and(|membership| now < membership.until);
        lasts || user.connections.iter().any(|connection| self.is_by_user(connection.id(), group))
    }

    pub(super) fn remove_user_from_group(&mut self, name: &str, group: &str) {
        self.end_user_membership(name, group);
        for connection in self.user(name).iter() {
            self.remove_from_group(connection.id(), group);
        }
        self.drop_empty_user(name);
    }

    pub(super) fn remove_user_from_all_groups(&mut self, name: &str) {
        let Some(user) = self.users.get(name) else { return };
        let mut groups: HashSet<String> = user.groups.keys().cloned().collect();
        for connection in user.connections.iter() {
            groups.extend(self.joined.get(connection.id()).into_iter().flatten().cloned());
        }
        for group in groups {
            self.remove_user_from_group(name, &group);
        }
    }

    fn join(&mut self, connection: Arc<M>, name: &str) -> Result<(), QuotaExceeded> {
        let joined = self.joined.get(connection.id());
        if joined.is_none_or(|joined| !joined.contains(name)) {
            let each = self.quota.each;
            if joined.map_or(0, HashSet::len) >= each {
                return Err(QuotaExceeded::PerMember(each));
            }
            self.quota.acquire(&[name])?;
            self.joined.entry(connection.id().to_owned()).or_default().insert(name.to_owned());
        }
        let group = self.groups.entry(name.to_owned()).or_default();
        group.snapshot = None;
        let id = connection.id().to_owned();
        group.connections.entry(id).or_insert(Membership { connection, by_user: false });
        Ok(())
    }

    /// Removes expired memberships because the quota is exceeded, at most once a second.
    pub(super) fn remove_expired(&mut self, now: Instant) {
        if self.swept_at.is_none_or(|swept_at| now >= swept_at + MIN_SWEEP_INTERVAL) {
            self.remove_expired_memberships(now);
        }
    }

    /// Removes the expired memberships of all users. Otherwise, the expired memberships of a user are removed only
    /// when the user joins another group.
    fn remove_expired_memberships(&mut self, now: Instant) {
        let expired: Vec<_> = self
            .users
            .iter()
            .flat_map(|(name, user)| {
                let expired = user.groups.iter().filter(|(_, it)| it.until <= now);
                expired.map(|(group, _)| (name.clone(), group.clone()))
            })
            .collect();
        for (name, group) in expired {
            self.end_user_membership(&name, &group);
            self.drop_empty_user(&name);
        }
        self.sweep_threshold = (self.timed * 2).max(MIN_SWEEP_SIZE);
        self.swept_at = Some(now);
    }

    fn is_in_group(&self, id: &str, group: &str) -> bool {
        self.groups.get(group).is_some_and(|group| group.connections.contains_key(id))
    }

    fn is_by_user(&self, id: &str, group: &str) -> bool {
        let member = self.groups.get(group).and_then(|group| group.connections.get(id));
        member.is_some_and(|member| member.by_user)
    }

    /// Ends the membership of a user. Open connections stay in the group.
    fn end_user_membership(&mut self, name: &str, group: &str) {
        if let Some(user) = self.users.get_mut(name)
            && user.groups.remove(group).is_some()
        {
            self.timed -= 1;
            self.quota.release(&[name, group]);
            trim(&mut user.groups);
        }
    }

    fn drop_empty_group(&mut self, name: &str) {
        if self.groups.get(name).is_some_and(|group| group.connections.is_empty()) {
            self.groups.remove(name);
            trim(&mut self.groups);
        }
    }

    fn drop_empty_user(&mut self, name: &str) {
        let empty = |user: &User<M>| user.connections.is_empty() && user.groups.is_empty();
        if self.users.get(name).is_some_and(empty) {
            self.users.remove(name);
            trim(&mut self.users);
        }
    }
}

#[cfg(test)]
mod tests;
