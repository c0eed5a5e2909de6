//! Which proof an upstream call must show, by the rules of where its hub lives.

use std::{pin::Pin, sync::Arc};

use http::HeaderMap;

use super::request::{self, Caller, Proof};
use crate::{app::Inner, auth::upstream_token::NotVouched, home::Home};

/// Whether a caller is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Already,
    NotYet,
    /// More than the proofs was checked, or less.
    Never,
}

/// What came of the check of a token; `None` where none was asked for.
pub(super) type Vouched = Option<Result<(), NotVouched>>;

/// A check of a token. It is boxed since it is rare, and every call's future would have room for it.
pub(super) type Checking<'a> = Pin<Box<dyn Future<Output = Result<(), NotVouched>> + Send + 'a>>;

/// The check of the call's token, where the hub's home asks for one: on top of the signature, or in its
/// place where an endpoint has no key to sign with.
pub(super) fn token_check<'a>(app: &'a Inner, headers: &'a HeaderMap) -> Option<Checking<'a>> {
    let home = home_of(app, headers).unwrap_or(&app.home);
    let check = home.upstream_tokens.as_ref()?;
    let signed = request::is_signed(headers, &home.keys);
    (signed != home.without_key).then(|| Box::pin(check.check(headers)) as _)
}

fn home_of<'a>(app: &'a Inner, headers: &HeaderMap) -> Option<&'a Arc<Home>> {
    let mount = request::hub(headers).and_then(|hub| app.hubs.find_at_service(hub));
    mount.map(|mount| &mount.home)
}

/// Checks proof and seal by the rules of where the hub lives. A call for a hub that is not here may come
/// from any known service: only who holds a key learns that there is no such hub.
pub(super) fn caller(
    app: &Inner,
    headers: &HeaderMap,
    vouched: Vouched,
) -> Result<(Caller, Known), String> {
    let trust = app.upstream.trust_plain_claims;
    let found = home_of(app, headers);
    let home = found.unwrap_or(&app.home);
    // Only what signature and seal alone have shown; a token is checked each time.
    let may_be_known = found.is_some() && vouched.is_none() && !home.without_key;
    if may_be_known && let Some(caller) = app.upstream.known.get(headers) {
        return Ok((caller, Known::Already));
    }
    let proof = match vouched {
        Some(Err(error)) => return Err(error.to_string()),
        Some(Ok(())) if home.without_key => Proof::Elsewhere,
        None if coded(app, home) && !request::is_signed(headers, &home.keys) => Proof::Elsewhere,
        Some(Ok(())) | None => Proof::Signature,
    };
    let judged = request::caller(headers, &home.keys, proof, trust);
    if found.is_some() || judged.is_ok() {
        let known = if may_be_known { Known::NotYet } else { Known::Never };
        return judged.map(|caller| (caller, known)).map_err(|error| error.to_string());
    }
    let mut others = app.homes.iter().map(|home| &home.keys);
    let genuine =
        others.find_map(|keys| request::caller(headers, keys, Proof::Signature, trust).ok());
    let judged = genuine.map_or(judged, Ok);
    judged.map(|caller| (caller, Known::Never)).map_err(|error| error.to_string())
}

/// Whether the code in the address, which was checked before, is all that a call can show.
fn coded(app: &Inner, home: &Home) -> bool {
    home.without_key && home.upstream_tokens.is_none() && app.routes.has_code()
}
