//! What the macros accept, refuse and emit.

#![allow(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

mod accepted;
mod hygiene;
mod support;
mod ui;
