//! The service over real sockets.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use hub_local::{HttpUpstream, LocalService};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest as _,
        protocol::frame::{
            CloseFrame, Frame,
            coding::{CloseCode, Data, OpCode},
        },
    },
};

use test_support::logged;
use tracing_subscriber::filter::LevelFilter;

use crate::{
    support::{App, Fixture, KEY, answer, client_token, message},
    wire::Negotiated,
};

/// Starts a service that listens on a socket.
async fn served(app: App) -> (Fixture, SocketAddr) {
    let fixture = Fixture::new(app);
    let address = test_support::serve_on_loopback(&fixture.service).await;
    (fixture, address)
}

async fn open(
    address: SocketAddr,
    query: &str,
    token: Option<&str>,
) -> Result<WebSocketStream<TcpStream>, Error> {
    let mut request = format!("ws://{address}/client/?{query}").into_client_request().unwrap();
    if let Some(token) = token {
        let value = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
    }
    let stream = TcpStream::connect(address).await.unwrap();
    client_async(request, stream).await.map(|(socket, _)| socket)
}

async fn connected(address: SocketAddr) -> WebSocketStream<TcpStream> {
    let mut socket = open(address, "hub=chat", Some(&client_token("ada"))).await.unwrap();
    socket.send(Message::text("{\"protocol\":\"json\",\"version\":1}\x1e")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("{}\x1e"));
    socket
}

fn status(result: Result<WebSocketStream<TcpStream>, Error>) -> u16 {
    match result.unwrap_err() {
        Error::Http(response) => response.status().as_u16(),
        other => panic!("{other}"),
    }
}

/// A client that neither answers nor closes, as RFC 6455 §7.1.7 expects after a violation.
#[tokio::test]
async fn after_a_violation_the_service_closes_its_side_at_once() {
    let (fixture, address) = served(App::silent()).await;
    let socket = connected(address).await;
    let mut stream = socket.into_inner();
    let begun = std::time::Instant::now();

    // A client's frames are masked.
    stream.write_all(b"\x81\x02{}").await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();

    assert_eq!(heard, b"\x88\x02\x03\xea");
    assert!(begun.elapsed().as_secs() < 4, "the service waits for no close frame");
    assert!(fixture.app.called("disconnected").await.json()["Error"].is_string());
}

async fn next(socket: &mut WebSocketStream<TcpStream>) -> Message {
    socket.next().await.unwrap().unwrap()
}

