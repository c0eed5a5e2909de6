//! Makes the URL and the token of a client, for the negotiate route and for functions of the app.

use std::fmt;

use hub_core::{
    HubError, NegotiateRequest, Negotiation,
    client_access::{MAX_TOKEN_CHARS, client_url},
    names,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    auth::CLIENT_TOKEN_TIMEOUT,
    endpoints::ClientTokenError,
    shared::{Inner, Mount},
};

/// The URL and the token with which a client connects to the service, as JSON: `{"url":…,"accessToken":…}`.
///
/// This is the redirect response to a negotiate request (TransportProtocols.md, "negotiate") and the value of
/// the input binding `signalRConnectionInfo`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionInfo {
    /// The URL that the client connects to.
    pub url: String,
    /// The bearer token of the client. It is a secret.
    pub access_token: String,
}

impl fmt::Debug for ConnectionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionInfo({})", self.url)
    }
}

/// Why there is no [`ConnectionInfo`] for a client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NegotiateError {
    /// The user id is not valid: for example empty, `..`, or with blanks at its ends.
    #[error("{0}")]
    User(String),
    /// The app is shutting down.
    #[error("the app is shutting down")]
    ShuttingDown,
    /// No endpoint of the service is online.
    #[error("no endpoint of the SignalR service is online")]
    NoEndpoint,
    /// The app cannot sign a token, or cannot sign in to the service.
    #[error("the app has no client token")]
    Token(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The token is too long for the service.
    #[error(
        "the token would have {length} characters, and the service accepts {MAX_TOKEN_CHARS}; use fewer or shorter claims"
    )]
    TooLong {
        /// The length of the token, in characters.
        length: usize,
    },
}

/// Why there is no token, for the route, which logs and answers each cause differently.
pub(super) enum Failure {
    NoEndpoint,
    Token(ClientTokenError),
    TooLong(usize),
}

/// Checks the user id of a negotiation.
pub(super) fn checked(negotiation: Negotiation) -> Result<Negotiation, HubError> {
    if let Some(user) = negotiation.user_id() {
        names::check_upstream_user(user).map_err(|error| HubError::rejected(&error))?;
    }
    Ok(negotiation)
}

/// Makes URL and token. `request` is for the choice between several endpoints.
pub(super) async fn issue(
    app: &Inner,
    mount: &Mount,
    negotiation: &Negotiation,
    request: Option<&NegotiateRequest>,
) -> Result<ConnectionInfo, Failure> {
    let deadline = Instant::now() + CLIENT_TOKEN_TIMEOUT;
    let endpoint = mount.group.endpoints.for_client(request).await.ok_or(Failure::NoEndpoint)?;
    let access_token = endpoint
        .client_token(&mount.wire_name, negotiation, app.clock.unix_seconds(), deadline)
        .await
        .map_err(Failure::Token)?;
    if access_token.len() > MAX_TOKEN_CHARS {
        return Err(Failure::TooLong(access_token.len()));
    }
    Ok(ConnectionInfo { url: client_url(&endpoint.client_base, &mount.wire_name), access_token })
}

/// The connection info for a client that a function of the app has let in.
pub(crate) async fn connection_info(
    app: &Inner,
    mount: &Mount,
    negotiation: Negotiation,
) -> Result<ConnectionInfo, NegotiateError> {
    if app.is_closing() {
        return Err(NegotiateError::ShuttingDown);
    }
    let negotiation =
        checked(negotiation).map_err(|error| NegotiateError::User(error.text().to_owned()))?;
    issue(app, mount, &negotiation, None).await.map_err(|failure| match failure {
        Failure::NoEndpoint => NegotiateError::NoEndpoint,
        Failure::Token(error) => NegotiateError::Token(error.into()),
        Failure::TooLong(length) => NegotiateError::TooLong { length },
    })
}
