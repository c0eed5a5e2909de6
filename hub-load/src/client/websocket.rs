//! WebSocket of a client, without a read buffer per connection.

use std::{cell::RefCell, future::poll_fn, io, pin::Pin, task::Poll};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::header::HOST;
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use tower_service::Service as _;

use super::{
    Pings,
    connector::{ByteStream, Connector},
    frames::FrameParser,
    mask::masked,
    negotiate::Endpoint,
};
use crate::LoadError;

const MAX_HEAD_BYTES: usize = 16 * 1024;
const READ_BYTES: usize = 64 * 1024;
/// Appended to the key by the server (RFC 6455 §1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

thread_local! {
    /// Read buffer, shared by all connections of a thread: its contents are consumed before the
    /// next poll.
    static INPUT: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// An open WebSocket.
pub(crate) struct WebSocketLink {
    stream: ByteStream,
    frames: FrameParser,
    /// Bytes read after the upgrade response.
    early: Vec<u8>,
    out: Vec<u8>,
    /// Written length of `out`.
    written: usize,
    pong: Vec<u8>,
    mask: u32,
    pub(crate) is_binary: bool,
}

impl WebSocketLink {
    pub(crate) async fn open(
        connector: &Connector,
        endpoint: &Endpoint,
    ) -> Result<Self, LoadError> {
        let stream =
            connector.clone().call(endpoint.url.clone()).await.map_err(LoadError::Connect)?;
        let mut stream = stream.into_inner();
        let early = upgrade(&mut stream, endpoint).await?;
        Ok(Self {
            stream,
            frames: FrameParser::default(),
            early,
            out: Vec::new(),
            written: 0,
            pong: Vec::new(),
            mask: 1,
            is_binary: false,
        })
    }

    /// Queues a payload as one frame.
    pub(crate) fn queue(&mut self, payload: &[u8]) {
        self.mask = next_mask(self.mask);
        let kind = if self.is_binary { BINARY } else { TEXT };
        masked(&mut self.out, kind, self.mask, payload);
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
        self.mask = next_mask(self.mask);
        masked(&mut self.out, CLOSE, self.mask, &[]);
        self.flush().await
    }

    /// Waits for bytes and calls `each` with the payloads in them. Cancel safe.
    pub(crate) async fn read(
        &mut self,
        pings: &mut Pings,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), LoadError> {
        if !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            return self.take(&early, &mut each);
        }
        loop {
            self.flush().await?;
            let read = poll_fn(|context| {
                if let Some(ping) = pings.due(context) {
                    self.queue(ping);
                    return Poll::Ready(Ok(false));
                }
                INPUT.with_borrow_mut(|shared| {
                    let mut buffer = ReadBuf::new(shared);
                    match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                        Poll::Pending => Poll::Pending,
                        Poll::Ready(Err(error)) => Poll::Ready(Err(LoadError::connect(error))),
                        Poll::Ready(Ok(())) if buffer.filled().is_empty() => Poll::Ready(Err(
                            LoadError::Closed("the server closed the connection".to_owned()),
                        )),
                        Poll::Ready(Ok(())) => {
                            Poll::Ready(self.take(buffer.filled(), &mut each).map(|()| true))
                        }
                    }
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
                self.pong.clear();
                self.pong.extend_from_slice(part.bytes);
                self.mask = next_mask(self.mask);
                masked(&mut self.out, PONG, self.mask, &self.pong);
                continue;
            }
            each(part.bytes);
        }
        Ok(())
    }
}

/// Upgrades the connection and returns the bytes read after the response.
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
    let mut input = Vec::new();
    let end = loop {
        if let Some(at) = memchr::memmem::find(&input, b"\r\n\r\n") {
            break at + 4;
        }
        if input.len() > MAX_HEAD_BYTES {
            return Err(LoadError::protocol("the response to the upgrade is too long"));
        }
        read_more(stream, &mut input).await?;
    };
    let early = input.split_off(end);
    let head = String::from_utf8_lossy(&input).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    if status != 101 {
        let text = head.lines().next().unwrap_or_default().to_owned();
        return Err(LoadError::Status { what: "the upgrade", status, text });
    }
    let accept = STANDARD.encode(Sha1::new().chain_update(&key).chain_update(GUID).finalize());
    let accepts = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or_default();
        name.eq_ignore_ascii_case("sec-websocket-accept") && accept == value.trim()
    };
    if head.lines().any(accepts) {
        return Ok(early);
    }
    Err(LoadError::protocol("the Sec-WebSocket-Accept header does not match the key"))
}

async fn read_more(stream: &mut ByteStream, input: &mut Vec<u8>) -> Result<(), LoadError> {
    match stream.read_buf(input).await {
        Ok(0) => Err(LoadError::connect(io::Error::from(io::ErrorKind::UnexpectedEof))),
        Ok(_) => Ok(()),
        Err(error) => Err(LoadError::connect(error)),
    }
}

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PONG: u8 = 0x8A;

/// Xorshift. Masks need no strong randomness here: they protect proxies from scripts (RFC 6455
/// §10.3).
fn next_mask(mut mask: u32) -> u32 {
    mask ^= mask << 13;
    mask ^= mask >> 17;
    mask ^ (mask << 5)
}
