//! How many memberships in groups there may be: each of them takes memory until somebody ends it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Names are ordinary below this length, in bytes.
const ORDINARY: usize = 128;

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

/// Names of ordinary length are one membership, longer ones several.
fn weight(names: &[&str]) -> usize {
    1 + names.iter().map(|name| name.len()).sum::<usize>() / ORDINARY
}

impl Budget {
    pub(crate) fn new(each: usize, all: usize) -> Arc<Self> {
        Arc::new(Self { each, all, taken: AtomicUsize::new(0) })
    }

    /// Takes one, for who joins and what: the names are what it needs most of its memory for.
    pub(super) fn take(&self, names: &[&str]) -> Result<(), Full> {
        let room = |taken: usize| {
            let sum = taken.saturating_add(weight(names));
            (sum <= self.all).then_some(sum)
        };
        self.taken
            .try_update(Ordering::Relaxed, Ordering::Relaxed, room)
            .map(|_| ())
            .map_err(|_| Full::All(self.all))
    }

    /// Gives it back.
    pub(super) fn give(&self, names: &[&str]) {
        self.taken.fetch_sub(weight(names), Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}
