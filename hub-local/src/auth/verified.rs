//! Caches of verified tokens: REST callers use one token for many calls, and clients use theirs to negotiate and to
//! connect.

use hub_core::bounded_map::BoundedMap;
use parking_lot::Mutex;
use serde_json::{Map, Value};

/// Maximum number of cached tokens.
const MAX_VERIFIED_TOKENS: usize = 256;
/// Longer tokens are not cached, to bound memory.
const MAX_TOKEN_BYTES: usize = 4096;

/// The data read from a token, by complete token. Entries stay valid, because the keys of a running service do not change.
pub(super) struct VerifiedTokens<T>(Mutex<BoundedMap<Box<str>, Verified<T>, MAX_VERIFIED_TOKENS>>);

struct Verified<T> {
    /// When the token was verified, in seconds since 1970.
    since: u64,
    /// When the token expires, in seconds since 1970.
    expiry: u64,
    read: T,
}

impl<T> Verified<T> {
    /// Whether the token has not expired. A time before the verification means that the clock was set back: verify
    /// again.
    fn is_valid(&self, now: u64) -> bool {
        (self.since..self.expiry).contains(&now)
    }
}

impl<T> Default for VerifiedTokens<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> VerifiedTokens<T> {
    /// The data read from a token that was verified and has not expired.
    pub(super) fn get(&self, token: &str, now: u64) -> Option<T>
    where
        T: Clone,
    {
        let verified = self.0.lock();
        let verified = verified.get(token).filter(|verified| verified.is_valid(now));
        verified.map(|verified| verified.read.clone())
    }

    /// Like [`Self::get`], and removes the entry.
    pub(super) fn take(&self, token: &str, now: u64) -> Option<T> {
        let verified = self.0.lock().remove(token).filter(|verified| verified.is_valid(now));
        verified.map(|verified| verified.read)
    }

    /// Stores the data read from a token that was just verified and has these claims.
    pub(super) fn insert(&self, token: &str, now: u64, claims: &Map<String, Value>, read: T) {
        let Some(expiry) = claims.get("exp").and_then(Value::as_u64) else { return };
        if token.len() > MAX_TOKEN_BYTES || expiry <= now {
            return;
        }
        let verified = Verified { since: now, expiry, read };
        self.0.lock().insert(token.into(), verified);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(expiry: u64) -> Map<String, Value> {
        json!({ "exp": expiry }).as_object().unwrap().clone()
    }

    #[test]
    fn a_checked_token_is_cached_by_its_whole_text_until_it_expires() {
        let verified = VerifiedTokens::default();

        verified.insert("a.b.c", 100, &claims(200), ());

        assert!(verified.get("a.b.c", 100).is_some() && verified.get("a.b.c", 199).is_some());
        assert!(verified.get("a.b.c", 200).is_none() && verified.get("a.b.c", 99).is_none());
        for other in ["a.b.d", "a.b.", "a.b.c ", "A.b.c", ""] {
            assert!(verified.get(other, 150).is_none());
        }
    }

    #[test]
    fn an_entry_is_taken_once_and_not_after_its_expiry() {
        let verified = VerifiedTokens::default();
        verified.insert("a.b.c", 100, &claims(200), "read");
        verified.insert("d.e.f", 100, &claims(200), "read");

        assert_eq!(verified.take("a.b.c", 199), Some("read"));
        assert_eq!(verified.take("a.b.c", 199), None);
        assert_eq!(verified.take("d.e.f", 200), None);
    }

    #[test]
    fn expired_endless_and_very_long_tokens_are_not_cached() {
        let verified = VerifiedTokens::default();
        let long = "x".repeat(MAX_TOKEN_BYTES + 1);

        verified.insert("over", 300, &claims(300), ());
        verified.insert("endless", 300, &Map::new(), ());
        verified.insert(&long, 300, &claims(400), ());

        assert!(verified.0.lock().is_empty());
    }

    #[test]
    fn the_number_of_stored_entries_is_limited() {
        let verified = VerifiedTokens::default();

        for number in 0..1000 {
            verified.insert(&number.to_string(), 100, &claims(200), ());
        }

        assert!(verified.0.lock().len() <= MAX_VERIFIED_TOKENS);
    }
}
