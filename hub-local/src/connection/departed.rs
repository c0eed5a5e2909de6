//! The memory of connections that have ended and whose events still wait for their upstream calls.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A budget in bytes, for all connections of a service together.
#[derive(Debug)]
pub(crate) struct DepartedBudget {
    /// Relaxed: a counter that publishes no other data.
    left: AtomicUsize,
}

impl DepartedBudget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { left: AtomicUsize::new(bytes) }
    }

    /// Takes `bytes` if they are left.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let rest = |left: usize| left.checked_sub(bytes);
        self.left.try_update(Ordering::Relaxed, Ordering::Relaxed, rest).is_ok()
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.left.fetch_add(bytes, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }
}
