//! The group memberships of one hub in the reference, as plain sets.

use std::collections::{BTreeMap, BTreeSet};

use super::operations::Membership;

/// The live connections of a hub, each with its number and user.
pub(super) type Present = Vec<(usize, Option<usize>)>;

#[derive(Debug, Default)]
pub(super) struct Members {
    /// Connections in groups. The value tells whether a user was added with `ttl=0`.
    connections: BTreeMap<(usize, usize), bool>,
    /// Users in groups, with the end of the membership in milliseconds.
    users: BTreeMap<(usize, usize), u64>,
}

impl Members {
    pub(super) fn of_group(&self, group: usize, present: &Present) -> BTreeSet<usize> {
        let numbers = present.iter().map(|(connection, _)| *connection);
        numbers.filter(|it| self.connections.contains_key(&(*it, group))).collect()
    }

    fn lasts(&self, user: usize, group: usize, now: u64) -> bool {
        self.users.get(&(user, group)).is_some_and(|until| now < *until)
    }

    pub(super) fn has_user(&self, user: usize, group: usize, present: &Present, now: u64) -> bool {
        let added = |(connection, of): &(usize, Option<usize>)| {
            *of == Some(user) && self.connections.get(&(*connection, group)) == Some(&true)
        };
        self.lasts(user, group, now) || present.iter().any(added)
    }

    /// Adds a new connection to the groups of its user.
    pub(super) fn greet(&mut self, connection: usize, user: Option<usize>, now: u64) {
        let groups =
            self.users.iter().filter(|((of, _), until)| Some(*of) == user && now < **until);
        self.connections.extend(groups.map(|((_, group), _)| ((connection, *group), false)));
    }

    /// Removes the memberships of a connection that has ended.
    pub(super) fn forget(&mut self, connection: usize) {
        self.connections.retain(|(member, _), _| *member != connection);
    }

    /// Applies a change. `connection` is the live client of the slot, if any. Returns the end of a membership
    /// that expires.
    pub(super) fn change(
        &mut self,
        change: Membership,
        connection: Option<usize>,
        present: &Present,
        now: u64,
    ) -> Option<u64> {
        match change {
            Membership::Add { group, .. } => {
                if let Some(connection) = connection {
                    self.connections.entry((connection, group)).or_default();
                }
            }
            Membership::Remove { group, .. } => {
                self.connections.retain(|it, _| Some(it.0) != connection || it.1 != group);
            }
            Membership::RemoveFromAll { .. } => {
                if let Some(connection) = connection {
                    self.forget(connection);
                }
            }
            Membership::AddUser { user, group, ttl } => {
                for (connection, _) in present.iter().filter(|(_, of)| *of == Some(user)) {
                    *self.connections.entry((*connection, group)).or_default() |= ttl == Some(0);
                }
                if ttl == Some(0) {
                    return None;
                }
                let until = ttl.map_or(u64::MAX, |seconds| now + seconds * 1000);
                self.users.insert((user, group), until);
                return ttl.map(|_| until);
            }
            Membership::RemoveUser { user, group } => {
                self.remove_user(user, present, |it| it == group);
            }
            Membership::RemoveUserFromAll { user } => self.remove_user(user, present, |_| true),
        }
        None
    }

    fn remove_user(&mut self, user: usize, present: &Present, from: impl Fn(usize) -> bool) {
        self.users.retain(|(of, group), _| *of != user || !from(*group));
        let is_of_user = |connection: usize| present.contains(&(connection, Some(user)));
        self.connections.retain(|(member, group), _| !is_of_user(*member) || !from(*group));
    }
}
