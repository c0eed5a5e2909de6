//! REST requests with the bytes of a recording, over a new socket each.

use std::net::SocketAddr;

use hub_core::Secret;
use serde_json::Value;
use test_support::http_client::{self, HttpResponse};

/// A request without its connection headers.
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    /// The target of the request line. Each character is one byte (ISO 8859-1), because some recorded
    /// targets are not UTF-8.
    pub(super) target: &'a str,
    pub(super) headers: Vec<(&'a str, &'a str)>,
    pub(super) body: &'a [u8],
    pub(super) is_chunked: bool,
}

impl Request<'_> {
    /// The bytes of the target.
    pub(super) fn bytes_of(target: &str) -> Vec<u8> {
        target.chars().map(|it| u8::try_from(it).unwrap()).collect()
    }

    /// Sends the request with a token of these claims.
    pub(super) async fn send(
        &self,
        address: SocketAddr,
        key: &str,
        claims: &Value,
    ) -> HttpResponse {
        let token = hub_core::token::sign(claims, &Secret::from(key)).unwrap();
        let target = Self::bytes_of(self.target);
        let mut head = format!(
            " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n"
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let (length, end) = if self.is_chunked {
            let size = if self.body.is_empty() { String::new() } else { self.chunk_size() };
            (format!("Transfer-Encoding: chunked\r\n\r\n{size}"), "\r\n0\r\n\r\n")
        } else {
            (format!("Content-Length: {}\r\n\r\n", self.body.len()), "")
        };
        let (method, head) = (format!("{} ", self.method), format!("{head}{length}"));
        let parts: [&[u8]; 5] =
            [method.as_bytes(), &target, head.as_bytes(), self.body, end.as_bytes()];
        http_client::send_bytes(address, &parts.concat()).await
    }

    fn chunk_size(&self) -> String {
        format!("{:x}\r\n", self.body.len())
    }
}
