//! Verification of the tokens of clients and REST callers.

mod audience;
pub(crate) mod identity;
pub(crate) mod token_options;
mod verified;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::{HeaderMap, header::AUTHORIZATION};
use hub_core::{
    Secret,
    client_access::client_url,
    token::{self, TokenError},
};
use parking_lot::RwLock;
use serde_json::{Map, Value};

use self::{audience::Audience, identity::Identity, verified::VerifiedTokens};
use crate::causes::{Cause, Refusal};
use hub_net::clock::Clock;

/// Longer paths are compared with the audience for each call, to bound memory.
const MAX_PATH_BYTES: usize = 1024;
const DEFAULT_URL: &str = "http://127.0.0.1:8888";

/// Checks tokens with the keys of the service.
pub(crate) struct Authority {
    /// The primary key first.
    keys: Arc<[Secret]>,
    clock: Clock,
    /// Allowed clock skew in seconds.
    leeway: u64,
    public_url: RwLock<Arc<str>>,
    /// Whether the operator has set the public URL. Otherwise, it is the address of the listener.
    pub(crate) has_public_url: bool,
    /// Tokens of REST calls.
    verified: VerifiedTokens<Arc<RestToken>>,
    /// Tokens of clients that have negotiated and not connected yet, with their hubs.
    clients: VerifiedTokens<(Box<str>, Identity)>,
}

/// A verified token of REST calls.
struct RestToken {
    claims: Map<String, Value>,
    /// The path that was compared with the audience and fits: most tokens are for one path.
    path: OnceLock<Box<str>>,
}

impl Authority {
    /// Without a public URL, it is [`DEFAULT_URL`] until [`Self::set_public_url`] is called.
    pub(crate) fn new(
        keys: Vec<Secret>,
        clock: Clock,
        leeway: Duration,
        public_url: Option<&str>,
    ) -> Self {
        let has_public_url = public_url.is_some();
        let public_url = public_url.unwrap_or(DEFAULT_URL).trim_end_matches('/');
        let public_url = RwLock::new(public_url.into());
        Self {
            keys: keys.into(),
            clock,
            leeway: leeway.as_secs(),
            public_url,
            has_public_url,
            verified: VerifiedTokens::default(),
            clients: VerifiedTokens::default(),
        }
    }

