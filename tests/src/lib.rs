//! Code shared by the whole-loop tests and the programs that they start. The tests are in `tests/`.

pub mod history;
pub mod ledger;

/// Compiles the smallest hub of the README. Not in `hub-runtime`, whose packed form does not contain the page.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}

/// Compiles the example of the page for C# developers.
#[cfg(doctest)]
#[doc = include_str!("../../docs/from-csharp.md")]
mod from_csharp {}
