//! Peers of the app's own server that violate the rules of HTTP or exceed time limits.

use std::time::Duration;

use hub_runtime::prelude::*;
use test_support::serve;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::support::{SIGNATURE, builder_at};

struct Loop;

#[serverless_hub]
impl Loop {
    async fn nothing(&self) {}
}

const BODY: &str = r#"{"type":1,"invocationId":"7","target":"nothing","arguments":[]}"#;

struct ServedApp {
    address: std::net::SocketAddr,
    _serving: JoinSet<()>,
}

impl ServedApp {
    async fn start() -> Self {
        let app = builder_at("http://127.0.0.1:1", Loop).max_body(1000).build().unwrap();
        let (address, serving) = serve(&app).await;
        Self { address, _serving: serving }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Checks that the server still responds to a genuine call.
    async fn lives(&self) {
        let mut peer = self.connect().await;
        let request = format!("{}Content-Length: {}\r\n\r\n{BODY}", genuine_head(), BODY.len());
        peer.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(status(&mut peer).await, 200);
    }
}

/// The request line and headers of a genuine call, without `Content-Length` and the final empty line.
fn genuine_head() -> String {
    format!(
        "POST /runtime/webhooks/signalr HTTP/1.1\r\nHost: x\r\nX-ASRS-Connection-Id: conn-0001\r\nX-ASRS-Hub: loop\r\nX-ASRS-Category: messages\r\nX-ASRS-Event: nothing\r\nX-ASRS-Signature: {SIGNATURE}\r\nContent-Type: application/json\r\n"
    )
}

/// The status of the next response, or 0 if the connection ends without a response.
async fn status(peer: &mut TcpStream) -> u16 {
    let mut head = Vec::new();
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let mut bytes = [0; 1024];
        match peer.read(&mut bytes).await {
            Ok(0) | Err(_) => return 0,
            Ok(read) => head.extend_from_slice(&bytes[..read]),
        }
    }
    String::from_utf8_lossy(&head)[9..12].parse().unwrap()
}

/// Waits until the connection ends and returns the time since `begun`.
async fn ends(peer: &mut TcpStream, begun: Instant) -> Duration {
    let mut rest = Vec::new();
    // A reset also ends the connection.
    let _ = timeout(Duration::from_secs(600), peer.read_to_end(&mut rest)).await.unwrap();
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_request_is_closed_after_ten_seconds() {
    let server = ServedApp::start().await;
    let begun = Instant::now();
    let mut silent = server.connect().await;

    let after = ends(&mut silent, begun).await;

    assert!((10..12).contains(&after.as_secs()), "{after:?}");
    server.lives().await;
}

#[tokio::test(start_paused = true)]
async fn slow_headers_time_out_after_ten_seconds() {
    let server = ServedApp::start().await;
    let begun = Instant::now();
    let (mut reading, mut writing) = server.connect().await.into_split();
    let drip = async {
        for byte in genuine_head().bytes() {
            if writing.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let end = async {
        let mut rest = Vec::new();
        let _ = reading.read_to_end(&mut rest).await;
        begun.elapsed()
    };

    let after = tokio::select! {
        () = drip => panic!("all of it was taken"),
        after = end => after,
    };

    assert!(after < Duration::from_secs(15), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_its_timeout() {
    let server = ServedApp::start().await;
    let mut peer = server.connect().await;
    let request = format!("{}Content-Length: {}\r\n\r\n{BODY}", genuine_head(), BODY.len());
    peer.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(status(&mut peer).await, 200);
    let begun = Instant::now();

    let after = ends(&mut peer, begun).await;

    assert!((74..78).contains(&after.as_secs()), "{after:?}");
}

#[tokio::test]
async fn heads_that_are_too_long_or_have_too_many_headers_are_431() {
    let server = ServedApp::start().await;
    let many = (0..200).map(|number| format!("X-{number}: x\r\n")).collect::<String>() + "\r\n";
    let mut peer = server.connect().await;
    peer.write_all((genuine_head() + &many).as_bytes()).await.unwrap();
    assert_eq!(status(&mut peer).await, 431);
    let long = format!("X-Long: {}\r\n\r\n", "x".repeat(300_000));
    let mut peer = server.connect().await;
    // The server may respond before the client has written the whole request. A reset of the
    // connection can discard the response.
    let _ = peer.write_all((genuine_head() + &long).as_bytes()).await;
    assert!([0, 431].contains(&status(&mut peer).await));
    let mut long_path = server.connect().await;
    let request = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(300_000));
    let _ = long_path.write_all(request.as_bytes()).await;
    assert!([0, 414, 431].contains(&status(&mut long_path).await));
    server.lives().await;
}

#[tokio::test]
async fn input_that_is_not_http_ends_only_its_connection() {
    let server = ServedApp::start().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHo st: x\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ] {
        let mut peer = server.connect().await;
        peer.write_all(bytes).await.unwrap();
        peer.shutdown().await.unwrap();
        assert!([0, 400, 404, 405, 431, 505].contains(&status(&mut peer).await), "{bytes:x?}");
    }
    server.lives().await;
}

#[tokio::test]
async fn an_endless_chunked_body_is_413_at_the_limit() {
    let server = ServedApp::start().await;
    let mut peer = server.connect().await;
    let head = genuine_head() + "Transfer-Encoding: chunked\r\n\r\n";
    peer.write_all(head.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = peer.split();
    let endless = async {
        loop {
            if writing.write_all(b"10\r\n0123456789abcdef\r\n").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let mut answered = [0; 12];

    tokio::select! {
        () = endless => {}
        read = reading.read_exact(&mut answered) => drop(read.unwrap()),
    }

    assert_eq!(&answered, b"HTTP/1.1 413");
    server.lives().await;
}

#[tokio::test(start_paused = true)]
async fn a_missing_body_is_408_after_thirty_seconds() {
    let server = ServedApp::start().await;
    let mut peer = server.connect().await;
    let begun = Instant::now();
    let head = genuine_head() + "Content-Length: 100\r\n\r\n{";
    peer.write_all(head.as_bytes()).await.unwrap();

    assert_eq!(status(&mut peer).await, 408);

    assert!((30..32).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    server.lives().await;
}

#[tokio::test]
async fn a_truncated_body_runs_no_method() {
    let server = ServedApp::start().await;
    let mut peer = server.connect().await;
    let head = genuine_head() + "Content-Length: 100\r\n\r\n{\"type\"";
    peer.write_all(head.as_bytes()).await.unwrap();

    peer.shutdown().await.unwrap();

    assert!([0, 400].contains(&status(&mut peer).await));
    server.lives().await;
}
