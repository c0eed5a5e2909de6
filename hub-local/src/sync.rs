//! Locks and atomics for outboxes and message logs. `tests/loom`
//! compiles the files of these types with loom's locks and atomics instead, to check all interleavings
//! of threads.

pub(crate) use std::sync::{OnceLock, atomic};

pub(crate) use parking_lot::{Mutex, MutexGuard};
