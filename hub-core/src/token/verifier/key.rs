//! Keys that verify the signatures of tokens (RFC 7518 §3).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use ring::{
    hmac,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, EcdsaVerificationAlgorithm,
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
        RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
        RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
    },
};

use crate::Secret;

/// A key, which determines the accepted algorithms.
#[derive(Clone)]
pub(super) enum VerifyingKey {
    /// HS256.
    Secret(Secret),
    /// RS256 to PS512: an `RSAPublicKey` in DER (RFC 8017 §A.1.1).
    RsaDer(Vec<u8>),
    /// RS256 to PS512: modulus and exponent.
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// ES256: an uncompressed point (SEC 1 §2.3.3).
    P256(Vec<u8>),
    /// ES384: an uncompressed point.
    P384(Vec<u8>),
}

impl VerifyingKey {
    /// The RSA key of a JSON Web Key (RFC 7518 §6.3.1).
    pub(super) fn rsa(modulus: &str, exponent: &str) -> Option<Self> {
        let (n, e) = (decode(modulus)?, decode(exponent)?);
        Some(Self::Rsa(RsaPublicKeyComponents { n, e }))
    }

    /// The P-256 key of a JSON Web Key (RFC 7518 §6.2.1).
    pub(super) fn p256(x: &str, y: &str) -> Option<Self> {
        point::<32>(x, y).map(Self::P256)
    }

    /// The P-384 key of a JSON Web Key.
    pub(super) fn p384(x: &str, y: &str) -> Option<Self> {
        point::<48>(x, y).map(Self::P384)
    }

    /// The public key in the first section of a PEM text.
    pub(super) fn of_pem(text: &str) -> Option<Self> {
        // An app that only verifies must not have the private key.
        if text.contains("PRIVATE KEY") {
            return None;
        }
        let section = pem::parse(text).ok()?;
        match section.tag() {
            "PUBLIC KEY" => Self::of_public_key_info(section.contents()),
            "RSA PUBLIC KEY" => Some(Self::RsaDer(section.into_contents())),
            _ => None,
        }
    }

    /// The key of a `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7).
    fn of_public_key_info(der: &[u8]) -> Option<Self> {
        // The contents of the `AlgorithmIdentifier` of each kind (RFC 3279 §2.3.1, RFC 5480 §2.1.1).
        const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
        const P256: &[u8] =
            b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
        const P384: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
        const SEQUENCE: u8 = 0x30;
        const BIT_STRING: u8 = 0x03;

        let (information, rest) = element(der, SEQUENCE)?;
        let (algorithm, bits) = element(information, SEQUENCE)?;
        let (bits, more) = element(bits, BIT_STRING)?;
        // The first byte is the number of unused bits.
        let (0, key) = bits.split_first().map(|(unused, key)| (*unused, key.to_vec()))? else {
            return None;
        };
        if !rest.is_empty() || !more.is_empty() {
            return None;
        }
        match algorithm {
            RSA => Some(Self::RsaDer(key)),
            P256 => Some(Self::P256(key)),
            P384 => Some(Self::P384(key)),
            _ => None,
        }
    }

    /// Whether the key verifies signatures of this algorithm.
    pub(super) fn takes(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Secret(_) => algorithm == Algorithm::HS256,
            Self::RsaDer(_) | Self::Rsa(_) => rsa_parameters(algorithm).is_some(),
            Self::P256(_) => algorithm == Algorithm::ES256,
            Self::P384(_) => algorithm == Algorithm::ES384,
        }
    }

    /// Whether the signature in Base64 was made by this algorithm and with this key.
    pub(super) fn has_signed(&self, signed: &str, signature: &str, algorithm: Algorithm) -> bool {
        let Some(signature) = self.takes(algorithm).then(|| decode(signature)).flatten() else {
            return false;
        };
        let signed = signed.as_bytes();
        let by_curve = |key: &[u8], curve: &'static EcdsaVerificationAlgorithm| {
            UnparsedPublicKey::new(curve, key).verify(signed, &signature).is_ok()
        };
        match self {
            Self::Secret(secret) => hmac::verify(secret.hmac(), signed, &signature).is_ok(),
            Self::RsaDer(key) => rsa_parameters(algorithm).is_some_and(|parameters| {
                UnparsedPublicKey::new(parameters, key).verify(signed, &signature).is_ok()
            }),
            Self::Rsa(key) => rsa_parameters(algorithm)
                .is_some_and(|parameters| key.verify(parameters, signed, &signature).is_ok()),
            Self::P256(key) => by_curve(key, &ECDSA_P256_SHA256_FIXED),
            Self::P384(key) => by_curve(key, &ECDSA_P384_SHA384_FIXED),
        }
    }
}

/// The parameters of the algorithm, if it is one of RSA. Keys have 2,048 to 8,192 bits.
fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

fn decode(base64: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(base64).ok()
}

/// An uncompressed point with coordinates of `SIZE` bytes.
fn point<const SIZE: usize>(x: &str, y: &str) -> Option<Vec<u8>> {
    let (x, y) = (decode(x)?, decode(y)?);
    (x.len() == SIZE && y.len() == SIZE).then(|| [&[4], &x[..], &y].concat())
}

/// The contents of the first DER element, if it has this tag, and the bytes after it (X.690 §8.1).
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[first, length], rest) = der.split_first_chunk::<2>()?;
    if first != tag {
        return None;
    }
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => rest
            .split_first_chunk()
            .map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        // A key with 8,192 bits needs fewer than 65,536 bytes.
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_cut_or_has_more_bytes_is_refused() {
        for pem in [
            include_str!("samples/rsa.pem"),
            include_str!("samples/p256.pem"),
            include_str!("samples/p384.pem"),
        ] {
            let der = pem::parse(pem).unwrap().into_contents();

            assert!(VerifyingKey::of_public_key_info(&der).is_some());
            for length in 0..der.len() {
                assert!(VerifyingKey::of_public_key_info(&der[..length]).is_none(), "{length}");
            }
            assert!(VerifyingKey::of_public_key_info(&[&der[..], &[0]].concat()).is_none());
        }
    }

    #[test]
    fn a_key_of_another_curve_is_refused() {
        let der = pem::parse(include_str!("samples/p256.pem")).unwrap().into_contents();
        // secp256k1 instead of P-256: 1.3.132.0.10.
        let start =
            b"\x30\x56\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x0a";
        let other = [start, &der[der.len() - 68..]].concat();

        assert_eq!(element(&other, 0x30).map(|(_, rest)| rest), Some(&[][..]));
        assert!(VerifyingKey::of_public_key_info(&other).is_none());
    }

    #[test]
    fn coordinates_of_another_length_are_refused() {
        let short = URL_SAFE_NO_PAD.encode([1; 31]);
        let right = URL_SAFE_NO_PAD.encode([1; 32]);

        assert!(VerifyingKey::p256(&right, &right).is_some());
        assert!(VerifyingKey::p256(&short, &right).is_none());
        assert!(VerifyingKey::p256(&right, &short).is_none());
        assert!(VerifyingKey::p384(&right, &right).is_none());
    }
}
