//! Bearer tokens that somebody else made: an identity provider, or the application itself.

use std::{fmt, time::Duration};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::{TokenError, audience_matches, check_time, install_provider, signed_claims};
use crate::{Claims, Secret};

/// The shortest secret, in bytes: shorter ones can be guessed from a single token.
const MIN_SECRET: usize = 32;
/// How far clocks may differ unless said otherwise.
const LEEWAY: Duration = Duration::from_mins(1);

const HMAC: &[Algorithm] = &[Algorithm::HS256];
const RSA: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];
const EC: &[Algorithm] = &[Algorithm::ES256, Algorithm::ES384];
const P256: &[Algorithm] = &[Algorithm::ES256];
const P384: &[Algorithm] = &[Algorithm::ES384];

/// Checks the bearer tokens of an identity provider: with which keys, from which issuer, for which
/// audience. The keys decide which algorithms are accepted, never the token.
///
/// ```
/// use hub_core::token::TokenVerifier;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let own = TokenVerifier::hs256("a secret of at least thirty-two bytes")?.audience("chat");
/// # let jwks = r#"{"keys":[]}"#;
/// # let _ = (|| -> Result<TokenVerifier, hub_core::token::TokenKeyError> {
/// let provider = TokenVerifier::jwk(jwks)? // the document at the provider's `jwks_uri`
///     .issuer("https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/v2.0")
///     .audience("api://chat");
/// # Ok(provider) })();
/// # drop(own);
/// # Ok(())
/// # }
/// ```
///
/// Nothing is fetched: an app that follows a provider's key rotation downloads the keys itself and
/// makes a new verifier.
#[derive(Clone)]
#[must_use]
pub struct TokenVerifier {
    keys: Vec<Key>,
    issuers: Vec<String>,
    audiences: Vec<String>,
    any_audience: bool,
    leeway: Duration,
}

#[derive(Clone)]
struct Key {
    id: Option<String>,
    algorithms: &'static [Algorithm],
    key: DecodingKey,
}

/// Why a key cannot verify tokens. The texts hold nothing of the key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenKeyError {
    /// A secret that can be guessed.
    #[error("the secret has {length} bytes; HS256 needs at least {MIN_SECRET}")]
    Short {
        /// Its length in bytes.
        length: usize,
    },
    /// Not the public key of RSA, P-256 or P-384 in PEM.
    #[error(
        "this is not the public key of RSA or of an elliptic curve in PEM (`-----BEGIN PUBLIC KEY-----`)"
    )]
    Pem,
    /// Not a JSON web key, nor a set of them.
    #[error("this is not a JSON web key, nor a set of them (`{{\"keys\":[…]}}`)")]
    Jwk,
    /// A set in which no key can verify signatures.
    #[error("none of the JSON web keys is a public key for signatures of RSA, P-256 or P-384")]
    NoUsableKey,
}

impl TokenVerifier {
    /// Tokens signed with HS256 and this secret.
    ///
    /// # Errors
    /// When it is shorter than 32 bytes.
    pub fn hs256(secret: impl Into<Secret>) -> Result<Self, TokenKeyError> {
        let secret = secret.into();
        let length = secret.expose().len();
        if length < MIN_SECRET {
            return Err(TokenKeyError::Short { length });
        }
        let key = DecodingKey::from_secret(secret.expose().as_bytes());
        Ok(Self::of(vec![Key { id: None, algorithms: HMAC, key }]))
    }

    /// Tokens signed with the private key of this public one: RSA (RS256 to PS512), P-256 (ES256) or
    /// P-384 (ES384), in PEM.
    ///
    /// # Errors
    /// When it is no such key.
    pub fn public_key_pem(pem: &str) -> Result<Self, TokenKeyError> {
        let rsa = || Some((RSA, DecodingKey::from_rsa_pem(pem.as_bytes()).ok()?));
        let ec = || Some((EC, DecodingKey::from_ec_pem(pem.as_bytes()).ok()?));
        // A private key has no business in an app that only checks.
        let public = !pem.contains("PRIVATE KEY");
        let found = public.then(|| rsa().or_else(ec)).flatten();
        let (algorithms, key) = found.ok_or(TokenKeyError::Pem)?;
        Ok(Self::of(vec![Key { id: None, algorithms, key }]))
    }

