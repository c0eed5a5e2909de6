//! JSON Web Tokens (RFC 7519) with HS256: signing and verification. The caller passes the time.

#[cfg(feature = "bearer")]
mod verifier;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde::Serialize;
use serde_json::{Map, Value};

#[cfg(feature = "bearer")]
pub use self::verifier::{TokenKeyError, TokenVerifier};
use crate::Secret;

/// Why a token could not be signed or is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The claims could not be serialised.
    #[error("the claims cannot be written as JSON")]
    Encode(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Not a JSON Web Token.
    #[error("this is not a JSON web token")]
    Malformed,
    /// A comma or white space: the `Authorization` header contains two credentials. Proxies and HTTP libraries join
    /// repeated headers in this way.
    #[error("the Authorization header contains two credentials")]
    TwoCredentials,
    /// Signed with another algorithm than HS256, or unsigned.
    #[error("the token is not signed with HS256")]
    Algorithm,
    /// The header lists extensions that a reader must support (`crit`, RFC 7515 §4.1.11). None are supported.
    #[error("the token has critical extensions (header parameter `crit`), and none are supported")]
    Critical,
    /// Not signed with one of the keys.
    #[error("the token is not signed with a key of this service")]
    Signature,
    /// No usable `exp`.
    #[error("the token has no expiry (claim `exp`)")]
    NoExpiry,
    /// A time is not a number of seconds since 1970, but for example a text.
    #[error("`{claim}` must be a number of seconds since 1970 (RFC 7519, section 2)")]
    NotATime {
        /// The claim, `exp` or `nbf`.
        claim: &'static str,
    },
    /// The token has expired.
    #[error("the token expired {seconds} s ago")]
    Expired {
        /// Seconds since the expiry.
        seconds: u64,
    },
    /// The token is not valid yet.
    #[error("the token is not valid until {seconds} s from now (claim `nbf`)")]
    NotYet {
        /// Seconds until it is valid.
        seconds: u64,
    },
    /// The request has no bearer token.
    #[error("there is no bearer token")]
    Missing,
    /// No key has the algorithm of the token.
    #[error("the algorithm of the token is not accepted")]
    NotAccepted,
    /// Not signed with a known key.
    #[error("the token is not signed with a known key")]
    UnknownKey,
    /// Issued by another issuer.
    #[error("the token comes from another issuer (claim `iss`)")]
    Issuer,
    /// The keys sign tokens of many tenants, and no issuer is set.
    #[error(
        "the keys sign tokens of many tenants: call `TokenVerifier::issuer` with the issuer of each accepted tenant"
    )]
    IssuerNotSet,
    /// Issued for another audience.
    #[error("the token is meant for another audience (claim `aud`)")]
    Audience,
    /// The request has no time of receipt.
    #[error("the time of the request is not known")]
    NoTime,
}

/// The header of a token: `{"typ":"JWT","alg":"HS256"}`.
const HEADER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9";
const ALGORITHM: &str = "HS256";

/// Signs `claims` with HS256.
///
/// # Errors
/// When the claims cannot be serialised as JSON.
pub fn sign(claims: &impl Serialize, key: &Secret) -> Result<String, TokenError> {
    signed(HEADER.to_owned(), claims, key)
}

/// Signs `claims` with HS256 and writes the id of the key into the header (`kid`).
///
/// # Errors
/// When the claims cannot be serialised as JSON.
pub fn sign_as(
    claims: &impl Serialize,
    key: &Secret,
    key_id: impl Into<String>,
) -> Result<String, TokenError> {
    #[derive(Serialize)]
    struct Header {
        typ: &'static str,
        alg: &'static str,
        kid: String,
    }
    let header = Header { typ: "JWT", alg: ALGORITHM, kid: key_id.into() };
    signed(URL_SAFE_NO_PAD.encode(to_json(&header)?), claims, key)
}

