//! Locks and atomics of outboxes, logs and alarms. `tests/loom` compiles those files with its own
//! `sync`, which tries every order of their threads.

pub(crate) use std::sync::{OnceLock, atomic};

pub(crate) use parking_lot::{Mutex, MutexGuard};

/// Locks; a panic of an earlier holder does not matter.
pub(crate) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
