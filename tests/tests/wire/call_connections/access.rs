//! Who may open a connection for calls, and that each call on it is verified.

use http::StatusCode;
use test_support::{SIGNATURE, http_client::send_bytes};

use super::*;

const UPGRADE: &str = "connection: Upgrade\r\nupgrade: hub-calls\r\n";

async fn served() -> (SocketAddr, HubApp, JoinSet<()>) {
    let text = format!("Endpoint=http://127.0.0.1:1;AccessKey={KEY};Version=1.0;");
    let signalr = SignalR::from_connection_string(&text).unwrap().accept_unsealed_tokens();
    let app = HubApp::builder().signalr(signalr).hub(Meet(Meeting::of(1))).build().unwrap();
    let (address, serving) = serve(&app).await;
    (address, app, serving)
}

fn call_headers(request_id: bool) -> Vec<(&'static str, &'static str)> {
    let mut headers = vec![
        ("x-asrs-connection-id", "conn-0001"),
        ("x-asrs-signature", SIGNATURE),
        ("x-asrs-hub", "meet"),
        ("x-asrs-category", "messages"),
        ("x-asrs-event", "length"),
        ("content-type", "application/json"),
    ];
    if request_id {
        headers.push(("x-hub-request-id", "7"));
    }
    headers
}

/// The head of the response to a call on a connection that is kept, in lower case.
async fn kept(address: SocketAddr, headers: &[(&str, &str)]) -> String {
    let mut request =
        format!("POST {PATH} HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n", BODY.len());
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[request.as_bytes(), BODY].concat()).await.unwrap();
    head(&mut stream).await
}

/// Reads the head of a response. Returns it in lower case.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within("the response", stream.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

const BODY: &[u8] = br#"{"type":1,"invocationId":"1","target":"length","arguments":["four"]}"#;

#[tokio::test]
async fn the_app_offers_connections_for_calls_to_the_local_service_only() {
    let (address, app, _serving) = served().await;

    let offered = kept(address, &call_headers(true)).await;
    assert!(offered.starts_with("http/1.1 200 ok\r\n"), "{offered}");
    assert!(offered.contains("\r\nupgrade: hub-calls\r\n"), "{offered}");
    assert!(offered.contains("\r\nconnection: upgrade\r\n"), "{offered}");

    // Azure SignalR Service sends no request id.
    let azure = kept(address, &call_headers(false)).await;
    assert!(azure.starts_with("http/1.1 200 ok\r\n"), "{azure}");
    assert!(!azure.contains("upgrade"), "{azure}");
    let mut forged = call_headers(true);
    forged[0].1 = "conn-0002";
    let refused = kept(address, &forged).await;
    assert!(refused.starts_with("http/1.1 401 "), "{refused}");
    assert!(!refused.contains("upgrade"), "{refused}");
    let health = b"GET /health HTTP/1.1\r\nhost: a\r\nx-hub-request-id: 7\r\n\r\n";
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(health).await.unwrap();
    let healthy = head(&mut stream).await;
    assert!(healthy.starts_with("http/1.1 200 ok\r\n"), "{healthy}");
    assert!(!healthy.contains("upgrade"), "{healthy}");
    // Another server may serve this service.
    let mut request = Request::post(PATH);
    for (name, value) in call_headers(true) {
        request = request.header(name, value);
    }
    let nested = answer(&app, request.body(Full::<bytes::Bytes>::from(BODY)).unwrap()).await;
    assert_eq!((nested.status, nested.headers.get("upgrade")), (StatusCode::OK, None));
}

