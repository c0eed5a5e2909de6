//! Signing in with Microsoft Entra: the token for the REST API, and the temporary key that signs client
//! tokens.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use hub_core::{HubError, Secret, SendError};
use hub_net::clock::Clock;

use super::{
    AccessToken, TokenSource, TokenSourceError,
    renewal::{Age, Cause, Renewal},
};

/// The scope of the REST API of every SignalR service.
const SCOPE: &str = "https://signalr.azure.com/.default";
/// The time limit for all that a client waits for at a negotiate: signing in, and the key for its token.
pub(crate) const CLIENT_TOKEN_TIMEOUT: Duration = Duration::from_secs(10);
/// The time limit of a sign-in. Libraries of identities retry for longer. Each limit ends before the next one,
/// so that the failure with its cause is known by then.
pub(crate) const SIGN_IN_TIMEOUT: Duration = Duration::from_secs(9);
/// The time limit of a request for a key, signing in included.
const KEY_TIMEOUT: Duration = Duration::from_millis(9500);
/// How long before its expiry a token is replaced.
const MARGIN: Duration = Duration::from_secs(300);
/// The pause after a failed sign-in while the old token is valid.
const TOKEN_RETRY: Duration = Duration::from_secs(30);

/// The age at which a key is replaced.
const KEY_REFRESH: Duration = Duration::from_secs(55 * 60);
/// The age at which a key expires, according to the documentation of the service. The official SDK uses
/// keys longer.
const KEY_LIFETIME: Duration = Duration::from_secs(90 * 60);
/// The pause after a failed fetch while the old key is valid.
const KEY_RETRY: Duration = Duration::from_secs(5 * 60);

/// The tokens of a source, each cached until shortly before its expiry.
pub(crate) struct EntraTokens {
    source: Arc<dyn TokenSource>,
    clock: Clock,
    tokens: Arc<Renewal<AccessToken>>,
}

impl fmt::Debug for EntraTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EntraTokens")
    }
}

/// A sign-in failed. The failure is already in the log.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct SignInError(Cause);

impl EntraTokens {
    pub(crate) fn new(source: Arc<dyn TokenSource>, clock: Clock) -> Self {
        Self { source, clock, tokens: Renewal::new(clock, TOKEN_RETRY) }
    }

    /// The token for the service's API.
    pub(crate) async fn token(&self) -> Result<Secret, SignInError> {
        let now = self.clock.system_time();
        let age = |token: &AccessToken, _| match token.expires_at.duration_since(now) {
            Ok(left) if left > MARGIN => Age::Fresh,
            Ok(left) if !left.is_zero() => Age::Stale,
            _ => Age::Expired,
        };
        let source = Arc::clone(&self.source);
        let token = self.tokens.get(age, move || sign_in(source)).await;
        token.map(|token| token.token).map_err(SignInError)
    }
}

/// Asks the source, within the time limit, and logs a failure.
async fn sign_in(source: Arc<dyn TokenSource>) -> Result<AccessToken, Cause> {
    let asking = source.token(SCOPE);
    let signed_in = match tokio::time::timeout(SIGN_IN_TIMEOUT, asking).await {
        Ok(answer) => answer,
        Err(_) => Err(TokenSourceError::new(format!("no token within {SIGN_IN_TIMEOUT:?}"))),
    };
    signed_in.map_err(|error| {
        let cause: Cause = Arc::new(error);
        let error = HubError::internal(Arc::clone(&cause)).chain();
        tracing::error!(error, "cannot sign in with Microsoft Entra");
        cause
    })
}

/// A temporary key of the service that signs client tokens.
#[derive(Clone, Debug)]
pub(crate) struct SigningKey {
    pub(crate) key: Secret,
    /// The `kid` in the token's header, by which the service finds the key.
    pub(crate) id: String,
}

/// The temporary key, fetched on first use and replaced before it expires.
#[derive(Debug)]
pub(crate) struct TemporaryKey(Arc<Renewal<SigningKey>>);

impl TemporaryKey {
    pub(crate) fn new(clock: Clock) -> Self {
        Self(Renewal::new(clock, KEY_RETRY))
    }

    /// The key. `fetch` requests one from the service. The cause of an error is a [`SendError`]. It is in the log,
    /// unless [`is_refusal`].
    pub(crate) async fn get<F>(&self, fetch: impl FnOnce() -> F) -> Result<SigningKey, Cause>
    where
        F: Future<Output = Result<SigningKey, SendError>> + Send + 'static,
    {
        let age = |_: &SigningKey, age: Duration| match age {
            age if age < KEY_REFRESH => Age::Fresh,
            age if age < KEY_LIFETIME => Age::Stale,
            _ => Age::Expired,
        };
        let has_old_key = self.0.held().is_some();
        let fetch = || {
            let fetching = tokio::time::timeout(KEY_TIMEOUT, fetch());
            async move {
                let fetched = fetching.await.unwrap_or(Err(SendError::TimedOut(KEY_TIMEOUT)));
                fetched.map_err(|error| {
                    let cause: Cause = Arc::new(error);
                    if sign_in_error(&cause).is_none() && (has_old_key || !is_refusal(&cause)) {
                        let error = HubError::internal(Arc::clone(&cause)).chain();
                        tracing::error!(
                            error,
                            "cannot get a key for client tokens from the service"
                        );
                    }
                    cause
                })
            }
        };
        self.0.get(age, fetch).await
    }
}

