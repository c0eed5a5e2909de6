//! Messages to clients, client results, and closing many.

use std::collections::HashSet;

use bytes::Bytes;
use http::{Response, StatusCode, header::CONTENT_TYPE};
use hub_core::protocol::{Outcome, Protocol};
use tokio::time::timeout;

use super::{Answer, Call, error::RestError, payload::Payload, route::To};
use crate::{
    body::{self, Body},
    connection::outbox::Pushed,
    hub::{fanout, members::Audience},
};

const GONE: &str = "the connection closed before it answered";

/// `202` once the message is in every outbox; nobody waits for a client.
pub(super) async fn send(call: Call<'_>, to: &To) -> Answer {
    let excluded = excluded(&call);
    let hub = std::sync::Arc::clone(&call.hub);
    let message = payload(call).await?.into_message(None);
    fanout::send(&audience(&hub, to), &excluded, &message);
    Ok(body::empty(StatusCode::ACCEPTED))
}

/// Closes everyone but the excluded.
pub(super) fn close(call: &Call<'_>, to: &To) -> Response<Body> {
    let reason = call.query().first("reason").filter(|reason| !reason.is_empty());
    fanout::close(&audience(&call.hub, to), &excluded(call), reason.as_deref());
    body::empty(StatusCode::NO_CONTENT)
}

/// Asks one client and waits for its answer. When the caller goes away, the call is forgotten.
pub(super) async fn invoke(call: Call<'_>, connection: &str) -> Answer {
    let limit = call.state.limits.client_result;
    let hub = std::sync::Arc::clone(&call.hub);
    let payload = payload(call).await?;
    let unknown = || RestError::no_connection("no such connection");
    let connection = hub.connection(connection).ok_or_else(unknown)?;
    let waiting = connection.results.begin().ok_or_else(unknown)?;
    let message = payload.into_message(Some(waiting.id().to_owned()));
    connection.dispatch.wake_reader();
    match connection.send_message(&message) {
        Pushed::Queued => {}
        Pushed::Full | Pushed::Closed => return Err(RestError::no_connection(GONE)),
    }
    match timeout(limit, waiting.outcome()).await {
        Ok(Some(Outcome::Result(value))) => Ok(body::json(StatusCode::OK, result(&value))),
        Ok(Some(Outcome::Void)) => Ok(body::json(StatusCode::OK, "{}")),
        Ok(Some(Outcome::Error(error))) => Err(RestError::by_client(error)),
        Ok(None) => Err(RestError::no_connection(GONE)),
        Err(_) => Err(RestError::client_timed_out()),
    }
}

/// `{"result":…}` with the client's bytes.
fn result(value: &Bytes) -> Bytes {
    [&b"{\"result\":"[..], value, b"}"].concat().into()
}

fn audience(hub: &crate::hub::Hub, to: &To) -> Audience {
    match to {
        To::Everyone => hub.everyone(),
        To::Group(group) => hub.group(group),
        To::User(user) => hub.user(user),
        To::Connection(id) => hub.connection(id).into_iter().collect(),
    }
}

fn excluded(call: &Call<'_>) -> HashSet<String> {
    call.query().all("excluded").collect()
}

async fn payload(call: Call<'_>) -> Result<Payload, RestError> {
    let content_type = call.parts.headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    if content_type.and_then(Protocol::from_content_type) != Some(Protocol::Json) {
        return Err(RestError::content_type());
    }
    let limit = call.state.limits.rest_body;
    let bytes =
        body::read(call.body, limit).await.map_err(|error| RestError::body(&error, limit))?;
    Payload::parse(&bytes).map_err(|error| RestError::invalid("body", error.to_string()))
}
