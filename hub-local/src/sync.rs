//! Locks and atomics of outboxes, logs and [`RarelyReady`](crate::connection). `tests/loom` compiles
//! these files with its own `sync`, which checks all interleavings of their threads.

pub(crate) use std::sync::{OnceLock, atomic};

pub(crate) use parking_lot::{Mutex, MutexGuard};
