//! The command as a process, with real sockets and signals.
#![cfg(all(unix, feature = "cli"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod app;
mod attacks;
mod client;
mod closed_output;
mod descriptors;
mod explain;
mod health;
mod inspect;
mod json;
mod load;
#[cfg(target_os = "linux")]
mod memory;
mod new;
mod pages;
mod process;
mod record;
mod refused;
mod reliability;
mod reload;
mod standstill;
mod start;
mod stop;
mod stopping;
mod strict;
mod upstream;
