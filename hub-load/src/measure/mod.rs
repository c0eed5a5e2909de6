//! Measurements and their presentation.

pub(crate) mod histogram;
pub(crate) mod progress;
pub(crate) mod report;
pub(crate) mod stats;