/// Reads until the peer closes the TCP connection.
async fn rest_of(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn json_uses_text_frames_in_both_directions() {
    let (fixture, address) = served(App::silent()).await;
    let mut socket = connected(address).await;
    fixture.app.called("connected").await;

    fixture.send(":send", "x").await;
    assert_eq!(next(&mut socket).await, Message::text(message("x")));
    socket
        .send(Message::text(
            "{\"type\":1,\"invocationId\":\"1\",\"target\":\"m\",\"arguments\":[]}\x1e",
        ))
        .await
        .unwrap();

    let void = "{\"type\":3,\"invocationId\":\"1\"}\x1e";
    assert_eq!(next(&mut socket).await, Message::text(void));
}

#[tokio::test]
async fn frame_types_and_boundaries_do_not_matter() {
    let (fixture, address) = served(App::silent()).await;
    let mut socket = connected(address).await;
    let call =
        |target: &str| format!("{{\"type\":1,\"target\":\"{target}\",\"arguments\":[]}}\x1e");
    let (joined, split) = (call("a") + &call("b"), call("c"));
    let (head, tail) = split.split_at(10);

    socket.send(Message::binary(joined)).await.unwrap();
    let part = |text: &str, code, last| {
        Message::Frame(Frame::message(text.to_owned(), OpCode::Data(code), last))
    };
    socket.send(part(head, Data::Text, false)).await.unwrap();
    socket.send(Message::Ping("hi".into())).await.unwrap();
    socket.send(part(tail, Data::Continue, true)).await.unwrap();
    let (head, tail) = ("{\"type\":1,\"target\":\"d\"", ",\"arguments\":[]}\x1e");
    socket.send(Message::text(head)).await.unwrap();
    socket.send(Message::binary(tail)).await.unwrap();

    fixture.app.called("d").await;
    assert_eq!(fixture.app.events(), ["connected", "a", "b", "c", "d"]);
    assert_eq!(next(&mut socket).await, Message::Pong("hi".into()));
}

#[tokio::test]
async fn a_close_frame_and_the_end_of_the_socket_follow_a_hub_close() {
    let (fixture, address) = served(App::silent()).await;
    let mut socket = connected(address).await;
    fixture.app.called("connected").await;
    let id = fixture.last_id();

    let below = format!("connections/{id}?reason=bye");
    assert_eq!(fixture.status(http::Method::DELETE, &below).await, 200);

    let close = "{\"type\":7,\"error\":\"bye\"}\x1e";
    assert_eq!(next(&mut socket).await, Message::text(close));
    let normal = CloseFrame { code: CloseCode::Normal, reason: "bye".into() };
    assert_eq!(next(&mut socket).await, Message::Close(Some(normal)));
    assert!(socket.next().await.is_none());
    assert_eq!(rest_of(socket.into_inner()).await, b"");
}

#[tokio::test]
async fn the_socket_ends_after_a_refused_handshake() {
    let (_, address) = served(App::silent()).await;
    let mut socket = open(address, "hub=chat", Some(&client_token("ada"))).await.unwrap();

    socket.send(Message::text("{\"protocol\":\"xml\",\"version\":1}\x1e")).await.unwrap();

    let refusal = "{\"error\":\"The protocol 'xml' is not supported.\"}\x1e";
    assert_eq!(next(&mut socket).await, Message::text(refusal));
    let reason = "The protocol 'xml' is not supported.".into();
    let normal = CloseFrame { code: CloseCode::Normal, reason };
    assert_eq!(next(&mut socket).await, Message::Close(Some(normal)));
    assert!(socket.next().await.is_none());
}

#[tokio::test]
async fn a_long_reason_is_cut_in_the_close_frame_and_whole_in_the_close_message() {
    let (fixture, address) = served(App::silent()).await;
    let mut socket = connected(address).await;
    fixture.app.called("connected").await;
    let text = format!("{}ö", "x".repeat(122));
    let reason = hub_core::names::encode_segment(&text).into_owned();

    let below = format!("connections/{}?reason={reason}", fixture.last_id());
    assert_eq!(fixture.status(http::Method::DELETE, &below).await, 200);

    let close = format!("{{\"type\":7,\"error\":\"{text}\"}}\x1e");
    assert_eq!(next(&mut socket).await, Message::text(close));
    let normal = CloseFrame { code: CloseCode::Normal, reason: "x".repeat(122).into() };
    assert_eq!(next(&mut socket).await, Message::Close(Some(normal)));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_without_its_upgrade_headers_names_the_lines_of_the_proxy_and_is_logged() {
    let fixture = Fixture::new(App::silent());
    let client = Negotiated::new(&fixture).await;
    let key = "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    let log = logged(LevelFilter::WARN, async {
        for kept in
            ["", "connection: upgrade\r\n", "upgrade: websocket\r\n", "connection: close\r\n"]
        {
            let refused = client.ask("GET", &format!("{kept}{key}"), b"").await;
            assert_eq!(refused.status, 400, "{kept}");
            for line in
                ["proxy_http_version 1.1", "Upgrade $http_upgrade", "Connection \"upgrade\""]
            {
                assert!(refused.body.contains(line), "{}", refused.body);
            }
        }
        for _ in 0..1000 {
            assert_eq!(client.ask("GET", key, b"").await.status, 400);
        }
    });

    let log = log.await;
    assert!(log.contains("passes on both"), "{log}");
    assert!(log.matches("client refused").count() <= 20, "{log}");
    assert!(fixture.app.events().is_empty(), "no poll has opened the connection");
    client.web_socket().await;
}

#[tokio::test]
async fn a_close_frame_of_the_client_is_answered_and_is_a_normal_close() {
    let (fixture, address) = served(App::silent()).await;
    let mut socket = connected(address).await;

    socket.close(None).await.unwrap();

    let normal = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    assert_eq!(next(&mut socket).await, Message::Close(Some(normal)));
    assert_eq!(fixture.app.called("disconnected").await.body, "{\"Type\":11}");
}

#[tokio::test]
async fn a_socket_without_a_close_frame_is_reported_as_lost() {
    let (fixture, address) = served(App::silent()).await;

    drop(connected(address).await);

    let body = fixture.app.called("disconnected").await.json();
    assert!(body["Error"].as_str().unwrap().contains("lost"));
}

#[tokio::test]
async fn unmasked_frames_end_the_connection() {
    let (fixture, address) = served(App::silent()).await;
    let mut stream = connected(address).await.into_inner();

    stream.write_all(b"\x81\x0b{\"type\":6}\x1e").await.unwrap();

    fixture.app.called("disconnected").await;
    assert!(rest_of(stream).await.ends_with(b"\x88\x02\x03\xea"));
}

