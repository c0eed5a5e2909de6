//! How many memberships in groups there may be: each of them takes memory until somebody ends it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Why somebody cannot join a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// The connection or the user is in too many.
    #[error("one connection or user is in at most {0} groups")]
    One(usize),
    /// All of them together are.
    #[error("the service has at most {0} memberships in groups")]
    All(usize),
}

/// What is left of it, for all hubs of a service.
#[derive(Debug)]
pub(crate) struct Budget {
    /// For one connection or user.
    pub(super) each: usize,
    all: usize,
    taken: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(each: usize, all: usize) -> Arc<Self> {
        Arc::new(Self { each, all, taken: AtomicUsize::new(0) })
    }

    /// Takes one.
    pub(super) fn take(&self) -> Result<(), Full> {
        let room = |taken: usize| (taken < self.all).then_some(taken + 1);
        self.taken
            .try_update(Ordering::Relaxed, Ordering::Relaxed, room)
            .map(|_| ())
            .map_err(|_| Full::All(self.all))
    }

    /// Gives so many back.
    pub(super) fn give(&self, count: usize) {
        self.taken.fetch_sub(count, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}
