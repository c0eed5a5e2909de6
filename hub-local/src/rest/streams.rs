//! Items of a stream that a client has asked for, and its end. The id of a stream is the id of
//! the client's call.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use hub_core::protocol::{Message, Outcome, Protocol};
use serde_json::value::RawValue;

use super::{
    call::{RestCall, RestResult},
    encodings::Encodings,
    error::RestError,
    send::{self, MessageBody},
};
use crate::body::{self, Body};

/// Sends one item, which is the whole body; with `completed=true` it is the last.
pub(super) async fn send(call: RestCall<'_>, connection: &str, stream: String) -> RestResult {
    let last = completed(&call)?;
    let hub = Arc::clone(&call.hub);
    let item = item(send::body(call).await?)?;
    if let Some(connection) = hub.connection(connection) {
        let item = item.get(connection.protocol())?;
        let item = Message::StreamItem { invocation_id: stream.clone(), item };
        // Closed or full means that the client is gone, as if it had not been found.
        let _ = connection.send_message(&item);
        if last {
            let _ = connection.send_message(&end(stream, Outcome::Void));
        }
    }
    Ok(body::empty(StatusCode::ACCEPTED))
}

/// Ends a stream; with an error, if the query has one.
pub(super) fn complete(call: &RestCall<'_>, connection: &str, stream: String) -> Response<Body> {
    let error = ["error", "reason"].into_iter().filter_map(|name| call.query().first(name));
    let outcome = match error.into_iter().find(|text| !text.is_empty()) {
        Some(text) => Outcome::Error(text),
        None => Outcome::Void,
    };
    if let Some(connection) = call.hub.connection(connection) {
        let _ = connection.send_message(&end(stream, outcome));
    }
    body::empty(StatusCode::ACCEPTED)
}

fn end(invocation_id: String, outcome: Outcome) -> Message {
    Message::Completion { invocation_id, outcome }
}

fn completed(call: &RestCall<'_>) -> Result<bool, RestError> {
    match call.query().first("completed") {
        None => Ok(false),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(_) => Err(RestError::invalid("completed", "completed must be true or false")),
    }
}

/// One value, its bytes as they are.
fn item(body: MessageBody) -> Result<Encodings, RestError> {
    let item = match body {
        MessageBody::Json(body) => json_item(&body)
            .map(|item| Encodings::new(Protocol::Json, item))
            .map_err(|error| error.to_string()),
        #[cfg(feature = "msgpack")]
        MessageBody::Bundle(entries) => bundled_item(entries).map_err(str::to_owned),
    };
    item.map_err(|error| RestError::invalid("body", error))
}

fn json_item(body: &Bytes) -> Result<Bytes, serde_json::Error> {
    let item: &RawValue = serde_json::from_slice(body)?;
    Ok(body.slice_ref(item.get().as_bytes()))
}

#[cfg(feature = "msgpack")]
fn bundled_item(entries: Vec<(Protocol, Message)>) -> Result<Encodings, &'static str> {
    let mut encodings: Option<Encodings> = None;
    for (protocol, message) in entries {
        let Message::StreamItem { item, .. } = message else {
            return Err("every entry must be a stream item");
        };
        match &mut encodings {
            None => encodings = Some(Encodings::new(protocol, item)),
            Some(encodings) => encodings.push(protocol, item),
        }
    }
    encodings.ok_or("there must be an entry for json or messagepack")
}