#[tokio::test]
async fn the_token_header_takes_precedence_over_the_query() {
    let (_, address) = served(App::silent()).await;
    let good = client_token("ada");
    let query = format!("hub=chat&access_token={good}");

    assert!(open(address, &query, None).await.is_ok());
    assert_eq!(status(open(address, &query, Some("bad")).await), 401);
    assert_eq!(status(open(address, "hub=chat", None).await), 401);
    assert_eq!(status(open(address, "hub=other", Some(&good)).await), 401);
    assert_eq!(status(open(address, "hub=chat&id=unknown", Some(&good)).await), 404);
}

#[tokio::test]
async fn large_messages_work_in_both_directions() {
    let app = App::new(|call| async move {
        if call.event != "echo" {
            return answer(200, "");
        }
        call.completion(&call.json()["arguments"][0])
    });
    let (_, address) = served(app).await;
    let mut socket = connected(address).await;
    let text = "ü".repeat(300_000);

    let call = serde_json::json!({ "type": 1, "invocationId": "1", "target": "echo", "arguments": [text] });
    socket.send(Message::text(format!("{call}\x1e"))).await.unwrap();

    let answer = next(&mut socket).await.into_text().unwrap();
    assert!(answer.contains(&text));
}

#[tokio::test]
async fn two_thousand_messages_arrive_once_each_and_in_order() {
    let (fixture, address) = served(App::silent()).await;
    let mut socket = connected(address).await;
    fixture.app.called("connected").await;

    for number in 0..2000 {
        fixture.send(":send", &number.to_string()).await;
    }

    for number in 0..2000 {
        assert_eq!(next(&mut socket).await, Message::text(message(&number.to_string())));
    }
}

#[tokio::test]
async fn calls_go_over_http_with_their_headers_and_bytes() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let template = format!("http://{address}/{{hub}}/{{category}}/{{event}}?code=x");
    let upstream = HttpUpstream::new(template).unwrap();
    let service = LocalService::builder().key(KEY).upstream(upstream).build();
    let url = "http://127.0.0.1:8888/client/?hub=chat";
    let connection = service.connect_memory(url, &client_token("Zoë")).unwrap();
    crate::support::Client::in_memory(connection).handshake().await;

    let (mut stream, _) = listener.accept().await.unwrap();
    let mut bytes = vec![0; 4096];
    let mut length = 0;
    while !bytes[..length].ends_with(b"{\"type\":10}") {
        length += stream.read(&mut bytes[length..]).await.unwrap();
    }

    let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
    assert!(text.starts_with("POST /chat/connections/connected?code=x HTTP/1.1\r\n"), "{text}");
    assert!(text.contains("x-asrs-user-id: Zoë\r\n"));
    assert!(text.contains("content-length: 11\r\n"));
}

#[tokio::test]
async fn upgrades_that_are_not_web_sockets_are_refused() {
    let fixture = Fixture::new(App::silent());
    let ask = |version: &str, key: &str| {
        let token = client_token("ada");
        let request = http::Request::get("/client/?hub=chat")
            .header("authorization", format!("Bearer {token}"))
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", version)
            .header("sec-websocket-key", key);
        fixture.request(request.body(http_body_util::Full::default()).unwrap())
    };

    let version = ask("8", "dGhlIHNhbXBsZSBub25jZQ==").await;
    assert_eq!(version.status, 426);
    assert_eq!(version.headers["sec-websocket-version"], "13");
    assert_eq!(ask("13", "short").await.status, 400);
    let good = ask("13", "dGhlIHNhbXBsZSBub25jZQ==").await;
    assert_eq!(good.status, 101);
    assert_eq!(good.headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[tokio::test]
async fn a_request_head_over_the_limit_is_refused() {
    let (_, address) = served(App::silent()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("GET /health HTTP/1.1\r\nhost: x\r\nx: {}", "x".repeat(40_000));
    stream.write_all(head.as_bytes()).await.unwrap();

    assert!(rest_of(stream).await.starts_with(b"HTTP/1.1 431"));

    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = b"HEAD /api/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    assert!(rest_of(stream).await.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_body_without_a_length_is_limited_while_reading() {
    let (_, address) = served(App::silent()).await;
    let path = "/api/hubs/chat/:send";
    let claims = serde_json::json!({
        "aud": format!("http://{address}{path}"), "exp": crate::support::unix_now() + 60
    });
    let token = crate::support::signed(&claims);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let writing = tokio::spawn(async move {
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        // The write fails when the service stops reading.
        while write.write_all(chunk.as_bytes()).await.is_ok() {}
    });

    let mut start = [0; 12];
    read.read_exact(&mut start).await.unwrap();

    assert_eq!(&start, b"HTTP/1.1 413");
    writing.abort();
}
