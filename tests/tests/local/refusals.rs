//! Refusals of requests whose bodies are still being written, over real sockets.

use std::net::SocketAddr;

use test_support::serve_on_loopback;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    support::{App, Fixture, signed, unix_now},
    wire::{EVENTS, Wire},
};

/// How often each refusal is read. Before the rest of a body was read, about one in four was.
const TIMES: usize = 10;

/// Sends a request in chunks to its end, as .NET's `HttpClient` does, and only then reads the response.
async fn refusal(address: SocketAddr, head: &str, size: usize) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("{head}\r\nhost: {address}\r\ntransfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    for _ in 0..size.div_ceil(0x1000) {
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut response = vec![0; 1024];
    let length = stream.read(&mut response).await.unwrap();
    String::from_utf8(response[..length].to_vec()).unwrap()
}

fn rest_token(path: &str) -> String {
    let aud = format!("http://127.0.0.1:8888{path}");
    signed(&serde_json::json!({ "aud": aud, "exp": unix_now() + 60 }))
}

#[tokio::test]
async fn each_refusal_is_read_by_a_client_that_writes_its_whole_request_first() {
    let fixture = Fixture::new(App::silent());
    let address = serve_on_loopback(&fixture.service).await;
    let path = "/api/hubs/chat/:send";
    let authorized = format!("authorization: Bearer {}", rest_token(path));
    let json = "content-type: application/json";
    for (size, head, status, text) in [
        (20_000, format!("POST {path} HTTP/1.1"), 401, "a REST call needs `Authorization: Bearer`"),
        (2_000_000, format!("POST {path} HTTP/1.1"), 401, "a REST call needs"),
        (20_000, format!("POST {path} HTTP/1.1\r\n{authorized}"), 415, "application/json"),
        (2_000_000, format!("POST {path} HTTP/1.1\r\n{authorized}\r\n{json}"), 413, "more than"),
        (20_000, "POST /client/negotiate?hub=chat HTTP/1.1".into(), 401, "access token"),
        (2_000_000, "POST /client/negotiate?hub=chat HTTP/1.1".into(), 401, "access token"),
        (20_000, "POST /client/?hub=chat&id=x HTTP/1.1".into(), 401, "access token"),
        (2_000_000, "POST /client/?hub=chat&id=x HTTP/1.1".into(), 401, "access token"),
        (2_000_000, "POST /api/health HTTP/1.1".into(), 405, ""),
        (2_000_000, "POST /nothing HTTP/1.1".into(), 404, "no such resource"),
    ] {
        for _ in 0..TIMES {
            let response = refusal(address, &head, size).await;
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {response}");
            assert!(response.contains(text), "{head}: {response}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_401_has_its_challenge_and_a_405_its_methods() {
    let fixture = Fixture::new(App::silent());
    for (method, path, status, name, value) in [
        ("POST", "/api/hubs/chat/:send", 401, "www-authenticate", "Bearer"),
        ("POST", "/client/negotiate?hub=chat", 401, "www-authenticate", "Bearer"),
        ("GET", "/client/?hub=chat", 401, "www-authenticate", "Bearer"),
        ("POST", "/client/?hub=chat", 401, "www-authenticate", "Bearer"),
        ("GET", "/server/?hub=chat", 401, "www-authenticate", "Bearer"),
        ("GET", "/client/negotiate?hub=chat", 405, "allow", "OPTIONS, POST"),
        ("PUT", "/api/health", 405, "allow", "GET, HEAD"),
    ] {
        let mut wire = Wire::pipe(&fixture.service);
        wire.write(format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await;
        let response = wire.answer().await;
        assert_eq!((response.status, response.header(name)), (status, Some(value)), "{path}");
    }
    let client = crate::wire::Negotiated::new(&fixture).await;
    let patched = client.ask("PATCH", "", b"").await;
    assert_eq!(patched.header("allow"), Some("DELETE, GET, OPTIONS, POST"));
    let _wire = client.web_socket().await;
    let posted = client.ask("POST", "", b"x").await;
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, OPTIONS")));
    let old = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 8\r\n";
    let upgrade = client.ask("GET", old, b"").await;
    assert_eq!((upgrade.status, upgrade.header("upgrade")), (426, Some("websocket")));
    assert_eq!(client.ask("GET", EVENTS, b"").await.header("allow"), None);
}
