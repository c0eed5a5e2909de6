//! The headers of an upstream call.

use http::{HeaderMap, HeaderName, header};
use hub_core::{
    Claims, Query, names,
    seal::{self, SealError, SealKey},
    signature,
    upstream::{
        CATEGORY, CLIENT_QUERY, CONNECTION_ID, EVENT, HUB, SIGNATURE, USER_CLAIMS, USER_ID,
    },
};

use crate::keys::Keys;

/// The headers that [`caller`] reads.
pub(super) const PROOFS: [HeaderName; 5] = [CONNECTION_ID, SIGNATURE, HUB, USER_ID, USER_CLAIMS];

/// Who calls: the part of the headers that must be genuine.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) connection_id: String,
    pub(crate) user_id: Option<String>,
    pub(crate) claims: Claims,
    /// Whether the claims come from a seal.
    pub(crate) sealed: bool,
}

/// Why a caller is not believed. The texts are for the log.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProofError {
    #[error("the header X-ASRS-Connection-Id is missing or not a connection id")]
    ConnectionId,
    #[error(
        "the header X-ASRS-Signature is missing or made with another key; compare the access key of this app with that of the service"
    )]
    Signature,
    #[error("the header X-ASRS-User-Id is there more than once, or is not UTF-8")]
    UserId,
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// What shows that the service made a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The signature, which is still to be checked.
    Signature,
    /// Something that has been checked: a token, or the code of the address.
    Elsewhere,
}

/// Whether one of the keys signed the call.
pub(crate) fn is_signed(headers: &HeaderMap, keys: &Keys) -> bool {
    let signatures = headers.get_all(&SIGNATURE).iter().map(header::HeaderValue::as_bytes);
    let connection_id = text(headers, &CONNECTION_ID);
    connection_id.is_some_and(|id| signature::verify(signatures, &id, keys.access()))
}

/// The connection that the call says it is of, which nothing vouches for yet.
pub(super) fn connection_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(&CONNECTION_ID).and_then(|id| id.to_str().ok())
}

/// Checks proof and seal. Reads nothing but headers.
pub(crate) fn caller(
    headers: &HeaderMap,
    keys: &Keys,
    proof: Proof,
    trust_plain_claims: bool,
) -> Result<Caller, ProofError> {
    let connection_id = text(headers, &CONNECTION_ID).ok_or(ProofError::ConnectionId)?;
    names::check_connection_id(&connection_id).map_err(|_| ProofError::ConnectionId)?;
    if proof == Proof::Signature && !is_signed(headers, keys) {
        return Err(ProofError::Signature);
    }
    if headers.get_all(&USER_ID).iter().nth(1).is_some() {
        return Err(ProofError::UserId);
    }
    let identity = sealed_identity(headers, keys.seals())?;
    let Some(identity) = identity else {
        let claims = if trust_plain_claims { plain_claims(headers) } else { Claims::default() };
        let user_id = match headers.contains_key(&USER_ID) {
            // Somebody whose name cannot be read is not nobody.
            true => Some(text(headers, &USER_ID).ok_or(ProofError::UserId)?),
            false => None,
        };
        let user_id = user_id.filter(|user| !user.is_empty());
        return Ok(Caller { connection_id, user_id, claims, sealed: false });
    };
    let (user_id, claims) = (identity.user_id, identity.claims);
    Ok(Caller { connection_id, user_id, claims, sealed: true })
}

fn sealed_identity(
    headers: &HeaderMap,
    keys: &[SealKey],
) -> Result<Option<seal::Identity>, SealError> {
    let hub = text(headers, &HUB).unwrap_or_default();
    let user = headers.get(&USER_ID).map(header::HeaderValue::as_bytes);
    let claims = headers.get_all(&USER_CLAIMS).iter().map(header::HeaderValue::as_bytes);
    seal::find(claims, &hub, user, keys)
}

/// The grammar of the official receiver: entries between commas, kept only when they are exactly a
/// type, a colon with a blank, and a value; the first value of a type wins.
pub(crate) fn plain_claims(headers: &HeaderMap) -> Claims {
    let lines = headers.get_all(&USER_CLAIMS).iter();
    let lines: Vec<_> =
        lines.filter_map(|line| std::str::from_utf8(line.as_bytes()).ok()).collect();
    let header = lines.join(",");
    let mut claims: Vec<(String, String)> = Vec::new();
    for entry in header.split(',') {
        let mut parts = entry.split(": ").filter(|part| !part.is_empty());
        let (Some(name), Some(value), None) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let name = name.trim();
        if claims.iter().all(|(held, _)| held != name) {
            claims.push((name.to_owned(), value.trim().to_owned()));
        }
    }
    claims.into_iter().collect()
}

/// The hub that the call names, which nothing vouches for yet.
pub(crate) fn hub(headers: &HeaderMap) -> Option<&str> {
    headers.get(&HUB)?.to_str().ok()
}

/// Where the call goes, in the service's words.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) hub: String,
    pub(crate) category: String,
    pub(crate) event: String,
}

