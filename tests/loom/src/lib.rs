//! Outboxes, logs and alarms of `hub-local` under [loom], which tries every order of their threads
//! and every value that a read may see.
//!
//! The files are those of `hub-local`. What they take from elsewhere is here: locks and atomics
//! that loom knows, and of tokio as much as they use. `tests/orders.rs` runs the scenarios.
//!
//! Two things loom cannot do by itself. It has no `OnceLock`: `sync::OnceLock` has its value behind
//! a flag that is set with release and read with acquire, as the real one. It takes `SeqCst` for
//! less than it is: `sync::atomic` has fences there, which loom does understand.
//!
//! # What was weakened to see it fail
//!
//! | In | What | Found |
//! |---|---|---|
//! | `Segment` | `filled` relaxed, either side; set before the message is there | yes |
//! | `Log` | `end` relaxed, either side; moved before the message is there | yes |
//! | `AtomicPosition` | stores only release, loads only acquire, `fetch_min` only both | yes, each |
//! | `AtomicPosition` | the load that spares `fetch_min` relaxed | no: the load of `reserved` after it orders as much |
//! | `Log` | `full_at` looked at before `reserved` moves; raised after room was made | yes |
//! | `Outbox` | asks how far the log reaches before it says how far it may | yes |
//! | `Log` | a sleeper that does not look again; `round` that never moves | yes, as a thread that sleeps for ever |
//! | `Log` | `round` relaxed | no: it is compared after a wake, and wakes order |
//! | `Reader` | `filled` read before `next` | yes |
//! | `Log` | readers that leave and are counted on | yes |
//! | `Alarm` | a wake that does not release, or is a store; a poll that does not acquire, or loads and stores | yes |
//! | `Alarm` | a wake that does not acquire, a poll that does not release | no: changes of one value continue what was released before |
//! | `Backlog` | waits after it looked | yes |
//!
//! The other atomics of the workspace are counters and flags: nothing else is read because of them.
//! The registry of a hub has a lock and no atomics.
//!
//! [loom]: https://docs.rs/loom

// The unit tests of those files run where they are.
#![cfg(not(test))]

// The files say `tokio` and mean what is here.
extern crate self as tokio;
extern crate self as tokio_util;

mod connection;
#[allow(dead_code, reason = "a folder of hub-local, of which the scenarios use a part")]
#[path = "../../../hub-local/src/delivery/mod.rs"]
mod delivery;
mod limits;
mod runtime;
pub mod scenarios;
mod sync;
mod task;
mod threads;
mod time;
