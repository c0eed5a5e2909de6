//! What a client's writer waits for.

#[allow(dead_code, reason = "a file of hub-local, of which the scenarios use a part")]
#[path = "../../../hub-local/src/connection/outbox/mod.rs"]
pub(crate) mod outbox;
#[allow(dead_code, reason = "a file of hub-local, of which the scenarios use a part")]
#[path = "../../../hub-local/src/connection/seldom.rs"]
pub(crate) mod seldom;
