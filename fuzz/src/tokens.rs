//! Tokens of clients, of REST callers and of identity providers. A token with a valid signature and
//! time must be accepted. No other text may be accepted.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderValue, header::AUTHORIZATION};
use hub_core::{
    NegotiateRequest, Query, Secret, signature,
    token::{self, TokenVerifier},
};
use hub_local::LocalService;
use serde_json::{Map, Value};

use crate::{
    clients::{HUB, URL},
    pieces::{between, changed},
    world::{self, FOREIGN_KEY, KEY, key},
};

/// The current time of all checks, in seconds since 1970.
const NOW: u64 = 1_700_000_000;
/// The allowed clock difference in seconds.
const LEEWAY: u64 = 60;
const MINUTE: u64 = 60;

/// The input consists of parts, separated by `===` lines: header, claims, and a change to the
/// token.
pub fn run(data: &[u8]) {
    let keys = [Secret::from("an older one"), key()];
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(token::verify(text, &keys, NOW, LEEWAY).is_err(), "an unsigned token is accepted");
        others(text);
    }
    let parts = between(data, "===");
    let (header, claims) = (parts[0], parts.get(1).copied().unwrap_or_default());
    let token = signed(header, claims, KEY);
    let accepted = token::verify(&token, &keys, NOW, LEEWAY);
    assert_eq!(accepted.is_ok(), is_good(header, claims), "{accepted:?}");
    if let Ok(read) = &accepted {
        assert_eq!(Some(read), serde_json::from_slice(claims).ok().as_ref(), "the claims differ");
    }
    assert!(
        accepted.is_ok() || verifier().verify(&token, NOW).is_err(),
        "the two verifiers disagree"
    );
    assert!(
        token::verify(&token, &keys[..1], NOW, LEEWAY).is_err(),
        "the token is accepted without its key"
    );
    let foreign = signed(header, claims, FOREIGN_KEY);
    assert!(token::verify(&foreign, &keys, NOW, LEEWAY).is_err(), "a foreign key is accepted");
    if let Some(forged) = changed(&token, parts.get(2).copied().unwrap_or_default()) {
        assert!(token::verify(&forged, &keys, NOW, LEEWAY).is_err(), "a changed token is accepted");
    }
    if accepted.is_ok() {
        world::run(as_client(claims));
    }
}

/// Signs a token with exactly these bytes.
fn signed(header: &[u8], claims: &[u8], with: &str) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = signature::sign(&Secret::from(with), &text);
    let digits = signature.trim_start_matches("sha256=").as_bytes().chunks(2);
    let digit =
        |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex");
    let bytes: Vec<u8> = digits.map(digit).collect();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether a token with these parts and a valid signature must be accepted.
fn is_good(header: &[u8], claims: &[u8]) -> bool {
    // The members of the header have fixed types, so the library decides whether it is readable.
    let text = format!("{}.e30.", URL_SAFE_NO_PAD.encode(header));
    let probe = signed(header, format!("{{\"exp\":{}}}", NOW + MINUTE).as_bytes(), KEY);
    let readable = token::verify(&probe, &[key()], NOW, LEEWAY).is_ok();
    let said: Option<Map<String, Value>> = serde_json::from_slice(header).ok();
    let hs256 = said.as_ref().is_some_and(|it| it.get("alg") == Some(&Value::from("HS256")));
    assert!(hs256 || !readable, "another algorithm is accepted: {text}");
    let Ok(claims) = serde_json::from_slice::<Map<String, Value>>(claims) else { return false };
    let time = |name: &str| {
        let value = claims.get(name)?;
        value.as_u64().map(|it| it as f64).or_else(|| value.as_f64())
    };
    let expires = time("exp").filter(|it| (0.0..1e15).contains(it) || claims["exp"].is_u64());
    let begins = time("nbf").filter(|it| (0.0..1e15).contains(it) || claims["nbf"].is_u64());
    let (now, leeway) = (NOW as f64, LEEWAY as f64);
    readable
        && expires.is_some_and(|it| now <= it.floor() + leeway)
        && match begins {
            Some(begins) => begins.floor() <= now + leeway,
            None => claims.get("nbf").is_none_or(Value::is_null),
        }
}

/// Parses the text as a key and as a token of an identity provider.
fn others(text: &str) {
    for verifier in [TokenVerifier::jwk(text), TokenVerifier::public_key_pem(text)] {
        let verified = verifier.map(|verifier| verifier.any_audience().verify(text, NOW).is_ok());
        assert!(!matches!(verified, Ok(true)), "an unsigned token is accepted");
    }
    assert!(verifier().verify(text, NOW).is_err(), "an unsigned token is accepted");
    if let Ok(value) = HeaderValue::from_str(&format!("Bearer {text}")) {
        let headers = [(AUTHORIZATION, value)].into_iter().collect();
        let request = NegotiateRequest::new(headers, Query::default());
        assert!(request.verified_claims(&verifier()).is_err(), "an unsigned token is accepted");
        let _ = request.unverified_claims();
    }
}

fn verifier() -> TokenVerifier {
    TokenVerifier::hs256(KEY).expect("the key is long enough").any_audience()
}

/// The service must accept a client only for its hub and for an audience with the path of clients.
async fn as_client(claims: &[u8]) {
    let service = LocalService::builder().key(KEY).public_url(URL).build();
    let mut claims: Map<String, Value> =
        serde_json::from_slice(claims).expect("a token that was accepted before is refused");
    claims.insert("exp".to_owned(), Value::from(world::NEVER));
    claims.remove("nbf");
    let token = token::sign(&claims, &key()).expect("claims are JSON");
    let let_in = service.connect_memory(&format!("{URL}/client/?hub={HUB}"), &token).is_ok();
    let names_it = |audience: &str| {
        let audience = audience.to_ascii_lowercase();
        audience.contains("://") && audience.contains("/client") && audience.contains("hub=")
    };
    assert!(
        !let_in || token::audience_matches(&claims, names_it),
        "a token for another audience is accepted"
    );
    service.shutdown().await;
}
