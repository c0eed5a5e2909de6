//! What everyone of a hub is sent.

#[allow(dead_code, reason = "a file of hub-local, of which the scenarios use a part")]
#[path = "../../../hub-local/src/hub/log/mod.rs"]
pub(crate) mod log;
