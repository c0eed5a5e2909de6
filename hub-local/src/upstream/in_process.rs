//! Calls of an upstream in the same process, without an HTTP request. Only `hub-runtime` uses them.

use std::{
    any::Any,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use hub_core::{
    protocol::{Message, Protocol},
    upstream::{address_message, message_headers},
};

use super::request::post;

/// What all upstream calls of a connection have in common.
#[derive(derive_more::Debug)]
// Omits the headers, which contain credentials of the connection.
#[debug("ConnectionFacts")]
pub struct ConnectionFacts {
    headers: HeaderMap,
    /// What the upstream derived from the headers. Set on the first call, to save memory of idle clients.
    derived: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl ConnectionFacts {
    pub(crate) fn new(headers: HeaderMap) -> Self {
        Self { headers, derived: OnceLock::new() }
    }

    /// The headers of every upstream request of the connection. The service made them, with its signature.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The value that the upstream stored, if it has this type.
    #[must_use]
    pub fn derived<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        Arc::clone(self.derived.get()?).downcast().ok()
    }

    /// Stores a value until the connection ends. Only the first value is stored.
    pub fn derive<T: Send + Sync + 'static>(&self, value: &Arc<T>) {
        self.derived.get_or_init(|| Arc::clone(value) as _);
    }

    /// The memory that the headers use.
    pub(crate) fn size(&self) -> usize {
        let copies = 1 + usize::from(self.derived.get().is_some());
        let headers = self.headers.iter();
        copies * headers.map(|(_, value)| value.len() + size_of::<[usize; 12]>()).sum::<usize>()
    }
}

/// A client's call of a hub method.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "hidden from the documentation")]
pub struct ClientCall<'a> {
    /// The connection of the client.
    pub connection: &'a ConnectionFacts,
    /// The client's protocol.
    pub protocol: Protocol,
    /// The number of the request. No other request of the service has the same number.
    pub request_id: u64,
    /// `None` if the client expects no completion.
    pub invocation_id: Option<&'a str>,
    /// The method, in the client's spelling. It is valid in a header, and the service has checked its length.
    pub target: &'a str,
    /// The encoded argument array. The service has parsed the message that contains it.
    pub arguments: Bytes,
}

impl ClientCall<'_> {
    /// The headers of the request.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let made = || Arc::new(message_headers(&self.connection.headers, self.protocol));
        let shared = self.connection.derived::<HeaderMap>();
        let mut headers = (*shared.unwrap_or_else(made)).clone();
        // The event was checked when the client's message arrived.
        let _ = address_message(&mut headers, self.target, self.request_id);
        headers
    }

    /// The request over HTTP. The body is the invocation without its delimiter.
    #[must_use]
    pub fn into_request(self) -> Request<Bytes> {
        if self.connection.derived.get().is_none() {
            self.connection
                .derive(&Arc::new(message_headers(&self.connection.headers, self.protocol)));
        }
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
        })
    }
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
