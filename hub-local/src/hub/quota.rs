//! Quota of group memberships; each uses memory until it is removed or expires.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Each time that the names of a membership reach this many bytes in sum, it counts once more.
const MAX_LIGHT_NAME_BYTES: usize = 128;

/// The quota does not allow another membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QuotaExceeded {
    /// The connection or user has too many memberships.
    #[error("one connection or user is in at most {0} groups")]
    PerMember(usize),
    /// The service has too many memberships.
    #[error("the service has at most {0} memberships in groups")]
    Total(usize),
}

/// The memberships of all hubs of a service.
#[derive(Debug)]
pub(crate) struct Quota {
    /// For one connection or user.
    pub(super) each: usize,
    all: usize,
    /// Relaxed: a counter that publishes no other data.
    used: AtomicUsize,
}

/// How many memberships of the quota these names use.
fn weight(names: &[&str]) -> usize {
    1 + names.iter().map(|name| name.len()).sum::<usize>() / MAX_LIGHT_NAME_BYTES
}

impl Quota {
    pub(crate) fn new(each: usize, all: usize) -> Arc<Self> {
        Arc::new(Self { each, all, used: AtomicUsize::new(0) })
    }

    /// Counts a membership. `names` are those of the user, if any, and the group; they use most of its memory.
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

    /// Counts a membership that ended.
    pub(super) fn release(&self, names: &[&str]) {
        self.used.fetch_sub(weight(names), Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}
