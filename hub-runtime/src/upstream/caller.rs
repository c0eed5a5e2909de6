//! The caller of an upstream call, and the proof of the caller's identity. Only headers are needed, so the
//! checks run before the body is read.

use std::{pin::Pin, sync::Arc};

use http::{HeaderMap, HeaderName, header};
use hub_core::{
    Claims, names,
    seal::{self, SealError, SealKey},
    signature,
    upstream::{CONNECTION_ID, HUB, SIGNATURE, USER_CLAIMS, USER_ID},
};

#[cfg(feature = "local")]
use hub_local::ConnectionFacts;

use super::{
    header_lines::HeaderLines,
    replay::{CallerHash, Replays},
    verified::VerifiedCallers,
};
use crate::{
    auth::upstream_token::UpstreamTokenError, keys::Keys, service_group::ServiceGroup,
    shared::Mount,
};

/// The verified identity of a caller.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) connection_id: Arc<str>,
    pub(crate) user_id: Option<Arc<str>>,
    pub(crate) claims: Claims,
    /// Whether user id and claims come from a seal.
    pub(crate) sealed: bool,
    /// A hash of the caller, for the detection of copies.
    pub(crate) hash: CallerHash,
}

/// Why a caller is refused. The texts are for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProofError {
    #[error("the header X-ASRS-Connection-Id is missing or is not a connection id")]
    ConnectionId,
    #[error(
        "the header X-ASRS-Signature is missing or was made with another key; compare the access keys of this app and of the service"
    )]
    Signature,
    #[error("the header X-ASRS-User-Id occurs more than once, or is not UTF-8")]
    UserId,
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(
        "the call has no seal: the hub has a `negotiate`, and each of its tokens carries a sealed claim (`shub`). For clients whose tokens come from elsewhere, call `SignalR::accept_unsealed_tokens()`"
    )]
    Unsealed,
    #[error(transparent)]
    Token(#[from] UpstreamTokenError),
}

/// Whether a caller was found in [`VerifiedCallers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VerifiedCache {
    Hit,
    Miss,
    /// The cache does not cover this proof.
    Bypass,
}

/// The result of checking a token; `None` if no token is required.
pub(super) type TokenCheck = Option<Result<(), UpstreamTokenError>>;

/// A running check of a token. Boxed, since it is rare and would enlarge the future of every call.
pub(super) type TokenCheckFuture<'a> =
    Pin<Box<dyn Future<Output = Result<(), UpstreamTokenError>> + Send + 'a>>;

/// The proofs that a call needs. They depend on the service group of its hub.
pub(super) struct CallerRules<'a> {
    /// The group of the hub that the call names, or of the first hub if the named hub is not mounted.
    pub(super) group: &'a ServiceGroup,
    /// The hub that the call names, if it is mounted.
    pub(super) mount: Option<&'a Arc<Mount>>,
    pub(super) accept_unsealed: bool,
    /// The groups of all hubs.
    pub(super) groups: &'a [Arc<ServiceGroup>],
    pub(super) verified: &'a VerifiedCallers,
    pub(super) replays: &'a Replays,
    pub(super) trust_plain_claims: bool,
    /// Whether a code is configured. The router has already checked the code in the URL of the request.
    pub(super) has_code: bool,
}

