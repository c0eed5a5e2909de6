//! Tokens that the access key signs: for REST calls, and for clients.

use http::Uri;
use hub_core::{
    Negotiation, Secret,
    seal::{self, Identity, SealKey},
    token::{self, TokenError},
};
use serde_json::{Map, Value};

use crate::config::connection_string::path_of;

/// The longest token that the service accepts, in characters.
pub(crate) const MAX_TOKEN: usize = 4096;

/// How long a REST token lives. It is used once, at once; the rest is for skewed clocks.
const REST_LIFETIME: u64 = 300;

/// `Authorization` for one REST call. `url` is scheme, authority and path, without the query.
pub(crate) fn rest_token(url: &str, key: &Secret, now: u64) -> Result<String, TokenError> {
    let mut claims = Map::new();
    claims.insert("aud".to_owned(), url.into());
    claims.insert("iat".to_owned(), now.into());
    claims.insert("exp".to_owned(), (now + REST_LIFETIME).into());
    token::sign(&claims, key)
}

/// What a client token is made of, besides what `negotiate` decided.
#[derive(Debug)]
pub(crate) struct ClientTokens {
    /// Scheme and host without the port, as the service expects it in the audience.
    pub(crate) audience_base: String,
    pub(crate) key: Secret,
    pub(crate) seal_key: SealKey,
}

impl ClientTokens {
    pub(crate) fn new(endpoint: &Uri, key: Secret, seal_key: SealKey) -> Self {
        let scheme = endpoint.scheme_str().unwrap_or("https");
        let host = endpoint.host().unwrap_or_default();
        Self { audience_base: format!("{scheme}://{host}{}", path_of(endpoint)), key, seal_key }
    }

    /// A token for `hub` (lower-case), sealed.
    pub(crate) fn sign(
        &self,
        hub: &str,
        negotiation: &Negotiation,
        now: u64,
    ) -> Result<String, TokenError> {
        let identity = Identity {
            hub: hub.to_owned(),
            user_id: negotiation.user_id().map(str::to_owned),
            issued_at: now,
            claims: negotiation.claims(),
        };
        let mut claims = Map::new();
        let audience = format!("{}/client/?hub={hub}", self.audience_base);
        claims.insert("aud".to_owned(), Value::String(audience));
        claims.insert("iat".to_owned(), now.into());
        claims.insert("nbf".to_owned(), now.into());
        let lifetime = negotiation.token_lifetime().as_secs();
        claims.insert("exp".to_owned(), now.saturating_add(lifetime).into());
        if let Some(user) = negotiation.user_id() {
            claims.insert("asrs.s.uid".to_owned(), user.into());
        }
        claims.insert(seal::CLAIM.to_owned(), seal::seal(&identity, &self.seal_key).into());
        token::sign(&claims, &self.key)
    }
}
