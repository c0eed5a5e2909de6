//! REST calls with any path, headers and body, without a socket and over one.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderName, Request, header};
use http_body_util::Full;
use hub_local::ServeError;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::support::{Fixture, RestResponse, URL, signed, unix_now};

/// A token for the resource of this path, without the query.
pub(crate) fn rest_token(path: &str) -> String {
    let resource = path.split('?').next().unwrap();
    signed(&json!({ "aud": format!("{URL}{resource}"), "exp": unix_now() + 3600 }))
}

/// Calls any path with a valid token and these headers.
pub(crate) async fn call(
    fixture: &Fixture,
    method: &str,
    path: &str,
    headers: &[(HeaderName, &str)],
    body: &[u8],
) -> RestResponse {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {}", rest_token(path)));
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let body = Full::new(Bytes::copy_from_slice(body));
    fixture.request(request.body(body).unwrap()).await
}

/// Calls a path with a valid token and a JSON body.
pub(crate) async fn post(fixture: &Fixture, path: &str, body: &str) -> RestResponse {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    call(fixture, "POST", path, &headers, body.as_bytes()).await
}

/// A service that listens on a socket.
pub(crate) struct Server {
    address: SocketAddr,
    serving: JoinHandle<Result<(), ServeError>>,
}

impl Server {
    pub(crate) async fn start(fixture: &Fixture) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { address, serving: tokio::spawn(fixture.service.serve(listener)) }
    }

    /// Sends a request with a valid token and a JSON body. Returns the bytes of the response without the
    /// `date` header.
    pub(crate) async fn send(&self, method: &str, path: &str, body: &str) -> String {
        let token = rest_token(path);
        let length = body.len();
        self.exchange(&format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:8888\r\nConnection: close\r\n\
             Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ))
        .await
    }

    pub(crate) async fn exchange(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let lines = answer.split_inclusive("\r\n");
        lines.filter(|line| !line.starts_with("date: ")).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
