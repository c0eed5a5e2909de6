//! Values that a hub method takes from the call and never from the client's arguments.

use crate::{HubResult, Invocation};

/// A value that `#[from_context]` parameters are made of.
///
/// A parameter without the attribute always comes from the client, so a principal that also
/// implements `Deserialize` cannot be sent in by mistake.
///
/// ```
/// use hub_core::{FromContext, HubResult, Invocation, OrReject};
///
/// pub struct User(pub String);
///
/// impl FromContext for User {
///     async fn from_context(call: &Invocation) -> HubResult<Self> {
///         let id = call.user_id().or_reject("Sign in first")?;
///         Ok(Self(id.to_owned()))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be taken from the call",
    label = "`#[from_context]` needs a type that implements `FromContext`",
    note = "implement `FromContext` for `{Self}`, or remove `#[from_context]` to bind it from the client's arguments"
)]
pub trait FromContext: Sized {
    /// Makes the value for one call.
    ///
    /// # Errors
    /// Whatever the extractor refuses; the method is not called then.
    fn from_context(call: &Invocation) -> impl Future<Output = HubResult<Self>> + Send;
}
