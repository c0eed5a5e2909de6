//! The macros: accepted code, refused code and generated code.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod accepted;
mod hygiene;
mod support;
mod ui;
