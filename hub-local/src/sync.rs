//! What threads share: locks whose holders cannot leave anything half done, and the types with which
//! outboxes and logs are built. `tests/loom` has others in their place, which try every order.

use std::sync::PoisonError;

pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock, atomic};

/// Locks; a panic of an earlier holder does not matter.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
