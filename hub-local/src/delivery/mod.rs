//! Delivery of encoded messages: the outbox of each client and the broadcast log of each hub.
//!
//! `tests/loom` compiles this folder with a `sync` module of its own, which checks all interleavings of
//! the threads.

pub(crate) mod backlog;
pub(crate) mod batch;
pub(crate) mod frame;
pub(crate) mod log;
pub(crate) mod outbox;
pub(crate) mod pace;
pub(crate) mod segment;
pub(crate) mod sink;
mod waker_list;
