//! The future wrapper that avoids most polls in the task of a connection.

#[allow(dead_code, reason = "a file of hub-local, of which the scenarios use a part")]
#[path = "../../../hub-local/src/connection/rarely_ready.rs"]
pub(crate) mod rarely_ready;
