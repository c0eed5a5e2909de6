//! A client's request to refresh the authentication of its open connection.

use std::ops::Deref;

use super::NegotiateRequest;

/// A client's request to refresh the authentication of its open connection, the parameter of the hub's `refresh`.
///
/// It has the headers and the query of the request, as a [`NegotiateRequest`] has. The runtime removes the token of
/// the connection.
///
/// ```
/// # use hub_core::{HubResult, NegotiateRequest, Negotiation, RefreshRequest};
/// # struct Chat;
/// # impl Chat {
/// # async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> { Ok(Negotiation::anonymous()) }
/// async fn refresh(&self, request: RefreshRequest) -> HubResult<Negotiation> {
///     self.negotiate(request.into()).await // the same checks, the same claims
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RefreshRequest(NegotiateRequest);

impl RefreshRequest {
    /// Makes a request to refresh of a request with the same headers and query.
    #[must_use]
    pub fn new(request: NegotiateRequest) -> Self {
        Self(request)
    }
}

impl Deref for RefreshRequest {
    type Target = NegotiateRequest;

    fn deref(&self) -> &NegotiateRequest {
        &self.0
    }
}

impl From<RefreshRequest> for NegotiateRequest {
    fn from(request: RefreshRequest) -> Self {
        request.0
    }
}
