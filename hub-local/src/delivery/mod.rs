//! Encoded messages on their way to clients: what is queued for one, and the log of what all are sent.
//!
//! `tests/loom` compiles this folder with its own `sync`, which tries every order of the threads.

pub(crate) mod backlog;
pub(crate) mod batch;
pub(crate) mod frame;
pub(crate) mod log;
pub(crate) mod outbox;
mod pace;
pub(crate) mod segment;
pub(crate) mod sink;
mod sleepers;
