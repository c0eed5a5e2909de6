//! The future wrapper that avoids most polls in the task of a connection.

#[allow(unreachable_pub, reason = "the module is public in hub-net")]
#[allow(dead_code, reason = "the scenarios use only a part of this file of hub-net")]
#[path = "../../../hub-net/src/rarely_ready.rs"]
pub(crate) mod rarely_ready;
