//! Tests with tokens that were signed with OpenSSL. The private keys were not stored. All tokens expire 5000
//! seconds after the start of 1970.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde_json::json;

use super::*;
use crate::token;

const RSA_PEM: &str = include_str!("samples/rsa.pem");
const P256_PEM: &str = include_str!("samples/p256.pem");
const P384_PEM: &str = include_str!("samples/p384.pem");
const JWKS: &str = include_str!("samples/jwks.json");
const RS256: &str = include_str!("samples/rs256.jwt");
const ES256: &str = include_str!("samples/es256.jwt");
const ES384: &str = include_str!("samples/es384.jwt");
/// HS256, with the text of the public RSA key as the secret.
const CONFUSED: &str = include_str!("samples/confused.jwt");
const SECRET: &str = "a secret of at least thirty-two bytes";

fn for_chat(verifier: Result<TokenVerifier, TokenKeyError>) -> TokenVerifier {
    verifier.unwrap().issuer("https://issuer.example").audience("chat")
}

fn own(claims: &Value) -> String {
    token::sign(claims, &Secret::from(SECRET)).unwrap()
}

#[test]
fn a_public_key_in_pem_verifies_tokens_of_its_kind() {
    for (pem, token) in [(RSA_PEM, RS256), (P256_PEM, ES256), (P384_PEM, ES384)] {
        let claims = for_chat(TokenVerifier::public_key_pem(pem)).verify(token, 4000).unwrap();

        assert_eq!(claims.get("sub"), Some("ada"));
        assert_eq!(claims.all("roles").collect::<Vec<_>>(), ["reader", "writer"]);
    }
}

#[test]
fn a_key_set_verifies_with_the_matching_key_and_skips_unknown_ones() {
    let verifier = for_chat(TokenVerifier::jwk(JWKS));

    assert!(verifier.verify(RS256, 4000).is_ok());
    assert!(verifier.verify(ES256, 4000).is_ok());
    assert!(matches!(verifier.verify(ES384, 4000), Err(TokenError::NotAccepted)));
}

#[test]
fn a_public_key_is_never_used_as_a_secret() {
    let verifier = for_chat(TokenVerifier::public_key_pem(RSA_PEM));

    assert!(matches!(verifier.verify(CONFUSED, 4000), Err(TokenError::NotAccepted)));
}

