//! Runs the outboxes and logs of `hub-local` and the alarms of `hub-net` under [loom], which tries every interleaving
//! of their threads and every value that a read may return.
//!
//! The source files are those of these crates. This crate replaces their imports: locks and atomics
//! by loom's, and the parts of tokio that they use. `tests/orders.rs` runs the scenarios.
//!
//! Loom lacks two things. It has no `OnceLock`: `sync::OnceLock` guards its value with a flag that
//! is set with release and read with acquire, as in std. Loom treats `SeqCst` as weaker than it is:
//! `sync::atomic` adds fences, which loom supports.
//!
//! # Weakened orderings, and whether loom found them
//!
//! | In | Weakened | Found |
//! |---|---|---|
//! | `Segment` | `filled` relaxed, on either side; set before the message is written | yes |
//! | `Log` | `end` relaxed, on either side; moved before the message is written | yes |
//! | `AtomicPosition` | stores only release; loads only acquire; `fetch_min` only acquire and release | yes, each |
//! | `AtomicPosition` | the load that makes `fetch_min` unnecessary relaxed | no: the later load of `reserved` gives the same order |
//! | `Log` | `full_at` read before `reserved` moves; `full_at` raised only after room was made | yes |
//! | `Outbox` | loads the end of the log before it publishes the position at which it is full | yes |
//! | `Log` | a reader that starts to sleep without checking again; `round` never incremented | yes, as a thread that sleeps forever |
//! | `Log` | `round` relaxed | no: it is compared after a wake, and the wake synchronizes |
//! | `Reader` | `filled` read before `next` | yes |
//! | `Log` | readers that have left and are still counted | yes |
//! | `Alarm` | a wake without release, or as a plain store; a poll without acquire, or as a load and a store | yes |
//! | `Alarm` | a wake without acquire; a poll without release | no: read-modify-write operations continue the release sequence |
//! | `Backlog` | checks the limit before it registers for the wake | yes |
//!
//! The other atomics of the workspace are counters and flags that publish no other data. The
//! registry of a hub has a lock and no atomics.
//!
//! [loom]: https://docs.rs/loom

// The unit tests of the included files run in their crates.
#![cfg(not(test))]

// The included files import `tokio`, which resolves to the modules below.
extern crate self as tokio;
extern crate self as tokio_util;

mod connection;
#[allow(dead_code, reason = "the scenarios use only a part of this folder of hub-local")]
#[path = "../../../hub-local/src/delivery/mod.rs"]
mod delivery;
mod limits;
mod runtime;
pub mod scenarios;
mod sync;
mod task;
mod threads;
mod time;
