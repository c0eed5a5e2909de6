//! Cache of verified REST tokens: callers use one token for many calls.

use std::sync::Arc;

use hub_core::bounded_map::BoundedMap;
use parking_lot::Mutex;
use serde_json::{Map, Value};

/// Maximum number of cached tokens.
const MAX_VERIFIED_TOKENS: usize = 256;
/// Longer tokens are not cached, to bound memory.
const MAX_TOKEN_BYTES: usize = 4096;

/// Claims by complete token. Entries stay valid, because the keys of a running service do not change.
#[derive(Default)]
pub(super) struct VerifiedTokens(Mutex<BoundedMap<Box<str>, Verified, MAX_VERIFIED_TOKENS>>);

struct Verified {
    /// When the token was verified, in seconds since 1970.
    since: u64,
    /// When the token expires, in seconds since 1970.
    expiry: u64,
    claims: Arc<Map<String, Value>>,
}

impl VerifiedTokens {
    /// The claims of a token that was verified and has not expired.
    pub(super) fn get(&self, token: &str, now: u64) -> Option<Arc<Map<String, Value>>> {
        let verified = self.0.lock();
        let verified = verified.get(token)?;
        // A time before the verification means that the clock was set back: verify again.
        (verified.since..verified.expiry).contains(&now).then(|| Arc::clone(&verified.claims))
    }

    /// Stores the claims of a token that was just verified.
    pub(super) fn insert(&self, token: &str, now: u64, claims: &Arc<Map<String, Value>>) {
        let Some(expiry) = claims.get("exp").and_then(Value::as_u64) else { return };
        if token.len() > MAX_TOKEN_BYTES || expiry <= now {
            return;
        }
        let verified = Verified { since: now, expiry, claims: Arc::clone(claims) };
        self.0.lock().insert(token.into(), verified);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(expiry: u64) -> Arc<Map<String, Value>> {
        Arc::new(json!({ "exp": expiry }).as_object().unwrap().clone())
    }

    #[test]
    fn a_checked_token_is_cached_by_its_whole_text_until_it_expires() {
        let verified = VerifiedTokens::default();

        verified.insert("a.b.c", 100, &claims(200));

        assert!(verified.get("a.b.c", 100).is_some() && verified.get("a.b.c", 199).is_some());
        assert!(verified.get("a.b.c", 200).is_none() && verified.get("a.b.c", 99).is_none());
        for other in ["a.b.d", "a.b.", "a.b.c ", "A.b.c", ""] {
            assert!(verified.get(other, 150).is_none());
        }
    }

    #[test]
    fn expired_endless_and_very_long_tokens_are_not_cached() {
        let verified = VerifiedTokens::default();
        let long = "x".repeat(MAX_TOKEN_BYTES + 1);

        verified.insert("over", 300, &claims(300));
        verified.insert("endless", 300, &Arc::new(Map::new()));
        verified.insert(&long, 300, &claims(400));

        assert!(verified.0.lock().is_empty());
    }

    #[test]
    fn the_number_of_stored_entries_is_limited() {
        let verified = VerifiedTokens::default();

        for number in 0..1000 {
            verified.insert(&number.to_string(), 100, &claims(200));
        }

        assert!(verified.0.lock().len() <= MAX_VERIFIED_TOKENS);
    }
}
