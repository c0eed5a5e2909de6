//! HTTP/1.1 and WebSocket frames written by hand. They use a socket, or a pipe so that time can be paused.

use std::{net::SocketAddr, time::Duration};

use http_body_util::BodyExt as _;
use hub_local::LocalService;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, duplex},
    net::TcpStream,
};
use tower_service::Service as _;

use crate::support::{Fixture, client_token};

const PIPE: usize = 64 * 1024;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A client's end of one HTTP connection.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    input: Vec<u8>,
}

/// The response to a request.
#[derive(Debug)]
pub(crate) struct WireResponse {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
    pub(crate) bytes: Vec<u8>,
}

impl WireResponse {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The status, content type and text of the response.
    pub(crate) fn plain(&self) -> (u16, &str, &str) {
        (self.status, self.header("content-type").unwrap_or_default(), &self.body)
    }
}

/// A request with a body and an optional bearer token.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    pub(crate) query: &'a str,
    pub(crate) token: &'a str,
    /// More header lines, each with its line end.
    pub(crate) headers: &'a str,
    pub(crate) body: &'a [u8],
}

impl Wire {
    /// Connects to the service without a socket.
    pub(crate) fn pipe(service: &LocalService) -> Self {
        Self::narrow(service, PIPE)
    }

    /// Connects like [`Wire::pipe`], with a buffer of this size in each direction.
    pub(crate) fn narrow(service: &LocalService, size: usize) -> Self {
        let (client, server) = duplex(size);
        let service = service.clone();
        let respond = service_fn(move |request: hyper::Request<Incoming>| {
            service.clone().call(request.map(|body| body.boxed()))
        });
        tokio::spawn(async move {
            let serving = http1::Builder::new().serve_connection(TokioIo::new(server), respond);
            let _ = serving.with_upgrades().await;
        });
        Self { stream: Box::new(client), input: Vec::new() }
    }

    pub(crate) async fn socket(address: SocketAddr) -> Self {
        Self { stream: Box::new(TcpStream::connect(address).await.unwrap()), input: Vec::new() }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The stream, and the bytes already read from it.
    pub(crate) fn into_stream(self) -> (Box<dyn Stream>, Vec<u8>) {
        (self.stream, self.input)
    }

    /// Writes until the connection breaks.
    pub(crate) async fn breaks(&mut self) {
        let breaking = async {
            while self.stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), breaking).await.unwrap();
    }

    /// Sends a request to `/client/`.
    pub(crate) async fn send(&mut self, ask: Ask<'_>) {
        let Ask { method, query, token, headers, body } = ask;
        let authorization = match token {
            "" => String::new(),
            token => format!("authorization: Bearer {token}\r\n"),
        };
        let length = body.len();
        let head = format!(
            "{method} /client/?hub=chat&{query} HTTP/1.1\r\nhost: localhost\r\n{authorization}\
             {headers}content-length: {length}\r\n\r\n"
        );
        self.write(head.as_bytes()).await;
        self.write(body).await;
    }

    pub(crate) async fn ask(&mut self, ask: Ask<'_>) -> WireResponse {
        self.send(ask).await;
        self.answer().await
    }

    /// Reads a response with a declared length.
    pub(crate) async fn answer(&mut self) -> WireResponse {
        let mut answer = self.head().await;
        let length = answer.header("content-length").map_or(0, |it| it.parse().unwrap());
        answer.bytes = self.take(length).await.unwrap();
        answer.body = String::from_utf8_lossy(&answer.bytes).into_owned();
        answer
    }