impl<'a> CallerRules<'a> {
    /// Checks the token of a call if the group requires a token: in addition to the signature, or instead of
    /// the signature if an endpoint has no access key.
    pub(super) fn check_token(&self, headers: &'a HeaderMap) -> Option<TokenCheckFuture<'a>> {
        let check = self.group.upstream_tokens.as_ref()?;
        let is_signed = is_signed(headers, &self.group.keys);
        (is_signed != self.group.without_key).then(|| Box::pin(check.check(headers)) as _)
    }

    /// Checks signature and seal, and the result of [`check_token`](Self::check_token).
    pub(super) fn check(
        &self,
        lines: &HeaderLines<'_>,
        token: TokenCheck,
    ) -> Result<(Caller, VerifiedCache), ProofError> {
        let (group, trust) = (self.group, self.trust_plain_claims);
        // Tokens expire, so the token of each call is checked.
        let is_cacheable = self.mount.is_some() && token.is_none() && !group.without_key;
        if is_cacheable && let Some(caller) = self.verified.get(lines) {
            return Ok((caller, VerifiedCache::Hit));
        }
        let headers = lines.map;
        let code_suffices = group.without_key && group.upstream_tokens.is_none() && self.has_code;
        let proof = match token {
            Some(Err(error)) => return Err(error.into()),
            Some(Ok(())) if group.without_key => Proof::TokenOrCode,
            None if code_suffices && !is_signed(headers, &group.keys) => Proof::TokenOrCode,
            Some(Ok(())) | None => Proof::Signature,
        };
        let caller = check_headers(headers, &group.keys, proof, trust).or_else(|error| {
            // A call for a hub that is not mounted may come from any service of the app. Only a caller
            // with a valid key receives the error that the hub does not exist.
            let groups = if self.mount.is_some() { &[] } else { self.groups };
            let mut keys = groups.iter().map(|group| &group.keys);
            keys.find_map(|keys| check_headers(headers, keys, Proof::Signature, trust).ok())
                .ok_or(error)
        })?;
        let mut caller = self.sealed(caller)?;
        if let Some(mount) = self.mount {
            caller.hash = self.replays.hash_of(&mount.wire_name, &caller);
        }
        let cache = if is_cacheable { VerifiedCache::Miss } else { VerifiedCache::Bypass };
        Ok((caller, cache))
    }

    /// Refuses a caller without a seal, if the hub demands one.
    fn sealed(&self, caller: Caller) -> Result<Caller, ProofError> {
        // The tokens of a hub's `negotiate` are sealed. Without the seal, the user id and the claims of the call
        // would be those of anyone who knows a signature of some connection.
        let needs_seal = |mount: &Arc<Mount>| !self.accept_unsealed && mount.hub.negotiates();
        if !caller.sealed && self.mount.is_some_and(needs_seal) {
            return Err(ProofError::Unsealed);
        }
        Ok(caller)
    }

    /// Checks the seal of a connection of the embedded service, for a hub that uses this service. There is no signature
    /// to check: only the service can make [`ConnectionFacts`], and only the service of this app passes them to this app.
    #[cfg(feature = "local")]
    pub(super) fn check_facts(&self, facts: &ConnectionFacts) -> Result<Caller, ProofError> {
        let user = facts.user();
        let claims = || facts.claims().map(str::as_bytes).into_iter();
        let keys = self.group.keys.seals();
        let sealed = seal::find(claims(), facts.hub(), user.map(|user| user.as_bytes()), keys)?;
        // Calls of the embedded service are not compared, so the hash is not needed.
        let (connection_id, hash) = (Arc::clone(facts.id()), CallerHash::default());
        self.sealed(match sealed {
            Some(seal::Identity { user_id, claims, .. }) => {
                let shared = user.filter(|user| user_id.as_deref() == Some(&***user)).cloned();
                let user_id = shared.or_else(|| user_id.map(Arc::from));
                Caller { connection_id, user_id, claims, sealed: true, hash }
            }
            None => {
                let is_trusted = self.trust_plain_claims;
                let claims = if is_trusted { plain_claims(claims()) } else { Claims::default() };
                let user_id = user.filter(|user| !user.is_empty()).cloned();
                Caller { connection_id, user_id, claims, sealed: false, hash }
            }
        })
    }
}

/// The proof that the service made a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// The signature, not checked yet.
    Signature,
    /// A token or the code in the URL, already checked.
    TokenOrCode,
}

/// Whether one of the keys signed the call.
fn is_signed(headers: &HeaderMap, keys: &Keys) -> bool {
    let signatures = headers.get_all(&SIGNATURE).iter().map(header::HeaderValue::as_bytes);
    let connection_id = text(headers, &CONNECTION_ID);
    connection_id.is_some_and(|id| signature::verify(signatures, &id, keys.access()))
}

/// Checks proof and seal against these keys.
pub(super) fn check_headers(
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
    if let Some(identity) = sealed_identity(headers, keys.seals())? {
        let (user_id, claims) = (identity.user_id.map(Arc::from), identity.claims);
        let (connection_id, hash) = (connection_id.into(), CallerHash::default());
        return Ok(Caller { connection_id, user_id, claims, sealed: true, hash });
    }
    let lines = headers.get_all(&USER_CLAIMS).iter().map(header::HeaderValue::as_bytes);
    let claims = if trust_plain_claims { plain_claims(lines) } else { Claims::default() };
    let user_id = match headers.contains_key(&USER_ID) {
        // A user with an unreadable id must not be treated as anonymous.
        true => Some(text(headers, &USER_ID).ok_or(ProofError::UserId)?),
        false => None,
    };
    let user_id = user_id.filter(|user| !user.is_empty()).map(Arc::from);
    let (connection_id, hash) = (connection_id.into(), CallerHash::default());
    Ok(Caller { connection_id, user_id, claims, sealed: false, hash })
}

