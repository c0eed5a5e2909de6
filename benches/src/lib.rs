//! Code shared by the benchmarks: [`call`] is one upstream call, [`bare`] the handler for
//! comparison.
//!
//! The programs are in `bin/`, criterion's benchmarks in `benches/`, the results in the README.

pub mod bare;
pub mod binding;
pub mod call;