    /// Reads a response without its body.
    pub(crate) async fn head(&mut self) -> WireResponse {
        let end = self.find(b"\r\n\r\n").await.unwrap();
        let head = String::from_utf8(self.take(end + 4).await.unwrap()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        WireResponse { status, head, body: String::new(), bytes: Vec::new() }
    }

    /// Reads the next chunk of a body. Returns `None` at its end.
    pub(crate) async fn chunk(&mut self) -> Option<String> {
        let end = self.find(b"\r\n").await.unwrap();
        let line = self.take(end + 2).await.unwrap();
        let length = usize::from_str_radix(str::from_utf8(&line).unwrap().trim(), 16).unwrap();
        let bytes = self.take(length + 2).await.unwrap();
        (length > 0).then(|| String::from_utf8(bytes[..length].to_vec()).unwrap())
    }

    /// Sends a masked frame with this first byte.
    pub(crate) async fn frame(&mut self, first: u8, payload: &[u8]) {
        let mut bytes = vec![first];
        match payload.len() {
            length @ 0..126 => bytes.push(0x80 | length as u8),
            length => {
                bytes.push(0x80 | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
        }
        bytes.extend([0; 4]);
        bytes.extend(payload);
        self.write(&bytes).await;
    }

    /// Sends a message in a text frame.
    pub(crate) async fn send_text(&mut self, message: &str) {
        self.frame(0x81, format!("{message}\x1e").as_bytes()).await;
    }

    /// Reads the next frame other than pings. Returns its first byte and its payload, or `None` at the end of
    /// the connection.
    pub(crate) async fn recv_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            let start = self.take(2).await?;
            let length = match start[1] {
                126 => {
                    let length = self.take(2).await?;
                    usize::from(u16::from_be_bytes([length[0], length[1]]))
                }
                127 => {
                    let length = self.take(8).await?;
                    usize::try_from(u64::from_be_bytes(length.try_into().unwrap())).unwrap()
                }
                length => usize::from(length),
            };
            let payload = self.take(length).await?;
            if payload != b"{\"type\":6}\x1e" && payload != b"\x02\x91\x06" {
                return Some((start[0], payload));
            }
        }
    }

    /// Reads the next message and removes its separator.
    pub(crate) async fn recv_text(&mut self) -> String {
        let (first, payload) = self.recv_frame().await.unwrap();
        assert_eq!(first, 0x81);
        String::from_utf8(payload).unwrap().trim_end_matches('\x1e').to_owned()
    }

    /// Checks that the connection ends with a close frame of status 1000.
    pub(crate) async fn expect_close(&mut self) {
        self.expect_close_with(1000).await;
    }

    /// Checks that the connection ends with a close frame of this status.
    pub(crate) async fn expect_close_with(&mut self, status: u16) {
        let (first, payload) = self.recv_frame().await.unwrap();
        assert_eq!((first, &payload[..2]), (0x88, &status.to_be_bytes()[..]));
        assert_eq!(self.recv_frame().await, None);
    }

    /// Whether the service has closed the connection.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.recv_frame().await.is_none()
    }

    async fn find(&mut self, what: &[u8]) -> Option<usize> {
        loop {
            if let Some(at) = self.input.windows(what.len()).position(|it| it == what) {
                return Some(at);
            }
            self.read().await?;
        }
    }

    async fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.input.len() < length {
            self.read().await?;
        }
        let rest = self.input.split_off(length);
        Some(std::mem::replace(&mut self.input, rest))
    }

    async fn read(&mut self) -> Option<()> {
        let read = self.stream.read_buf(&mut self.input).await.unwrap_or(0);
        (read > 0).then_some(())
    }
}

/// Header lines that request Server-Sent Events.
pub(crate) const EVENTS: &str = "accept: text/event-stream\r\n";
/// Header lines that request a WebSocket.
pub(crate) const UPGRADE: &str = "connection: upgrade\r\nupgrade: websocket\r\n\
                                  sec-websocket-version: 13\r\n\
                                  sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A client that has negotiated.
#[derive(Clone)]
pub(crate) struct Negotiated {
    pub(crate) service: LocalService,
    pub(crate) answer: Value,
    /// The query parameter `id` with the secret connection token.
    pub(crate) query: String,
    pub(crate) token: String,
}

impl Negotiated {
    pub(crate) async fn new(fixture: &Fixture) -> Self {
        Self::with(fixture, client_token("ada"), "").await
    }

    pub(crate) async fn with(fixture: &Fixture, token: String, more: &str) -> Self {
        let path = format!("/client/negotiate?hub=chat&negotiateVersion=1{more}");
        let request = http::Request::post(path).header("authorization", format!("Bearer {token}"));
        let answer = fixture.request(request.body(http_body_util::Full::default()).unwrap()).await;
        let answer = answer.json();
        let query = format!("id={}", answer["connectionToken"].as_str().unwrap_or_default());
        Self { service: fixture.service.clone(), answer, query, token }
    }

    /// Sends a request of this client on a new connection.
    pub(crate) async fn send(&self, method: &str, headers: &str, body: &[u8]) -> Wire {
        let mut wire = Wire::pipe(&self.service);
        let (query, token) = (self.query.as_str(), self.token.as_str());
        wire.send(Ask { method, query, token, headers, body }).await;
        wire
    }

    pub(crate) async fn ask(&self, method: &str, headers: &str, body: &[u8]) -> WireResponse {
        self.send(method, headers, body).await.answer().await
    }

    /// Posts a message.
    pub(crate) async fn post(&self, message: &str) {
        let posted = self.ask("POST", "", format!("{message}\x1e").as_bytes()).await;
        assert_eq!(posted.plain(), (200, "text/plain", ""));
    }

    pub(crate) async fn poll(&self) -> WireResponse {
        self.ask("GET", "", b"").await
    }

    /// Opens a WebSocket. The test sends the handshake.
    pub(crate) async fn web_socket(&self) -> Wire {
        let mut wire = self.send("GET", UPGRADE, b"").await;
        assert_eq!(wire.head().await.status, 101);
        wire
    }
}
