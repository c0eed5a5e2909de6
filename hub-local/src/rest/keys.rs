//! Client tokens and the access key.

use http::{HeaderValue, Response, StatusCode, header::CACHE_CONTROL};
use hub_core::{
    client_access::{MAX_TOKEN_CHARS, client_url},
    names, signature, token,
};
use serde::Serialize;

use super::{
    call::{RestCall, RestResult},
    error::RestError,
    segment,
};
use crate::{
    body::{self, Body},
    causes::{Cause, Refusal},
    state::State,
};

const DEFAULT_MINUTES: u64 = 60;
/// `minutesToExpire` is a 32-bit integer (Azure SignalR REST API 2024-12-01).
const MAX_MINUTES: u64 = i32::MAX as u64;
/// The text that a key signs to derive its id.
const KEY_ID: &str = "access key id";

#[derive(Serialize)]
struct Claims<'a> {
    aud: String,
    iat: u64,
    nbf: u64,
    exp: u64,
    #[serde(rename = "asrs.s.uid", skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
}

#[derive(Serialize)]
struct Token {
    token: String,
}

/// Issues a client token for the hub.
pub(super) fn generate_token(call: &RestCall<'_>) -> RestResult {
    let user = call.query().first("userId").filter(|user| !user.is_empty());
    if let Some(user) = &user {
        segment::check("userId", names::check_upstream_user(user))?;
    }
    let what = format!("a number from 1 to {MAX_MINUTES}");
    let minutes = call.number("minutesToExpire", &what)?.unwrap_or(DEFAULT_MINUTES);
    if !(1..=MAX_MINUTES).contains(&minutes) {
        let message = format!("minutesToExpire must be {what}");
        return Err(RestError::invalid("minutesToExpire", message));
    }
    let now = call.state.shared.clock.unix_seconds();
    let (url, hub) = (call.state.authority.public_url(), call.hub.name());
    let claims = Claims {
        aud: client_url(&url, hub),
        iat: now,
        nbf: now,
        exp: now + minutes * 60,
        user: user.as_deref(),
    };
    let key = call.state.authority.primary_key().ok_or_else(RestError::no_operation)?;
    let token = token::sign(&claims, key)
        .map_err(|error| RestError::invalid("userId", error.to_string()))?;
    if token.len() > MAX_TOKEN_CHARS {
        let message = format!("the token would have more than {MAX_TOKEN_CHARS} characters");
        return Err(RestError::invalid("userId", message));
    }
    Ok(secret(&Token { token }))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AccessKey<'a> {
    access_key: &'a str,
    key_id: String,
}

/// Responds with the key that signed the token of the caller, so the response reveals no other key.
pub(super) fn access_key(state: &State, bearer: Option<&str>) -> RestResult {
    let key = bearer.and_then(|token| state.authority.signing_key(token));
    let refused = || RestError::unauthorized(Refusal::new(Cause::WrongKey, Cause::WrongKey.text()));
    let key = key.ok_or_else(refused)?;
    let signed = signature::sign(key, KEY_ID);
    let hex = signed.split('=').next_back().unwrap_or_default();
    let key_id = hex.chars().take(16).collect();
    Ok(secret(&AccessKey { access_key: key.expose(), key_id }))
}

/// A JSON response that must not be cached.
fn secret(answer: &impl Serialize) -> Response<Body> {
    let json = serde_json::to_vec(answer).unwrap_or_default();
    let mut response = body::json(StatusCode::OK, json);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
