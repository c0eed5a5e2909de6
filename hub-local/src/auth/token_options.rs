//! Connection settings in the system claims (`asrs.s.*`) of a client's token.

use std::{
    num::{NonZeroU8, NonZeroU64},
    time::Duration,
};

use hub_core::client_access::{
    CLOSE_ON_EXPIRY_CLAIM, DETAILED_ERRORS_CLAIM, DIAGNOSTIC_CLAIM, EXPIRY_CLAIM,
    HANDSHAKE_TIMEOUT_CLAIM,
};
use serde_json::{Map, Value};

/// Maximum handshake timeout that a token can set, in seconds.
const MAX_HANDSHAKE_SECONDS: u8 = 30;

/// Connection settings of a token. Invalid values are ignored. Small, because each idle client has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TokenOptions {
    /// When to close the connection, in seconds since 1970.
    expires: Option<NonZeroU64>,
    /// Overrides the handshake timeout, in seconds.
    handshake: Option<NonZeroU8>,
    /// Whether close messages contain error details.
    pub(crate) detailed_errors: bool,
}

impl TokenOptions {
    pub(super) fn from_claims(claims: &Map<String, Value>) -> Self {
        let closes = closes_on_expiry(claims).unwrap_or(false);
        let handshake = number(claims, HANDSHAKE_TIMEOUT_CLAIM).map(|seconds| {
            u8::try_from(seconds).map_or(MAX_HANDSHAKE_SECONDS, |it| it.min(MAX_HANDSHAKE_SECONDS))
        });
        Self {
            // A time in 1970 has passed, as has that of the next second.
            expires: number(claims, EXPIRY_CLAIM)
                .filter(|_| closes)
                .and_then(|at| NonZeroU64::new(at.max(1))),
            handshake: handshake.and_then(NonZeroU8::new),
            detailed_errors: is_true(claims, DETAILED_ERRORS_CLAIM),
        }
    }

    /// When to close the connection, in seconds since 1970.
    pub(crate) fn expires(&self) -> Option<u64> {
        self.expires.map(NonZeroU64::get)
    }

    /// The timeout of the handshake, if the token sets it.
    pub(crate) fn handshake(&self) -> Option<Duration> {
        self.handshake.map(|seconds| Duration::from_secs(seconds.get().into()))
    }
}

/// Whether the connection closes when it expires; `None` if the claims do not include this setting.
pub(crate) fn closes_on_expiry(claims: &Map<String, Value>) -> Option<bool> {
    claims.get(CLOSE_ON_EXPIRY_CLAIM)?;
    Some(is_true(claims, CLOSE_ON_EXPIRY_CLAIM) && !is_true(claims, DIAGNOSTIC_CLAIM))
}

/// Whether the claim is true. SDKs write booleans as strings, such as `true` or `True`.
fn is_true(claims: &Map<String, Value>, name: &str) -> bool {
    match claims.get(name) {
        Some(Value::Bool(value)) => *value,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

fn number(claims: &Map<String, Value>, name: &str) -> Option<u64> {
    match claims.get(name)? {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn options(claims: &Value) -> TokenOptions {
        TokenOptions::from_claims(claims.as_object().unwrap())
    }

    #[test]
    fn closing_on_expiry_needs_both_claims_and_no_diagnostic_client() {
        let expires = |claims| options(&claims).expires();

        assert_eq!(
            expires(json!({ "asrs.s.coae": "true", "asrs.s.aeo": "1700000000" })),
            Some(1_700_000_000)
        );
        assert_eq!(
            expires(json!({ "asrs.s.coae": true, "asrs.s.aeo": 1_700_000_000 })),
            Some(1_700_000_000)
        );
        assert_eq!(expires(json!({ "asrs.s.coae": "True", "asrs.s.aeo": "soon" })), None);
        assert_eq!(expires(json!({ "asrs.s.coae": "false", "asrs.s.aeo": "5" })), None);
        assert_eq!(expires(json!({ "asrs.s.aeo": "5" })), None);
        let diagnostic = json!({ "asrs.s.coae": "true", "asrs.s.aeo": "5", "asrs.s.dc": "true" });
        assert_eq!(expires(diagnostic), None);
    }

    #[test]
    fn a_handshake_takes_from_one_to_thirty_seconds() {
        let seconds = |claim: Value| {
            let terms = options(&json!({ "asrs.s.cht": claim }));
            terms.handshake().map(|time| time.as_secs())
        };

        assert_eq!(seconds(json!("20")), Some(20));
        assert_eq!(seconds(json!(3)), Some(3));
        assert_eq!((seconds(json!("31")), seconds(json!(256))), (Some(30), Some(30)));
        for nonsense in [json!("0"), json!("-1"), json!("x"), json!(1.5), json!(null)] {
            assert_eq!(seconds(nonsense), None);
        }
    }

    #[test]
    fn detailed_errors_are_on_when_the_claim_is_true() {
        assert!(options(&json!({ "asrs.s.derror": "True" })).detailed_errors);
        assert!(!options(&json!({ "asrs.s.derror": "no" })).detailed_errors);
        assert_eq!(options(&json!({})), TokenOptions::default());
    }
}
