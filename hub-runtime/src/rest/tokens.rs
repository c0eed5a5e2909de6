//! A cache of the tokens for REST calls: at most one new token per minute for each URL.

use http::HeaderValue;
use hub_core::{Secret, bounded_map::BoundedMap, token::TokenError};
use parking_lot::Mutex;

use crate::auth;

/// How long a token is reused, in seconds: a fifth of its lifetime.
const REUSE_SECONDS: u64 = 60;
/// The largest number of cached tokens.
const MAX_TOKENS: usize = 256;

/// Values of `Authorization` by URL.
#[derive(Default)]
pub(super) struct TokenCache(Mutex<BoundedMap<String, CachedToken, MAX_TOKENS>>);

struct CachedToken {
    at: u64,
    value: HeaderValue,
}

impl TokenCache {
    /// `Authorization` for a URL without its query. `now` is in seconds since 1970.
    pub(super) fn authorization(
        &self,
        url: &str,
        key: &Secret,
        now: u64,
    ) -> Result<HeaderValue, TokenError> {
        if let Some(made) = self.0.lock().get(url)
            && (made.at..made.at + REUSE_SECONDS).contains(&now)
        {
            return Ok(made.value.clone());
        }
        let token = auth::rest_token(url, key, now)?;
        let value = bearer(&token)?;
        self.0.lock().insert(url.to_owned(), CachedToken { at: now, value: value.clone() });
        Ok(value)
    }
}

/// The value of `Authorization` with this token.
pub(super) fn bearer(token: &str) -> Result<HeaderValue, TokenError> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|error| TokenError::Encode(Box::new(error)))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn made(tokens: &TokenCache, url: &str, now: u64) -> HeaderValue {
        tokens.authorization(url, &Secret::from("key"), now).unwrap()
    }

    #[test]
    fn a_token_is_reused_for_a_minute_and_only_for_its_url() {
        let tokens = TokenCache::default();
        let first = made(&tokens, "http://x/a", NOW);

        assert_eq!(made(&tokens, "http://x/a", NOW + 59), first);
        assert_ne!(made(&tokens, "http://x/b", NOW + 59), first);
        assert_ne!(made(&tokens, "http://x/a", NOW + 60), first);
        // The clock was set back.
        assert_ne!(made(&tokens, "http://x/a", NOW - 1), first);
        assert!(!format!("{first:?}").contains("Bearer"));
    }

    #[test]
    fn the_number_of_stored_addresses_is_limited() {
        let tokens = TokenCache::default();

        for number in 0..1000 {
            made(&tokens, &format!("http://x/{number}"), NOW);
        }

        assert!(tokens.0.lock().len() <= MAX_TOKENS);
    }
}
