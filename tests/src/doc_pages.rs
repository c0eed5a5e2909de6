//! Compiles and runs the Rust examples of the pages in `docs` and of the README. The guide, and the READMEs of
//! hub-local and hub-runtime, are parts of their crates.

#[doc = include_str!("../../README.md")]
mod readme {}

#[doc = include_str!("../../docs/from-csharp.md")]
mod from_csharp {}

#[doc = include_str!("../../docs/presence.md")]
mod presence {}
