//! Tokens for the test client of the page.

use std::sync::Arc;

use http::{Response, StatusCode};
use hub_core::{
    Claims,
    client_access::{
        MAX_TOKEN_CHARS, SYSTEM_CLAIM_PREFIX, USER_CLAIM_PREFIX, USER_ID_CLAIM, client_url,
    },
    names,
    seal::{self, Identity, SealKey},
    token,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{error::Refused, guard::Place, json as to_json};
use crate::{body::Body, state::State};

/// How long a token is valid, in seconds.
const VALID: u64 = 3600;
/// Claims that a token cannot have twice: those of JSON web tokens.
const RESERVED: [&str; 7] = ["aud", "exp", "iat", "iss", "jti", "nbf", "sub"];

/// The client to sign a token for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    hub: String,
    user: Option<String>,
    #[serde(default)]
    claims: Vec<Claim>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    r#type: String,
    value: String,
}

/// Responds with URL and token for the official client, as the app's negotiate does. The URL has the host of the request,
/// so that the page connects to its own origin.
pub(super) fn respond(
    state: &Arc<State>,
    place: &Place<'_>,
    request: Request,
) -> Result<Response<Body>, Refused> {
    let Request { hub, user, claims } = request;
    names::check_hub(&hub)
        .map_err(|error| Refused::invalid(error.to_string(), "set `hub` to the name of a hub"))?;
    let user = user.filter(|user| !user.is_empty());
    if let Some(user) = &user {
        names::check_upstream_user(user)
            .map_err(|error| Refused::invalid(error.to_string(), "change `user`"))?;
    }
    let hub = hub.to_ascii_lowercase();
    let url = client_url(&format!("http://{}", place.authority), &hub);
    let no_key = || Refused::conflict("the service has no key", "start it again");
    let key = state.authority.primary_key().ok_or_else(no_key)?;
    let now = state.shared.clock.unix_seconds();
    let mut token: Map<String, Value> = Map::new();
    for Claim { r#type: name, value } in &claims {
        add(&mut token, name, value);
    }
    // Hubs with a `negotiate` accept only claims that are sealed with the key of the service.
    let identity = Identity {
        hub: hub.clone(),
        user_id: user.clone(),
        issued_at: now,
        claims: claims.into_iter().map(|it| (it.r#type, it.value)).collect::<Claims>(),
    };
    token.insert(seal::CLAIM.to_owned(), seal::seal(&identity, &SealKey::derive(key)).into());
    if let Some(user) = user {
        token.insert(USER_ID_CLAIM.to_owned(), user.into());
    }
    token.insert("aud".to_owned(), url.clone().into());
    token.insert("iat".to_owned(), now.into());
    token.insert("nbf".to_owned(), now.into());
    token.insert("exp".to_owned(), (now + VALID).into());
    let signed = token::sign(&token, key)
        .map_err(|error| Refused::invalid(error.to_string(), "change `claims`"))?;
    if signed.len() > MAX_TOKEN_CHARS {
        let error = format!("the token would have more than {MAX_TOKEN_CHARS} characters");
        return Err(Refused::new(StatusCode::BAD_REQUEST, error, "use fewer or shorter claims"));
    }
    Ok(to_json(&json!({ "url": url, "accessToken": signed })))
}

/// Adds a claim. Claims of one type become a list.
fn add(token: &mut Map<String, Value>, name: &str, value: &str) {
    let is_reserved = RESERVED.contains(&name) || name.starts_with(SYSTEM_CLAIM_PREFIX);
    let name = if is_reserved { format!("{USER_CLAIM_PREFIX}{name}") } else { name.to_owned() };
    match token.get_mut(&name) {
        None => {
            token.insert(name, value.into());
        }
        Some(Value::Array(values)) => values.push(value.into()),
        Some(first) => *first = json!([first.take(), value]),
    }
}
