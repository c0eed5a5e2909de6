//! Calls and events for an upstream in the same process, without an HTTP request. Only `hub-runtime` uses them.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use hub_core::{
    ConnectionHeaders as _, TraceContext,
    protocol::{Message, Protocol},
    upstream::{
        CONNECTED, CONNECTIONS, DISCONNECTED, MESSAGES, WEBHOOK_PATH, add_trace, address,
        with_category,
    },
};
use serde::Serialize;
use tokio::time::Instant;

use super::facts::size_of_headers;
pub use super::{cancel::CallCancel, facts::ConnectionFacts};

/// A client's call of a hub method.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "hidden from the documentation")]
pub struct ClientCall<'a> {
    /// The connection of the client.
    pub connection: &'a Arc<ConnectionFacts>,
    /// The client's protocol.
    pub protocol: Protocol,
    /// The number of the request. No other request of the service has the same number.
    pub request_id: u64,
    /// When the service began the call.
    pub began: Instant,
    /// `None` if the client expects no completion.
    pub invocation_id: Option<&'a str>,
    /// The method, in the client's spelling. It is valid in a header, and the service has checked its length.
    pub target: &'a str,
    /// The encoded argument array. The service has parsed the message that contains it. For an upstream in this process it is a
    /// copy, which keeps no other message of the client in memory.
    pub arguments: Bytes,
    /// The trace that the call belongs to.
    pub trace: Option<&'a TraceContext>,
    /// Whether the client has cancelled the call.
    pub cancel: &'a CallCancel,
}

impl ClientCall<'_> {
    /// The headers of the request.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let made = || Arc::new(self.shared_headers());
        let shared = self.connection.derived::<HeaderMap>();
        let mut headers = (*shared.unwrap_or_else(made)).clone();
        // The event was checked when the client's message arrived.
        let _ = address(&mut headers, self.target, self.request_id);
        if let Some(trace) = self.trace {
            add_trace(&mut headers, trace);
        }
        headers
    }

    /// The request over HTTP. The body is the invocation without its delimiter.
    #[must_use]
    pub fn into_request(self) -> Request<Bytes> {
        self.connection.derive_with(|| {
            let headers = self.shared_headers();
            let size = size_of_headers(&headers);
            (Arc::new(headers), size)
        });
        let headers = self.headers();
        post(headers, self.into_body())
    }

    /// The body of the request over HTTP.
    pub(super) fn into_body(self) -> Bytes {
        self.protocol.encode_body(&Message::Invocation {
            invocation_id: self.invocation_id.map(str::to_owned),
            target: self.target.to_owned(),
            arguments: self.arguments,
            stream_ids: Vec::new(),
            trace: None,
        })
    }

    /// The headers that the messages of the connection have in common.
    fn shared_headers(&self) -> HeaderMap {
        with_category(self.connection.headers(), MESSAGES, self.protocol)
    }
}

/// The start or the end of a connection.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "hidden from the documentation")]
pub struct ClientEvent<'a> {
    /// The connection of the client.
    pub connection: &'a Arc<ConnectionFacts>,
    /// The number of the request. No other request of the service has the same number.
    pub request_id: u64,
    /// What has happened.
    pub change: Change<'a>,
}

/// What a [`ClientEvent`] reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "hidden from the documentation")]
pub enum Change<'a> {
    /// The client has finished its handshake.
    Connected,
    /// The connection has ended.
    Disconnected {
        /// The error that ended it.
        error: Option<&'a str>,
    },
}

impl Change<'_> {
    /// The name of the event.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connected => CONNECTED,
            Self::Disconnected { .. } => DISCONNECTED,
        }
    }

    fn body(self) -> Bytes {
        /// Azure SignalR Service writes these two names in Pascal case, but `type` of `connected` in lower case.
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body<'a> {
            r#type: u8,
            #[serde(skip_serializing_if = "Option::is_none")]
            error: Option<&'a str>,
        }
        match self {
            Self::Connected => Bytes::from_static(b"{\"type\":10}"),
            Self::Disconnected { error } => {
                // Serialising a number and a string cannot fail.
                serde_json::to_vec(&Body { r#type: 11, error }).unwrap_or_default().into()
            }
        }
    }
}

impl ClientEvent<'_> {
    /// The headers of the request.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let headers = self.connection.headers();
        let mut headers = with_category(headers, CONNECTIONS, Protocol::Json);
        // The names of events are valid in a header.
        let _ = address(&mut headers, self.change.name(), self.request_id);
        headers
    }

    /// The request over HTTP, always in JSON.
    #[must_use]
    pub fn into_request(self) -> Request<Bytes> {
        post(self.headers(), self.change.body())
    }
}

