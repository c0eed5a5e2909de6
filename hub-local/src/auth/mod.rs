//! Who may do what: the tokens of clients and of REST callers.

mod terms;
mod verified;

use std::{borrow::Cow, sync::Arc};

use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, HOST},
    request::Parts,
};
use hub_core::{
    Secret,
    client_access::{SYSTEM_CLAIM_PREFIX, USER_CLAIM_PREFIX, USER_ID_CLAIM, client_url},
    token,
};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

pub(crate) use self::{terms::Terms, verified::KnownTokens};
use crate::state::State;

/// The claims that name the user, the service's own first.
const USER_CLAIMS: [&str; 4] = [
    USER_ID_CLAIM,
    "nameid",
    "sub",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier",
];

/// Who a client is, as its token says.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// Absent for an anonymous client.
    pub(crate) user: Option<String>,
    /// The value of `X-ASRS-User-Claims`.
    pub(crate) claims: Option<HeaderValue>,
    /// What the token asks of the service.
    pub(crate) terms: Terms,
}

/// Where a request came to, for the audience.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destination<'a> {
    /// The `Host` header or the host of the request line.
    pub(crate) host: Option<&'a str>,
    /// The path, still encoded.
    pub(crate) path: &'a str,
}

/// Checks the token of a client of `hub`.
pub(crate) fn client(
    state: &State,
    token: Option<&str>,
    host: Option<&str>,
    hub: &str,
) -> Result<Identity, String> {
    let token = token.ok_or("a client needs the access token that negotiate gave it")?;
    let claims = verify(state, token)?;
    let fits = |audience: &str| fits_client(state, audience, host, hub);
    if !token::audience_matches(&claims, fits) {
        let url = state.public_url();
        return Err(format!(
            "the audience of the token is not this hub: `aud` must be {}",
            client_url(&url, hub)
        ));
    }
    let terms = Terms::of(&claims);
    Ok(Identity { user: user(&claims), claims: header(&claims), terms })
}

/// Checks the token of a REST call.
pub(crate) fn rest(
    state: &State,
    token: Option<&str>,
    destination: Destination<'_>,
) -> Result<(), String> {
    let token = token.ok_or("a REST call needs `Authorization: Bearer` with a signed token")?;
    let claims = verify_again(state, token)?;
    let fits = |audience: &str| fits_rest(state, audience, destination);
    if token::audience_matches(&claims, fits) {
        return Ok(());
    }
    let (url, path) = (state.public_url(), destination.path);
    Err(format!("the audience of the token is not this resource: `aud` must be {url}{path}"))
}

/// The key that signed the token of a REST call.
pub(crate) fn signing_key<'a>(state: &'a State, token: &str) -> Option<&'a Secret> {
    let (now, leeway) = (state.clock.unix_seconds(), state.limits.token_leeway.as_secs());
    let signed =
        |key: &&Secret| token::verify(token, std::slice::from_ref(*key), now, leeway).is_ok();
    state.keys.iter().find(signed)
}

/// The bearer token of the headers. `None` where there is no header, `Some(None)` where it holds
/// something else.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<Option<&str>> {
    let value = headers.get(AUTHORIZATION)?;
    let value = value.to_str().unwrap_or_default();
    let (scheme, token) = value.split_once(' ').unwrap_or_default();
    Some(scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()))
}

/// The host that was called.
pub(crate) fn host(parts: &Parts) -> Option<&str> {
    let named = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    parts.uri.authority().map(http::uri::Authority::as_str).or(named)
}

fn verify(state: &State, token: &str) -> Result<Map<String, Value>, String> {
    let leeway = state.limits.token_leeway.as_secs();
    token::verify(token, &state.keys, state.clock.unix_seconds(), leeway)
        .map_err(|error| error.to_string())
}

/// As [`verify`], but for a token that was checked before and still holds.
fn verify_again(state: &State, token: &str) -> Result<Arc<Map<String, Value>>, String> {
    let now = state.clock.unix_seconds();
    if let Some(claims) = state.known_tokens.get(token, now) {
        return Ok(claims);
    }
    let claims = Arc::new(verify(state, token)?);
    state.known_tokens.insert(token, now, &claims);
    Ok(claims)
}

fn fits_client(state: &State, audience: &str, host: Option<&str>, hub: &str) -> bool {
    let Some(audience) = Audience::parse(audience) else { return false };
    let named_hub = crate::query::Query::new(audience.query).first("hub");
    audience.is_at(state, host)
        && matches!(audience.path.trim_end_matches('/'), path if path.eq_ignore_ascii_case("/client"))
        && named_hub.is_some_and(|named| named.eq_ignore_ascii_case(hub))
}

fn fits_rest(state: &State, audience: &str, destination: Destination<'_>) -> bool {
    let Some(audience) = Audience::parse(audience) else { return false };
    let same_path = audience.path == destination.path
        || decoded(audience.path).eq_ignore_ascii_case(&decoded(destination.path));
    same_path && audience.is_at(state, destination.host)
}