#[test]
fn a_token_with_an_unknown_critical_extension_is_refused() {
    let verifier = TokenVerifier::hs256(SECRET).unwrap();
    let signed = |crit: Option<Vec<String>>| {
        let header = json!({ "alg": "HS256", "crit": crit });
        let [header, claims] =
            [header, json!({ "exp": 5000 })].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let tag = hmac::sign(Secret::from(SECRET).hmac(), signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
    };

    assert!(verifier.verify(&signed(None), 4000).is_ok());
    let bound = signed(Some(vec!["only-with-my-key".to_owned()]));
    assert!(matches!(verifier.verify(&bound, 4000), Err(TokenError::Critical)));
}

#[test]
fn unsigned_and_changed_tokens_are_refused() {
    let verifier = for_chat(TokenVerifier::public_key_pem(RSA_PEM));
    let mut parts = RS256.split('.');
    let (header, payload) = (parts.next().unwrap(), parts.next().unwrap());
    // {"alg":"none"}
    let unsigned = format!("eyJhbGciOiJub25lIn0.{payload}.");
    let other_payload = ES384.split('.').nth(2).unwrap();

    assert!(matches!(verifier.verify(&unsigned, 4000), Err(TokenError::NotAccepted)));
    let changed = format!("{header}.{payload}.{other_payload}");
    assert!(matches!(verifier.verify(&changed, 4000), Err(TokenError::UnknownKey)));
    for garbage in ["", "a", "a.b", "a.b.c.d"] {
        assert!(matches!(verifier.verify(garbage, 4000), Err(TokenError::Malformed)), "{garbage}");
    }
}

#[test]
fn issuer_and_audience_must_be_the_accepted_ones() {
    let key = || TokenVerifier::public_key_pem(RSA_PEM).unwrap();
    let refused = |verifier: TokenVerifier| verifier.verify(RS256, 4000).unwrap_err();

    assert!(matches!(refused(key().issuer("other").audience("chat")), TokenError::Issuer));
    assert!(matches!(refused(key().audience("other")), TokenError::Audience));
    // A token with an audience is refused by a verifier without one.
    assert!(matches!(refused(key()), TokenError::Audience));
    assert!(key().audience("other").audience("chat").verify(RS256, 4000).is_ok());
    assert!(key().any_audience().verify(RS256, 4000).is_ok());
}

#[test]
fn keys_that_sign_for_many_tenants_need_an_issuer() {
    let template = r#""issuer":"https://login.microsoftonline.com/{tenantid}/v2.0","kty""#;
    let shared = JWKS.replace("\"kty\"", template);
    assert_ne!(shared, JWKS);
    let keys = || TokenVerifier::jwk(&shared).unwrap().audience("chat");
    let both = TokenVerifier::hs256(SECRET).unwrap().with_keys_of(keys());

    assert!(matches!(keys().verify(RS256, 4000), Err(TokenError::IssuerNotSet)));
    assert!(matches!(both.verify(RS256, 4000), Err(TokenError::IssuerNotSet)));
    assert!(keys().issuer("https://issuer.example").verify(RS256, 4000).is_ok());
    let other_tenant = keys().issuer("https://other.example");
    assert!(matches!(other_tenant.verify(RS256, 4000), Err(TokenError::Issuer)));
}

#[test]
fn a_token_without_a_required_issuer_or_audience_is_refused() {
    let token = own(&json!({ "sub": "ada", "exp": 5000 }));
    let key = || TokenVerifier::hs256(SECRET).unwrap();

    assert!(key().verify(&token, 4000).is_ok());
    assert!(matches!(key().issuer("x").verify(&token, 4000), Err(TokenError::Issuer)));
    assert!(matches!(key().audience("x").verify(&token, 4000), Err(TokenError::Audience)));
}

#[test]
fn expiry_and_not_before_allow_the_leeway() {
    let token = own(&json!({ "exp": 5000, "nbf": 1000 }));
    let verifier = TokenVerifier::hs256(SECRET).unwrap();

    assert!(verifier.verify(&token, 5060).is_ok());
    assert!(matches!(verifier.verify(&token, 5061), Err(TokenError::Expired { seconds: 61 })));
    assert!(matches!(verifier.verify(&token, 900), Err(TokenError::NotYet { .. })));
    let strict = verifier.leeway(Duration::ZERO);
    assert!(matches!(strict.verify(&token, 5001), Err(TokenError::Expired { .. })));
    let endless = own(&json!({ "sub": "ada" }));
    assert!(matches!(strict.verify(&endless, 0), Err(TokenError::NoExpiry)));
}

#[test]
fn the_next_key_is_accepted_beside_the_present_one() {
    let next = TokenVerifier::hs256("another secret of at least thirty-two bytes").unwrap();
    let token = own(&json!({ "exp": 5000 }));

    assert!(matches!(next.verify(&token, 0), Err(TokenError::UnknownKey)));
    assert!(next.with_keys_of(TokenVerifier::hs256(SECRET).unwrap()).verify(&token, 0).is_ok());
}

#[test]
fn invalid_keys_are_errors_with_the_expected_format() {
    let short = TokenVerifier::hs256("short").unwrap_err();
    assert_eq!(short.to_string(), "the secret has 5 bytes; HS256 needs at least 32");
    for pem in ["", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"] {
        assert!(matches!(TokenVerifier::public_key_pem(pem), Err(TokenKeyError::Pem)));
    }
    assert!(matches!(TokenVerifier::jwk("[1]"), Err(TokenKeyError::Jwk)));
    assert!(matches!(TokenVerifier::jwk("{}"), Err(TokenKeyError::NoUsableKey)));
    let only_secret = r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#;
    assert!(matches!(TokenVerifier::jwk(only_secret), Err(TokenKeyError::NoUsableKey)));
    let encryption = JWKS.replace("\"sig\"", "\"enc\"");
    let verifier = for_chat(TokenVerifier::jwk(&encryption));
    assert!(matches!(verifier.verify(RS256, 4000), Err(TokenError::NotAccepted)));
}

#[test]
fn debug_output_shows_no_key() {
    let shown = format!("{:?}", TokenVerifier::hs256(SECRET).unwrap());

    assert!(!shown.contains("thirty"));
}
