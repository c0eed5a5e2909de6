//! Checks the tokens of Microsoft Entra that the service sends with upstream calls.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use hub_core::{
    Claims,
    token::{TokenError, TokenVerifier},
};
use hub_net::clock::Clock;
use parking_lot::Mutex;

use crate::{config::upstream::UpstreamTokens, rest::transport::Transport};

/// The age at which keys are fetched again.
const REFRESH: Duration = Duration::from_secs(24 * 3600);
/// The shortest time between two fetches. Limits the requests that tokens with unknown keys can cause.
const MIN_INTERVAL: Duration = Duration::from_secs(60);
/// The timeout of a fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// Checks the tokens of upstream calls.
#[derive(derive_more::Debug)]
#[debug("UpstreamTokenCheck({:?})", self.plan)]
pub(crate) struct UpstreamTokenCheck {
    plan: UpstreamTokens,
    transport: Arc<dyn Transport>,
    clock: Clock,
    /// The keys, and the time of their fetch measured from the app's start.
    held: Mutex<Option<(TokenVerifier, Duration)>>,
    /// When the last fetch started. Locked during a fetch, so that only one fetch runs at a time.
    fetching: tokio::sync::Mutex<Option<Duration>>,
}

/// Why a call is refused. The texts are for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamTokenError {
    #[error(
        "the header Authorization contains no bearer token; set the upstream authentication of the service to ManagedIdentity"
    )]
    Missing,
    #[error("the token of the call is not valid: {0}")]
    Token(#[from] TokenError),
    #[error(
        "the token of the call was issued to another application than the application in upstreamClientId"
    )]
    Client,
    #[error("the keys of the token's issuer could not be fetched from {url}: {problem}")]
    Keys { url: String, problem: String },
}

impl UpstreamTokenCheck {
    pub(crate) fn new(plan: UpstreamTokens, transport: Arc<dyn Transport>, clock: Clock) -> Self {
        let (held, fetching) = (Mutex::new(None), tokio::sync::Mutex::new(None));
        Self { plan, transport, clock, held, fetching }
    }

    /// Checks that the configured service made this call.
    pub(crate) async fn check(&self, headers: &HeaderMap) -> Result<(), UpstreamTokenError> {
        let token = bearer(headers).ok_or(UpstreamTokenError::Missing)?;
        let claims = self.claims(token).await?;
        let Some(wanted) = &self.plan.client_id else { return Ok(()) };
        let names = ["appid", "azp", "oid"];
        let fits = names.iter().any(|name| claims.all(name).any(|value| value == wanted));
        if fits { Ok(()) } else { Err(UpstreamTokenError::Client) }
    }

    async fn claims(&self, token: &str) -> Result<Claims, UpstreamTokenError> {
        let now = self.clock.unix_seconds();
        let verifier = match self.younger_than(REFRESH) {
            Some(verifier) => verifier,
            None => self.fetched(REFRESH).await?,
        };
        match verifier.verify(token, now) {
            // The issuer may have a new key.
            Err(TokenError::UnknownKey | TokenError::NotAccepted) => {
                Ok(self.fetched(MIN_INTERVAL).await?.verify(token, now)?)
            }
            checked => Ok(checked?),
        }
    }

    fn younger_than(&self, age: Duration) -> Option<TokenVerifier> {
        let held = self.held.lock();
        let (verifier, fetched) = held.as_ref()?;
        (self.clock.elapsed().saturating_sub(*fetched) < age).then(|| verifier.clone())
    }

    /// Returns keys younger than `age`. Fetches them unless another task has just fetched them. If the fetch
    /// fails, returns the old keys.
    async fn fetched(&self, age: Duration) -> Result<TokenVerifier, UpstreamTokenError> {
        let mut last = self.fetching.lock().await;
        if let Some(verifier) = self.younger_than(age) {
            return Ok(verifier);
        }
        let now = self.clock.elapsed();
        let old = self.younger_than(Duration::MAX);
        if let Some(old) = &old
            && last.is_some_and(|last| now.saturating_sub(last) < MIN_INTERVAL)
        {
            return Ok(old.clone());
        }
        *last = Some(now);
        match self.fetch().await {
            Ok(verifier) => {
                let new = Some((verifier.clone(), self.clock.elapsed()));
                *self.held.lock() = new;
                Ok(verifier)
            }
            Err(problem) => {
                let error =
                    UpstreamTokenError::Keys { url: self.plan.keys_url.to_string(), problem };
                let Some(old) = old else { return Err(error) };
                tracing::warn!(%error, "cannot fetch new keys; using the old keys");
                Ok(old)
            }
        }
    }

