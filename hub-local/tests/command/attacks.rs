//! Attacks on the process: memory and file descriptors.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    app::{App, Response},
    client::{self, Client, token},
    process::{KEY, Running, with_timeout},
};

/// A raw WebSocket after the SignalR handshake.
pub(crate) async fn web_socket(port: u16, protocol: &str) -> TcpStream {
    opened(port, "", &format!("{{\"protocol\":\"{protocol}\",\"version\":1}}\u{1e}")).await
}

/// A raw WebSocket of a connection that its client may resume.
pub(crate) async fn resumable(port: u16) -> TcpStream {
    let token = negotiated(port, "&useStatefulReconnect=true").await;
    opened(port, &format!("&id={token}"), "{\"protocol\":\"json\",\"version\":2}\u{1e}").await
}

async fn opened(port: u16, query: &str, handshake: &str) -> TcpStream {
    let token = token(KEY, port, "chat", "mallory");
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let head = format!(
        "GET /client/?hub=chat&access_token={token}{query} HTTP/1.1\r\nhost: localhost\r\n\
         connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    until(&mut socket, b"\r\n\r\n").await;
    socket.write_all(&frame(0x81, handshake.as_bytes())).await.unwrap();
    until(&mut socket, b"{}\x1e").await;
    socket
}

/// Negotiates and returns the connection token.
pub(crate) async fn negotiated(port: u16, query: &str) -> String {
    let bearer = token(KEY, port, "chat", "mallory");
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!(
        "POST /client/negotiate?hub=chat&negotiateVersion=1{query} HTTP/1.1\r\nhost: localhost\r\n\
         authorization: Bearer {bearer}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    with_timeout("a response", socket.read_to_string(&mut response)).await.unwrap();
    let (_, body) = response.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["connectionToken"].as_str().unwrap().to_owned()
}

/// A masked frame with mask 0, which leaves the payload unchanged.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_be_bytes();
    let head = match payload.len() {
        0..126 => vec![first, 0x80 | length[7]],
        126..65_536 => [&[first, 0x80 | 126][..], &length[6..]].concat(),
        _ => [&[first, 0x80 | 127][..], &length].concat(),
    };
    [&head[..], &[0; 4], payload].concat()
}

/// Reads until the input ends with `end`.
async fn until(socket: &mut TcpStream, end: &[u8]) {
    with_timeout("a response", async {
        let mut bytes = Vec::new();
        while !bytes.ends_with(end) {
            bytes.push(socket.read_u8().await.unwrap());
        }
    })
    .await;
}

/// Reads until the service closes the socket.
async fn closed(socket: &mut TcpStream) {
    let mut bytes = Vec::new();
    // A reset counts as closed, too.
    let _ = with_timeout("the end of a socket", socket.read_to_end(&mut bytes)).await;
}

#[tokio::test]
async fn nothing_is_allocated_for_a_declared_length() {
    // The limit is below all declared lengths, so allocating one of them would abort the process.
    let service = Running::start_with_limit("ulimit -v 1500000", &[]).await;
    let port = service.port;
    let huge = [0xFF; 4];
    let mut bombs = vec![
        // Declared lengths of a message (2 GiB) and of frames.
        frame(0x82, b"\xFF\xFF\xFF\xFF\x07x"),
        [&b"\x82\xFF\x3F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0"[..], &[0x01; 1000]].concat(),
        b"\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0".to_vec(),
    ];
    for before in
        [&b"\x96\x01\x80\xC0\xDB"[..], b"\x96\x01\x80\xC0\xA1m\xDD", b"\x96\x01\xDF", b"\xDD"]
    {
        let message = [before, &huge].concat();
        let length = u8::try_from(message.len()).unwrap();
        bombs.push(frame(0x82, &[&[length], &message[..]].concat()));
    }
    for bomb in bombs {
        let mut socket = web_socket(port, "messagepack").await;
        socket.write_all(&bomb).await.unwrap();
        socket.shutdown().await.unwrap();
        closed(&mut socket).await;
    }
    for framing in [
        "content-length: 9223372036854775807\r\n\r\nx",
        "transfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFF\r\nx",
    ] {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let token = token(KEY, port, "chat", "mallory");
        let head = format!(
            "POST /client/?hub=chat&id=x HTTP/1.1\r\nhost: localhost\r\n\
             authorization: Bearer {token}\r\n{framing}"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.shutdown().await.unwrap();
        closed(&mut socket).await;
    }

    assert_eq!(client::status(port, "GET", "/api/health").await, 200);
    Client::connect(port, "chat").await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn queued_calls_use_no_more_memory_than_is_counted() {
    const MIB: usize = 1024 * 1024;
    let app =
        App::start(|request| (request.event() == "connected").then(|| Response::new(200, "")))
            .await;
    let service = Running::start(&["--upstream", &app.url]).await;
    let mut socket = web_socket(service.port, "json").await;
    // The app never responds to the first call, so the other calls stay queued.
    socket
        .write_all(&frame(0x81, b"{\"type\":1,\"target\":\"m\",\"arguments\":[]}\x1e"))
        .await
        .unwrap();
    app.called("m").await;
    let before = service.resident();

    // Each write is a big message followed by a small call, so that both share one read buffer.
    let padding = " ".repeat(MIB - 1000);
    let pair = format!(
        "{{\"type\":6{padding}}}\u{1e}{{\"type\":1,\"target\":\"m\",\"arguments\":[]}}\u{1e}"
    );
    for _ in 0..40 {
        socket.write_all(&frame(0x81, pair.as_bytes())).await.unwrap();
    }
    // The service rejects this call immediately. Its error shows that all earlier bytes were read.
    let stream = b"{\"type\":4,\"invocationId\":\"7\",\"target\":\"m\",\"arguments\":[]}\x1e";
    socket.write_all(&frame(0x81, stream)).await.unwrap();
    until(&mut socket, b"to the caller\"}\x1e").await;

    let grown = service.resident().saturating_sub(before);
    assert!(grown < 16 * MIB, "{grown} bytes for 40 calls of 50 bytes");
}

#[tokio::test]
async fn silent_sockets_do_not_use_up_the_file_descriptors() {
    // The timeout is long, so that no socket is closed because of it.
    let service = Running::start_with_limit("ulimit -n 96", &["--request-head", "1h"]).await;
    let mut silent = Vec::new();

    for number in 0..200 {
        let mut socket = TcpStream::connect(("127.0.0.1", service.port)).await.unwrap();
        socket.write_all(b"GET /client/?hub=chat HTTP/1.1\r\n").await.unwrap();
        silent.push(socket);
        if number % 100 == 99 {
            // Closed sockets release their descriptors with a short delay.
            let served = async {
                while Client::try_connect(service.port, "chat", KEY).await.is_err() {
                    tokio::task::yield_now().await;
                }
            };
            with_timeout("room for a good client", served).await;
        }
    }

    closed(&mut silent[0]).await;
    service.log.line("too many sockets send no request").await;
}

#[tokio::test]
async fn the_limits_of_the_command_line_hold() {
    let service = Running::start(&["--request-head", "200ms", "--silent-sockets", "3"]).await;
    let mut sockets = Vec::new();
    for _ in 0..4 {
        sockets.push(TcpStream::connect(("127.0.0.1", service.port)).await.unwrap());
    }

    for socket in &mut sockets {
        closed(socket).await;
    }

    for wrong in [["--groups", "0"], ["--memberships", "x"], ["--request-body", "0"]] {
        let (code, _, error) = crate::process::output(&["start", wrong[0], wrong[1]]).await;
        assert_eq!(code, 2, "{error}");
        assert!(error.contains(wrong[0]), "{error}");
    }
}
