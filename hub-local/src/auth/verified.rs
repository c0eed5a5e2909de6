//! Tokens of REST callers that were checked before. A caller may use one for many calls.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::{Map, Value};

use crate::sync::lock;

/// How many are remembered.
const KEPT: usize = 256;
/// Longer ones are checked each time: they are not worth the memory.
const LONGEST: usize = 4096;

/// The whole text of each token, and its claims. Keys do not change while a service runs.
#[derive(Default)]
pub(crate) struct KnownTokens(Mutex<HashMap<Box<str>, Known>>);

struct Known {
    /// When the token was checked, in seconds since 1970.
    since: u64,
    /// When its time is over.
    expiry: u64,
    claims: Arc<Map<String, Value>>,
}

impl KnownTokens {
    /// The claims of a token that was checked and that still holds.
    pub(super) fn get(&self, token: &str, now: u64) -> Option<Arc<Map<String, Value>>> {
        let known = lock(&self.0);
        let known = known.get(token)?;
        // Before it was checked means that the clock was set back: then it is checked again.
        (known.since..known.expiry).contains(&now).then(|| Arc::clone(&known.claims))
    }

    /// Remembers a token that was just checked.
    pub(super) fn insert(&self, token: &str, now: u64, claims: &Arc<Map<String, Value>>) {
        let Some(expiry) = claims.get("exp").and_then(Value::as_u64) else { return };
        if token.len() > LONGEST || expiry <= now {
            return;
        }
        let mut known = lock(&self.0);
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(token.into(), Known { since: now, expiry, claims: Arc::clone(claims) });
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
    fn a_token_is_known_by_its_whole_text_from_its_check_to_its_expiry() {
        let known = KnownTokens::default();

        known.insert("a.b.c", 100, &claims(200));

        assert!(known.get("a.b.c", 100).is_some() && known.get("a.b.c", 199).is_some());
        assert!(known.get("a.b.c", 200).is_none() && known.get("a.b.c", 99).is_none());
        for other in ["a.b.d", "a.b.", "a.b.c ", "A.b.c", ""] {
            assert!(known.get(other, 150).is_none());
        }
    }

    #[test]
    fn what_is_over_endless_or_very_long_is_not_remembered() {
        let known = KnownTokens::default();
        let long = "x".repeat(LONGEST + 1);

        known.insert("over", 300, &claims(300));
        known.insert("endless", 300, &Arc::new(Map::new()));
        known.insert(&long, 300, &claims(400));

        assert!(lock(&known.0).is_empty());
    }

    #[test]
    fn so_many_are_kept_and_no_more() {
        let known = KnownTokens::default();

        for number in 0..1000 {
            known.insert(&number.to_string(), 100, &claims(200));
        }

        assert!(lock(&known.0).len() <= KEPT);
    }
}