    async fn fetch(&self) -> Result<TokenVerifier, String> {
        let request = Request::get(self.plan.keys_url.clone()).body(Bytes::new());
        let request = request.map_err(|error| error.to_string())?;
        let answer = tokio::time::timeout(FETCH_TIMEOUT, self.transport.call(request)).await;
        let answer = answer.map_err(|_| format!("no answer within {FETCH_TIMEOUT:?}"))?;
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.status() != StatusCode::OK {
            return Err(format!("the response was {}", answer.status()));
        }
        let json = std::str::from_utf8(answer.body()).map_err(|error| error.to_string())?;
        let verifier = TokenVerifier::jwk(json).map_err(|error| error.to_string())?;
        let verifier = self.plan.issuers.iter().fold(verifier, TokenVerifier::issuer);
        Ok(self.plan.audiences.iter().fold(verifier, TokenVerifier::audience))
    }
}

/// The bearer token of a call; `None` if there are several headers.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use http::{HeaderValue, Response};
    use hub_core::SendError;

    use super::*;

    const FIRST_KEYS: &str = include_str!("samples/jwks-first.json");
    const NEXT_KEYS: &str = include_str!("samples/jwks-next.json");
    /// A token signed with the first key, for `api://chat`, valid until 2100. The private keys were not kept.
    const FIRST: &str = include_str!("samples/first.jwt");
    const NEXT: &str = include_str!("samples/next.jwt");

    /// Responds with its key set, or with an error.
    struct KeySet {
        keys: Mutex<Option<&'static str>>,
        asked: Mutex<u32>,
    }

    #[async_trait]
    impl Transport for Arc<KeySet> {
        async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, SendError> {
            assert_eq!(
                request.uri(),
                "https://login.microsoftonline.com/tenant-1/discovery/v2.0/keys"
            );
            *self.asked.lock() += 1;
            let keys = *self.keys.lock();
            keys.map(|keys| Response::new(Bytes::from_static(keys.as_bytes())))
                .ok_or_else(|| SendError::Unreachable("no answer".into()))
        }
    }

    fn check(client_id: Option<&str>) -> (UpstreamTokenCheck, Arc<KeySet>) {
        let set = Arc::new(KeySet { keys: Mutex::new(Some(FIRST_KEYS)), asked: Mutex::new(0) });
        let plan = UpstreamTokens::of_tenant("api://chat", "tenant-1").unwrap();
        let plan = UpstreamTokens { client_id: client_id.map(str::to_owned), ..plan };
        let transport: Arc<dyn Transport> = Arc::new(Arc::clone(&set));
        (UpstreamTokenCheck::new(plan, transport, Clock::start()), set)
    }

    async fn said(check: &UpstreamTokenCheck, token: &str) -> String {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        let headers = [(header::AUTHORIZATION, value)].into_iter().collect();
        check.check(&headers).await.map_or_else(|error| error.to_string(), |()| "good".to_owned())
    }

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_valid_tenant_token_is_accepted_and_keys_are_fetched_once() {
        let (check, set) = check(None);

        assert_eq!(said(&check, FIRST).await, "good");
        assert_eq!(said(&check, FIRST).await, "good");
        assert_eq!(*set.asked.lock(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn every_invalid_upstream_token_is_refused() {
        let (check, _) = check(None);
        let problem = async |token| said(&check, token).await;

        assert!(problem(include_str!("samples/audience.jwt")).await.contains("another audience"));
        assert!(problem(include_str!("samples/issuer.jwt")).await.contains("another issuer"));
        assert!(problem(include_str!("samples/expired.jwt")).await.contains("expired"));
        assert!(problem(NEXT).await.contains("not signed with a known key"));
        assert!(problem("x").await.contains("not a JSON web token"));
        assert!(
            check
                .check(&HeaderMap::new())
                .await
                .unwrap_err()
                .to_string()
                .contains("no bearer token")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_token_must_belong_to_the_client_that_was_named() {
        let (check, _) = check(Some("service-1"));

        assert_eq!(said(&check, FIRST).await, "good");
        let other = said(&check, include_str!("samples/client.jwt")).await;
        assert!(other.contains("another application"), "{other}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_issuer_key_is_fetched_but_not_once_per_token() {
        let (check, set) = check(None);
        said(&check, FIRST).await;
        *set.keys.lock() = Some(NEXT_KEYS);

        assert!(said(&check, NEXT).await.contains("not signed with a known key"));
        pass(61).await;
        assert_eq!(said(&check, NEXT).await, "good");
        assert_eq!(said(&check, FIRST).await, "good");
        assert_eq!(*set.asked.lock(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn known_keys_are_used_if_new_ones_cannot_be_fetched() {
        let (check, set) = check(None);
        said(&check, FIRST).await;
        *set.keys.lock() = None;

        pass(25 * 3600).await;

        assert_eq!(said(&check, FIRST).await, "good");
        assert_eq!(said(&check, FIRST).await, "good");
        assert_eq!(*set.asked.lock(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn without_keys_every_token_is_refused() {
        let (check, set) = check(None);
        *set.keys.lock() = None;

        let problem = said(&check, FIRST).await;

        assert!(
            problem.contains("could not be fetched from https://login.microsoftonline.com"),
            "{problem}"
        );
    }
}
