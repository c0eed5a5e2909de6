//! What stateful reconnect counts and acknowledges.

pub(crate) mod counted;
pub(crate) mod counters;
