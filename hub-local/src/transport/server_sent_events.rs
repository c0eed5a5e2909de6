//! Server-Sent Events (`TransportProtocols.md`, Server-Sent Events). The service sends messages as events of
//! one open response, and the client sends messages in POST requests. The transport is text-only.

use std::{io, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderName, HeaderValue, Response,
    header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, PRAGMA},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::inbox::Inbox;
use crate::{
    body::{self, Body},
    connection::link::{Incoming, Source},
    delivery::{batch::Batch, frame::Frame, sink::Sink},
};

/// nginx buffers responses unless this header is `no` (`proxy_buffering`, module `ngx_http_proxy_module`).
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// A comment, sent at once so that browsers report the response as open.
const HELLO: &[u8] = b":\r\n";
const DATA: &[u8] = b"data: ";
const LINE_END: &[u8] = b"\r\n";
/// Capacity, in events, of the channel between connection and response body. One event is enough: pending
/// messages stay in the outbox.
const CHANNEL_CAPACITY: usize = 1;

/// Creates the response and both halves of its connection.
pub(super) fn open(inbox: Arc<Inbox>) -> (Response<Body>, EventSource, EventSink) {
    let (events, receiver) = mpsc::channel(CHANNEL_CAPACITY);
    let gone = CancellationToken::new();
    // The channel is new, so there is room.
    let _ = events.try_send(Bytes::from_static(HELLO));
    let mut response = Response::new(Body::events(receiver, gone.clone().drop_guard()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache,no-store"));
    headers.insert(PRAGMA, body::NO_CACHE);
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(BUFFERING, HeaderValue::from_static("no"));
    (response, EventSource { inbox, gone }, EventSink(Some(events)))
}

/// Receives the posts of the client.
pub(super) struct EventSource {
    inbox: Arc<Inbox>,
    /// Cancelled when the response body is dropped: the client has disconnected.
    gone: CancellationToken,
}

impl EventSource {
    /// A token that is cancelled when the response was read to its end or the client has disconnected.
    pub(super) fn gone(&self) -> CancellationToken {
        self.gone.clone()
    }
}

impl Source for EventSource {
    const LINGERS: bool = false;

    async fn receive(&mut self) -> io::Result<Incoming> {
        tokio::select! {
            biased;
            posted = self.inbox.next() => posted.map(|bytes| Incoming::Data(bytes.into())).map_err(io::Error::other),
            // A client closes this transport only by disconnecting.
            () = self.gone.cancelled() => Ok(Incoming::Closed),
        }
    }
}

/// Sends events to the client.
pub(super) struct EventSink(Option<mpsc::Sender<Bytes>>);

impl Sink for EventSink {
    async fn write(&mut self, batch: &mut Batch) -> io::Result<()> {
        let events = self.0.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let event = event(batch.drain().map(Frame::into_payload));
        events.send(event).await.map_err(|_| io::ErrorKind::ConnectionReset.into())
    }

    async fn finish(&mut self) -> io::Result<()> {
        self.0 = None;
        Ok(())
    }

    async fn shut(&mut self) {
        self.0 = None;
    }
}

/// One event for all messages.
fn event(payloads: impl Iterator<Item = Bytes>) -> Bytes {
    let mut event = BytesMut::from(DATA);
    for payload in payloads {
        append(&mut event, &payload);
    }
    event.extend_from_slice(LINE_END);
    event.extend_from_slice(LINE_END);
    event.freeze()
}

/// A line end would end the field, so each line becomes a `data` field. Clients join the fields with a line
/// feed. In JSON, line ends are only insignificant white space. A lone CR is a line end, too (HTML
/// standard, server-sent events).
fn append(event: &mut BytesMut, mut payload: &[u8]) {
    while let Some(end) = payload.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        let (line, rest) = payload.split_at(end);
        event.extend_from_slice(line);
        event.extend_from_slice(LINE_END);
        event.extend_from_slice(DATA);
        payload = rest.strip_prefix(LINE_END).or_else(|| rest.get(1..)).unwrap_or_default();
    }
    event.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(payloads: &[&'static str]) -> Bytes {
        event(payloads.iter().map(|payload| Bytes::from_static(payload.as_bytes())))
    }

    #[test]
    fn messages_share_an_event() {
        assert_eq!(of(&["{}\x1e"]), "data: {}\x1e\r\n\r\n");
        assert_eq!(of(&["{}\x1e", "{}\x1e"]), "data: {}\x1e{}\x1e\r\n\r\n");
    }

    #[test]
    fn every_line_is_a_field() {
        assert_eq!(of(&["a\nb"]), "data: a\r\ndata: b\r\n\r\n");
        assert_eq!(of(&["a\r\nb\rc"]), "data: a\r\ndata: b\r\ndata: c\r\n\r\n");
        assert_eq!(of(&["a\n\nb\n"]), "data: a\r\ndata: \r\ndata: b\r\ndata: \r\n\r\n");
    }
}