/// Whether the headers have a connection id, and its signature by an access key of some service of the app.
#[cfg(feature = "server")]
pub(crate) fn proves_key(app: &crate::shared::Inner, headers: &HeaderMap) -> bool {
    let proves = |group: &Arc<ServiceGroup>| {
        check_headers(headers, &group.keys, Proof::Signature, false).is_ok()
    };
    app.groups.iter().any(proves)
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

/// Parses the claims headers as the official receiver does (azure-functions-signalrservice-extension,
/// `GetClaimDictionary`): entries are separated by commas. An entry is dropped unless it consists of a
/// type, a colon with a space, and a value. The first value of a type wins.
pub(crate) fn plain_claims<'a>(headers: impl Iterator<Item = &'a [u8]>) -> Claims {
    let lines: Vec<_> = headers.filter_map(|line| std::str::from_utf8(line).ok()).collect();
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

/// A header as UTF-8 text; user ids and events need not be ASCII. `None` if the header occurs more than
/// once: an intermediary may have checked another occurrence.
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
    fn one_of_several_signatures_must_match() {
        let both = "sha256=04BE5150C28567D5F39FE8B326F43F49220DAED6EFFB73097C14EBEF24EE7097, ,sha256=b78b1b6698ef4c26adacc16537e1940bf816254465275d2dc5cd8bafea0506e1";
        let map = headers(&[(&CONNECTION_ID, "conn-0001"), (&SIGNATURE, both)]);

        assert!(check_headers(&map, &keys(), Proof::Signature, false).is_ok());
        assert!(
            check_headers(
                &map,
                &Keys::new(vec![Secret::from(SECOND)], None),
                Proof::Signature,
                false
            )
            .is_ok()
        );
        let foreign = Keys::new(vec![Secret::from("foreign")], None);
        assert!(matches!(
            check_headers(&map, &foreign, Proof::Signature, false),
            Err(ProofError::Signature)
        ));
    }

    #[test]
    fn the_signature_of_another_connection_is_refused() {
        let map = headers(&[
            (&CONNECTION_ID, "conn-0002"),
            (&SIGNATURE, "sha256=B78B1B6698EF4C26ADACC16537E1940BF816254465275D2DC5CD8BAFEA0506E1"),
        ]);

        assert!(matches!(
            check_headers(&map, &keys(), Proof::Signature, false),
            Err(ProofError::Signature)
        ));
    }

    #[test]
    fn a_user_id_that_is_not_utf_8_is_refused() {
        let mut map = headers(&[
            (&CONNECTION_ID, "conn-0001"),
            (&SIGNATURE, "sha256=B78B1B6698EF4C26ADACC16537E1940BF816254465275D2DC5CD8BAFEA0506E1"),
        ]);
        map.insert(&USER_ID, HeaderValue::from_bytes(b"z\xF6e").unwrap());

        let refused = check_headers(&map, &keys(), Proof::Signature, false).unwrap_err();

        assert!(matches!(refused, ProofError::UserId));
    }

    #[test]
    fn plain_claims_are_trusted_only_on_request() {
        let map = headers(&[
            (&CONNECTION_ID, "conn-0001"),
            (&SIGNATURE, "sha256=B78B1B6698EF4C26ADACC16537E1940BF816254465275D2DC5CD8BAFEA0506E1"),
            (&USER_ID, "bob"),
            (&USER_CLAIMS, "name: Bob, role: admin"),
        ]);

        let careful = check_headers(&map, &keys(), Proof::Signature, false).unwrap();
        let trusting = check_headers(&map, &keys(), Proof::Signature, true).unwrap();

        assert_eq!(careful.user_id.as_deref(), Some("bob"));
        assert!(careful.claims.is_empty());
        // The forgery of which the docs of `trust_plain_claims` warn: the display name adds a role.
        assert!(trusting.claims.has("role", "admin"));
    }

    #[test]
    fn plain_claims_follow_the_grammar_of_the_official_receiver() {
        let header = "role: a, role: b, name: Doe, John, url: a: b, x: , id: 7";

        let claims = plain_claims([header.as_bytes()].into_iter());

        assert_eq!(
            claims.iter().collect::<Vec<_>>(),
            [("role", "a"), ("name", "Doe"), ("id", "7")]
        );
    }
}