/// A request to the path of upstream calls.
fn post(headers: HeaderMap, body: Bytes) -> Request<Bytes> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static(WEBHOOK_PATH);
    *request.headers_mut() = headers;
    request
}

/// The response to a [`ClientCall`].
#[derive(Debug)]
#[allow(clippy::exhaustive_enums, reason = "hidden from the documentation")]
pub enum Answer {
    /// The completion of the call, encoded and framed by `hub_core` in the client's protocol. The encoder writes
    /// only valid completions without empty error texts, so the service does not check it again.
    Completion(Bytes),
    /// A response as over HTTP.
    Response(Response<Bytes>),
}

impl Answer {
    /// Status and body, for the log.
    pub(crate) fn shown(&self) -> (StatusCode, &Bytes) {
        match self {
            Self::Completion(framed) => (StatusCode::OK, framed),
            Self::Response(response) => (response.status(), response.body()),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_TYPE;
    use hub_core::upstream::{CATEGORY, CONNECTION_ID, EVENT, REQUEST_ID};

    use super::*;
    use crate::upstream::facts::tests::facts;

    #[test]
    fn bodies_have_the_bytes_of_the_service() {
        let call = ClientCall {
            connection: &facts(None, ""),
            protocol: Protocol::Json,
            request_id: 5,
            began: Instant::now(),
            invocation_id: Some("7"),
            target: "größe",
            arguments: Bytes::from_static(b"[1, 2]"),
            trace: None,
            cancel: &CallCancel::default(),
        };

        let message = call.into_request();

        let text = "{\"type\":1,\"invocationId\":\"7\",\"target\":\"größe\",\"arguments\":[1, 2]}";
        assert_eq!(message.body(), text);
        assert_eq!(message.headers()[EVENT].as_bytes(), "größe".as_bytes());
        assert_eq!(message.headers()[CONTENT_TYPE], "application/json");
    }

    #[test]
    fn events_have_the_bytes_of_the_service() {
        let facts = facts(None, "");
        let request =
            |change| ClientEvent { connection: &facts, request_id: 5, change }.into_request();

        let connected = request(Change::Connected);
        assert_eq!(connected.body(), "{\"type\":10}");
        let headers = connected.headers();
        assert_eq!(headers[CATEGORY], "connections");
        assert_eq!(headers[EVENT], "connected");
        assert_eq!(headers[CONTENT_TYPE], "application/json");
        assert_eq!(
            (&headers[REQUEST_ID], &headers[CONNECTION_ID]),
            (&"5".parse().unwrap(), &"conn-0001".parse().unwrap())
        );
        let ended = request(Change::Disconnected { error: None });
        assert_eq!(ended.body(), "{\"Type\":11}");
        assert_eq!(ended.headers()[EVENT], "disconnected");
        let failed = request(Change::Disconnected { error: Some("e") });
        assert_eq!(failed.body(), "{\"Type\":11,\"Error\":\"e\"}");
    }

    #[cfg(feature = "msgpack")]
    #[test]
    fn bodies_of_messagepack_clients_have_six_elements_and_no_length() {
        let call = ClientCall {
            connection: &facts(None, ""),
            protocol: Protocol::MessagePack,
            request_id: 5,
            began: Instant::now(),
            invocation_id: Some("7"),
            target: "Add",
            arguments: Bytes::from_static(&[0x92, 1, 2]),
            trace: None,
            cancel: &CallCancel::default(),
        };

        let message = call.into_request();

        assert_eq!(&message.body()[..], b"\x96\x01\x80\xa17\xa3Add\x92\x01\x02\x90");
        assert_eq!(message.headers()[CONTENT_TYPE], "application/x-msgpack");
    }

    #[test]
    fn messages_share_headers_that_count_as_memory_of_the_connection() {
        let connection = facts(None, "");
        let (before, target) = (connection.size(), "echo");
        let arguments = Bytes::from_static(b"[]");
        let (protocol, invocation_id) = (Protocol::Json, None);
        let (connection, cancel, request_id) = (&connection, &CallCancel::default(), 1);
        let call = ClientCall {
            connection,
            protocol,
            request_id,
            began: Instant::now(),
            invocation_id,
            target,
            arguments,
            trace: None,
            cancel,
        };

        let headers = call.clone().into_request().headers().clone();

        assert_eq!(call.into_request().headers(), &headers);
        assert!(connection.size() > before + 500);
    }
}
