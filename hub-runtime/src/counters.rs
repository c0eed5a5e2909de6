//! Counters of an app.

use std::sync::atomic::{AtomicU64, Ordering};

use hub_core::HubError;

/// Counters of an app since its start. Upstream calls and negotiate requests count together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Calls that reached a hub.
    pub calls: u64,
    /// Calls refused by a filter or method because the caller was denied, not signed in or above a rate limit.
    pub refused: u64,
    /// Calls that failed with an internal error or a panic.
    pub failed: u64,
    /// Upstream calls with a wrong or missing code. They do not count as calls.
    pub wrong_codes: u64,
}

/// The current values.
#[derive(Debug, Default)]
pub(crate) struct AtomicCounters {
    calls: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
}

impl AtomicCounters {
    /// Counts one call by its outcome.
    pub(crate) fn count<T>(&self, outcome: &Result<T, HubError>) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let Err(error) = outcome else { return };
        if error.is_internal() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        } else if error.is_refusal() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn read(&self) -> Counters {
        Counters {
            calls: self.calls.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            ..Counters::default()
        }
    }
}