/// The three routing headers; `None` when one is missing, empty or not UTF-8.
pub(crate) fn route(headers: &HeaderMap) -> Option<Route> {
    let header = |name| text(headers, name).filter(|value| !value.is_empty());
    Some(Route { hub: header(&HUB)?, category: header(&CATEGORY)?, event: header(&EVENT)? })
}

/// The query of the client's connect request. It leaves the headers, since it may hold the client's
/// token.
pub(crate) fn take_client_query(headers: &mut HeaderMap) -> Query {
    let query = text(headers, &CLIENT_QUERY).map(|raw| Query::parse(&raw)).unwrap_or_default();
    headers.remove(&CLIENT_QUERY);
    query
}

/// Whether the call carries plain claims at all.
pub(crate) fn has_claims(headers: &HeaderMap) -> bool {
    headers.contains_key(&USER_CLAIMS)
}

/// A header as UTF-8 text: user ids and events need not be ASCII. `None` when it is there more than
/// once: whoever stands between might believe the other one.
fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    let only = values.next()?;
    if values.next().is_some() {
        return None;
    }
    String::from_utf8(only.as_bytes().to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use hub_core::Secret;

    use super::*;

    const KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";
    const SECOND: &str = "secondary-key-for-tests-000000000000000000";

    fn headers(pairs: &[(&HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                ((*name).clone(), value)
            })
            .collect()
    }

    fn keys() -> Keys {
        Keys::new(vec![Secret::from(KEY)], None)
    }

    #[test]
    fn several_signatures_in_one_header_need_one_hit() {
        let both = "sha256=04BE5150C28567D5F39FE8B326F43F49220DAED6EFFB73097C14EBEF24EE7097, ,sha256=b78b1b6698ef4c26adacc16537e1940bf816254465275d2dc5cd8bafea0506e1";
        let map = headers(&[(&CONNECTION_ID, "conn-0001"), (&SIGNATURE, both)]);

        assert!(caller(&map, &keys(), Proof::Signature, false).is_ok());
        assert!(
            caller(&map, &Keys::new(vec![Secret::from(SECOND)], None), Proof::Signature, false)
                .is_ok()
        );
        let foreign = Keys::new(vec![Secret::from("foreign")], None);
        assert_eq!(
            caller(&map, &foreign, Proof::Signature, false).unwrap_err(),
            ProofError::Signature
        );
    }

    #[test]
    fn the_signature_of_another_connection_is_refused() {
        let map = headers(&[
            (&CONNECTION_ID, "conn-0002"),
            (&SIGNATURE, "sha256=B78B1B6698EF4C26ADACC16537E1940BF816254465275D2DC5CD8BAFEA0506E1"),
        ]);

        assert_eq!(
            caller(&map, &keys(), Proof::Signature, false).unwrap_err(),
            ProofError::Signature
        );
    }

    #[test]
    fn a_user_whose_name_is_not_utf_8_is_refused_rather_than_nobody() {
        let mut map = headers(&[
            (&CONNECTION_ID, "conn-0001"),
            (&SIGNATURE, "sha256=B78B1B6698EF4C26ADACC16537E1940BF816254465275D2DC5CD8BAFEA0506E1"),
        ]);
        map.insert(&USER_ID, HeaderValue::from_bytes(b"z\xF6e").unwrap());

        let refused = caller(&map, &keys(), Proof::Signature, false).unwrap_err();

        assert_eq!(refused, ProofError::UserId);
    }

    #[test]
    fn plain_claims_are_not_believed_unless_asked_for() {
        let map = headers(&[
            (&CONNECTION_ID, "conn-0001"),
            (&SIGNATURE, "sha256=B78B1B6698EF4C26ADACC16537E1940BF816254465275D2DC5CD8BAFEA0506E1"),
            (&USER_ID, "bob"),
            (&USER_CLAIMS, "name: Bob, role: admin"),
        ]);

        let careful = caller(&map, &keys(), Proof::Signature, false).unwrap();
        let trusting = caller(&map, &keys(), Proof::Signature, true).unwrap();

        assert_eq!(careful.user_id.as_deref(), Some("bob"));
        assert!(careful.claims.is_empty());
        // The forgery that `trust_plain_claims` warns of: the role came in through a display name.
        assert!(trusting.claims.has("role", "admin"));
    }

    #[test]
    fn plain_claims_follow_the_grammar_of_the_official_receiver() {
        let map =
            headers(&[(&USER_CLAIMS, "role: a, role: b, name: Doe, John, url: a: b, x: , id: 7")]);

        let claims = plain_claims(&map);

        assert_eq!(
            claims.iter().collect::<Vec<_>>(),
            [("role", "a"), ("name", "Doe"), ("id", "7")]
        );
    }

    #[test]
    fn routing_headers_may_be_utf_8() {
        let map = headers(&[(&HUB, "chat"), (&CATEGORY, "messages"), (&EVENT, "grüße")]);

        assert_eq!(route(&map).unwrap().event, "grüße");
    }
}
