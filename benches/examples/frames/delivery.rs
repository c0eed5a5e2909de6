//! What the service sends, the very file.

#[path = "../../../hub-local/src/delivery/frame.rs"]
pub(crate) mod frame;
