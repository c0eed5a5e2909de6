//! Return values of hub methods.

use bytes::Bytes;
use serde::Serialize;

use crate::{HubError, Invocation, error::IntoHubError};

/// An encoded result.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// The method returns nothing.
    Void,
    /// The framed completion with the result, in the caller's protocol. A call without an invocation id has a
    /// completion, too, which is not sent: a result that cannot be encoded is an error of every call.
    Completion(Bytes),
}

/// The return types of hub methods: `()` or a `Result`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "hub methods return `()` or a `Result`; write `HubResult<{Self}>`",
    label = "`{Self}` is neither"
)]
pub trait HubReply {
    /// Encodes the value for the caller.
    fn into_reply(self, call: &Invocation) -> Result<Reply, HubError>;
}

impl HubReply for () {
    fn into_reply(self, _: &Invocation) -> Result<Reply, HubError> {
        Ok(Reply::Void)
    }
}

impl<T: Serialize, E: IntoHubError> HubReply for Result<T, E> {
    fn into_reply(self, call: &Invocation) -> Result<Reply, HubError> {
        let value = self.map_err(IntoHubError::into_hub_error)?;
        let id = call.invocation_id().unwrap_or_default();
        call.protocol().encode_value(id, &value).map(Reply::Completion)
    }
}
