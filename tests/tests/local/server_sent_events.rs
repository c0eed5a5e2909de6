//! Server-Sent Events, byte by byte.

use std::time::Duration;

use hub_local::Limits;
use serde_json::json;

use crate::{
    support::{App, Fixture, answer, client_token, eventually, message, settle, signed, unix_now},
    wire::{Ask, EVENTS, Negotiated, UPGRADE, Wire},
};

const HANDSHAKE: &str = r#"{"protocol":"json","version":1}"#;
const PING: &str = "data: {\"type\":6}\x1e\r\n\r\n";

/// Opens a stream and reads the initial comment. The test sends the handshake.
async fn open(client: &Negotiated) -> Wire {
    let mut wire = client.send("GET", EVENTS, b"").await;
    assert_eq!(wire.head().await.status, 200);
    assert_eq!(wire.chunk().await.as_deref(), Some(":\r\n"));
    wire
}

async fn connected(fixture: &Fixture) -> (Negotiated, Wire) {
    let client = Negotiated::new(fixture).await;
    let mut wire = open(&client).await;
    client.post(HANDSHAKE).await;
    assert_eq!(wire.chunk().await.as_deref(), Some("data: {}\x1e\r\n\r\n"));
    fixture.app.called("connected").await;
    (client, wire)
}

#[tokio::test(start_paused = true)]
async fn the_response_has_its_headers_and_starts_with_a_comment() {
    let fixture = Fixture::new(App::silent());
    let client = Negotiated::new(&fixture).await;

    let mut wire = client
        .send("GET", "origin: http://localhost\r\naccept: text/html, Text/Event-Stream\r\n", b"")
        .await;

    let head = wire.head().await;
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    assert_eq!(head.header("cache-control"), Some("no-cache,no-store"));
    assert_eq!(head.header("pragma"), Some("no-cache"));
    assert_eq!(head.header("content-encoding"), Some("identity"));
    assert_eq!(head.header("x-accel-buffering"), Some("no"));
    assert_eq!(head.header("transfer-encoding"), Some("chunked"));
    assert_eq!(head.header("access-control-allow-origin"), Some("http://localhost"));
    assert_eq!(wire.chunk().await.as_deref(), Some(":\r\n"));
}

