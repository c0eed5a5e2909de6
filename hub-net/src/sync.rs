//! Locks and atomics of [`RarelyReady`](crate::rarely_ready). `tests/loom` compiles its file with loom's instead.

pub(crate) use std::sync::atomic;

pub(crate) use parking_lot::Mutex;
