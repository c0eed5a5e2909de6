//! Code shared by the benchmarks: [`call`] is one upstream call, [`bare`] is the handler for
//! comparison.
//!
//! The programs are in `bin/`, the criterion benchmarks are in `benches/`, and the results are in the README.

pub mod bare;
pub mod binding;
pub mod call;