#[tokio::test(start_paused = true)]
async fn messages_are_sent_as_events_and_received_as_posts() {
    let app = App::new(|call| async move {
        if call.event == "echo" {
            call.completion(&call.json()["arguments"][0])
        } else {
            answer(200, "")
        }
    });
    let fixture = Fixture::new(app);
    let (client, mut wire) = connected(&fixture).await;

    client.post(r#"{"type":1,"invocationId":"1","target":"echo","arguments":["ü"]}"#).await;
    let completion = "data: {\"invocationId\":\"1\",\"result\":\"ü\",\"type\":3}\x1e\r\n\r\n";
    assert_eq!(wire.chunk().await.as_deref(), Some(completion));
    fixture.send(":send", "x").await;
    assert_eq!(wire.chunk().await, Some(format!("data: {}\r\n\r\n", message("x"))));
}

#[tokio::test(start_paused = true)]
async fn line_ends_split_a_message_into_data_lines() {
    let body = "{\"type\":3,\r\n\"invocationId\":\n\"1\"}\x1e";
    let app =
        App::new(
            move |call| async move { answer(200, if call.event == "lines" { body } else { "" }) },
        );
    let fixture = Fixture::new(app);
    let (client, mut wire) = connected(&fixture).await;

    client.post(r#"{"type":1,"invocationId":"1","target":"lines","arguments":[]}"#).await;

    let event = "data: {\"type\":3,\r\ndata: \"invocationId\":\r\ndata: \"1\"}\x1e\r\n\r\n";
    assert_eq!(wire.chunk().await.as_deref(), Some(event));
}

#[tokio::test(start_paused = true)]
async fn the_response_ends_with_the_connection() {
    let fixture = Fixture::new(App::silent());
    let (client, mut wire) = connected(&fixture).await;
    let below = format!("connections/{}?reason=bye", fixture.last_id());

    assert_eq!(fixture.status(http::Method::DELETE, &below).await, 200);

    let close = "data: {\"type\":7,\"error\":\"bye\"}\x1e\r\n\r\n";
    assert_eq!(wire.chunk().await.as_deref(), Some(close));
    assert_eq!(wire.chunk().await, None);
    fixture.app.called("disconnected").await;
    let late = client.ask("POST", "", b"{\"type\":6}\x1e").await;
    assert_eq!(late.plain(), (404, "text/plain", "No Connection with that ID"));
}

#[tokio::test(start_paused = true)]
async fn a_close_message_of_the_client_ends_the_response() {
    let fixture = Fixture::new(App::silent());
    let (client, mut wire) = connected(&fixture).await;

    client.post(r#"{"type":7}"#).await;

    assert_eq!(wire.chunk().await.as_deref(), Some("data: {\"type\":7}\x1e\r\n\r\n"));
    assert_eq!(wire.chunk().await, None);
    assert_eq!(fixture.app.called("disconnected").await.body, "{\"Type\":11}");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_response_is_a_normal_close() {
    let fixture = Fixture::new(App::silent());
    let (_client, wire) = connected(&fixture).await;

    drop(wire);

    assert_eq!(fixture.app.called("disconnected").await.body, "{\"Type\":11}");
    assert_eq!(fixture.service.counters().connections, 0);
}

#[tokio::test(start_paused = true)]
async fn both_sides_ping_and_a_client_that_stops_pinging_is_closed() {
    let fixture = Fixture::new(App::silent());
    let (client, mut wire) = connected(&fixture).await;
    let start = tokio::time::Instant::now();

    client.post(r#"{"type":6}"#).await;

    assert_eq!(wire.chunk().await.as_deref(), Some(PING));
    assert_eq!(start.elapsed().as_secs(), 15);
    let close = "data: {\"type\":7,\"error\":\"Connection closed with an error.\",\"allowReconnect\":true}\x1e\r\n\r\n";
    let mut last = wire.chunk().await.unwrap();
    if last == PING {
        last = wire.chunk().await.unwrap();
    }
    assert_eq!(last, close);
    assert_eq!(start.elapsed().as_secs(), 30);
    assert_eq!(wire.chunk().await, None);
}

#[tokio::test(start_paused = true)]
async fn binary_protocols_are_refused() {
    let fixture = Fixture::new(App::silent());
    let client = Negotiated::new(&fixture).await;
    let mut wire = open(&client).await;

    client.post(r#"{"protocol":"MessagePack","version":1}"#).await;

    let refusal = "data: {\"error\":\"Cannot use the 'messagepack' protocol on the current \
                   transport. The transport does not support 'Binary' transfer format.\"}\x1e\r\n\r\n";
    assert_eq!(wire.chunk().await.as_deref(), Some(refusal));
    assert_eq!(wire.chunk().await, None);
    assert!(fixture.app.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn posts_before_the_stream_are_stored() {
    let fixture = Fixture::new(App::silent());
    let client = Negotiated::new(&fixture).await;

    client.post(HANDSHAKE).await;
    client.post(r#"{"type":1,"invocationId":"1","target":"m","arguments":[]}"#).await;
    let mut wire = open(&client).await;

    let void = "{\"type\":3,\"invocationId\":\"1\"}\x1e";
    let mut text = String::new();
    while !text.contains(void) {
        text += &wire.chunk().await.unwrap();
    }
    assert!(text.starts_with("data: {}\x1e"));
}

#[tokio::test(start_paused = true)]
async fn invalid_requests_are_refused() {
    let fixture = Fixture::new(App::silent());
    let (client, _wire) = connected(&fixture).await;
    let change = (400, "text/plain", "Cannot change transports mid-connection");

    assert_eq!(client.ask("GET", EVENTS, b"").await.plain(), (409, "text/plain", ""));
    assert_eq!(client.poll().await.plain(), change);
    assert_eq!(client.ask("GET", UPGRADE, b"").await.plain(), change);
    let no_delete = "Cannot terminate this connection using the DELETE endpoint.";
    assert_eq!(client.ask("DELETE", "", b"").await.plain(), (400, "text/plain", no_delete));
    assert_eq!(client.ask("PUT", "", b"").await.plain(), (405, "text/plain", ""));

    let mut stranger = client.clone();
    stranger.query = "x=1".to_owned();
    let no_id = (400, "text/plain", "Connection ID required");
    assert_eq!(stranger.ask("GET", EVENTS, b"").await.plain(), no_id);
    assert_eq!(stranger.ask("POST", "", b"x").await.plain(), no_id);
    stranger.query = "id=unknown".to_owned();
    let unknown = (404, "text/plain", "No Connection with that ID");
    assert_eq!(stranger.ask("GET", EVENTS, b"").await.plain(), unknown);
    assert_eq!(stranger.ask("POST", "", b"x").await.plain(), unknown);
    let mut thief = client.clone();
    thief.token = client_token("eve");
    assert_eq!(thief.ask("POST", "", b"x").await.status, 403);
    assert_eq!(fixture.service.counters().connections, 1);
}

#[tokio::test(start_paused = true)]
async fn each_post_needs_a_valid_token() {
    let fixture = Fixture::new(App::silent());
    let aud = "http://127.0.0.1:8888/client/?hub=chat";
    let token = signed(&json!({ "aud": aud, "exp": unix_now() + 5, "asrs.s.uid": "ada" }));
    let client = Negotiated::with(&fixture, token, "").await;
    let mut wire = open(&client).await;
    client.post(HANDSHAKE).await;
    wire.chunk().await.unwrap();

    tokio::time::sleep(Duration::from_secs(70)).await;

    assert_eq!(client.ask("POST", "", b"{\"type\":6}\x1e").await.status, 401);
    fixture.send(":send", "x").await;
    let expected = format!("data: {}\r\n\r\n", message("x"));
    while wire.chunk().await.unwrap() != expected {}
}

#[tokio::test(start_paused = true)]
async fn only_the_event_stream_accepts_the_token_in_the_query() {
    let fixture = Fixture::new(App::silent());
    let mut client = Negotiated::new(&fixture).await;
    client.query = format!("{}&access_token={}", client.query, client.token);
    client.token = String::new();

    let _wire = open(&client).await;

    assert_eq!(client.ask("POST", "", b"x").await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn a_post_over_1_mib_is_refused_and_ends_the_connection() {
    let fixture = Fixture::new(App::silent());
    let (client, mut events) = connected(&fixture).await;

    let big = vec![b'x'; 1024 * 1024 + 1];
    let mut wire = Wire::pipe(&client.service);
    let head = format!(
        "POST /client/?hub=chat&{} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-length: {}\r\n\r\n",
        client.query,
        client.token,
        big.len()
    );
    wire.write(head.as_bytes()).await;

    assert_eq!(wire.answer().await.status, 413);
    let close = "data: {\"type\":7,\"error\":\"Connection closed with an error.\",\"allowReconnect\":true}\x1e\r\n\r\n";
    assert_eq!(events.chunk().await.as_deref(), Some(close));
    assert_eq!(events.chunk().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_closed_and_delays_no_other_client() {
    let limits = Limits::default().max_outbox_messages(100);
    let fixture = Fixture::with(App::silent(), limits);
    let client = Negotiated::new(&fixture).await;
    let mut wire = Wire::narrow(&fixture.service, 1024);
    let (query, token) = (client.query.as_str(), client.token.as_str());
    wire.send(Ask { method: "GET", query, token, headers: EVENTS, body: b"" }).await;
    client.post(HANDSHAKE).await;
    fixture.app.called("connected").await;

    for _ in 0..2000 {
        fixture.send(":send", &"x".repeat(100)).await;
        tokio::task::yield_now().await;
    }

    eventually(|| fixture.service.counters().slow_clients == 1).await;
    eventually(|| fixture.app.events().contains(&"disconnected".to_owned())).await;
}

#[tokio::test(start_paused = true)]
async fn malformed_messages_end_the_connection_with_allow_reconnect() {
    let close = "data: {\"type\":7,\"error\":\"Connection closed with an error.\",\"allowReconnect\":true}\x1e\r\n\r\n";
    for malformed in ["nonsense", "{}", "", "[]", r#"{"type":"1"}"#, r#"{"type":1}"#, HANDSHAKE] {
        let fixture = Fixture::new(App::silent());
        let (client, mut wire) = connected(&fixture).await;

        client.post(malformed).await;

        assert_eq!(wire.chunk().await.as_deref(), Some(close), "{malformed}");
        assert_eq!(wire.chunk().await, None);
    }
}

#[tokio::test]
async fn server_sent_events_work_over_a_socket() {
    let fixture = Fixture::new(App::silent());
    let address = test_support::serve_on_loopback(&fixture.service).await;
    let client = Negotiated::new(&fixture).await;
    let ask = |method, headers, body| {
        let (query, token) = (client.query.as_str(), client.token.as_str());
        Ask { method, query, token, headers, body }
    };
    let mut wire = Wire::socket(address).await;
    let mut posts = Wire::socket(address).await;

    wire.send(ask("GET", EVENTS, b"")).await;
    assert_eq!(wire.head().await.status, 200);
    assert_eq!(wire.chunk().await.as_deref(), Some(":\r\n"));
    let posted = posts.ask(ask("POST", "", format!("{HANDSHAKE}\x1e").as_bytes())).await;
    assert_eq!(posted.plain(), (200, "text/plain", ""));
    assert_eq!(wire.chunk().await.as_deref(), Some("data: {}\x1e\r\n\r\n"));

    drop(wire);
    assert_eq!(fixture.app.called("disconnected").await.body, "{\"Type\":11}");
}

#[tokio::test]
async fn the_socket_of_a_client_that_does_not_read_is_closed() {
    let limits =
        Limits::default().max_outbox_bytes(100_000).close_timeout(Duration::from_millis(50));
    let fixture = Fixture::with(App::silent(), limits);
    let address = test_support::serve_on_loopback(&fixture.service).await;
    let client = Negotiated::new(&fixture).await;
    let mut wire = Wire::socket(address).await;
    let (query, token) = (client.query.as_str(), client.token.as_str());
    wire.send(Ask { method: "GET", query, token, headers: EVENTS, body: b"" }).await;
    client.post(HANDSHAKE).await;
    fixture.app.called("connected").await;

    for message in 0.. {
        if fixture.service.counters().slow_clients > 0 {
            break;
        }
        // The buffers of a socket hold several megabytes. The writer task must also get time to fill them.
        assert!(message < 20_000, "the client is never found to be slow");
        fixture.send(":send", &"x".repeat(50_000)).await;
        settle().await;
    }

    fixture.app.called("disconnected").await;
    wire.breaks().await;
}

#[tokio::test(start_paused = true)]
async fn a_repeated_post_with_an_invocation_id_is_handled_once() {
    let fixture = Fixture::new(App::silent());
    let (client, _wire) = connected(&fixture).await;
    let invoke = |id: &str| {
        format!("{{\"type\":1,\"invocationId\":\"{id}\",\"target\":\"m\",\"arguments\":[]}}")
    };

    for id in ["0", "0", "1", "0"] {
        client.post(&invoke(id)).await;
    }
    client.post(r#"{"type":1,"target":"last","arguments":[]}"#).await;
    fixture.app.called("last").await;

    assert_eq!(fixture.app.events(), ["connected", "m", "m", "last"]);
}
