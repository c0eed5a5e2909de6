//! Hub messages that the load tool sends and receives.

pub(crate) mod count;
pub(crate) mod parse;
pub(crate) mod payload;
