//! Verification of the tokens of clients and REST callers.

mod audience;
pub(crate) mod identity;
pub(crate) mod token_options;
mod verified;

use std::{sync::Arc, time::Duration};

use http::{
    HeaderMap,
    header::{AUTHORIZATION, HOST},
    request::Parts,
};
use hub_core::{Secret, client_access::client_url, token};
use parking_lot::RwLock;
use serde_json::{Map, Value};

use self::{
    audience::{Audience, Hosts},
    identity::Identity,
    verified::VerifiedTokens,
};
use hub_net::clock::Clock;

/// Checks tokens with the keys of the service.
pub(crate) struct Authority {
    /// The primary key first.
    keys: Vec<Secret>,
    clock: Clock,
    /// Allowed clock skew in seconds.
    leeway: u64,
    public_url: RwLock<Arc<str>>,
    verified: VerifiedTokens,
}

/// The target of a request, to check the audience.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destination<'a> {
    /// The `Host` header or the host of the request line.
    pub(crate) host: Option<&'a str>,
    /// The path, percent-encoded.
    pub(crate) path: &'a str,
}

impl Authority {
    pub(crate) fn new(keys: Vec<Secret>, clock: Clock, leeway: Duration, public_url: &str) -> Self {
        let public_url = RwLock::new(public_url.trim_end_matches('/').into());
        let verified = VerifiedTokens::default();
        Self { keys, clock, leeway: leeway.as_secs(), public_url, verified }
    }

    /// All keys, the primary first.
    pub(crate) fn keys(&self) -> &[Secret] {
        &self.keys
    }

    pub(crate) fn primary_key(&self) -> Option<&Secret> {
        self.keys.first()
    }

    /// The URL of the service for clients and REST callers, without a trailing slash.
    pub(crate) fn public_url(&self) -> Arc<str> {
        Arc::clone(&self.public_url.read())
    }

    pub(crate) fn set_public_url(&self, url: &str) {
        *self.public_url.write() = url.trim_end_matches('/').into();
    }

    /// Checks the token of a client of `hub`.
    pub(crate) fn client(
        &self,
        token: &str,
        requested: Option<&str>,
        hub: &str,
    ) -> Result<Identity, String> {
        let claims = self.verify(token)?;
        let public_url = self.public_url();
        let hosts = Hosts { requested, public_url: &public_url };
        let fits = |audience: &str| {
            Audience::parse(audience).is_some_and(|audience| audience.is_client_of(hub, hosts))
        };
        if !token::audience_matches(&claims, fits) {
            return Err(format!(
                "the audience of the token is not this hub: `aud` must be {}",
                client_url(&public_url, hub)
            ));
        }
        Ok(Identity::from_claims(&claims))
    }

    /// Checks the token of a REST call.
    pub(crate) fn rest(
        &self,
        token: Option<&str>,
        destination: Destination<'_>,
    ) -> Result<(), String> {
        let token = token.ok_or("a REST call needs `Authorization: Bearer` with a signed token")?;
        let claims = self.verify_cached(token)?;
        let (public_url, path) = (self.public_url(), destination.path);
        let hosts = Hosts { requested: destination.host, public_url: &public_url };
        let fits = |audience: &str| {
            Audience::parse(audience).is_some_and(|audience| audience.is_resource(path, hosts))
        };
        if token::audience_matches(&claims, fits) {
            return Ok(());
        }
        Err(format!(
            "the audience of the token is not this resource: `aud` must be {public_url}{path}"
        ))
    }

    /// Returns the key that signed the token of a REST call.
    pub(crate) fn signing_key(&self, token: &str) -> Option<&Secret> {
        let now = self.clock.unix_seconds();
        let signed = |key: &&Secret| {
            token::verify(token, std::slice::from_ref(*key), now, self.leeway).is_ok()
        };
        self.keys.iter().find(signed)
    }

    fn verify(&self, token: &str) -> Result<Map<String, Value>, String> {
        token::verify(token, &self.keys, self.clock.unix_seconds(), self.leeway)
            .map_err(|error| error.to_string())
    }

    /// Like [`Self::verify`], but looks in the cache first.
    fn verify_cached(&self, token: &str) -> Result<Arc<Map<String, Value>>, String> {
        let now = self.clock.unix_seconds();
        if let Some(claims) = self.verified.get(token, now) {
            return Ok(claims);
        }
        let claims = Arc::new(self.verify(token)?);
        self.verified.insert(token, now, &claims);
        Ok(claims)
    }
}

/// The bearer token of the headers: `None` without an `Authorization` header, `Some(None)` with another
/// scheme.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<Option<&str>> {
    let value = headers.get(AUTHORIZATION)?;
    let value = value.to_str().unwrap_or_default();
    let (scheme, token) = value.split_once(' ').unwrap_or_default();
    Some(scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()))
}

/// The host of the request URI or of the `Host` header.
pub(crate) fn host(parts: &Parts) -> Option<&str> {
    let named = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    parts.uri.authority().map(http::uri::Authority::as_str).or(named)
}
