//! The group memberships of one hub in the reference, as plain sets.

use std::collections::{BTreeMap, BTreeSet};

use super::operations::Membership;

/// The live connections of a hub, each with its number and user.
pub(super) type Present = Vec<(usize, Option<usize>)>;

#[derive(Debug, Default)]
pub(super) struct Members {
    /// Connections that were added to a group by connection id.
    alone: BTreeSet<(usize, usize)>,
    /// Connections that were added to a group through their user with `ttl=0`.
    together: BTreeSet<(usize, usize)>,
    /// Users in groups, with the end of the membership in milliseconds.
    users: BTreeMap<(usize, usize), u64>,
}

impl Members {
    pub(super) fn of_group(&self, group: usize, present: &Present, now: u64) -> BTreeSet<usize> {
        let is_in = |(connection, user): &(usize, Option<usize>)| {
            self.alone.contains(&(*connection, group))
                || self.together.contains(&(*connection, group))
                || user.is_some_and(|user| self.lasts(user, group, now))
        };
        present.iter().filter(|it| is_in(it)).map(|(connection, _)| *connection).collect()
    }

    fn lasts(&self, user: usize, group: usize, now: u64) -> bool {
        self.users.get(&(user, group)).is_some_and(|until| now < *until)
    }

    pub(super) fn has_user(&self, user: usize, group: usize, present: &Present, now: u64) -> bool {
        let together = |(connection, of): &(usize, Option<usize>)| {
            *of == Some(user) && self.together.contains(&(*connection, group))
        };
        self.lasts(user, group, now) || present.iter().any(together)
    }

    /// Removes the memberships of a connection that has ended.
    pub(super) fn forget(&mut self, connection: usize) {
        self.alone.retain(|(member, _)| *member != connection);
        self.together.retain(|(member, _)| *member != connection);
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
                self.alone.extend(connection.map(|it| (it, group)));
            }
            Membership::Remove { group, .. } => {
                let is_it = |it: &(usize, usize)| Some(it.0) == connection && it.1 == group;
                self.alone.retain(|it| !is_it(it));
                self.together.retain(|it| !is_it(it));
            }
            Membership::RemoveFromAll { .. } => {
                if let Some(connection) = connection {
                    self.forget(connection);
                }
            }
            Membership::AddUser { user, group, ttl: Some(0) } => {
                let of_user = present.iter().filter(|(_, of)| *of == Some(user));
                self.together.extend(of_user.map(|(connection, _)| (*connection, group)));
            }
            Membership::AddUser { user, group, ttl } => {
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
        self.together.retain(|(member, group)| !is_of_user(*member) || !from(*group));
    }
}