/// The token with this encoded header (RFC 7515 §3.1).
fn signed(header: String, claims: &impl Serialize, key: &Secret) -> Result<String, TokenError> {
    let mut token = header;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(to_json(claims)?, &mut token);
    let signature = hmac::sign(key.hmac(), token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>, TokenError> {
    serde_json::to_vec(value).map_err(|error| TokenError::Encode(Box::new(error)))
}

/// Checks signature, `exp` (required) and `nbf`, and returns the claims.
///
/// `now` and `leeway` are in seconds. The caller checks the audience with [`audience_matches`].
///
/// # Errors
/// When the token is not signed with HS256 and one of the keys, or not valid at `now`.
pub fn verify(
    token: &str,
    keys: &[Secret],
    now: u64,
    leeway: u64,
) -> Result<Map<String, Value>, TokenError> {
    check_algorithm(token)?;
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Signature)?;
    let is_key = |key: &Secret| hmac::verify(key.hmac(), signed.as_bytes(), &signature).is_ok();
    if !keys.iter().any(is_key) {
        return Err(TokenError::Signature);
    }
    let claims = claims_of(signed)?;
    check_time(&claims, now, leeway)?;
    Ok(claims)
}

/// Whether an `aud` of the claims (a text or a list of texts) is accepted.
#[must_use]
pub fn audience_matches(claims: &Map<String, Value>, accepted: impl Fn(&str) -> bool) -> bool {
    match claims.get("aud") {
        Some(Value::String(audience)) => accepted(audience),
        Some(Value::Array(audiences)) => audiences.iter().filter_map(Value::as_str).any(accepted),
        _ => false,
    }
}

fn check_algorithm(token: &str) -> Result<(), TokenError> {
    check_form(token)?;
    let header = token.split_once('.').map_or(token, |(header, _)| header);
    if header == HEADER {
        return Ok(());
    }
    let json = URL_SAFE_NO_PAD.decode(header).ok();
    // All members are read, because serde does not check the encoding of text that it skips.
    let header = json.and_then(|json| serde_json::from_slice::<Map<String, Value>>(&json).ok());
    let header = header.ok_or(TokenError::Algorithm)?;
    if header.get("alg").and_then(Value::as_str) != Some(ALGORITHM) {
        return Err(TokenError::Algorithm);
    }
    if header.get("crit").is_some_and(|extensions| !extensions.is_null()) {
        return Err(TokenError::Critical);
    }
    Ok(())
}

/// Checks that the text has the three parts of a token (RFC 7515 §3.1).
fn check_form(token: &str) -> Result<(), TokenError> {
    // Counts, because the loops of a search for the first byte are not vectorized.
    let count = |is: fn(u8) -> bool| token.bytes().filter(|byte| is(*byte)).count();
    if count(|byte| matches!(byte, b',' | b' ')) > 0 {
        return Err(TokenError::TwoCredentials);
    }
    if count(|byte| byte == b'.') == 2 { Ok(()) } else { Err(TokenError::Malformed) }
}

/// The claims in the signed part of a token. Registered claims may have any type.
fn claims_of(signed: &str) -> Result<Map<String, Value>, TokenError> {
    let (_, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&claims).map_err(|_| TokenError::Malformed)
}

fn check_time(claims: &Map<String, Value>, now: u64, leeway: u64) -> Result<(), TokenError> {
    let expiry = time(claims, "exp")?.ok_or(TokenError::NoExpiry)?;
    if now > expiry.saturating_add(leeway) {
        return Err(TokenError::Expired { seconds: now - expiry });
    }
    let Some(not_before) = time(claims, "nbf")? else { return Ok(()) };
    if not_before > now.saturating_add(leeway) {
        return Err(TokenError::NotYet { seconds: not_before - now });
    }
    Ok(())
}

/// The time in a claim, if the token has the claim.
fn time(claims: &Map<String, Value>, claim: &'static str) -> Result<Option<u64>, TokenError> {
    match claims.get(claim) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => seconds(value).map(Some).ok_or(TokenError::NotATime { claim }),
    }
}

