//! Sources of tokens of Microsoft Entra.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use hub_core::Secret;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A token of Microsoft Entra.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AccessToken {
    /// The token, without `Bearer`.
    pub token: Secret,
    /// When the token expires.
    pub expires_at: SystemTime,
}

impl AccessToken {
    /// Creates a token that expires at this time.
    #[must_use]
    pub fn new(token: impl Into<Secret>, expires_at: SystemTime) -> Self {
        Self { token: token.into(), expires_at }
    }

    /// A token that expires after `lifetime`. If the lifetime is too long for a [`SystemTime`], the token is
    /// renewed after a day.
    #[must_use]
    pub fn lasting(token: impl Into<Secret>, lifetime: Duration) -> Self {
        let now = SystemTime::now();
        Self::new(token, now.checked_add(lifetime).unwrap_or(now + DAY))
    }
}

/// Why a source returned no token. The text is logged and must not contain secrets.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct TokenSourceError {
    text: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl TokenSourceError {
    /// Creates an error with a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), source: None }
    }

    /// Creates an error with a text and a cause.
    #[must_use]
    pub fn with_source(
        text: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { text: text.into(), source: Some(source.into()) }
    }
}

/// A source of tokens of Microsoft Entra, for a service without an access key.
///
/// The runtime caches a token until shortly before it expires, so sources need no cache. The feature
/// `identity` provides sources for managed identities, app registrations, workload identities and
/// developer tools. Implement this trait for other sources.
///
/// ```
/// use std::time::Duration;
/// use hub_runtime::{config::{AccessToken, TokenSource, TokenSourceError}, SignalR};
///
/// struct Vault;
///
/// #[async_trait::async_trait]
/// impl TokenSource for Vault {
///     async fn token(&self, scope: &str) -> Result<AccessToken, TokenSourceError> {
///         assert_eq!(scope, "https://signalr.azure.com/.default");
///         Ok(AccessToken::lasting("eyJ…", Duration::from_mins(60)))
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let signalr = SignalR::from_endpoint("https://chat.service.signalr.net", Vault)?;
/// # drop(signalr); Ok(()) }
/// ```
#[async_trait]
pub trait TokenSource: Send + Sync + 'static {
    /// Returns a token for `scope`.
    ///
    /// # Errors
    /// When no token could be obtained.
    async fn token(&self, scope: &str) -> Result<AccessToken, TokenSourceError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_without_an_expiry_is_renewed_after_a_day() {
        let token = AccessToken::lasting("t", Duration::MAX);

        let left = token.expires_at.duration_since(SystemTime::now()).unwrap();
        assert!(left <= DAY && left > DAY / 2, "{left:?}");
    }
}