    /// Tokens signed with the private key of this JSON web key, or of one of a set of them, as
    /// identity providers publish it. Keys of a set that are for something else are left out.
    ///
    /// # Errors
    /// When it is neither, or no key in it verifies signatures.
    pub fn jwk(json: &str) -> Result<Self, TokenKeyError> {
        #[derive(Deserialize)]
        struct Set<'a> {
            #[serde(borrow)]
            keys: Vec<&'a RawValue>,
        }
        let documents: Vec<&str> = match serde_json::from_str::<Set<'_>>(json) {
            Ok(set) => set.keys.into_iter().map(RawValue::get).collect(),
            Err(_) => vec![json],
        };
        let alone = documents == [json];
        let mut keys = Vec::new();
        for document in documents {
            match serde_json::from_str::<Jwk>(document) {
                Ok(jwk) => keys.extend(key_of(&jwk)),
                Err(_) if alone => return Err(TokenKeyError::Jwk),
                // Providers add kinds of keys that are not known here.
                Err(_) => {}
            }
        }
        if keys.is_empty() {
            return Err(TokenKeyError::NoUsableKey);
        }
        Ok(Self::of(keys))
    }

    fn of(keys: Vec<Key>) -> Self {
        install_provider();
        Self {
            keys,
            issuers: Vec::new(),
            audiences: Vec::new(),
            any_audience: false,
            leeway: LEEWAY,
        }
    }

    /// Accepts the keys of `other` too: the next one, while keys rotate.
    pub fn with_keys_of(mut self, other: Self) -> Self {
        self.keys.extend(other.keys);
        self
    }

    /// Accepts tokens of this issuer (claim `iss`), compared exactly, and of the others named by
    /// further calls. Without any, the issuer is not looked at: the key alone says who signed.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// Accepts tokens for this audience (claim `aud`), compared exactly, and for the others named by
    /// further calls. Without any, a token that names an audience is refused, since it is meant for
    /// somebody else.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Accepts tokens for any audience. **A token that a user gave to another app then opens this one.**
    pub fn any_audience(mut self) -> Self {
        self.any_audience = true;
        self
    }

    /// How far clocks may differ, in whole seconds; one minute unless said otherwise.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Checks a token at `now`, in seconds since 1970: algorithm, signature, `exp` (required), `nbf`,
    /// issuer and audience.
    ///
    /// # Errors
    /// The first of them that does not hold.
    pub fn verify(&self, token: &str, now: u64) -> Result<Claims, TokenError> {
        let claims = self.signed_claims(token)?;
        check_time(&claims, now, self.leeway.as_secs())?;
        let issuer = claims.get("iss").and_then(Value::as_str);
        let issued_here = |issuer: &str| self.issuers.iter().any(|accepted| accepted == issuer);
        if !self.issuers.is_empty() && !issuer.is_some_and(issued_here) {
            return Err(TokenError::Issuer);
        }
        let asks_for_none = self.audiences.is_empty() && !claims.contains_key("aud");
        let meant = |audience: &str| self.audiences.iter().any(|accepted| accepted == audience);
        if !self.any_audience && !asks_for_none && !audience_matches(&claims, meant) {
            return Err(TokenError::Audience);
        }
        Ok(Claims::of_json(claims))
    }

    fn signed_claims(&self, token: &str) -> Result<Map<String, Value>, TokenError> {
        if token.split('.').count() != 3 {
            return Err(TokenError::Malformed);
        }
        // A header with an algorithm that the library does not know, `none` above all, does not parse.
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::NotAccepted)?;
        // What a token calls critical must be understood (RFC 7515, 4.1.11), and no extension is here.
        if header.crit.is_some() {
            return Err(TokenError::NotAccepted);
        }
        let fitting = self.keys.iter().filter(|key| key.algorithms.contains(&header.alg));
        let mut failure = TokenError::NotAccepted;
        for key in fitting {
            failure = TokenError::UnknownKey;
            // The id only spares work: a key without one, or a token without one, is tried.
            if let (Some(held), Some(named)) = (&key.id, &header.kid)
                && held != named
            {
                continue;
            }
            if let Some(claims) = signed_claims(token, &key.key, header.alg)? {
                return Ok(claims);
            }
        }
        Err(failure)
    }
}

/// A public key for signatures, if that is what this is.
fn key_of(jwk: &Jwk) -> Option<Key> {
    let algorithms = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => RSA,
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => P256,
            EllipticCurve::P384 => P384,
            _ => return None,
        },
        _ => return None,
    };
    if matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption)) {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some(Key { id: jwk.common.key_id.clone(), algorithms, key })
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenVerifier")
            .field("keys", &self.keys.len())
            .field("issuers", &self.issuers)
            .field("audiences", &self.audiences)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