    /// All keys, the primary first.
    pub(crate) fn keys(&self) -> &Arc<[Secret]> {
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

    /// Checks the token of a client of `hub`. A client sends it twice, to negotiate and to connect. The second time the
    /// complete token is compared with the verified one.
    pub(crate) fn client(&self, token: &str, hub: &str) -> Result<Identity, Refusal> {
        let now = self.clock.unix_seconds();
        if let Some((_, identity)) = self.clients.take(token, now).filter(|(of, _)| **of == *hub) {
            return Ok(identity);
        }
        let claims = self.verify(token)?;
        let fits = |audience: &str| {
            Audience::parse(audience).is_some_and(|audience| audience.is_client_of(hub))
        };
        if !token::audience_matches(&claims, fits) {
            return Err(wrong_audience("hub", &client_url(&self.public_url(), hub)));
        }
        let identity =
            Identity::from_claims(&claims).map_err(|text| Refusal::new(Cause::WrongUser, text))?;
        self.clients.insert(token, now, &claims, (hub.into(), identity.clone()));
        Ok(identity)
    }

    /// Checks the token of a REST call to `path`, which is percent-encoded.
    pub(crate) fn rest(&self, token: Option<&str>, path: &str) -> Result<(), Refusal> {
        let needed = "a REST call needs `Authorization: Bearer` with a signed token";
        let token = token.ok_or_else(|| Refusal::new(Cause::NoToken, needed))?;
        let token = self.verify_cached(token)?;
        if token.path.get().is_some_and(|fitting| **fitting == *path) {
            return Ok(());
        }
        let fits = |audience: &str| {
            Audience::parse(audience).is_some_and(|audience| audience.is_resource(path))
        };
        if token::audience_matches(&token.claims, fits) {
            if path.len() <= MAX_PATH_BYTES {
                // Only the first path is kept.
                let _ = token.path.set(path.into());
            }
            return Ok(());
        }
        Err(wrong_audience("resource", &format!("{}{path}", self.public_url())))
    }

    /// Returns the key that signed the token of a REST call.
    pub(crate) fn signing_key(&self, token: &str) -> Option<&Secret> {
        let now = self.clock.unix_seconds();
        let signed = |key: &&Secret| {
            token::verify(token, std::slice::from_ref(*key), now, self.leeway).is_ok()
        };
        self.keys.iter().find(signed)
    }

    fn verify(&self, token: &str) -> Result<Map<String, Value>, Refusal> {
        token::verify(token, &self.keys, self.clock.unix_seconds(), self.leeway)
            .map_err(|error| Refusal::new(cause(&error), error.to_string()))
    }

    /// Like [`Self::verify`], but looks in the cache first.
    fn verify_cached(&self, token: &str) -> Result<Arc<RestToken>, Refusal> {
        let now = self.clock.unix_seconds();
        if let Some(verified) = self.verified.get(token, now) {
            return Ok(verified);
        }
        let claims = self.verify(token)?;
        let verified = Arc::new(RestToken { claims, path: OnceLock::new() });
        self.verified.insert(token, now, &verified.claims, Arc::clone(&verified));
        Ok(verified)
    }
}

/// `audience` is the one that is accepted.
fn wrong_audience(target: &str, audience: &str) -> Refusal {
    let cause = Cause::WrongAudience;
    let text = cause.text().replace('…', target);
    Refusal::new(cause, format!("{text}: `aud` must be {audience}"))
}

fn cause(error: &TokenError) -> Cause {
    match error {
        TokenError::Signature => Cause::WrongKey,
        TokenError::Expired { .. } => Cause::ExpiredToken,
        TokenError::NotYet { .. } => Cause::EarlyToken,
        _ => Cause::InvalidToken,
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_that_was_verified_for_one_hub_is_refused_for_another() {
        let key = Secret::from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH");
        let clock = Clock::start();
        let authority = Authority::new(vec![key.clone()], clock, Duration::ZERO, None);
        let claims = json!({
            "aud": "http://localhost/client/?hub=chat",
            "exp": clock.unix_seconds() + 60,
            "asrs.s.uid": "ada",
        });
        let token = token::sign(&claims, &key).unwrap();
        let user = |hub| authority.client(&token, hub).map(|identity| identity.user);

        for _ in 0..2 {
            assert_eq!(user("chat"), Ok(Some("ada".into())));
            assert!(user("other").unwrap_err().text.contains("not this hub"));
            assert!(authority.client(&format!("{token}A"), "chat").is_err());
            assert_eq!(user("chat"), Ok(Some("ada".into())));
        }
    }

    #[test]
    fn a_rest_token_is_for_its_path_however_often_it_was_accepted() {
        let key = Secret::from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH");
        let clock = Clock::start();
        let authority = Authority::new(vec![key.clone()], clock, Duration::ZERO, None);
        let audiences = ["http://a/api/hubs/chat/:send", "http://a/api/hubs/news/:send"];
        let claims = json!({ "aud": audiences, "exp": clock.unix_seconds() + 60 });
        let token = token::sign(&claims, &key).unwrap();
        let is_accepted = |path| authority.rest(Some(&token), path).is_ok();

        for _ in 0..2 {
            for path in ["/api/hubs/chat/:send", "/api/hubs/news/:send", "/api/hubs/CHAT/%3asend"] {
                assert!(is_accepted(path), "{path}");
            }
            for path in ["/api/hubs/chat", "/api/hubs/chat/:send/", "/api/hubs/other/:send", ""] {
                assert!(!is_accepted(path), "{path}");
            }
        }
    }

    #[test]
    fn a_token_is_verified_once_to_negotiate_and_to_connect() {
        let key = Secret::from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH");
        let clock = Clock::start();
        let authority = Authority::new(vec![key.clone()], clock, Duration::ZERO, None);
        let now = clock.unix_seconds();
        let claims = json!({ "aud": "http://localhost/client/?hub=chat", "exp": now + 60 });
        let token = token::sign(&claims, &key).unwrap();

        authority.client(&token, "chat").unwrap();
        let remembered = authority.clients.get(&token, now);
        authority.client(&token, "chat").unwrap();

        assert!(remembered.is_some(), "the second check takes what the first one has read");
        assert!(authority.clients.get(&token, now).is_none(), "an open connection keeps no token");
    }
}
