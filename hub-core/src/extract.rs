//! Extractors: values from the call instead of from the client's arguments.

use crate::{HubResult, Invocation, hub::AsyncMethod};

/// Extracts the value of a `#[from_context]` parameter from a call.
///
/// A parameter without the attribute is always decoded from the client's arguments. With the attribute, a
/// type that also implements `Deserialize` is never decoded by mistake.
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
    message = "`{Self}` cannot be taken from the call; implement `FromContext` for it, or remove `#[from_context]`",
    label = "`#[from_context]` needs a type that implements `FromContext`",
    note = "without `#[from_context]`, the value is bound from the client's arguments"
)]
pub trait FromContext: Sized {
    /// Creates the value for one call.
    ///
    /// # Errors
    /// An error refuses the call. The method then does not run.
    fn from_context(call: &Invocation) -> impl AsyncMethod<HubResult<Self>> + Send;
}
