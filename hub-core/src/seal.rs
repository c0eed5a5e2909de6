//! Sealed claims: the claims of a connection in one signed value, bound to hub and user.
//!
//! The service forwards claims in the header `X-ASRS-User-Claims` without escaping, so a user who chooses
//! one value, for example a display name, could inject further claims. A seal is one value without comma,
//! colon or blank: `1.` + base64url(JSON) + `.` + base64url(HMAC-SHA256). It is signed, not encrypted.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::{Secret, invocation::Claims, secret::keyed};

/// The claim that contains the seal in a client token.
pub const CLAIM: &str = "shub";

const VERSION: &str = "1";
const PURPOSE: &[u8] = b"serverless-hub sealed claims v1";

/// The key of seals, derived for this purpose only.
#[derive(Clone)]
pub struct SealKey(hmac::Key);

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey")
    }
}

impl SealKey {
    /// Derives the key from an access key or a claims key.
    #[must_use]
    pub fn derive(secret: &Secret) -> Self {
        Self(keyed(hmac::sign(secret.hmac(), PURPOSE).as_ref()))
    }
}

/// The identity of a connection, set by `negotiate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The hub, lower-case, with the application prefix if there is one.
    pub hub: String,
    /// The user.
    pub user_id: Option<String>,
    /// The time at which the seal was made, in seconds since 1970.
    pub issued_at: u64,
    /// The application's claims.
    pub claims: Claims,
}

/// Why a seal is not valid. The texts contain no claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Truncated or not a seal.
    #[error("the sealed claims are malformed")]
    Malformed,
    /// Not made with a known key.
    #[error("the sealed claims were not made with a known key")]
    Forged,
    /// Made for another hub.
    #[error("the sealed claims belong to another hub")]
    OtherHub,
    /// Made for another user.
    #[error("the sealed claims belong to another user")]
    OtherUser,
    /// The call has several different seals.
    #[error("the call carries more than one seal")]
    Ambiguous,
}

#[derive(Serialize, Deserialize)]
struct Content<T> {
    h: T,
    u: Option<T>,
    iat: u64,
    c: Vec<(T, T)>,
}

/// Seals an identity.
#[must_use]
pub fn seal(identity: &Identity, key: &SealKey) -> String {
    let content = Content {
        h: &*identity.hub,
        u: identity.user_id.as_deref(),
        iat: identity.issued_at,
        c: identity.claims.iter().collect(),
    };
    // Serialising strings and numbers cannot fail.
    let json = serde_json::to_vec(&content).unwrap_or_default();
    let mut sealed = String::with_capacity(2 * json.len());
    sealed.push_str(VERSION);
    sealed.push('.');
    URL_SAFE_NO_PAD.encode_string(json, &mut sealed);
    let tag = hmac::sign(&key.0, sealed.as_bytes());
    sealed.push('.');
    URL_SAFE_NO_PAD.encode_string(tag, &mut sealed);
    sealed
}

/// Checks and decodes a seal.
///
/// # Errors
/// When the seal is malformed or not made with one of the keys.
pub fn open(sealed: &str, keys: &[SealKey]) -> Result<Identity, SealError> {
    let (signed, tag) = sealed.rsplit_once('.').ok_or(SealError::Malformed)?;
    let body = signed.strip_prefix("1.").ok_or(SealError::Malformed)?;
    let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| SealError::Malformed)?;
    let mut genuine = false;
    for key in keys {
        genuine |= hmac::verify(&key.0, signed.as_bytes(), &tag).is_ok();
    }
    if !genuine {
        return Err(SealError::Forged);
    }
    let json = URL_SAFE_NO_PAD.decode(body).map_err(|_| SealError::Malformed)?;
    let content: Content<String> =
        serde_json::from_slice(&json).map_err(|_| SealError::Malformed)?;
    Ok(Identity {
        hub: content.h,
        user_id: content.u,
        issued_at: content.iat,
        claims: content.c.into_iter().collect(),
    })
}

/// Finds and checks the seal in the claims headers of an upstream call. Returns `None` if there is no seal.
///
/// `user_header` is the raw user id header. It is compared with the seal's user id only if that user id is
/// ASCII, because the encoding of other characters is not documented.
///
/// # Errors
/// When a seal is malformed, forged, or belongs to another hub or user.
pub fn find<'a>(
    claims_headers: impl Iterator<Item = &'a [u8]>,
    hub: &str,
    user_header: Option<&[u8]>,
    keys: &[SealKey],
) -> Result<Option<Identity>, SealError> {
    let mut found: Option<Identity> = None;
    for header in claims_headers {
        for piece in header.split(|byte| *byte == b',') {
            let Some(sealed) = sealed_value(piece.trim_ascii()) else { continue };
            let identity = open(sealed?, keys)?;
            if found.as_ref().is_some_and(|first| *first != identity) {
                return Err(SealError::Ambiguous);
            }
            found = Some(identity);
        }
    }
    let Some(identity) = found else { return Ok(None) };
    if !identity.hub.eq_ignore_ascii_case(hub) {
        return Err(SealError::OtherHub);
    }
    let header = user_header.filter(|user| !user.is_empty());
    let same_user = match &identity.user_id {
        None => header.is_none(),
        Some(user) if user.is_ascii() => header == Some(user.as_bytes()),
        Some(_) => header.is_some(),
    };
    if same_user { Ok(Some(identity)) } else { Err(SealError::OtherUser) }
}

