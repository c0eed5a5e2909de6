//! The macros: accepted code, refused code and generated code.

#![allow(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

mod accepted;
mod hygiene;
mod support;
mod ui;
