//! Verification of bearer tokens of an identity provider or of the application.

mod key;

use std::{fmt, time::Duration};

use jsonwebtoken::{
    Algorithm,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use self::key::VerifyingKey;
use super::{TokenError, audience_matches, check_time, claims_of};
use crate::{Claims, Secret};

/// The minimum length of a secret in bytes (RFC 7518 §3.2).
const MIN_SECRET: usize = 32;
/// The default tolerance for clock differences.
const LEEWAY: Duration = Duration::from_mins(1);

/// Verifies the bearer tokens of an identity provider by key, issuer and audience. The keys, not the token,
/// determine the accepted algorithms.
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
/// The verifier does no I/O: for key rotation, the app downloads the keys and creates a new verifier.
#[derive(Clone)]
#[must_use]
pub struct TokenVerifier {
    keys: Vec<Key>,
    /// Whether a key names its issuer. Only keys of Microsoft Entra do so, and all its tenants share them.
    needs_issuer: bool,
    issuers: Vec<String>,
    audiences: Vec<String>,
    any_audience: bool,
    leeway: Duration,
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "TokenVerifier({} keys, {:?}, {:?})",
            self.keys.len(),
            self.issuers,
            self.audiences
        )
    }
}

#[derive(Clone)]
struct Key {
    id: Option<String>,
    key: VerifyingKey,
}

/// Why a key cannot verify tokens. The texts contain no part of the key.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum TokenKeyError {
    /// The secret is too short.
    #[error("the secret has {length} bytes; HS256 needs at least {MIN_SECRET}")]
    Short {
        /// The length in bytes.
        length: usize,
    },
    /// Not the public key of RSA, P-256 or P-384 in PEM.
    #[error(
        "this is not a public key of RSA, P-256 or P-384 in PEM (`-----BEGIN PUBLIC KEY-----`); for a certificate, write its key with `openssl x509 -pubkey -noout`"
    )]
    Pem,
    /// Neither a JSON Web Key nor a JSON Web Key Set (RFC 7517).
    #[error("this is neither a JSON web key nor a JSON web key set (`{{\"keys\":[…]}}`)")]
    Jwk,
    /// No key of the set can verify signatures.
    #[error("none of the JSON web keys is a public key for signatures of RSA, P-256 or P-384")]
    NoUsableKey,
}

/// Writes the text of `Display`, since `main` prints errors with `Debug`.
impl fmt::Debug for TokenKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TokenVerifier {
    /// Verifies tokens signed with HS256 and this secret.
    ///
    /// # Errors
    /// When the secret is shorter than 32 bytes.
    pub fn hs256(secret: impl Into<Secret>) -> Result<Self, TokenKeyError> {
        let secret = secret.into();
        let length = secret.expose().len();
        if length < MIN_SECRET {
            return Err(TokenKeyError::Short { length });
        }
        Ok(Self::of(vec![Key { id: None, key: VerifyingKey::Secret(secret) }]))
    }

    /// Verifies tokens signed with the private key of this public key: RSA (RS256 to PS512), P-256 (ES256) or
    /// P-384 (ES384), in PEM.
    ///
    /// # Errors
    /// When the text is not such a key.
    pub fn public_key_pem(pem: &str) -> Result<Self, TokenKeyError> {
        let key = VerifyingKey::of_pem(pem).ok_or(TokenKeyError::Pem)?;
        Ok(Self::of(vec![Key { id: None, key }]))
    }

