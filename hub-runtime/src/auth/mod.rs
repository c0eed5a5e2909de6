//! Credentials: tokens for REST calls and for clients, and checks of the service's tokens.

mod entra;
#[cfg(feature = "identity")]
pub(crate) mod identity;
pub(crate) mod renewal;
mod token_source;
pub(crate) mod upstream_token;

use std::sync::Arc;

use http::Uri;
use hub_core::{
    Negotiation, Secret, SendError,
    client_access::{
        CLOSE_ON_EXPIRY_CLAIM, DETAILED_ERRORS_CLAIM, DIAGNOSTIC_CLAIM, ENDPOINT_COUNT_CLAIM,
        EXPIRY_CLAIM, USER_ID_CLAIM, client_url,
    },
    seal::{self, Identity, SealKey},
    token::{self, TokenError},
};
use serde_json::{Map, Value};

pub(crate) use self::entra::{
    CLIENT_TOKEN_TIMEOUT, EntraTokens, SigningKey, TemporaryKey, is_refusal,
};
pub use self::token_source::{AccessToken, TokenSource, TokenSourceError};
use crate::config::connection_string::path_of;

/// The lifetime of a REST token, in seconds. Allows for reuse and skewed clocks.
const REST_LIFETIME_SECONDS: u64 = 300;

/// A token for one REST call. `url` has no query.
pub(crate) fn rest_token(url: &str, key: &Secret, now: u64) -> Result<String, TokenError> {
    let mut claims = Map::new();
    claims.insert("aud".to_owned(), url.into());
    claims.insert("iat".to_owned(), now.into());
    claims.insert("exp".to_owned(), (now + REST_LIFETIME_SECONDS).into());
    token::sign(&claims, key)
}

/// The app's credential for a service.
#[derive(Clone, Debug)]
pub(crate) enum SignIn {
    Key(Secret),
    Entra(Arc<EntraTokens>),
}

impl SignIn {
    /// A token for one REST call. `url` has no query.
    pub(crate) async fn rest_token(&self, url: &str, now: u64) -> Result<String, SendError> {
        match self {
            Self::Key(key) => {
                rest_token(url, key, now).map_err(|error| SendError::Token(Box::new(error)))
            }
            Self::Entra(entra) => {
                let token = entra.token().await;
                let token = token.map_err(|error| SendError::Token(Box::new(error)))?;
                Ok(token.expose().to_owned())
            }
        }
    }
}

/// Signs client tokens for an endpoint.
#[derive(Debug)]
pub(crate) struct ClientTokens {
    /// Scheme, host and path. The service expects an audience without a port.
    audience_base: String,
    /// `None` if no hub negotiates and there is no permanent key.
    seal_key: Option<SealKey>,
    /// The number of endpoints.
    endpoints: usize,
}

impl ClientTokens {
    pub(crate) fn new(endpoint: &Uri, seal_key: Option<SealKey>, endpoints: usize) -> Self {
        let scheme = endpoint.scheme_str().unwrap_or("https");
        let host = endpoint.host().unwrap_or_default();
        let audience_base = format!("{scheme}://{host}{}", path_of(endpoint));
        Self { audience_base, seal_key, endpoints }
    }

    /// A token with sealed claims for a hub. `hub` is the name of the hub at the service.
    pub(crate) fn sign(
        &self,
        hub: &str,
        negotiation: &Negotiation,
        now: u64,
        key: &Secret,
        key_id: Option<&str>,
    ) -> Result<String, TokenError> {
        let mut claims = Map::new();
        let audience = client_url(&self.audience_base, hub);
        claims.insert("aud".to_owned(), Value::String(audience));
        claims.insert("iat".to_owned(), now.into());
        claims.insert("nbf".to_owned(), now.into());
        let expiry = now.saturating_add(negotiation.token_lifetime().as_secs());
        claims.insert("exp".to_owned(), expiry.into());
        if let Some(user) = negotiation.user_id() {
            claims.insert(USER_ID_CLAIM.to_owned(), user.into());
        }
        system_claims(&mut claims, negotiation, expiry);
        if self.endpoints > 1 {
            claims.insert(ENDPOINT_COUNT_CLAIM.to_owned(), self.endpoints.to_string().into());
        }
        if let Some(sealed) = self.seal(hub, negotiation, now) {
            claims.insert(seal::CLAIM.to_owned(), sealed.into());
        }
        match key_id {
            Some(id) => token::sign_as(&claims, key, id),
            None => token::sign(&claims, key),
        }
    }

    /// The claims that replace those of an open connection.
    pub(crate) fn refresh_claims(
        &self,
        hub: &str,
        negotiation: &Negotiation,
        now: u64,
    ) -> Vec<(&'static str, String)> {
        let closes = negotiation.closes_on_expiry() && !negotiation.is_diagnostic_client();
        let user = negotiation.user_id().map(|user| (USER_ID_CLAIM, user.to_owned()));
        let sealed = self.seal(hub, negotiation, now).map(|sealed| (seal::CLAIM, sealed));
        // Also if it is false: without the claim, the service would keep the setting.
        let closes = Some((CLOSE_ON_EXPIRY_CLAIM, closes.to_string()));
        [user, closes, sealed].into_iter().flatten().collect()
    }

    fn seal(&self, hub: &str, negotiation: &Negotiation, now: u64) -> Option<String> {
        let identity = Identity {
            hub: hub.to_owned(),
            user_id: negotiation.user_id().map(str::to_owned),
            issued_at: now,
            claims: negotiation.claims(),
        };
        Some(seal::seal(&identity, self.seal_key.as_ref()?))
    }
}

/// Adds the claims that the service evaluates. Their values are strings in the spelling of the official SDK.
fn system_claims(claims: &mut Map<String, Value>, negotiation: &Negotiation, expiry: u64) {
    let mut insert = |name: &str, value: String| claims.insert(name.to_owned(), value.into());
    if negotiation.closes_on_expiry() {
        insert(CLOSE_ON_EXPIRY_CLAIM, "true".to_owned());
        insert(EXPIRY_CLAIM, expiry.to_string());
    }
    if negotiation.has_detailed_errors() {
        insert(DETAILED_ERRORS_CLAIM, "True".to_owned());
    }
    if negotiation.is_diagnostic_client() {
        insert(DIAGNOSTIC_CLAIM, "true".to_owned());
    }
}
