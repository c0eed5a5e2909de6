//! What the benchmarks measure: [`call`] is one upstream call, [`bare`] the handler that it is held against.
//!
//! The programs are in `bin/`, criterion's benchmarks in `benches/`, the figures in the README.

pub mod bare;
pub mod binding;
pub mod call;
