//! Outboxes, logs and alarms of `hub-local` under [loom], which tries every order of their threads
//! and every value that a read may see.
//!
//! The files are those of `hub-local`. This crate replaces what they import: locks and atomics by loom's,
//! and the used parts of tokio. `tests/orders.rs` runs the scenarios.
//!
//! Loom lacks two things. It has no `OnceLock`: `sync::OnceLock` guards its value with a flag that is set
//! with release and read with acquire, as in std. It treats `SeqCst` as weaker than it is: `sync::atomic`
//! adds fences, which loom supports.
//!
//! # Weakened orderings, and whether loom found them
//!
//! | In | What | Found |
//! |---|---|---|
//! | `Segment` | `filled` relaxed, either side; set before the message is there | yes |
//! | `Log` | `end` relaxed, either side; moved before the message is there | yes |
//! | `AtomicPosition` | stores only release, loads only acquire, `fetch_min` only both | yes, each |
//! | `AtomicPosition` | the load that spares `fetch_min` relaxed | no: the load of `reserved` after it orders as much |
//! | `Log` | `full_at` looked at before `reserved` moves; raised after room was made | yes |
//! | `Outbox` | reads how far the log reaches before it publishes how far it may | yes |
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

// The files import `tokio`, which resolves to the modules below.
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
