//! Quota of group memberships. A membership uses memory until it is removed or expires.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A membership counts once, and once more for each block of this many bytes in its names.
const MAX_LIGHT_NAME_BYTES: usize = 128;

/// The quota does not allow another membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QuotaExceeded {
    /// The connection or user has too many memberships.
    #[error("a connection or user can be in at most {0} groups")]
    PerMember(usize),
    /// The service has too many memberships.
    #[error("the service can store at most {0} group memberships")]
    Total(usize),
}

/// The memberships of all hubs of a service.
#[derive(Debug)]
pub(crate) struct Quota {
    /// The maximum for one connection or user.
    pub(super) each: usize,
    all: usize,
    /// Relaxed: a counter that publishes no other data.
    used: AtomicUsize,
}

/// The weight of a membership with these names in the quota.
fn weight(names: &[&str]) -> usize {
    1 + names.iter().map(|name| name.len()).sum::<usize>() / MAX_LIGHT_NAME_BYTES
}

impl Quota {
    pub(crate) fn new(each: usize, all: usize) -> Arc<Self> {
        Arc::new(Self { each, all, used: AtomicUsize::new(0) })
    }

    /// Counts a membership. `names` are the names of the user, if any, and of the group. These names use most
    /// of the memory of a membership.
    pub(super) fn acquire(&self, names: &[&str]) -> Result<(), QuotaExceeded> {
        let room = |taken: usize| {
            let sum = taken.saturating_add(weight(names));
            (sum <= self.all).then_some(sum)
        };
        self.used
            .try_update(Ordering::Relaxed, Ordering::Relaxed, room)
            .map(|_| ())
            .map_err(|_| QuotaExceeded::Total(self.all))
    }

    /// Stops counting a membership that ended.
    pub(super) fn release(&self, names: &[&str]) {
        self.used.fetch_sub(weight(names), Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}
