//! Values of one protocol in the encoding of another.

use bytes::Bytes;

use super::Protocol;

/// Why a value has no form in the other protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value cannot be written as {to}: {reason}")]
pub struct ConvertError {
    pub(super) to: &'static str,
    pub(super) reason: String,
}

/// Encodes a value anew, for a client that speaks another protocol than its sender.
///
/// Numbers stay exact where the other protocol has them. In JSON, bytes become Base64, points in
/// time RFC 3339, and what is no number (infinities) null.
///
/// # Errors
/// When the value is malformed or has no such form.
pub fn convert(value: &Bytes, from: Protocol, to: Protocol) -> Result<Bytes, ConvertError> {
    match (from, to) {
        (Protocol::Json, Protocol::Json) => Ok(value.clone()),
        #[cfg(feature = "msgpack")]
        (Protocol::MessagePack, Protocol::MessagePack) => Ok(value.clone()),
        #[cfg(feature = "msgpack")]
        (Protocol::Json, Protocol::MessagePack) => super::msgpack::from_json(value),
        #[cfg(feature = "msgpack")]
        (Protocol::MessagePack, Protocol::Json) => super::msgpack::to_json(value),
    }
}
