//! The upstream calls of the service to the app: path, headers, categories and events.
//!
//! Source: Microsoft Learn, "Upstream endpoints in Azure SignalR Service", request header format.

use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};

use crate::{
    protocol::Protocol,
    trace::{self, TraceContext},
};

/// The path that the service calls by default: the webhook of the Functions extension for SignalR.
pub const WEBHOOK_PATH: &str = "/runtime/webhooks/signalr";

/// The id of the client's connection. [`crate::signature`] signs it.
pub const CONNECTION_ID: HeaderName = HeaderName::from_static("x-asrs-connection-id");
/// The hub, in lower case.
pub const HUB: HeaderName = HeaderName::from_static("x-asrs-hub");
/// [`MESSAGES`] or [`CONNECTIONS`].
pub const CATEGORY: HeaderName = HeaderName::from_static("x-asrs-category");
/// The called hub method, [`CONNECTED`] or [`DISCONNECTED`].
pub const EVENT: HeaderName = HeaderName::from_static("x-asrs-event");
/// One entry for each access key of the service, separated by commas.
pub const SIGNATURE: HeaderName = HeaderName::from_static("x-asrs-signature");
/// The user of the connection; absent for an anonymous client.
pub const USER_ID: HeaderName = HeaderName::from_static("x-asrs-user-id");
/// The claims of the client's token, as `type: value` separated by commas, without escaping.
pub const USER_CLAIMS: HeaderName = HeaderName::from_static("x-asrs-user-claims");
/// The query of the client's connect request, with its `?`.
pub const CLIENT_QUERY: HeaderName = HeaderName::from_static("x-asrs-client-query");

/// The id of the request, unique for its connection. A repetition of the request has the same id. Only
/// hub-local sends it, not Azure SignalR Service.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-hub-request-id");

/// The trace of a client's call (W3C Trace Context), if the client sends it in the headers of its message.
pub const TRACEPARENT: HeaderName = HeaderName::from_static(trace::TRACEPARENT);
/// Data of tracing systems, beside [`TRACEPARENT`].
pub const TRACESTATE: HeaderName = HeaderName::from_static(trace::TRACESTATE);

/// The category of invocations by clients.
pub const MESSAGES: &str = "messages";
/// The category of connection events.
pub const CONNECTIONS: &str = "connections";

/// The event of a connection that finished its handshake.
pub const CONNECTED: &str = "connected";
/// The event of a connection that ended.
pub const DISCONNECTED: &str = "disconnected";

/// Adds the headers that all requests of one category have. [`address`] sets the event and the request id.
#[must_use]
pub fn with_category(
    mut connection: HeaderMap,
    category: &'static str,
    protocol: Protocol,
) -> HeaderMap {
    connection.insert(CATEGORY, HeaderValue::from_static(category));
    connection.insert(CONTENT_TYPE, HeaderValue::from_static(protocol.content_type()));
    connection.insert(EVENT, HeaderValue::from_static(""));
    connection.insert(REQUEST_ID, HeaderValue::from_static(""));
    connection
}

/// Sets the event and the request id of a request. Returns whether the event is valid in a header.
pub fn address(headers: &mut HeaderMap, event: &str, request_id: u64) -> bool {
    headers.insert(REQUEST_ID, HeaderValue::from(request_id));
    let event = HeaderValue::from_bytes(event.as_bytes());
    event.map(|event| headers.insert(EVENT, event)).is_ok()
}

/// Adds the headers of a trace.
pub fn add_trace(headers: &mut HeaderMap, trace: &TraceContext) {
    let values = [(TRACEPARENT, Some(trace.traceparent())), (TRACESTATE, trace.tracestate())];
    for (name, value) in values {
        // A trace context has only characters that are valid in a header.
        if let Some(Ok(value)) = value.map(HeaderValue::from_str) {
            headers.insert(name, value);
        }
    }
}
