//! Who may use the inspector.
//!
//! A page of another site can send requests to this machine, and can point a name of its own to it (DNS rebinding). So
//! host and origin are checked, and the token is never sent by a browser on its own.

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
    request::Parts,
};
use hub_net::host;

use super::error::Refused;
use crate::{auth, inspect::Inspection, state::State};

/// Fetch Metadata: where the page of a request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Headers that proxies add.
const FORWARDED: [HeaderName; 4] = [
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
];

/// Where a request was sent to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The host with its port.
    pub(super) authority: &'a str,
}

/// Checks the host of a request: loopback, or that of the public URL if the operator has given a token.
pub(super) fn place<'a>(
    state: &State,
    inspection: &Inspection,
    parts: &'a Parts,
) -> Result<Place<'a>, Refused> {
    let foreign = || {
        Refused::new(
            StatusCode::FORBIDDEN,
            "the inspector does not respond to requests for this host",
            "open the address that was printed at start: localhost, or the public URL together with a token of your own",
        )
    };
    // A proxy may rewrite the host to loopback, and its clients can be anywhere.
    if !inspection.is_token_given && FORWARDED.iter().any(|name| parts.headers.contains_key(name)) {
        return Err(Refused::new(
            StatusCode::FORBIDDEN,
            "the inspector does not respond to requests that a proxy has passed on",
            "open the address that was printed at start, or set a token of your own with --inspector-token",
        ));
    }
    let host = host::of(&parts.uri, &parts.headers).ok().flatten().ok_or_else(foreign)?;
    let public_url = state.authority.public_url();
    let is_public = || {
        inspection.is_token_given
            && host::of_url(&public_url).is_some_and(|public| public.eq_ignore_ascii_case(host))
    };
    if !host::is_loopback(host) && !is_public() {
        return Err(foreign());
    }
    let line = parts.headers.get(HOST).and_then(|line| line.to_str().ok());
    let authority = parts.uri.authority().map(http::uri::Authority::as_str).or(line);
    Ok(Place { authority: authority.unwrap_or(host) })
}

/// Checks origin and token of a request for data.
pub(super) fn authorize(
    inspection: &Inspection,
    parts: &Parts,
    place: &Place<'_>,
) -> Result<(), Refused> {
    let is_own = parts.headers.get_all(ORIGIN).iter().all(|origin| is_own(origin, place));
    let mut sites = parts.headers.get_all(FETCH_SITE).iter();
    if !is_own || !sites.all(|site| site == "same-origin" || site == "none") {
        return Err(Refused::new(
            StatusCode::FORBIDDEN,
            "the inspector does not respond to pages of another origin",
            "open the address that was printed at start",
        ));
    }
    let token = auth::bearer(&parts.headers).flatten();
    if token.is_some_and(|token| inspection.admits(token)) {
        return Ok(());
    }
    if inspection.has_too_many_wrong_tokens() {
        return Err(Refused::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too many requests with a wrong token",
            "wait 10 s, and open the address that was printed at start",
        ));
    }
    let error = match token {
        Some(_) => "the token is not that of this run of the service",
        None => "the request has no token",
    };
    Err(Refused::new(
        StatusCode::UNAUTHORIZED,
        error,
        "open the address that the service printed at its last start; scripts send the part after # as `Authorization: Bearer`",
    ))
}

/// Whether an origin is that of the service.
fn is_own(origin: &HeaderValue, place: &Place<'_>) -> bool {
    let origin = origin.to_str().unwrap_or_default();
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    matches!(scheme, "http" | "https") && authority.eq_ignore_ascii_case(place.authority)
}

/// Pages of other origins can send other content types without a preflight request.
pub(super) fn json_only(headers: &HeaderMap) -> Result<(), Refused> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    if media_type.trim().eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Refused::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "the content type must be application/json",
        "set the header `Content-Type: application/json`",
    ))
}

/// Headers of all responses.
pub(super) fn harden(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let own = HeaderValue::from_static("same-origin");
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), own);
}