/// Converts a `NumericDate` to whole seconds. RFC 7519 §2 allows fractions.
fn seconds(value: &Value) -> Option<u64> {
    let fraction = || value.as_f64().filter(|number| (0.0..1e15).contains(number));
    value.as_u64().or_else(|| fraction().map(|number| number as u64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";
    const SAMPLE: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJodHRwOi8vbG9jYWxob3N0L2NsaWVudC8_aHViPWNoYXQiLCJuYW1laWQiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.5JObr7ZVhJMpt-RQUWaNgw1aQrJwJHNgv2lR6ZpDOdA";

    fn keys() -> [Secret; 2] {
        [Secret::from("an older key"), Secret::from(KEY)]
    }

    fn made(claims: &Value) -> String {
        sign(claims, &Secret::from(KEY)).unwrap()
    }

    #[test]
    fn the_published_sample_is_accepted() {
        let claims = verify(SAMPLE, &keys(), 1_700_000_000, 60).unwrap();

        assert_eq!(claims["nameid"], "alice");
        assert!(audience_matches(&claims, |aud| aud == "http://localhost/client/?hub=chat"));
        assert!(!audience_matches(&claims, |aud| aud == "http://localhost/client/?hub=other"));
    }

    #[test]
    fn a_token_has_the_header_and_the_signature_of_the_standard() {
        let key = Secret::from(KEY);
        let text = |part: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();

        let token = sign(&json!({ "exp": 1000 }), &key).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        assert_eq!(text(header), r#"{"typ":"JWT","alg":"HS256"}"#);
        assert_eq!(text(claims), r#"{"exp":1000}"#);
        let expected = hmac::sign(&crate::secret::keyed(KEY.as_bytes()), signed.as_bytes());
        assert_eq!(URL_SAFE_NO_PAD.encode(expected), signature);

        let named = sign_as(&json!({ "exp": 1000 }), &key, "k1").unwrap();
        let header = named.split('.').next().unwrap();
        assert_eq!(text(header), r#"{"typ":"JWT","alg":"HS256","kid":"k1"}"#);
        assert!(verify(&named, &keys(), 1000, 0).is_ok());
    }

    #[test]
    fn a_token_ends_at_its_expiry_plus_the_leeway() {
        let token = made(&json!({ "exp": 1000 }));

        assert!(verify(&token, &keys(), 1060, 60).is_ok());
        let error = verify(&token, &keys(), 1061, 60).unwrap_err();
        assert_eq!(error.to_string(), "the token expired 61 s ago");
    }

    #[test]
    fn a_token_begins_at_nbf_minus_the_leeway() {
        let token = made(&json!({ "exp": 5000, "nbf": 1000 }));

        assert!(verify(&token, &keys(), 940, 60).is_ok());
        assert!(matches!(verify(&token, &keys(), 939, 60), Err(TokenError::NotYet { .. })));
    }

    #[test]
    fn a_token_without_expiry_is_refused() {
        for claims in [json!({}), json!({ "exp": null })] {
            assert!(matches!(verify(&made(&claims), &keys(), 0, 60), Err(TokenError::NoExpiry)));
        }
    }

    #[test]
    fn a_time_must_be_a_number() {
        let error = |claims| verify(&made(&claims), &keys(), 0, 60).unwrap_err().to_string();

        let text = "`exp` must be a number of seconds since 1970 (RFC 7519, section 2)";
        for exp in [json!("1796000000"), json!(-5), json!(1e20), json!([1000])] {
            assert_eq!(error(json!({ "exp": exp })), text);
        }
        assert!(error(json!({ "exp": 1000, "nbf": "0" })).starts_with("`nbf` must be a number"));
    }

    #[test]
    fn two_credentials_in_one_header_are_named() {
        for twice in [format!("{SAMPLE}, Bearer {SAMPLE}"), format!("{SAMPLE},{SAMPLE}")] {
            let error = verify(&twice, &keys(), 1_700_000_000, 60).unwrap_err();
            assert_eq!(error.to_string(), "the Authorization header contains two credentials");
        }
    }

    #[test]
    fn an_expiry_may_have_a_fraction() {
        assert!(verify(&made(&json!({ "exp": 1000.5 })), &keys(), 1000, 0).is_ok());
    }

    #[test]
    fn other_algorithms_are_refused() {
        let payload = SAMPLE.split('.').nth(1).unwrap();
        let signature = SAMPLE.split('.').nth(2).unwrap();
        // {"alg":"none"}, {"alg":"RS256"} and {"alg":"HS512"}
        for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJSUzI1NiJ9", "eyJhbGciOiJIUzUxMiJ9"] {
            for signature in [signature, ""] {
                let token = format!("{header}.{payload}.{signature}");
                assert!(matches!(verify(&token, &keys(), 0, 60), Err(TokenError::Algorithm)));
            }
        }
    }

    #[test]
    fn a_foreign_or_truncated_signature_is_refused() {
        let cut = &SAMPLE[..SAMPLE.len() - 1];
        let foreign = sign(&json!({ "exp": 5000 }), &Secret::from("unknown")).unwrap();

        assert!(matches!(verify(cut, &keys(), 0, 60), Err(TokenError::Signature)));
        assert!(matches!(verify(&foreign, &keys(), 0, 60), Err(TokenError::Signature)));
        assert!(matches!(verify("a.b", &keys(), 0, 60), Err(TokenError::Malformed)));
        assert!(verify("", &keys(), 0, 60).is_err());
    }

    #[test]
    fn a_valid_token_may_have_registered_claims_of_any_type() {
        for claims in [
            json!({ "exp": 1000, "sub": ["ada", "bob"] }),
            json!({ "exp": 1000, "aud": ["x", 3, {}] }),
            json!({ "exp": 1000, "iss": [[]], "sub": { "a": 1 }, "aud": null }),
        ] {
            let read = verify(&made(&claims), &keys(), 1000, 0).unwrap();
            assert_eq!(Value::from(read), claims);
        }
    }

    #[test]
    fn a_signed_value_that_is_not_an_object_is_malformed() {
        let refused = verify(&made(&json!([1])), &keys(), 0, 60);
        assert!(matches!(refused, Err(TokenError::Malformed)));
    }

    #[test]
    fn a_header_that_is_not_utf_8_is_refused() {
        let header = URL_SAFE_NO_PAD.encode(b"{\"alg\":\"HS256\",\"typ\":\"\xF6\"}");

        let checked = check_algorithm(&format!("{header}.e30."));

        assert!(matches!(checked, Err(TokenError::Algorithm)));
    }

    #[test]
    fn a_token_with_critical_extensions_is_refused() {
        let verified = |header: &str| {
            let header = URL_SAFE_NO_PAD.encode(header);
            let token = signed(header, &json!({ "exp": 1000 }), &Secret::from(KEY)).unwrap();
            verify(&token, &keys(), 1000, 0)
        };

        assert!(verified(r#"{"alg":"HS256","crit":null}"#).is_ok());
        for crit in [r#"["exp"]"#, "[]", r#""exp""#] {
            let refused = verified(&format!(r#"{{"alg":"HS256","crit":{crit}}}"#));
            assert!(matches!(refused, Err(TokenError::Critical)), "{crit}");
        }
    }

    #[test]
    fn an_audience_may_be_a_list() {
        let claims = json!({ "aud": ["x", "y", 3] });
        let claims = claims.as_object().unwrap();

        assert!(audience_matches(claims, |aud| aud == "y"));
        assert!(!audience_matches(claims, |aud| aud == "z"));
        assert!(!audience_matches(&Map::new(), |_| true));
    }
}
