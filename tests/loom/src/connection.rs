//! What spares the task of a connection most polls.

#[allow(dead_code, reason = "a file of hub-local, of which the scenarios use a part")]
#[path = "../../../hub-local/src/connection/rarely_ready.rs"]
pub(crate) mod rarely_ready;
