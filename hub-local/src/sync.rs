//! Locks and atomics of outboxes, logs and alarms. `tests/loom` compiles those files with its own
//! `sync`, which tries every order of their threads.

pub(crate) use std::sync::{OnceLock, atomic};

pub(crate) use parking_lot::{Mutex, MutexGuard};
