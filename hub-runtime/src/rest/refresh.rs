//! The refresh of a connection's authentication at the service.

use hub_core::{Negotiation, SendError, client_access::CLOSE_ON_EXPIRY_CLAIM, values};
use serde::Serialize;

use super::{RestOutbound, answer, body::Body, call::Call};

/// The answer of a service to the refresh of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RefreshAnswer {
    /// The connection has its new claims. Services other than hub-local may not name the connection.
    Refreshed { connection_id: Option<String> },
    /// The service has no open connection with this token or id.
    NoConnection,
    /// The connection belongs to another user.
    OtherUser,
    /// The service does not have the operation.
    Unsupported,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefreshBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expire_time: Option<String>,
    claims: Vec<Claim<'a>>,
}

#[derive(Serialize)]
struct Claim<'a> {
    r#type: &'a str,
    value: String,
}

impl RestOutbound {
    /// Refreshes the connection with this connection token.
    pub(crate) async fn refresh(
        &self,
        hub: &str,
        token: &str,
        negotiation: &Negotiation,
    ) -> Result<RefreshAnswer, SendError> {
        let call = Call::refresh(hub, self.refresh_body(hub, Some(token), negotiation)?);
        let answer = self.client.call(&call).await?;
        answer::refreshed(&answer, self.client.now())
    }

    /// The new claims of a connection. A call without the connection token has the connection id in its path: its client
    /// gets no new token, so the connection closes as before unless the app sets `close_on_expiry`.
    pub(super) fn refresh_body(
        &self,
        hub: &str,
        connection_token: Option<&str>,
        negotiation: &Negotiation,
    ) -> Result<Body, SendError> {
        let now = self.client.now();
        let expiry = now.saturating_add(negotiation.token_lifetime().as_secs());
        let latest = || "9999-12-31T23:59:59Z".to_owned();
        let sets_expiry = connection_token.is_some() || negotiation.closes_on_expiry();
        let mut claims = self.tokens.refresh_claims(hub, negotiation, now);
        claims.retain(|(name, _)| sets_expiry || *name != CLOSE_ON_EXPIRY_CLAIM);
        let body = RefreshBody {
            connection_token,
            expire_time: sets_expiry.then(|| values::rfc3339(expiry).unwrap_or_else(latest)),
            claims: claims.into_iter().map(|(r#type, value)| Claim { r#type, value }).collect(),
        };
        Body::of_json(&body)
    }
}
