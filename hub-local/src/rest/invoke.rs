//! Client results: invokes one client and waits for its completion.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::ACCEPT};
use hub_core::protocol::{Message, Outcome, Protocol, convert};
use hub_net::standstill::timeout;
use tokio::time::Instant;

use super::{
    call::{RestCall, RestResult},
    error::RestError,
    payload::Payload,
    send,
};
use crate::{
    body,
    connection::Connection,
    delivery::outbox::PushOutcome,
    inspect::{ClientResult, Returned},
};

const GONE: &str = "the client disconnected before it answered";
const FRAMED: &str = "application/octet-stream";
/// The hub protocol of a framed response.
const PROTOCOL: HeaderName = HeaderName::from_static("x-asrs-client-invocation-protocol");

/// The response format for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ResultFormat {
    /// `{"result":…}`.
    Json,
    /// The completion of the client as a frame, for callers that accept `application/octet-stream`.
    Framed,
}

impl ResultFormat {
    fn of(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut types = accepted.flat_map(|value| value.split(','));
        let framed = |one: &str| {
            one.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(FRAMED)
        };
        if types.any(framed) { Self::Framed } else { Self::Json }
    }
}

/// Invokes one client and waits for its completion. Dropping the future cancels the wait.
pub(super) async fn invoke(call: RestCall<'_>, connection: &str) -> RestResult {
    let limit = call.state.shared.limits.client_result_timeout;
    let shape = ResultFormat::of(&call.parts.headers);
    let (hub, state, via) = (Arc::clone(&call.hub), call.state, call.via());
    let payload = send::payload(call).await?;
    let unknown = || RestError::no_connection("the connection does not exist");
    let connection = hub.connection(connection).ok_or_else(unknown)?;
    let waiting = connection.begin_result().ok_or_else(unknown)?;
    let id = waiting.id().to_owned();
    let protocol = connection.protocol();
    if let Some(recorder) = &state.shared.recorder {
        send::record_call(recorder, &hub, via, connection.id(), &payload);
    }
    let message = payload.message(protocol, Some(id.clone()))?;
    let asked = Instant::now();
    match connection.send_message(&message) {
        PushOutcome::Queued => {}
        PushOutcome::Full | PushOutcome::Closed => return Err(RestError::no_connection(GONE)),
    }
    match timeout(limit, waiting.outcome()).await {
        Ok(Some(outcome)) => {
            record(&connection, &payload, &outcome, asked.elapsed());
            answer(shape, protocol, id, outcome)
        }
        Ok(None) => Err(RestError::no_connection(GONE)),
        Err(_) => Err(RestError::client_timed_out()),
    }
}

/// Records the result for the inspector.
fn record(connection: &Connection, payload: &Payload, outcome: &Outcome, took: Duration) {
    let Some(peer) = &connection.peer else { return };
    let (method, protocol, arguments) = payload.sent();
    let arguments = peer.recorder.copied(protocol, arguments);
    let returned = match outcome {
        Outcome::Void => Returned::Void,
        Outcome::Result(value) => {
            Returned::Value(peer.recorder.copied(connection.protocol(), value))
        }
        Outcome::Error(text) => Returned::Error((&**text).into()),
    };
    let (peer, method) = (Arc::clone(peer), method.into());
    let recorder = Arc::clone(&peer.recorder);
    recorder.returned(ClientResult { peer, method, arguments, returned, took });
}

fn answer(shape: ResultFormat, protocol: Protocol, id: String, outcome: Outcome) -> RestResult {
    match (shape, outcome) {
        (ResultFormat::Json, Outcome::Error(error)) => Err(RestError::by_client(&error)),
        // Callers with this format show the body to their users.
        (ResultFormat::Framed, Outcome::Error(error)) => {
            Err(RestError::by_client(&error).in_text())
        }
        (ResultFormat::Json, Outcome::Result(value)) => {
            let value = convert(&value, protocol, Protocol::Json)
                .map_err(|error| RestError::by_client(&error.to_string()))?;
            Ok(body::json(StatusCode::OK, result(&value)))
        }
        (ResultFormat::Json, Outcome::Void) => Ok(body::json(StatusCode::OK, "{}")),
        (ResultFormat::Framed, outcome) => {
            let completion = Message::Completion { invocation_id: id, outcome };
            let mut response = body::octets(StatusCode::OK, protocol.encode(&completion));
            let protocol = HeaderValue::from_static(protocol.name());
            response.headers_mut().insert(PROTOCOL, protocol);
            Ok(response)
        }
    }
}

/// Wraps a JSON value as `{"result":…}`.
fn result(value: &Bytes) -> Bytes {
    [&b"{\"result\":"[..], value, b"}"].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_callers_that_accept_octet_streams_get_frames() {
        let shape = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            ResultFormat::of(&headers)
        };

        assert_eq!(shape("application/octet-stream"), ResultFormat::Framed);
        assert_eq!(shape("text/plain, Application/Octet-Stream;q=0.9"), ResultFormat::Framed);
        assert_eq!(shape("application/json"), ResultFormat::Json);
        assert_eq!(shape("*/*"), ResultFormat::Json);
        assert_eq!(ResultFormat::of(&HeaderMap::new()), ResultFormat::Json);
    }
}