fn sealed_value(piece: &[u8]) -> Option<Result<&str, SealError>> {
    let value = piece.strip_prefix(CLAIM.as_bytes())?.strip_prefix(b":")?.trim_ascii();
    Some(std::str::from_utf8(value).map_err(|_| SealError::Malformed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SealKey {
        SealKey::derive(&Secret::from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"))
    }

    fn bob(hub: &str) -> Identity {
        let claims = [("name", "Bob, role: admin"), ("role", "member"), ("role", "writer")];
        Identity {
            hub: hub.to_owned(),
            user_id: Some("bob".to_owned()),
            issued_at: 1_700_000_000,
            claims: claims.map(|(n, v)| (n.to_owned(), v.to_owned())).into_iter().collect(),
        }
    }

    fn found(header: &str, hub: &str, user: Option<&str>) -> Result<Option<Identity>, SealError> {
        find(std::iter::once(header.as_bytes()), hub, user.map(str::as_bytes), &[key()])
    }

    #[test]
    fn claims_with_commas_and_repeated_types_are_preserved() {
        let header =
            format!("asrs.s.uid: bob, shub: {}, aud: http://x", seal(&bob("chat"), &key()));

        assert_eq!(found(&header, "chat", Some("bob")), Ok(Some(bob("chat"))));
    }

    #[test]
    fn a_seal_contains_no_comma_colon_or_space() {
        let sealed = seal(&bob("chat"), &key());

        assert!(!sealed.contains([',', ':', ' ']));
    }

    #[test]
    fn a_display_name_cannot_add_a_claim() {
        let header = format!("name: Bob, role: admin, shub: {}", seal(&bob("chat"), &key()));

        let identity = found(&header, "chat", Some("bob")).unwrap().unwrap();

        assert!(!identity.claims.has("role", "admin"));
    }

    #[test]
    fn a_seal_of_another_hub_or_user_is_refused() {
        let header = format!("shub: {}", seal(&bob("chat"), &key()));

        assert_eq!(found(&header, "game", Some("bob")), Err(SealError::OtherHub));
        assert_eq!(found(&header, "chat", Some("ada")), Err(SealError::OtherUser));
        assert_eq!(found(&header, "chat", None), Err(SealError::OtherUser));
    }

    #[test]
    fn a_truncated_or_changed_seal_is_refused() {
        let sealed = seal(&bob("chat"), &key());
        let cut = format!("shub: {}", &sealed[..sealed.len() - 1]);
        let (signed, _) = sealed.rsplit_once('.').unwrap();
        let unsigned = format!("shub: {signed}");

        assert!(found(&cut, "chat", Some("bob")).is_err());
        assert!(found(&unsigned, "chat", Some("bob")).is_err());
        assert_eq!(found("shub: ", "chat", Some("bob")), Err(SealError::Malformed));
    }

    #[test]
    fn the_body_of_one_seal_with_the_mac_of_another_is_refused() {
        let member = seal(&bob("chat"), &key());
        let admin = seal(
            &Identity {
                claims: [("role".to_owned(), "admin".to_owned())].into_iter().collect(),
                ..bob("chat")
            },
            &SealKey::derive(&Secret::from("another key")),
        );
        let spliced = format!(
            "shub: {}.{}",
            admin.rsplit_once('.').unwrap().0,
            member.rsplit_once('.').unwrap().1
        );

        assert_eq!(found(&spliced, "chat", Some("bob")), Err(SealError::Forged));
    }

    #[test]
    fn a_second_seal_inserted_through_a_user_id_is_refused() {
        let ada = Identity { user_id: Some("ada".to_owned()), ..bob("chat") };
        let header =
            format!("shub: {}, x: shub, shub: {}", seal(&bob("chat"), &key()), seal(&ada, &key()));

        assert_eq!(found(&header, "chat", Some("bob")), Err(SealError::Ambiguous));
    }

    #[test]
    fn an_older_key_still_opens_a_seal() {
        let old = SealKey::derive(&Secret::from("old"));

        assert_eq!(open(&seal(&bob("chat"), &old), &[key(), old]), Ok(bob("chat")));
    }
}