    /// Verifies tokens signed with the private key of this JSON Web Key, or with the private key of a key in
    /// this JSON Web Key Set, as published by identity providers. Keys of a set that cannot verify signatures
    /// are ignored.
    ///
    /// **Call [`Self::issuer`] if the keys of the provider sign tokens of many tenants**, as those of Microsoft
    /// Entra do, also at the address of one tenant. Without an issuer, a token of any tenant for the audience
    /// would be accepted, and anyone can create a tenant. If the keys name their issuer, as in the document at
    /// `discovery/v2.0/keys`, [`Self::verify`] fails without one.
    ///
    /// # Errors
    /// When the text is neither a key nor a set, or contains no key that can verify signatures.
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
        #[derive(Deserialize)]
        struct Tenants {
            /// `https://login.microsoftonline.com/{tenantid}/v2.0`
            issuer: Option<String>,
        }
        let alone = documents == [json];
        let (mut keys, mut needs_issuer) = (Vec::new(), false);
        for document in documents {
            match serde_json::from_str::<Jwk>(document) {
                Ok(jwk) => {
                    keys.extend(key_of(&jwk));
                    let tenants = serde_json::from_str::<Tenants>(document);
                    needs_issuer |= tenants.is_ok_and(|tenants| tenants.issuer.is_some());
                }
                Err(_) if alone => return Err(TokenKeyError::Jwk),
                // Unknown key types in a set are ignored.
                Err(_) => {}
            }
        }
        if keys.is_empty() {
            return Err(TokenKeyError::NoUsableKey);
        }
        Ok(Self { needs_issuer, ..Self::of(keys) })
    }

    fn of(keys: Vec<Key>) -> Self {
        Self {
            keys,
            needs_issuer: false,
            issuers: Vec::new(),
            audiences: Vec::new(),
            any_audience: false,
            leeway: LEEWAY,
        }
    }

    /// Accepts the keys of `other` too, for example during key rotation.
    pub fn with_keys_of(mut self, other: Self) -> Self {
        self.keys.extend(other.keys);
        self.needs_issuer |= other.needs_issuer;
        self
    }

    /// Accepts tokens of this issuer (claim `iss`), compared exactly. Further calls add issuers.
    /// Without an issuer, `iss` is not checked, and only the key authenticates the signer; see [`Self::jwk`] for
    /// keys of many tenants.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// Accepts tokens for this audience (claim `aud`), compared exactly. Further calls add audiences.
    /// Without an audience, tokens with `aud` are refused, because they are meant for another app.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Accepts tokens for any audience. **A token that a user gave to another app is then valid for this app.**
    pub fn any_audience(mut self) -> Self {
        self.any_audience = true;
        self
    }

    /// Sets the tolerance for clock differences, in whole seconds. Defaults to 1 minute.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Verifies a token at `now`, in seconds since 1970: algorithm, signature, `exp` (required), `nbf`,
    /// issuer and audience.
    ///
    /// # Errors
    /// When a check fails. The error names the first failed check.
    pub fn verify(&self, token: &str, now: u64) -> Result<Claims, TokenError> {
        if self.needs_issuer && self.issuers.is_empty() {
            return Err(TokenError::IssuerNotSet);
        }
        let claims = self.signed_claims(token)?;
        check_time(&claims, now, self.leeway.as_secs())?;
        let issuer = claims.get("iss").and_then(Value::as_str);
        let issued_here = |issuer: &str| self.issuers.iter().any(|accepted| accepted == issuer);
        if !self.issuers.is_empty() && !issuer.is_some_and(issued_here) {
            return Err(TokenError::Issuer);
        }
        let without_audience = self.audiences.is_empty() && !claims.contains_key("aud");
        let meant = |audience: &str| self.audiences.iter().any(|accepted| accepted == audience);
        if !self.any_audience && !without_audience && !audience_matches(&claims, meant) {
            return Err(TokenError::Audience);
        }
        Ok(Claims::of_json(claims))
    }

    fn signed_claims(&self, token: &str) -> Result<Map<String, Value>, TokenError> {
        if token.split('.').count() != 3 {
            return Err(TokenError::Malformed);
        }
        // Decoding fails for algorithms that the library does not support, for example `none`.
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::NotAccepted)?;
        // Tokens with critical extensions must be refused unless all are supported (RFC 7515 §4.1.11).
        if header.crit.is_some() {
            return Err(TokenError::Critical);
        }
        let fitting = self.keys.iter().filter(|key| key.key.takes(header.alg));
        let mut failure = TokenError::NotAccepted;
        for key in fitting {
            failure = TokenError::UnknownKey;
            // Skip a key only if its id differs from the `kid` of the token. Try a key without an id, and try
            // all keys for a token without `kid`.
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

/// The claims, if they were signed with this key. `jsonwebtoken::decode` is not used, because it parses
/// `sub`, `iss` and `aud` itself and fails for types that it does not expect.
fn signed_claims(
    token: &str,
    key: &VerifyingKey,
    algorithm: Algorithm,
) -> Result<Option<Map<String, Value>>, TokenError> {
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
    if !key.has_signed(signed, signature, algorithm) {
        return Ok(None);
    }
    claims_of(signed).map(Some)
}

/// Returns the key if the JSON Web Key is a public key for signatures.
fn key_of(jwk: &Jwk) -> Option<Key> {
    if matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption)) {
        return None;
    }
    let key = match &jwk.algorithm {
        AlgorithmParameters::RSA(key) => VerifyingKey::rsa(&key.n, &key.e)?,
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => VerifyingKey::p256(&key.x, &key.y)?,
            EllipticCurve::P384 => VerifyingKey::p384(&key.x, &key.y)?,
            _ => return None,
        },
        _ => return None,
    };
    Some(Key { id: jwk.common.key_id.clone(), key })
}

#[cfg(test)]
mod tests;