fn decoded(path: &str) -> Cow<'_, str> {
    percent_decode_str(path).decode_utf8_lossy()
}

/// The parts of an audience that count: neither scheme nor port do, SDKs differ in both.
struct Audience<'a> {
    host: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Audience<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let known = ["http", "https", "ws", "wss"];
        if !known.iter().any(|name| name.eq_ignore_ascii_case(scheme)) {
            return None;
        }
        let (authority, _) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (path, query) = match rest.get(authority.len()..)?.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest.get(authority.len()..)?, None),
        };
        Some(Self { host: without_port(authority), path, query })
    }

    /// Whether the host is a name of this service.
    fn is_at(&self, state: &State, requested: Option<&str>) -> bool {
        let public = state.public_url();
        let public = Audience::parse(&public).map(|url| url.host.to_owned());
        let names = ["localhost", "127.0.0.1", "[::1]"];
        names
            .into_iter()
            .chain(requested.map(without_port))
            .chain(public.as_deref())
            .any(|name| name.eq_ignore_ascii_case(self.host))
    }
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn user(claims: &Map<String, Value>) -> Option<String> {
    let named = |claim| match claims.get(claim)? {
        Value::String(user) => Some(user.as_str()),
        Value::Array(users) => users.first()?.as_str(),
        _ => None,
    };
    USER_CLAIMS.into_iter().find_map(named).filter(|user| !user.is_empty()).map(str::to_owned)
}

/// `type: value, type: value`. The format knows no escapes, so a receiver must not trust it.
pub(crate) fn header(claims: &Map<String, Value>) -> Option<HeaderValue> {
    let mut text = String::new();
    for (name, value) in claims {
        if name.starts_with(SYSTEM_CLAIM_PREFIX) {
            continue;
        }
        let name = name.strip_prefix(USER_CLAIM_PREFIX).unwrap_or(name);
        match value {
            Value::Array(values) => values.iter().for_each(|value| append(&mut text, name, value)),
            value => append(&mut text, name, value),
        }
    }
    if text.is_empty() { None } else { HeaderValue::from_bytes(text.as_bytes()).ok() }
}

fn append(text: &mut String, name: &str, value: &Value) {
    let value = match value {
        Value::String(value) => value.clone(),
        other => other.to_string(),
    };
    if name.chars().chain(value.chars()).any(char::is_control) {
        tracing::debug!("a claim with control characters is not sent upstream");
        return;
    }
    if !text.is_empty() {
        text.push_str(", ");
    }
    text.push_str(name);
    text.push_str(": ");
    text.push_str(&value);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: &Value) -> &Map<String, Value> {
        value.as_object().unwrap()
    }

    #[test]
    fn the_user_is_the_first_claim_that_names_one() {
        let both = json!({ "asrs.s.uid": "ada", "nameid": "x", "sub": "y" });
        assert_eq!(user(claims(&both)).as_deref(), Some("ada"));
        assert_eq!(user(claims(&json!({ "sub": "y", "nameid": "x" }))).as_deref(), Some("x"));
        assert_eq!(user(claims(&json!({ "sub": ["y", "z"] }))).as_deref(), Some("y"));
        assert_eq!(user(claims(&json!({ "asrs.s.uid": "" }))), None);
        assert_eq!(user(claims(&json!({ "exp": 5 }))), None);
    }

    #[test]
    fn system_claims_stay_here_and_renamed_claims_get_their_names_back() {
        let token = json!({
            "asrs.s.uid": "ada", "asrs.u.aud": "x", "role": ["a", "b"], "exp": 5, "name": "Zoë"
        });

        let header = header(claims(&token)).unwrap();

        let text = "aud: x, exp: 5, name: Zoë, role: a, role: b";
        assert_eq!(header.as_bytes(), text.as_bytes());
    }

    #[test]
    fn a_claim_that_would_end_the_header_is_left_out() {
        let token = json!({ "a": "x\r\nX-Evil: 1", "b": "y" });
        assert_eq!(header(claims(&token)).unwrap(), "b: y");
        assert_eq!(header(claims(&json!({ "a": "\n" }))), None);
    }

    #[test]
    fn audiences_are_taken_apart() {
        let parse = |text| Audience::parse(text).map(|it| (it.host, it.path, it.query));

        assert_eq!(
            parse("http://localhost:8888/client/?hub=chat"),
            Some(("localhost", "/client/", Some("hub=chat")))
        );
        assert_eq!(parse("HTTPS://[::1]:1/a"), Some(("[::1]", "/a", None)));
        assert_eq!(parse("http://[::1]/a"), Some(("[::1]", "/a", None)));
        assert_eq!(parse("http://host"), Some(("host", "", None)));
        assert_eq!(parse("ftp://host/"), None);
        assert_eq!(parse("host"), None);
    }
}
