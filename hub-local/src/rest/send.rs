//! Sends messages to clients and closes connections.

use std::{collections::HashSet, convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{
    Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
#[cfg(feature = "msgpack")]
use hub_core::protocol::{Message, bundle};
use hub_core::{outbound::Recipients, protocol::Protocol};
use hub_net::body::BodyLimits;

use super::{
    call::{RestCall, RestResult},
    error::RestError,
    payload::Payload,
    route::Target,
};
use crate::{
    body::{self, Body},
    connection::{Audience, Hub},
    hub::broadcast::{self, Broadcast},
    inspect::{self, Recorder, Sent, Via},
    query::split_at_byte,
    state::State,
};

/// Responds with 202 when the message is in every outbox.
pub(super) async fn send(call: RestCall<'_>, to: &Target) -> RestResult {
    // REST API: only sends to all and to groups have `excluded`.
    let excluded = match to {
        Target::Everyone | Target::Group(_) => excluded(&call),
        Target::User(_) | Target::Connection(_) => HashSet::new(),
    };
    let (hub, state, via) = (Arc::clone(&call.hub), call.state, call.via());
    let payload = payload(call).await?;
    deliver(state, &hub, to, &excluded, || payload.broadcast(&hub)).await?;
    if let Some(recorder) = &state.shared.recorder
        && recorder.admits_message(receivers(&hub, to))
    {
        let (method, protocol, arguments) = payload.sent();
        let arguments = recorder.copied(protocol, arguments);
        record(recorder, &hub, via, to, excluded.len(), method, arguments);
    }
    Ok(body::empty(StatusCode::ACCEPTED))
}

/// Sends a message of the inspector, with the body of a REST call. Returns the number of receivers.
pub(crate) async fn send_for_inspector(
    state: &State,
    hub: &Hub,
    to: &Target,
    message: Bytes,
) -> Result<usize, String> {
    let payload = Payload::parse(&message).map_err(|error| error.to_string())?;
    let broadcast = || payload.broadcast(hub);
    let sent = deliver(state, hub, to, &HashSet::new(), broadcast).await;
    sent.map_err(|error| error.to_string())?;
    let Some(recorder) = &state.shared.recorder else { return Ok(0) };
    let (method, protocol, arguments) = payload.sent();
    let arguments = recorder.copied(protocol, arguments);
    Ok(record(recorder, hub, Via::Inspector, to, 0, method, arguments))
}

/// Records the call of a client's method for the inspector.
pub(super) fn record_call(
    recorder: &Recorder,
    hub: &Hub,
    via: Via,
    connection: &str,
    payload: &Payload,
) {
    let (method, protocol, arguments) = payload.sent();
    let arguments = recorder.copied(protocol, arguments);
    let to = Target::Connection(connection.to_owned());
    record(recorder, hub, via, &to, 0, method, arguments);
}

/// The number of connections of a target.
fn receivers(hub: &Hub, to: &Target) -> usize {
    match to {
        Target::Everyone => hub.connections(),
        Target::Group(name) => hub.group(name).len(),
        Target::User(name) => hub.user(name).len(),
        Target::Connection(id) => usize::from(hub.connection(id).is_some()),
    }
}

/// Records a message for the inspector. Returns the number of its receivers.
fn record(
    recorder: &Recorder,
    hub: &Hub,
    via: Via,
    to: &Target,
    excluded: usize,
    method: &str,
    arguments: inspect::Body,
) -> usize {
    let (kind, name) = match to {
        Target::Everyone => ("all", None),
        Target::Group(name) => ("group", Some(name)),
        Target::User(name) => ("user", Some(name)),
        Target::Connection(id) => ("connection", Some(id)),
    };
    let recipients = receivers(hub, to).saturating_sub(excluded);
    recorder.sent(Sent {
        hub: hub.shared_name(),
        via,
        kind,
        name: name.map(|name| name.as_str().into()),
        excluded,
        method: method.into(),
        arguments,
        recipients,
        calls: Vec::new(),
    });
    recipients
}

/// Sends a message of the app in this process. The app has checked the names and has a plain message
/// ([`hub_core::Payload::is_plain`]), so nothing is left to refuse.
pub(crate) async fn send_in_process(
    state: &State,
    hub: &str,
    to: Recipients<'_>,
    payload: &hub_core::Payload,
) {
    let (to, excluded) = match to {
        Recipients::All { excluded } => (Target::Everyone, excluded),
        Recipients::Group { group, excluded } => (Target::Group(group.to_owned()), excluded),
        Recipients::User(user) => (Target::User(user.to_owned()), &[][..]),
        Recipients::Connection(id) => (Target::Connection(id.to_owned()), &[][..]),
    };
    let (hub, excluded) = (state.hubs.hub(hub), excluded.iter().cloned().collect());
    let encode = || -> Result<_, Infallible> {
        Broadcast::new(&hub.protocols(), |protocol| Ok(payload.message(protocol)))
    };
    let Ok(()) = deliver(state, &hub, &to, &excluded, encode).await;
    if let Some(recorder) = &state.shared.recorder
        && recorder.admits_message(receivers(&hub, &to))
    {
        let arguments = recorder.shared(Protocol::Json, payload.json_arguments());
        record(recorder, &hub, Via::Embedded, &to, excluded.len(), payload.target(), arguments);
    }
}

/// Queues a message for its receivers, without waiting for clients. While the pending bytes of all outboxes exceed the
/// limit, the function waits, to slow down senders.
async fn deliver<E>(
    state: &State,
    hub: &Hub,
    to: &Target,
    excluded: &HashSet<String>,
    encode: impl FnOnce() -> Result<Broadcast, E>,
) -> Result<(), E> {
    if *to == Target::Everyone && excluded.is_empty() {
        encode()?.send_to_everyone(hub);
    } else {
        let audience = audience(hub, to);
        broadcast::send(hub, &audience, excluded, &encode()?);
    }
    state.hubs.settle().await;
    Ok(())
}

/// Closes the target connections except the excluded connections.
pub(super) fn close(call: &RestCall<'_>, to: &Target) -> Response<Body> {
    for connection in broadcast::except(&audience(&call.hub, to), &excluded(call)) {
        connection.end(call.ending());
    }
    body::empty(StatusCode::NO_CONTENT)
}

fn audience(hub: &Hub, to: &Target) -> Audience {
    match to {
        Target::Everyone => hub.everyone(),
        Target::Group(group) => hub.group(group),
        Target::User(user) => hub.user(user),
        Target::Connection(id) => hub.connection(id).into_iter().collect(),
    }
}

fn excluded(call: &RestCall<'_>) -> HashSet<String> {
    call.query().all("excluded").collect()
}

/// Reads the message in the body.
pub(super) async fn payload(call: RestCall<'_>) -> Result<Payload, RestError> {
    match body(call).await? {
        MessageBody::Json(bytes) => Payload::parse(&bytes).map_err(|error| malformed(&error)),
        #[cfg(feature = "msgpack")]
        MessageBody::Bundle(entries) => {
            Payload::of_bundle(entries).map_err(|error| RestError::invalid("body", error))
        }
    }
}

/// The body of a message.
#[derive(Debug)]
pub(super) enum MessageBody {
    /// JSON, not validated yet.
    Json(Bytes),
    /// One message per hub protocol.
    #[cfg(feature = "msgpack")]
    Bundle(Vec<(Protocol, Message)>),
}

/// Reads the body of a message, in any of the content types that a message can have.
pub(super) async fn body(call: RestCall<'_>) -> Result<MessageBody, RestError> {
    let media_type = media_type(&call);
    #[cfg(feature = "msgpack")]
    let is_bundle = media_type.eq_ignore_ascii_case(bundle::CONTENT_TYPE);
    #[cfg(not(feature = "msgpack"))]
    let is_bundle = false;
    if !is_bundle {
        check_json(media_type)?;
    }
    let bytes = read(call).await?;
    #[cfg(feature = "msgpack")]
    if is_bundle {
        return bundle::parse(&bytes).map(MessageBody::Bundle).map_err(|error| malformed(&error));
    }
    Ok(MessageBody::Json(bytes))
}

/// Reads a body with content type JSON, without validating it.
pub(super) async fn json_body(call: RestCall<'_>) -> Result<Bytes, RestError> {
    check_json(media_type(&call))?;
    read(call).await
}

fn check_json(media_type: &str) -> Result<(), RestError> {
    let is_json = media_type.eq_ignore_ascii_case(Protocol::Json.content_type());
    if is_json { Ok(()) } else { Err(RestError::content_type()) }
}

/// The content type without its parameters, or an empty string if the header is missing.
fn media_type<'a>(call: &RestCall<'a>) -> &'a str {
    let content_type = call.parts.headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    split_at_byte(content_type.unwrap_or_default(), b';').0.trim()
}

async fn read(call: RestCall<'_>) -> Result<Bytes, RestError> {
    let limits = &call.state.shared.limits;
    let max_bytes = limits.max_rest_body_bytes;
    let limits = BodyLimits { max_bytes, timeout: limits.request_body_timeout };
    if call.parts.headers.get(CONTENT_ENCODING).is_some_and(|it| it != "identity") {
        return Err(RestError::content_encoding());
    }
    call.body.read(limits).await.map_err(|error| RestError::body(&error, max_bytes))
}

fn malformed(error: &impl std::fmt::Display) -> RestError {
    RestError::invalid("body", error.to_string())
}
