//! WebSocket of a client, without a read buffer per connection.

use std::{
    cell::RefCell,
    future::poll_fn,
    pin::Pin,
    task::{Poll, ready},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::header::HOST;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};

use super::{
    Pings,
    connector::{ByteStream, Connector, connect, read_head},
    frames::FrameParser,
    mask::masked,
    negotiate::Endpoint,
};
use crate::LoadError;

const READ_BYTES: usize = 64 * 1024;
/// The server appends this text to the key (RFC 6455 §1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

thread_local! {
    /// Read buffer, shared by all connections of a thread. Each poll consumes the contents before it
    /// returns.
    static INPUT: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// An open WebSocket.
pub(crate) struct WebSocketLink {
    stream: ByteStream,
    frames: FrameParser,
    out: Vec<u8>,
    /// The number of bytes of `out` that have been written.
    written: usize,
    mask: u32,
    pub(crate) is_binary: bool,
}

impl WebSocketLink {
    /// Opens a WebSocket. Also returns the payloads that followed the upgrade response.
    pub(crate) async fn open(
        connector: &Connector,
        endpoint: &Endpoint,
    ) -> Result<(Self, Vec<u8>), LoadError> {
        let mut stream = connect(connector, &endpoint.url).await?;
        let (input, mut early) = (upgrade(&mut stream, endpoint).await?, Vec::new());
        let (frames, out) = (FrameParser::default(), Vec::new());
        let mut link = Self { stream, frames, out, written: 0, mask: 1, is_binary: false };
        link.take(&input, &mut |payload| early.extend_from_slice(payload))?;
        Ok((link, early))
    }

    /// Queues a payload as one frame.
    pub(crate) fn queue(&mut self, payload: &[u8]) {
        self.queue_frame(if self.is_binary { BINARY } else { TEXT }, payload);
    }

    fn queue_frame(&mut self, first: u8, payload: &[u8]) {
        self.mask = next_mask(self.mask);
        masked(&mut self.out, first, self.mask, payload);
    }

    /// Writes the queued frames. Cancel safe.
    pub(crate) async fn flush(&mut self) -> Result<(), LoadError> {
        while let Some(rest @ [_, ..]) = self.out.get(self.written..) {
            self.written += self.stream.write(rest).await.map_err(LoadError::connect)?;
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }

    pub(crate) async fn close(&mut self) -> Result<(), LoadError> {
        self.queue_frame(CLOSE, &[]);
        self.flush().await
    }

    /// Waits for bytes and calls `each` with the payloads in them. Cancel safe.
    pub(crate) async fn read(
        &mut self,
        pings: &mut Pings,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), LoadError> {
        loop {
            self.flush().await?;
            let read = poll_fn(|context| {
                if let Some(ping) = pings.due(context) {
                    self.queue(ping);
                    return Poll::Ready(Ok(false));
                }
                INPUT.with_borrow_mut(|shared| {
                    let mut buffer = ReadBuf::new(shared);
                    let read = Pin::new(&mut self.stream).poll_read(context, &mut buffer);
                    ready!(read).map_err(LoadError::connect)?;
                    if buffer.filled().is_empty() {
                        return Poll::Ready(Err(LoadError::closed()));
                    }
                    Poll::Ready(self.take(buffer.filled(), &mut each).map(|()| true))
                })
            });
            if read.await? {
                return Ok(());
            }
        }
    }

    fn take(&mut self, mut bytes: &[u8], each: &mut impl FnMut(&[u8])) -> Result<(), LoadError> {
        while let Some(part) = self.frames.next(&mut bytes) {
            if part.is_close() {
                return Err(LoadError::Closed("the server closed the WebSocket".to_owned()));
            }
            if part.is_ping() {
                self.queue_frame(PONG, part.bytes);
                continue;
            }
            each(part.bytes);
        }
        Ok(())
    }
}

/// Upgrades the connection and returns the bytes that were read after the response.
async fn upgrade(stream: &mut ByteStream, endpoint: &Endpoint) -> Result<Vec<u8>, LoadError> {
    let host = endpoint.url.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    let path = endpoint.url.path_and_query().map(http::uri::PathAndQuery::as_str).unwrap_or("/");
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(LoadError::connect)?;
    let key = STANDARD.encode(nonce);
    let mut head = format!(
        "GET {path} HTTP/1.1\r\n{HOST}: {host}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n"
    );
    if let Some(token) = &endpoint.token {
        head.push_str(&format!("authorization: Bearer {}\r\n", token.expose()));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.map_err(LoadError::connect)?;
    let mut early = Vec::new();
    let (status, head) = read_head(stream, &mut early).await?;
    if status != 101 {
        let text = head.lines().next().unwrap_or_default().to_owned();
        return Err(LoadError::Status { what: "the upgrade", status, text });
    }
    let accept =
        STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key.as_bytes(), GUID].concat()));
    let accepts = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or_default();
        name.eq_ignore_ascii_case("sec-websocket-accept") && accept == value.trim()
    };
    if head.lines().any(accepts) {
        return Ok(early);
    }
    Err(LoadError::protocol("the Sec-WebSocket-Accept header does not match the key"))
}

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PONG: u8 = 0x8A;

/// Returns the next mask (xorshift). Masks protect proxies from malicious scripts (RFC 6455 §10.3), so this
/// tool needs no strong randomness.
fn next_mask(mut mask: u32) -> u32 {
    mask ^= mask << 13;
    mask ^= mask >> 17;
    mask ^ (mask << 5)
}
