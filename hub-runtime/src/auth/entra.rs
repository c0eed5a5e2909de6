//! Signing in with Microsoft Entra: the token for the REST API, and the temporary key that signs client
//! tokens.

use std::{future::Future, sync::Arc, time::Duration};

use hub_core::{Secret, SendError};
use hub_net::clock::Clock;
use parking_lot::Mutex;

use super::{AccessToken, TokenSource, TokenSourceError};

/// The scope of the REST API of every SignalR service.
const SCOPE: &str = "https://signalr.azure.com/.default";
/// How long before its expiry a token is replaced.
const MARGIN: Duration = Duration::from_secs(300);

/// The age at which a key is replaced.
const KEY_REFRESH: Duration = Duration::from_secs(55 * 60);
/// The age at which a key expires, according to the documentation of the service. The official SDK uses
/// keys longer.
const KEY_LIFETIME: Duration = Duration::from_secs(90 * 60);
/// The pause after a failed fetch while the old key is valid.
const KEY_RETRY: Duration = Duration::from_secs(5 * 60);

/// The tokens of a source, each cached until shortly before its expiry.
#[derive(derive_more::Debug)]
#[debug("EntraTokens")]
pub(crate) struct EntraTokens {
    source: Arc<dyn TokenSource>,
    clock: Clock,
    held: Mutex<Option<AccessToken>>,
    /// Locked by the task that requests a token, so that other tasks wait for its result.
    asking: tokio::sync::Mutex<()>,
}

impl EntraTokens {
    pub(crate) fn new(source: Arc<dyn TokenSource>, clock: Clock) -> Self {
        Self { source, clock, held: Mutex::new(None), asking: tokio::sync::Mutex::new(()) }
    }

    /// The token for the service's API.
    pub(crate) async fn token(&self) -> Result<Secret, TokenSourceError> {
        if let Some(token) = self.valid_for(MARGIN) {
            return Ok(token);
        }
        let _one = lock_if_first(&self.asking).await;
        if let Some(token) = self.valid_for(MARGIN) {
            return Ok(token);
        }
        match self.source.token(SCOPE).await {
            Ok(new) => {
                let token = new.token.clone();
                *self.held.lock() = Some(new);
                Ok(token)
            }
            Err(error) => {
                let Some(old) = self.valid_for(Duration::ZERO) else { return Err(error) };
                tracing::warn!(%error, "cannot get a new token of Microsoft Entra; using the old token until it expires");
                Ok(old)
            }
        }
    }

    fn valid_for(&self, margin: Duration) -> Option<Secret> {
        let held = self.held.lock();
        let token = held.as_ref()?;
        let left = token.expires_at.duration_since(self.clock.system_time()).ok()?;
        (left > margin).then(|| token.token.clone())
    }
}

/// Locks the mutex for the first caller. The other callers wait until the mutex is unlocked and continue
/// without the lock. They use the result of the first caller or, if the first caller failed, all try
/// concurrently. If they tried one after the other, the last caller would wait for all failures.
async fn lock_if_first(one: &tokio::sync::Mutex<()>) -> Option<tokio::sync::MutexGuard<'_, ()>> {
    if let Ok(first) = one.try_lock() {
        return Some(first);
    }
    drop(one.lock().await);
    None
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
pub(crate) struct TemporaryKey {
    clock: Clock,
    held: Mutex<KeyState>,
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct KeyState {
    /// The key, and the time of its fetch measured from the app's start.
    key: Option<(SigningKey, Duration)>,
    failed: Option<Duration>,
}

impl TemporaryKey {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, held: Mutex::default(), fetching: tokio::sync::Mutex::new(()) }
    }

    /// The key. `fetch` requests a key from the service.
    pub(crate) async fn get<F>(&self, fetch: impl FnOnce() -> F) -> Result<SigningKey, SendError>
    where
        F: Future<Output = Result<SigningKey, SendError>>,
    {
        // While the old key is valid, one caller fetches a new key and the other callers use the old key.
        let _one = match (self.fresh(), self.valid()) {
            (Some(key), _) => return Ok(key),
            (None, Some(old)) => match self.fetching.try_lock() {
                Ok(one) if !self.failed_recently() => Some(one),
                _ => return Ok(old),
            },
            (None, None) => lock_if_first(&self.fetching).await,
        };
        if let Some(key) = self.fresh() {
            return Ok(key);
        }
        let fetched = fetch().await;
        let now = self.clock.elapsed();
        let mut held = self.held.lock();
        match fetched {
            Ok(key) => {
                *held = KeyState { key: Some((key.clone(), now)), failed: None };
                Ok(key)
            }
            Err(error) => {
                held.failed = Some(now);
                drop(held);
                let Some(old) = self.valid() else { return Err(error) };
                tracing::warn!(%error, "cannot get a new key for client tokens; using the old key until it expires");
                Ok(old)
            }
        }
    }

    fn fresh(&self) -> Option<SigningKey> {
        self.younger_than(KEY_REFRESH)
    }

    fn valid(&self) -> Option<SigningKey> {
        self.younger_than(KEY_LIFETIME)
    }

    fn younger_than(&self, age: Duration) -> Option<SigningKey> {
        let held = self.held.lock();
        let (key, fetched) = held.key.as_ref()?;
        (self.clock.elapsed().saturating_sub(*fetched) < age).then(|| key.clone())
    }

    fn failed_recently(&self) -> bool {
        let held = self.held.lock();
        let now = self.clock.elapsed();
        held.failed.is_some_and(|failed| now.saturating_sub(failed) < KEY_RETRY)
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
        keys.get(|| async { fetched }).await.map_or_else(|error| error.to_string(), |key| key.id)
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_replaced_after_fifty_five_minutes() {
        let keys = TemporaryKey::new(Clock::start());

        assert_eq!(got(&keys, key("1")).await, "1");
        pass(54).await;
        assert_eq!(got(&keys, key("2")).await, "1");
        pass(1).await;
        assert_eq!(got(&keys, key("2")).await, "2");
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_key_is_used_for_ninety_minutes_and_renewal_is_retried_after_five() {
        let keys = TemporaryKey::new(Clock::start());
        got(&keys, key("1")).await;

        pass(60).await;
        assert_eq!(got(&keys, Err(SendError::ConnectionGone)).await, "1");
        pass(4).await;
        assert_eq!(got(&keys, key("2")).await, "1");
        pass(2).await;
        assert_eq!(got(&keys, Err(SendError::ConnectionGone)).await, "1");
        pass(25).await;
        assert_eq!(
            got(&keys, Err(SendError::ConnectionGone)).await,
            SendError::ConnectionGone.to_string()
        );
        assert_eq!(got(&keys, key("3")).await, "3");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_for_at_most_one_failure_of_another() {
        let keys = TemporaryKey::new(Clock::start());
        let fetch = || async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            Err(SendError::ConnectionGone)
        };

        let started = tokio::time::Instant::now();
        let asked = (0..20).map(|_| keys.get(fetch));
        let got = futures_util::future::join_all(asked).await;

        assert!(got.iter().all(Result::is_err));
        assert_eq!(started.elapsed().as_secs(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn concurrent_requests_share_one_token_request() {
        let keys = TemporaryKey::new(Clock::start());
        let fetched = AtomicU32::new(0);
        let fetch = || async {
            fetched.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
            key("1")
        };

        let asked = (0..20).map(|_| keys.get(fetch));
        let got = futures_util::future::join_all(asked).await;

        assert!(got.iter().all(Result::is_ok));
        assert_eq!(fetched.load(Ordering::SeqCst), 1);
    }
}
