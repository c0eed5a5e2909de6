//! Which proof an upstream call must show, by the rules of where its hub lives.

use std::{pin::Pin, sync::Arc};

use http::HeaderMap;

use super::request::{self, Caller, Proof};
use crate::{auth::upstream_token::UpstreamTokenError, service_group::ServiceGroup, shared::Inner};

/// How a caller was looked up in [`VerifiedCallers`](super::verified::VerifiedCallers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VerifiedCache {
    Hit,
    Miss,
    /// The cache does not cover this proof.
    Bypass,
}

/// What came of the check of a token; `None` where none was asked for.
pub(super) type TokenCheck = Option<Result<(), UpstreamTokenError>>;

/// A check of a token. It is boxed since it is rare, and every call's future would have room for it.
pub(super) type TokenCheckFuture<'a> =
    Pin<Box<dyn Future<Output = Result<(), UpstreamTokenError>> + Send + 'a>>;

/// The check of the call's token, where the hub's group asks for one: on top of the signature, or in its
/// place where an endpoint has no key to sign with.
pub(super) fn token_check<'a>(
    app: &'a Inner,
    headers: &'a HeaderMap,
) -> Option<TokenCheckFuture<'a>> {
    let group = group_of(app, headers).unwrap_or(&app.first_group);
    let check = group.upstream_tokens.as_ref()?;
    let signed = request::is_signed(headers, &group.keys);
    (signed != group.without_key).then(|| Box::pin(check.check(headers)) as _)
}

fn group_of<'a>(app: &'a Inner, headers: &HeaderMap) -> Option<&'a Arc<ServiceGroup>> {
    let mount = request::hub(headers).and_then(|hub| app.hubs.find_at_service(hub));
    mount.map(|mount| &mount.group)
}

/// Checks proof and seal by the rules of where the hub lives. A call for a hub that is not here may come
/// from any known service: only who holds a key learns that there is no such hub.
pub(super) fn caller(
    app: &Inner,
    headers: &HeaderMap,
    token: TokenCheck,
) -> Result<(Caller, VerifiedCache), String> {
    let trust = app.upstream.trust_plain_claims;
    let found = group_of(app, headers);
    let group = found.unwrap_or(&app.first_group);
    // Only what signature and seal alone have shown; a token is checked each time.
    let may_be_known = found.is_some() && token.is_none() && !group.without_key;
    if may_be_known && let Some(caller) = app.upstream.verified.get(headers) {
        return Ok((caller, VerifiedCache::Hit));
    }
    let proof = match token {
        Some(Err(error)) => return Err(error.to_string()),
        Some(Ok(())) if group.without_key => Proof::Elsewhere,
        None if coded(app, group) && !request::is_signed(headers, &group.keys) => Proof::Elsewhere,
        Some(Ok(())) | None => Proof::Signature,
    };
    let judged = request::caller(headers, &group.keys, proof, trust);
    if found.is_some() || judged.is_ok() {
        let known = if may_be_known { VerifiedCache::Miss } else { VerifiedCache::Bypass };
        return judged.map(|caller| (caller, known)).map_err(|error| error.to_string());
    }
    let mut others = app.groups.iter().map(|group| &group.keys);
    let genuine =
        others.find_map(|keys| request::caller(headers, keys, Proof::Signature, trust).ok());
    let judged = genuine.map_or(judged, Ok);
    judged.map(|caller| (caller, VerifiedCache::Bypass)).map_err(|error| error.to_string())
}

/// Whether the code in the address, which was checked before, is all that a call can show.
fn coded(app: &Inner, group: &ServiceGroup) -> bool {
    group.without_key && group.upstream_tokens.is_none() && app.routes.has_code()
}
