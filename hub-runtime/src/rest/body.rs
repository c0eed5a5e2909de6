//! The body of a send.

use bytes::Bytes;
use hub_core::{Payload, SendError};
use serde::Serialize;
use serde_json::value::RawValue;

/// The largest request body that the service accepts, in bytes.
const MAX_BODY_BYTES: usize = 1024 * 1024;

const JSON: &str = "application/json";

/// An encoded message and its content type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) content_type: &'static str,
    pub(super) bytes: Bytes,
}

impl Body {
    /// The message in every hub protocol. If this body exceeds the limit of the service, the message only in
    /// JSON, which the service converts for clients of other protocols.
    pub(super) fn of(payload: &Payload) -> Result<Self, SendError> {
        match Self::bundle(payload) {
            Some(bundle) if bundle.bytes.len() <= MAX_BODY_BYTES => Ok(bundle),
            _ => Self::json(payload),
        }
    }

    pub(super) fn is_json(&self) -> bool {
        self.content_type == JSON
    }

    /// A body that is no message.
    pub(super) fn of_json(value: &impl Serialize) -> Result<Self, SendError> {
        let json = serde_json::to_vec(value);
        let bytes = json.map_err(|error| SendError::Encode(Box::new(error)))?.into();
        Ok(Self { content_type: JSON, bytes })
    }

    /// The message in JSON.
    pub(super) fn json(payload: &Payload) -> Result<Self, SendError> {
        #[derive(Serialize)]
        struct Json<'a> {
            target: &'a str,
            arguments: &'a RawValue,
        }
        let failed = |error: serde_json::Error| SendError::Encode(Box::new(error));
        let arguments = serde_json::from_slice(payload.json_arguments()).map_err(failed)?;
        let json = Json { target: payload.target(), arguments };
        let bytes = serde_json::to_vec(&json).map_err(failed)?;
        if bytes.len() > MAX_BODY_BYTES {
            return Err(SendError::TooLarge { size: bytes.len(), limit: MAX_BODY_BYTES });
        }
        Ok(Self { content_type: JSON, bytes: bytes.into() })
    }

    #[cfg(feature = "msgpack")]
    fn bundle(payload: &Payload) -> Option<Self> {
        use hub_core::protocol::{Protocol, bundle};

        let json = payload.message(Protocol::Json);
        let message_pack = payload.message(Protocol::MessagePack);
        let entries = [(Protocol::Json, json), (Protocol::MessagePack, message_pack)];
        Some(Self { content_type: bundle::CONTENT_TYPE, bytes: bundle::encode(&entries) })
    }

    #[cfg(not(feature = "msgpack"))]
    fn bundle(_: &Payload) -> Option<Self> {
        None
    }
}
