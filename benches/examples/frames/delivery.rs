//! The frame encoder of the service, included from its source file.

#[path = "../../../hub-local/src/delivery/frame.rs"]
pub(crate) mod frame;
