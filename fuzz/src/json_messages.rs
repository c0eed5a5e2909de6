//! Hub messages in JSON.

use hub_core::protocol::Protocol;

/// Parses a stream of JSON messages.
pub fn run(data: &[u8]) {
    crate::messages::run(Protocol::Json, data);
}
