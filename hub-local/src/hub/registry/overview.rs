//! Copies of the memberships of a hub, for the inspector.

use std::time::Duration;

use tokio::time::Instant;

use super::Registry;
use crate::hub::members::Member;

/// A user with its connections and its own memberships.
#[derive(Debug)]
pub(crate) struct UserOverview {
    pub(crate) name: String,
    pub(crate) connections: usize,
    /// The groups of the user, with the time until each membership ends.
    pub(crate) groups: Vec<(String, Duration)>,
}

impl<M: Member> Registry<M> {
    /// The groups of a connection, sorted.
    pub(in crate::hub) fn groups_of(&self, id: &str) -> Vec<String> {
        let mut groups: Vec<_> = self.joined.get(id).into_iter().flatten().cloned().collect();
        groups.sort_unstable();
        groups
    }

    /// All groups with their numbers of connections.
    pub(in crate::hub) fn groups(&self) -> Vec<(String, usize)> {
        let groups = self.groups.iter();
        groups.map(|(name, group)| (name.clone(), group.connections.len())).collect()
    }

    /// All users.
    pub(in crate::hub) fn users(&self, now: Instant) -> Vec<UserOverview> {
        let users = self.users.iter().map(|(name, user)| {
            let live = user.groups.iter().filter(|(_, it)| now < it.until);
            let mut groups: Vec<_> =
                live.map(|(group, it)| (group.clone(), it.until - now)).collect();
            groups.sort_unstable();
            UserOverview { name: name.clone(), connections: user.connections.len(), groups }
        });
        users.collect()
    }
}
