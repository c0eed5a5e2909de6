//! `:refreshAuth`: replaces the claims and the expiry of an open connection.
//!
//! The body has the members of Microsoft's management SDK of July 2026. Azure SignalR Service did not have the operation
//! then. The path with a connection id is an addition.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use hub_core::values;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{
    call::{RestCall, RestResult},
    error::RestError,
    send,
};
use crate::{
    auth::{identity::Identity, token_options::closes_on_expiry},
    body,
    connection::{
        Connection, Hub,
        refresh::{Refresh, RefreshError},
    },
    state::State,
};

const NO_TOKEN: &str = "no open connection of this hub has this connection token";

const NO_EXPIRY: &str = "a connection that closes on expiry (`asrs.s.coae`) needs an `expireTime`";

/// The body of a call, with names in camel or Pascal case.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefreshBody {
    #[serde(alias = "ConnectionToken")]
    connection_token: Option<String>,
    #[serde(alias = "ExpireTime")]
    expire_time: Option<Expiry>,
    #[serde(alias = "Claims")]
    claims: Option<Vec<Claim>>,
}

/// Seconds since 1970, or a date with a time and a zone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Expiry {
    Seconds(u64),
    Date(String),
}

#[derive(Deserialize, Serialize)]
struct Claim {
    #[serde(alias = "Type")]
    r#type: String,
    #[serde(alias = "Value")]
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefreshResponse<'a> {
    connection_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<Vec<Claim>>,
}

/// Refreshes the connection with this id, or with the connection token in the body.
pub(super) async fn refresh(call: RestCall<'_>, id: Option<&str>) -> RestResult {
    let (state, hub) = (call.state, Arc::clone(&call.hub));
    let body: Bytes = send::json_body(call).await?;
    let body: RefreshBody = serde_json::from_slice(&body)
        .map_err(|error| RestError::invalid("body", error.to_string()))?;
    let expires = body.expire_time.map(seconds).transpose()?;
    let claims = body.claims.as_deref().map(as_in_a_token);
    let identity = claims.as_ref().map(|claims| identity(state, claims)).transpose()?;
    let connection = find(state, &hub, id, body.connection_token.as_deref())?;
    let closes_on_expiry = claims.as_ref().and_then(closes_on_expiry);
    // Without its client, which gets no new token, a connection does not live longer.
    let extends = id.is_none();
    let refresh = Refresh { identity, closes_on_expiry, expires, extends };
    connection.refresh(refresh).map_err(|error| match error {
        RefreshError::OtherUser => RestError::other_user(),
        RefreshError::NoExpiry => RestError::invalid("expireTime", NO_EXPIRY),
        RefreshError::Ended => RestError::no_connection(NO_TOKEN),
    })?;
    let response = RefreshResponse { connection_id: connection.id(), claims: body.claims };
    Ok(body::json(StatusCode::OK, serde_json::to_vec(&response).unwrap_or_default()))
}

fn find(
    state: &State,
    hub: &Hub,
    id: Option<&str>,
    token: Option<&str>,
) -> Result<Arc<Connection>, RestError> {
    if let Some(id) = id {
        let unknown = || RestError::no_connection("the connection does not exist");
        return hub.connection(id).ok_or_else(unknown);
    }
    let token = token.filter(|token| !token.is_empty()).ok_or_else(|| {
        RestError::invalid("connectionToken", "`connectionToken` must be the token of a connection")
    })?;
    let id = state.negotiations.connection_id(token, hub.name(), Instant::now());
    id.and_then(|id| hub.connection(&id)).ok_or_else(|| RestError::no_connection(NO_TOKEN))
}

fn seconds(expiry: Expiry) -> Result<u64, RestError> {
    let seconds = match expiry {
        Expiry::Seconds(seconds) => Some(seconds),
        Expiry::Date(text) => values::unix_seconds(&text),
    };
    let invalid = "`expireTime` must be a date such as 2026-12-31T12:00:00Z, or seconds since 1970";
    seconds.ok_or_else(|| RestError::invalid("expireTime", invalid))
}

/// The claims in the form of a token, in which a type with several values has a list.
fn as_in_a_token(claims: &[Claim]) -> Map<String, Value> {
    let mut map = Map::new();
    for Claim { r#type, value } in claims {
        let value = Value::String(value.clone());
        match map.get_mut(r#type) {
            None => _ = map.insert(r#type.clone(), value),
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    map
}

fn identity(state: &State, claims: &Map<String, Value>) -> Result<Identity, RestError> {
    let identity =
        Identity::from_claims(claims).map_err(|message| RestError::invalid("claims", message))?;
    // As much as a token can have.
    let limit = state.shared.limits.max_token_bytes;
    if identity.claims.as_ref().is_some_and(|claims| claims.len() > limit) {
        let message = format!("the claims have more than {limit} bytes, the limit of a token");
        return Err(RestError::invalid("claims", message));
    }
    Ok(identity)
}
