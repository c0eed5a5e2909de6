//! Who is in a group at one moment; kept until that changes.

use std::{collections::HashMap, sync::Arc};

use tokio::time::Instant;

use super::{
    members::{Audience, Member, in_memory_order, trim, trim_set},
    registry::{Group, User},
};

#[derive(Debug)]
pub(super) struct Snapshot<M> {
    pub(super) audience: Audience<M>,
    /// The first time at which a user's membership ends.
    pub(super) until: Option<Instant>,
}

/// Everyone in a group, and the users who left it because their time is over.
pub(super) fn collect<M: Member>(
    group: &mut Group<M>,
    name: &str,
    users: &mut HashMap<String, User<M>>,
    now: Instant,
) -> (Snapshot<M>, Vec<String>) {
    let mut members: HashMap<&str, &Arc<M>> =
        group.connections.iter().map(|(id, member)| (id.as_str(), &member.connection)).collect();
    let mut until = None;
    let mut over = Vec::new();
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
                    over.push(id.clone());
                }
                false
            }
        },
        None => false,
    });
    trim_set(&mut group.users);
    for id in &over {
        if users.get(id).is_some_and(|it| it.connections.is_empty() && it.groups.is_empty()) {
            users.remove(id);
        }
    }
    for user in group.users.iter().filter_map(|user| users.get(user)) {
        members.extend(user.connections.iter().map(|it| (it.id(), it)));
    }
    (Snapshot { audience: in_memory_order(members.into_values().cloned()), until }, over)
}

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
