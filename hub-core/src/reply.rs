//! Return values of hub methods.

use serde::Serialize;

use crate::{HubError, error::IntoHubError, protocol::Protocol, values::write_json};

/// An encoded result.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// The method returns nothing.
    Void,
    /// The result, encoded in the caller's protocol.
    Value(Vec<u8>),
}

/// The return types of hub methods: `()` or a `Result`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "hub methods return `()` or a `Result`; write `HubResult<{Self}>`",
    label = "`{Self}` is neither"
)]
pub trait HubReply {
    /// Encodes the value in the caller's protocol.
    fn into_reply(self, protocol: Protocol) -> Result<Reply, HubError>;
}

impl HubReply for () {
    fn into_reply(self, _: Protocol) -> Result<Reply, HubError> {
        Ok(Reply::Void)
    }
}

impl<T: Serialize, E: IntoHubError> HubReply for Result<T, E> {
    fn into_reply(self, protocol: Protocol) -> Result<Reply, HubError> {
        let value = self.map_err(IntoHubError::into_hub_error)?;
        // Most results fit, so the buffer does not grow.
        let mut encoded = Vec::with_capacity(128);
        match protocol {
            Protocol::Json => write_json(&mut encoded, &value)?,
            #[cfg(feature = "msgpack")]
            Protocol::MessagePack => {
                crate::protocol::msgpack::write_value(&mut encoded, &value)?;
            }
        }
        Ok(Reply::Value(encoded))
    }
}
