//! Conversion of values between the encodings.

use bytes::Bytes;

use super::Protocol;

/// Why a value cannot be converted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value cannot be written as {to}: {reason}")]
pub struct ConvertError {
    pub(super) to: &'static str,
    pub(super) reason: String,
}

/// Converts a value for a client whose protocol differs from the sender's protocol.
///
/// Numbers stay exact if the other protocol can represent them. In JSON, binary data is Base64, timestamps
/// are RFC 3339, and NaN and infinities are null.
///
/// # Errors
/// When the value is malformed or has no form in the other protocol.
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