#[tokio::test]
async fn only_a_request_that_is_signed_with_the_access_key_opens_a_connection_for_calls() {
    let (address, _app, _serving) = served().await;
    let ask = |path: &str, id: &str, signature: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nhost: a\r\n{UPGRADE}x-asrs-connection-id: {id}\r\nx-asrs-signature: {signature}\r\n\r\n"
        )
    };

    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(ask(PATH, "conn-0001", SIGNATURE).as_bytes()).await.unwrap();
    let head = head(&mut stream).await;
    assert!(head.starts_with("http/1.1 101 switching protocols\r\n"), "{head}");
    assert!(head.contains("upgrade: hub-calls\r\n"), "{head}");
    assert!(head.contains("connection: upgrade\r\n"), "{head}");
    // A ping, and its pong.
    stream.write_all(b"\x00\x00\x00\x05\x07\x00\x00\x00\x00").await.unwrap();
    let mut pong = [0; 9];
    within("the pong", stream.read_exact(&mut pong)).await.unwrap();
    assert_eq!(&pong, b"\x00\x00\x00\x05\x08\x00\x00\x00\x00");

    for (id, signature) in [("conn-0002", SIGNATURE), ("conn-0001", "sha256=00"), ("", SIGNATURE)] {
        let request = ask(PATH, id, signature).replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
        assert_eq!(send_bytes(address, request.as_bytes()).await.status, 401, "{id} {signature}");
    }
    let other = ask("/health", "conn-0001", SIGNATURE);
    let other = other.replace("connection: Upgrade", "connection: Upgrade, close");
    assert_eq!(send_bytes(address, other.as_bytes()).await.status, 200);
}

#[tokio::test]
async fn an_app_has_at_most_sixty_four_connections_for_calls() {
    let (address, _app, _serving) = served().await;
    let ask = format!(
        "GET {PATH} HTTP/1.1\r\nhost: a\r\n{UPGRADE}x-asrs-connection-id: conn-0001\r\nx-asrs-signature: {SIGNATURE}\r\n\r\n"
    );
    let open = async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(ask.as_bytes()).await.unwrap();
        let head = head(&mut stream).await;
        (head, stream)
    };
    let mut connections = Vec::new();
    for _ in 0..64 {
        let (head, stream) = open().await;
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        connections.push(stream);
    }

    let (refused, mut stream) = open().await;
    assert!(refused.starts_with("http/1.1 503 "), "{refused}");
    // Requests are answered.
    let mut rest =
        vec![0; "too many connections for several calls: send each call as a request".len()];
    stream.read_exact(&mut rest).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert!(head(&mut stream).await.starts_with("http/1.1 200 "));

    connections.pop();
    within("another connection", async {
        while !open().await.0.starts_with("http/1.1 101 ") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Each call is verified, also on a connection that was opened with a captured signature.
#[tokio::test]
async fn a_call_with_a_wrong_signature_or_another_target_is_refused_and_does_not_run() {
    let (address, _app, _serving) = served().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let ask = format!(
        "GET {PATH} HTTP/1.1\r\nhost: a\r\n{UPGRADE}x-asrs-connection-id: conn-0001\r\nx-asrs-signature: {SIGNATURE}\r\n\r\n"
    );
    stream.write_all(ask.as_bytes()).await.unwrap();
    head(&mut stream).await;
    let mut lines = String::from("host: a\r\n");
    for (name, value) in call_headers(true) {
        lines.push_str(&format!("{name}: {value}\r\n"));
    }
    let frame = |kind: u8, number: u32, content: &[u8]| {
        let length = u32::try_from(content.len() + 5).unwrap();
        [&length.to_be_bytes()[..], &[kind], &number.to_be_bytes(), content].concat()
    };
    let call = |number: u32, target: &str, lines: &str| {
        let mut content = vec![0, 0, 0, u8::try_from(target.len()).unwrap()];
        content.extend_from_slice(&u16::try_from(lines.len()).unwrap().to_be_bytes());
        content.extend_from_slice(&[target.as_bytes(), lines.as_bytes(), BODY].concat());
        frame(2, number, &content)
    };
    for (number, target, own, status) in [
        (0, PATH, "", 200),
        (1, PATH, "x-asrs-connection-id: conn-0002\r\n", 401),
        (2, PATH, "x-asrs-signature: sha256=00\r\n", 401),
        (3, "/meet/negotiate", "", 404),
        (4, "/health", "", 404),
    ] {
        let bytes = [frame(1, 0, lines.as_bytes()), call(number, target, own)].concat();
        stream.write_all(&bytes).await.unwrap();

        let mut start = [0; 11];
        within("a response", stream.read_exact(&mut start)).await.unwrap();
        let length = u32::from_be_bytes([start[0], start[1], start[2], start[3]]) as usize;
        let mut body = vec![0; length - 7];
        stream.read_exact(&mut body).await.unwrap();

        assert_eq!(start[4..9], [3, 0, 0, 0, u8::try_from(number).unwrap()]);
        assert_eq!(u16::from_be_bytes([start[9], start[10]]), status, "{target} {own}");
    }
}
