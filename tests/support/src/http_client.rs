//! HTTP/1.1 requests, each on a new connection.

use std::{io, str::FromStr as _};

use http::{HeaderMap, HeaderName};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, ToSocketAddrs},
};

use crate::within;

/// A response.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The reason phrase after the status code.
    pub reason: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The bytes after the headers, without decoding.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let mut status = lines.next()?.splitn(3, ' ').skip(1);
        let headers = lines.filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            Some((HeaderName::from_str(name).ok()?, value.parse().ok()?))
        });
        Some(Self {
            status: status.next()?.parse().ok()?,
            reason: status.next().unwrap_or_default().to_owned(),
            headers: headers.collect(),
            body: bytes[end + 4..].to_vec(),
        })
    }
}

/// Writes these bytes to a new connection, and reads until the peer closes it.
///
/// # Errors
/// Returns an error if the connection is refused or broken.
pub async fn exchange(address: impl ToSocketAddrs, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let mut response = Vec::new();
    within("a response", stream.read_to_end(&mut response)).await?;
    Ok(response)
}

/// Writes the bytes of a request to a new connection, and returns the response.
pub async fn send_bytes(address: impl ToSocketAddrs, request: &[u8]) -> HttpResponse {
    let response = exchange(address, request).await.expect("a connection");
    HttpResponse::parse(&response).expect("a response")
}

/// Sends a request. Returns `None` if no process listens on the address.
pub async fn try_send(
    address: impl ToSocketAddrs,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<HttpResponse> {
    let mut request = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("Connection: close\r\nContent-Length: {}\r\n\r\n", body.len()));
    let request = [request.as_bytes(), body].concat();
    HttpResponse::parse(&exchange(address, &request).await.ok()?)
}

/// Sends a request and returns the response.
pub async fn send(
    address: impl ToSocketAddrs,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> HttpResponse {
    try_send(address, method, target, headers, body).await.expect("a response")
}
