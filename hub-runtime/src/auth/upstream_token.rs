//! Checks the tokens of Microsoft Entra that the service sends with upstream calls.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use hub_core::{
    Claims,
    token::{TokenError, TokenVerifier},
};
use hub_net::clock::Clock;

use super::renewal::{Age, Cause, Renewal};
use crate::{config::upstream::UpstreamTokens, rest::transport::Transport};

/// The age at which keys are fetched again.
const REFRESH: Duration = Duration::from_secs(24 * 3600);
/// The shortest time between two fetches while there are keys. Limits the requests that tokens with unknown
/// keys can cause.
const MIN_INTERVAL: Duration = Duration::from_secs(60);
/// The timeout of a fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// Checks the tokens of upstream calls.
pub(crate) struct UpstreamTokenCheck {
    plan: Arc<UpstreamTokens>,
    transport: Arc<dyn Transport>,
    clock: Clock,
    keys: Arc<Renewal<TokenVerifier>>,
}

impl fmt::Debug for UpstreamTokenCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UpstreamTokenCheck({:?})", self.plan)
    }
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
        "the token of the call was issued to a user, not to an application (claims `scp`, `idtyp`, `oid` and `sub`); set the upstream authentication of the service to ManagedIdentity"
    )]
    User,
    #[error(
        "the token of the call was issued to another application than the one in upstreamClientId"
    )]
    Client,
    #[error("the keys of the token's issuer could not be fetched from {url}: {problem}")]
    Keys { url: String, problem: Cause },
}

impl UpstreamTokenCheck {
    pub(crate) fn new(plan: UpstreamTokens, transport: Arc<dyn Transport>, clock: Clock) -> Self {
        let keys = Renewal::new(clock, MIN_INTERVAL);
        Self { plan: Arc::new(plan), transport, clock, keys }
    }

    /// Checks that the configured service made this call.
    pub(crate) async fn check(&self, headers: &HeaderMap) -> Result<(), UpstreamTokenError> {
        let token = bearer(headers).ok_or(UpstreamTokenError::Missing)?;
        let claims = self.claims(token).await?;
        if !is_of_application(&claims) {
            return Err(UpstreamTokenError::User);
        }
        let wanted = &self.plan.client_ids;
        let names = ["appid", "azp", "oid"];
        let fits = |id: &String| names.iter().any(|name| claims.has(name, id));
        if wanted.is_empty() || wanted.iter().any(fits) {
            Ok(())
        } else {
            Err(UpstreamTokenError::Client)
        }
    }

    async fn claims(&self, token: &str) -> Result<Claims, UpstreamTokenError> {
        let now = self.clock.unix_seconds();
        let verifier = self.verifier(REFRESH, Age::Stale).await?;
        match verifier.verify(token, now) {
            // The issuer may have a new key.
            Err(error @ (TokenError::UnknownKey | TokenError::NotAccepted)) => {
                match self.verifier(MIN_INTERVAL, Age::Expired).await {
                    Ok(newer) => Ok(newer.verify(token, now)?),
                    Err(_) => Err(error.into()),
                }
            }
            checked => Ok(checked?),
        }
    }

    /// Keys younger than `limit`. Older keys are `then`.
    async fn verifier(
        &self,
        limit: Duration,
        then: Age,
    ) -> Result<TokenVerifier, UpstreamTokenError> {
        let age = |_: &TokenVerifier, age| if age < limit { Age::Fresh } else { then };
        let (plan, transport) = (Arc::clone(&self.plan), Arc::clone(&self.transport));
        let has_old_keys = self.keys.held().is_some();
        let fetch = move || async move {
            fetch(&plan, &*transport).await.map_err(|problem| {
                if has_old_keys {
                    tracing::warn!(url = %plan.keys_url, problem, "cannot fetch new keys for upstream tokens; using the old ones");
                }
                Arc::from(Box::<dyn Error + Send + Sync>::from(problem))
            })
        };
        let url = || self.plan.keys_url.to_string();
        let keys = self.keys.get(age, fetch).await;
        keys.map_err(|problem| UpstreamTokenError::Keys { url: url(), problem })
    }
}

/// Gets the keys of the issuer.
async fn fetch(plan: &UpstreamTokens, transport: &dyn Transport) -> Result<TokenVerifier, String> {
    let request = Request::get(plan.keys_url.clone()).body(Bytes::new());
    let request = request.map_err(|error| error.to_string())?;
    let answer = tokio::time::timeout(FETCH_TIMEOUT, transport.call(request)).await;
    let answer = answer.map_err(|_| format!("no answer within {FETCH_TIMEOUT:?}"))?;
    let answer = answer.map_err(|error| error.to_string())?;
    if answer.status() != StatusCode::OK {
        return Err(format!("the response was {}", answer.status()));
    }
    let json = std::str::from_utf8(answer.body()).map_err(|error| error.to_string())?;
    let verifier = TokenVerifier::jwk(json).map_err(|error| error.to_string())?;
    let verifier = plan.issuers.iter().fold(verifier, TokenVerifier::issuer);
    Ok(plan.audiences.iter().fold(verifier, TokenVerifier::audience))
}

/// Whether a token of Microsoft Entra was issued to an application, and not to a user or to an application on
/// behalf of a user. Source: <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>
/// (`scp` occurs in tokens of users only, `idtyp` is `app` for applications) and
/// <https://learn.microsoft.com/entra/identity-platform/scenario-protected-web-api-verification-scope-app-roles>
/// (without `idtyp`, `oid` equals `sub` in tokens of applications). An ID token of a user for the same audience
/// has neither `scp` nor `idtyp`, so missing claims are no proof.
fn is_of_application(claims: &Claims) -> bool {
    let types: Vec<_> = claims.all("idtyp").collect();
    let is_application = match types[..] {
        [] => claims.get("oid").is_some_and(|object| claims.get("sub") == Some(object)),
        [kind] => kind == "app",
        _ => false,
    };
    is_application && claims.get("scp").is_none()
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
    use parking_lot::Mutex;

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
        let plan = UpstreamTokens::of_tenant("api://chat", "tenant-1", "x").unwrap();
        let client_ids = client_id.into_iter().map(str::to_owned).collect();
        let plan = UpstreamTokens { client_ids, ..plan };
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
        let (by_application, _) = check(Some("service-1"));
        let (by_object, _) = check(Some("object-1"));

        for check in [by_application, by_object] {
            assert_eq!(said(&check, FIRST).await, "good");
            let other = said(&check, include_str!("samples/client.jwt")).await;
            assert!(other.contains("another application"), "{other}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_of_a_user_is_refused_even_for_the_right_client() {
        for client_id in [None, Some("service-1")] {
            let (check, _) = check(client_id);
            for token in [
                // With `scp`.
                include_str!("samples/delegated.jwt"),
                // With `scp`, and otherwise as of an application.
                include_str!("samples/delegated-same.jwt"),
                // With `idtyp` `user`, and without `scp`.
                include_str!("samples/idtyp-user.jwt"),
                // An ID token: without `scp`, `idtyp` and `oid`.
                include_str!("samples/id-token.jwt"),
            ] {
                let refused = said(&check, token).await;
                assert!(refused.contains("issued to a user, not to an application"), "{refused}");
            }
            let of_version_2 = said(&check, include_str!("samples/idtyp-app.jwt")).await;
            assert_eq!(of_version_2, "good");
        }
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
        tokio::task::yield_now().await;
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
