//! The future wrapper that avoids most polls in the task of a connection.

#[allow(dead_code, reason = "the scenarios use only a part of this file of hub-local")]
#[path = "../../../hub-local/src/connection/rarely_ready.rs"]
pub(crate) mod rarely_ready;