/// Whether the service gives the app's identity no keys.
pub(crate) fn is_refusal(cause: &Cause) -> bool {
    matches!(cause.downcast_ref(), Some(SendError::Rejected { status: 403 | 404, .. }))
}

/// The failed sign-in that is the cause of a [`SendError`].
fn sign_in_error(cause: &Cause) -> Option<&SignInError> {
    match cause.downcast_ref() {
        Some(SendError::Token(error)) => error.downcast_ref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use async_trait::async_trait;

    use super::*;

    /// Counts requests; fails while `failing` is set.
    #[derive(Default)]
    struct Source {
        asked: AtomicU32,
        failing: std::sync::atomic::AtomicBool,
        clock: Option<Clock>,
    }

    #[async_trait]
    impl TokenSource for Arc<Source> {
        async fn token(&self, scope: &str) -> Result<AccessToken, TokenSourceError> {
            assert_eq!(scope, "https://signalr.azure.com/.default");
            let number = self.asked.fetch_add(1, Ordering::SeqCst);
            if self.failing.load(Ordering::SeqCst) {
                return Err(TokenSourceError::new("no token"));
            }
            let now = self.clock.unwrap().system_time();
            Ok(AccessToken::new(format!("token-{number}"), now + Duration::from_secs(3600)))
        }
    }

    fn entra() -> (EntraTokens, Arc<Source>) {
        let clock = Clock::start();
        let source = Arc::new(Source { clock: Some(clock), ..Source::default() });
        (EntraTokens::new(Arc::new(Arc::clone(&source)), clock), source)
    }

    async fn pass(minutes: u64) {
        tokio::time::advance(Duration::from_secs(minutes * 60)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_cached_until_shortly_before_its_expiry() {
        let (entra, source) = entra();

        assert_eq!(entra.token().await.unwrap().expose(), "token-0");
        pass(54).await;
        assert_eq!(entra.token().await.unwrap().expose(), "token-0");
        pass(2).await;
        // The old token is used while the next one is on its way.
        assert_eq!(entra.token().await.unwrap().expose(), "token-0");
        tokio::task::yield_now().await;
        assert_eq!(entra.token().await.unwrap().expose(), "token-1");
        assert_eq!(source.asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_token_is_used_until_its_expiry_if_renewal_fails() {
        let (entra, source) = entra();
        entra.token().await.unwrap();
        source.failing.store(true, Ordering::SeqCst);

        pass(57).await;
        assert_eq!(entra.token().await.unwrap().expose(), "token-0");
        pass(4).await;
        assert_eq!(entra.token().await.unwrap_err().to_string(), "no token");
    }

    fn key(id: &str) -> Result<SigningKey, SendError> {
        Ok(SigningKey { key: Secret::from("k"), id: id.to_owned() })
    }

    async fn got(keys: &TemporaryKey, fetched: Result<SigningKey, SendError>) -> String {
        keys.get(|| async move { fetched })
            .await
            .map_or_else(|error| error.to_string(), |key| key.id)
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_replaced_after_fifty_five_minutes() {
        let keys = TemporaryKey::new(Clock::start());

        assert_eq!(got(&keys, key("1")).await, "1");
        pass(54).await;
        assert_eq!(got(&keys, key("2")).await, "1");
        pass(1).await;
        assert_eq!(got(&keys, key("2")).await, "1");
        tokio::task::yield_now().await;
        assert_eq!(got(&keys, key("3")).await, "2");
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_key_is_used_for_ninety_minutes_and_renewal_is_retried_after_five() {
        let keys = TemporaryKey::new(Clock::start());
        got(&keys, key("1")).await;

        pass(60).await;
        assert_eq!(got(&keys, Err(SendError::ConnectionGone)).await, "1");
        pass(4).await;
        assert_eq!(got(&keys, key("2")).await, "1");
        tokio::task::yield_now().await;
        assert_eq!(got(&keys, key("2")).await, "1", "not fetched again after four minutes");
        pass(22).await;
        assert_eq!(got(&keys, Err(SendError::ConnectionGone)).await, "1");
        pass(5).await;
        assert_eq!(
            got(&keys, Err(SendError::ConnectionGone)).await,
            SendError::ConnectionGone.to_string()
        );
        pass(1).await;
        assert_eq!(got(&keys, key("3")).await, "3");
    }

    /// A source that does not answer.
    struct Silent;

    #[async_trait]
    impl TokenSource for Silent {
        async fn token(&self, _: &str) -> Result<AccessToken, TokenSourceError> {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_sign_in_without_an_answer_ends_after_nine_seconds() {
        let entra = EntraTokens::new(Arc::new(Silent), Clock::start());
        let started = tokio::time::Instant::now();

        let error = entra.token().await.unwrap_err();

        assert_eq!(error.to_string(), "no token within 9s");
        assert_eq!(started.elapsed().as_secs(), 9);
    }
}
