//! Seals: opening a seal must return the sealed identity, and no other text may open.

use hub_core::{
    Secret,
    seal::{self, Identity, SealKey},
};

use crate::{
    pieces::{between, changed, holds},
    world::{FOREIGN_KEY, key},
};

/// The input consists of parts, separated by `===` lines: hub, user, claims (`type=value` lines),
/// the bytes before the seal in the header, the bytes after it, and a change to the seal.
pub fn run(data: &[u8]) {
    let keys = [SealKey::derive(&key()), SealKey::derive(&Secret::from("an older one"))];
    opens_nothing(data, &keys);
    let parts = between(data, "===");
    let text = |at: usize| String::from_utf8_lossy(parts.get(at).unwrap_or(&&b""[..])).into_owned();
    let claims = text(2);
    let claims = claims.lines().filter_map(|line| line.split_once('='));
    let identity = Identity {
        hub: text(0),
        user_id: Some(text(1)).filter(|user| !user.is_empty()),
        issued_at: parts.len() as u64,
        claims: claims.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
    };
    let sealed = seal::seal(&identity, &keys[parts.len() % 2]);
    assert!(
        !sealed.contains([',', ':', ' ']),
        "the seal contains a character that ends a header entry"
    );
    assert_eq!(
        seal::open(&sealed, &keys).unwrap(),
        identity,
        "the opened identity differs from the sealed identity"
    );
    assert_eq!(seal::open(&sealed, &keys[..0]), Err(seal::SealError::Forged));
    let foreign = SealKey::derive(&Secret::from(FOREIGN_KEY));
    assert_eq!(seal::open(&sealed, &[foreign]), Err(seal::SealError::Forged));
    if let Some(forged) = changed(&sealed, parts.get(5).copied().unwrap_or_default()) {
        assert!(seal::open(&forged, &keys).is_err(), "a changed seal is accepted");
    }
    let (before, behind) = (parts.get(3), parts.get(4));
    found(&identity, &sealed, [before, behind].map(|part| *part.unwrap_or(&&b""[..])), &keys);
}

/// Checks that the input itself does not open, neither as a seal nor as a header.
fn opens_nothing(data: &[u8], keys: &[SealKey]) {
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(seal::open(text, keys).is_err(), "an unsigned text is accepted as a seal");
    }
    let found = seal::find(std::iter::once(data), "chat", Some(b"ada"), keys);
    assert!(!matches!(found, Ok(Some(_))), "an unsigned header entry is accepted as a seal");
}

/// The seal must be found for its hub and user only, whatever else the header contains.
fn found(identity: &Identity, sealed: &str, [before, behind]: [&[u8]; 2], keys: &[SealKey]) {
    let header = [before, b",shub: ", sealed.as_bytes(), b",", behind].concat();
    let find = |hub: &str, user: Option<&[u8]>| {
        seal::find(header.split(|byte| *byte == b'\n'), hub, user, keys)
    };
    let user = identity.user_id.as_deref().map(str::as_bytes);
    let more = holds(&[before, b",", behind].concat(), "shub");
    match find(&identity.hub, user) {
        Ok(Some(found)) => {
            assert_eq!(
                found, *identity,
                "the identity from the header differs from the sealed identity"
            )
        }
        Ok(None) => panic!("a valid seal in the header is ignored"),
        Err(error) => assert!(more, "a header with only a seal is refused: {error}"),
    }
    let other_hub = format!("{}x", identity.hub);
    assert!(!matches!(find(&other_hub, user), Ok(Some(_))), "the seal of another hub is accepted");
    let other_user = identity.user_id.as_deref().map_or("x".to_owned(), |user| format!("x{user}"));
    // If the user id is not ASCII, the header shows only that the client has a user id.
    if identity.user_id.as_deref().is_none_or(str::is_ascii) {
        let found = find(&identity.hub, Some(other_user.as_bytes()));
        assert!(!matches!(found, Ok(Some(_))), "the seal of another user is accepted");
    }
    if user.is_some() {
        assert!(
            !matches!(find(&identity.hub, None), Ok(Some(_))),
            "a user's seal is accepted for an anonymous client"
        );
    }
}
