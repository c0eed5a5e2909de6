//! Pages and hosts at the command: the defaults, and the arguments of the container image.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    client::{Client, token},
    process::{KEY, Running, output, with_timeout},
};

/// The response to a WebSocket request with the well-known key, which any page can make tokens with.
async fn open(port: u16, host: &str, origin: Option<&str>) -> String {
    let token = token(KEY, port, "chat", "ada");
    let origin = origin.map(|origin| format!("origin: {origin}\r\n")).unwrap_or_default();
    let head = format!(
        "GET /client/?hub=chat&access_token={token} HTTP/1.1\r\nhost: {host}\r\n{origin}\
         connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 2048];
    let length = with_timeout("a response", socket.read(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

async fn opens(port: u16, host: &str, origin: Option<&str>) {
    let answer = open(port, host, origin).await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{host} {origin:?}: {answer}");
}

async fn is_refused(port: u16, host: &str, origin: Option<&str>, setting: &str) {
    let answer = open(port, host, origin).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{host} {origin:?}: {answer}");
    assert!(answer.contains(setting), "{answer}");
}

#[tokio::test]
async fn a_foreign_page_cannot_use_the_well_known_key_and_the_log_names_the_setting() {
    let service = Running::start(&[]).await;
    let port = service.port;

    is_refused(
        port,
        "127.0.0.1",
        Some("https://evil.example"),
        "--allow-origin https://evil.example",
    )
    .await;
    is_refused(port, "localhost", Some("null"), "--allow-origin").await;
    is_refused(port, "evil.example", Some("http://evil.example"), "--allow-host evil.example")
        .await;
    is_refused(port, "evil.example", None, "--allow-host evil.example").await;

    let line = service.log.line("a request was refused").await;
    assert!(
        line.contains("WARN") && line.contains("--allow-origin https://evil.example"),
        "{line}"
    );
    assert_eq!(service.log.text().matches("a request was refused").count(), 1);
    // Native clients, two tabs of a page, a page on another port, and a page behind nginx on this machine.
    Client::connect(port, "chat").await;
    for origin in ["http://127.0.0.1:7071", "http://127.0.0.1:7071", "http://localhost:5173"] {
        opens(port, &format!("localhost:{port}"), Some(origin)).await;
    }
}

#[tokio::test]
async fn the_image_serves_compose_the_published_port_and_containers_and_no_foreign_page() {
    // The arguments of the Dockerfile.
    let service = Running::start(&["--ip", "0.0.0.0", "--public"]).await;
    let port = service.port;

    for (host, origin) in [
        ("signalr:8888", None),
        ("host.docker.internal:8888", None),
        ("localhost:8888", None),
        ("localhost:8888", Some("http://localhost:7071")),
        ("192.168.0.7:8888", Some("http://192.168.0.7:8080")),
    ] {
        opens(port, host, origin).await;
    }
    is_refused(port, "localhost:8888", Some("https://evil.example"), "--allow-origin").await;
    is_refused(port, "evil.example:8888", None, "--allow-host").await;
}

#[tokio::test]
async fn the_options_allow_pages_and_hosts() {
    let service = Running::start(&[
        "--allow-origin",
        "https://app.example",
        "--allow-host",
        "live.example,*.tunnel.example",
    ])
    .await;
    let port = service.port;

    opens(port, "localhost", Some("https://app.example")).await;
    opens(port, "live.example", Some("https://live.example")).await;
    opens(port, "a.tunnel.example", Some("https://app.example")).await;
    is_refused(port, "live.example", Some("https://evil.example"), "--allow-origin").await;

    for (option, value) in
        [("--allow-origin", "*"), ("--allow-origin", "app"), ("--allow-host", "a:80")]
    {
        let (code, _, errors) = output(&["start", option, value]).await;
        assert!(code == 2 && errors.contains(option), "{errors}");
    }
}

#[tokio::test]
async fn with_a_key_of_its_own_pages_of_every_origin_connect() {
    let service = Running::start(&["--key", "0123456789abcdef0123456789abcdef"]).await;
    let answer = open(service.port, "localhost", Some("https://page.example")).await;

    // The token is of the well-known key, so it is the token that is refused.
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}
