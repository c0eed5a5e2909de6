//! Long polling, byte by byte.

mod end;

use std::time::Duration;

use hub_local::Limits;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    support::{App, Fixture, answer, eventually, message, settle, signed, unix_now},
    wire::{EVENTS, Negotiated, UPGRADE, Wire, WireResponse},
};

const HANDSHAKE: &str = r#"{"protocol":"json","version":1}"#;
const NO_CONTENT: (u16, &str, &str) = (204, "text/plain", "");
const OCTETS: &str = "application/octet-stream";

fn messages(answer: &WireResponse) -> &str {
    let (status, content_type, body) = answer.plain();
    assert_eq!((status, content_type), (200, OCTETS), "{body}");
    body
}

/// Negotiates and completes the first poll. The test sends the handshake.
async fn open(fixture: &Fixture) -> Negotiated {
    let client = Negotiated::new(fixture).await;
    assert_eq!(messages(&client.poll().await), "");
    client
}

async fn connected(fixture: &Fixture) -> Negotiated {
    let client = open(fixture).await;
    client.post(HANDSHAKE).await;
    assert_eq!(messages(&client.poll().await), "{}\x1e");
    fixture.app.called("connected").await;
    client
}

/// Starts a poll that waits for messages.
async fn waiting(client: &Negotiated) -> Wire {
    let wire = client.send("GET", "", b"").await;
    settle().await;
    wire
}

#[tokio::test(start_paused = true)]
async fn the_first_poll_returns_immediately_and_every_poll_has_its_headers() {
    let fixture = Fixture::new(App::silent());
    let client = Negotiated::new(&fixture).await;
    let start = Instant::now();

    let first = client.poll().await;
    let held = client.poll().await;

    for poll in [&first, &held] {
        assert_eq!(poll.header("cache-control"), Some("no-cache, no-store"));
        assert_eq!(poll.header("pragma"), Some("no-cache"));
        assert_eq!(poll.header("expires"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
    }
    assert_eq!(first.header("content-length"), Some("0"));
    assert_eq!(first.plain(), (200, OCTETS, ""));
    // The handshake timeout of 15 s has passed.
    assert_eq!(held.plain(), (200, OCTETS, "{\"error\":\"Handshake was canceled.\"}\x1e"));
    assert_eq!(start.elapsed().as_secs(), 15);
    assert_eq!(client.poll().await.plain(), NO_CONTENT);
}

#[tokio::test(start_paused = true)]
async fn a_poll_returns_all_pending_messages() {
    let fixture = Fixture::new(App::silent());
    let client = connected(&fixture).await;

    for number in 0..3 {
        fixture.send(":send", &number.to_string()).await;
    }

    let all = message("0") + &message("1") + &message("2");
    let poll = client.poll().await;
    assert_eq!(messages(&poll), all);
    assert_eq!(poll.header("content-length"), Some(all.len().to_string().as_str()));
}

#[tokio::test(start_paused = true)]
async fn a_poll_waits_at_most_45_seconds_and_gets_no_pings() {
    let fixture = Fixture::new(App::silent());
    let client = connected(&fixture).await;
    let start = Instant::now();

    let poll = client.poll().await;
    assert_eq!(poll.plain(), (200, "text/plain", ""));
    assert_eq!(poll.header("content-length"), Some("0"));
    assert_eq!(start.elapsed().as_secs(), 45);

    let mut poll = waiting(&client).await;
    fixture.send(":send", "x").await;
    assert_eq!(messages(&poll.answer().await), message("x"));
}

#[tokio::test(start_paused = true)]
async fn a_newer_poll_ends_the_older_one_and_gets_the_messages() {
    let fixture = Fixture::new(App::silent());
    let client = connected(&fixture).await;

    let mut old = waiting(&client).await;
    let mut new = waiting(&client).await;

    assert_eq!(old.answer().await.plain(), NO_CONTENT);
    fixture.send(":send", "x").await;
    assert_eq!(messages(&new.answer().await), message("x"));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_poll_takes_no_messages() {
    let fixture = Fixture::new(App::silent());
    let client = connected(&fixture).await;

    drop(waiting(&client).await);
    settle().await;
    fixture.send(":send", "x").await;

    assert_eq!(messages(&client.poll().await), message("x"));
}

#[tokio::test(start_paused = true)]
async fn posts_before_the_first_poll_are_stored() {
    let fixture = Fixture::new(App::silent());
    let client = Negotiated::new(&fixture).await;

    client.post(HANDSHAKE).await;
    client.post(r#"{"type":1,"target":"m","arguments":[]}"#).await;
    assert_eq!(messages(&client.poll().await), "");

    assert_eq!(messages(&client.poll().await), "{}\x1e");
    fixture.app.called("m").await;
}

#[tokio::test(start_paused = true)]
async fn posts_are_processed_one_after_another() {
    let fixture = Fixture::new(App::silent());
    let client = connected(&fixture).await;
    let call = |name: &str| format!("{{\"type\":1,\"target\":\"{name}\",\"arguments\":[]}}\x1e");
    let (first, second) = (call("first"), call("second"));
    let mut slow = Wire::pipe(&client.service);
    let head = format!(
        "POST /client/?hub=chat&{} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-length: {}\r\n\r\n",
        client.query,
        client.token,
        first.len()
    );
    slow.write(head.as_bytes()).await;
    slow.write(&first.as_bytes()[..10]).await;
    settle().await;

    let mut quick = client.send("POST", "", second.as_bytes()).await;
    settle().await;
    assert!(!fixture.app.events().contains(&"second".to_owned()));
    slow.write(&first.as_bytes()[10..]).await;

    assert_eq!(slow.answer().await.plain(), (200, "text/plain", ""));
    assert_eq!(quick.answer().await.plain(), (200, "text/plain", ""));
    fixture.app.called("second").await;
    assert_eq!(fixture.app.events(), ["connected", "first", "second"]);
}

#[tokio::test(start_paused = true)]
async fn an_aborted_post_has_no_effect() {
    let fixture = Fixture::new(App::silent());
    let client = connected(&fixture).await;
    let mut aborted = Wire::pipe(&client.service);
    let head = format!(
        "POST /client/?hub=chat&{} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-length: 100\r\n\r\n{{\"type\":1,",
        client.query, client.token,
    );
    aborted.write(head.as_bytes()).await;
    settle().await;

    drop(aborted);
    client.post(r#"{"type":1,"target":"m","arguments":[]}"#).await;

    fixture.app.called("m").await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_polling_counts_as_lost() {
    let fixture = Fixture::new(App::silent());
    let client = connected(&fixture).await;
    let start = Instant::now();

    tokio::time::sleep(Duration::from_secs(10)).await;
    client.post(r#"{"type":6}"#).await;
    assert_eq!(fixture.service.counters().connections, 1);
    let body = fixture.app.called("disconnected").await.json();

    assert_eq!(start.elapsed().as_secs(), 15);
    assert!(body["Error"].as_str().unwrap().contains("lost"));
    settle().await;
    assert_eq!(client.poll().await.plain(), (404, "text/plain", "No Connection with that ID"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_pings_and_stops_is_not_closed_while_it_polls() {
    let fixture = Fixture::new(App::silent());
    let client = connected(&fixture).await;

    client.post(r#"{"type":6}"#).await;

    assert_eq!(client.poll().await.plain(), (200, "text/plain", ""));
    assert_eq!(fixture.service.counters().connections, 1);
}

#[tokio::test(start_paused = true)]
async fn messagepack_is_sent_in_bodies() {
    let fixture = Fixture::new(App::silent());
    let client = open(&fixture).await;
    client.post(r#"{"protocol":"messagepack","version":1}"#).await;
    assert_eq!(messages(&client.poll().await), "{}\x1e");
    fixture.app.called("connected").await;

    let call = b"\x0a\x95\x01\x80\xa1\x37\xa1\x6d\x92\x01\xa1\x61";
    let call = [&[call.len() as u8 - 1], &call[1..]].concat();
    assert_eq!(client.ask("POST", "", &call).await.status, 200);
    let void = b"\x06\x94\x03\x80\xa1\x37\x02";
    assert_eq!(client.poll().await.bytes, void);

    fixture.send(":send", "a").await;
    fixture.send(":send", "b").await;
    let message =
        |letter: u8| [b"\x0a\x96\x01\x80\xc0\xa1\x6d\x91\xa1", &[letter][..], b"\x90"].concat();
    assert_eq!(client.poll().await.bytes, [message(b'a'), message(b'b')].concat());
}

#[tokio::test(start_paused = true)]
async fn invalid_requests_are_refused() {
    let fixture = Fixture::new(App::silent());
    let client = connected(&fixture).await;
    let change = (400, "text/plain", "Cannot change transports mid-connection");

    assert_eq!(client.ask("GET", EVENTS, b"").await.plain(), change);
    assert_eq!(client.ask("GET", UPGRADE, b"").await.plain(), change);
    assert_eq!(client.ask("PATCH", "", b"").await.plain(), (405, "text/plain", ""));
    let mut stranger = client.clone();
    stranger.query = "id=".to_owned();
    let no_id = (400, "text/plain", "Connection ID required");
    assert_eq!(stranger.poll().await.plain(), no_id);
    assert_eq!(stranger.ask("POST", "", b"x").await.plain(), no_id);
    assert_eq!(stranger.ask("DELETE", "", b"").await.plain(), no_id);
    stranger.query = "id=unknown".to_owned();
    let unknown = (404, "text/plain", "No Connection with that ID");
    assert_eq!(stranger.poll().await.plain(), unknown);
    assert_eq!(stranger.ask("DELETE", "", b"").await.plain(), unknown);
    // Without `connection: upgrade` and `sec-websocket-key` this request is a poll.
    let half = "upgrade: websocket\r\n";
    assert_eq!(stranger.ask("GET", half, b"").await.plain(), unknown);
}

#[tokio::test(start_paused = true)]
async fn a_web_socket_connection_refuses_posts_polls_and_delete() {
    let fixture = Fixture::new(App::silent());
    let client = Negotiated::new(&fixture).await;
    let _wire = client.web_socket().await;

    let no_posts = "POST requests are not allowed for WebSocket connections.";
    assert_eq!(client.ask("POST", "", b"x").await.plain(), (405, "text/plain", no_posts));
    let change = (400, "text/plain", "Cannot change transports mid-connection");
    assert_eq!(client.poll().await.plain(), change);
    assert_eq!(client.ask("GET", EVENTS, b"").await.plain(), change);
    let no_delete = "Cannot terminate this connection using the DELETE endpoint.";
    assert_eq!(client.ask("DELETE", "", b"").await.plain(), (400, "text/plain", no_delete));
    assert_eq!(client.ask("GET", UPGRADE, b"").await.plain(), (409, "text/plain", ""));
}

#[tokio::test(start_paused = true)]
async fn each_poll_needs_a_valid_token() {
    let fixture = Fixture::new(App::silent());
    let aud = "http://127.0.0.1:8888/client/?hub=chat";
    let token = signed(&json!({ "aud": aud, "exp": unix_now() + 5, "asrs.s.uid": "ada" }));
    let client = Negotiated::with(&fixture, token, "").await;
    client.poll().await;
    client.post(HANDSHAKE).await;
    assert_eq!(messages(&client.poll().await), "{}\x1e");

    for _ in 0..2 {
        assert_eq!(client.poll().await.plain(), (200, "text/plain", ""));
    }

    assert_eq!(client.poll().await.status, 401);
    assert_eq!(client.ask("POST", "", b"x").await.status, 401);
    assert_eq!(client.ask("DELETE", "", b"").await.status, 401);
    fixture.app.called("disconnected").await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_poller_is_closed_with_the_reason() {
    let limits = Limits::default().max_outbox_messages(10);
    let fixture = Fixture::with(App::silent(), limits);
    let client = connected(&fixture).await;

    for _ in 0..11 {
        fixture.send(":send", "x").await;
    }

    assert_eq!(fixture.service.counters().slow_clients, 1);
    let close = "{\"type\":7,\"error\":\"slow client\",\"allowReconnect\":true}\x1e";
    assert_eq!(messages(&client.poll().await), close);
    assert_eq!(client.poll().await.plain(), NO_CONTENT);
}

#[tokio::test(start_paused = true)]
async fn malformed_messages_end_the_connection_with_allow_reconnect() {
    let close =
        "{\"type\":7,\"error\":\"Connection closed with an error.\",\"allowReconnect\":true}\x1e";
    for malformed in
        ["nonsense", "{}", "", r#"{"type":3,"invocationId":"1","error":"e","result":1}"#]
    {
        let fixture = Fixture::new(App::new(|_| async { answer(200, "") }));
        let client = connected(&fixture).await;

        client.post(malformed).await;

        assert_eq!(messages(&client.poll().await), close, "{malformed}");
        assert_eq!(client.poll().await.plain(), NO_CONTENT);
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeated_post_with_an_invocation_id_is_handled_once() {
    let fixture = Fixture::new(App::silent());
    let client = connected(&fixture).await;
    let invoke = |id: &str| {
        format!("{{\"type\":1,\"invocationId\":\"{id}\",\"target\":\"m\",\"arguments\":[]}}\x1e")
    };
    let send = "{\"type\":1,\"target\":\"s\",\"arguments\":[]}\x1e";

    // A client that repeats a request may have sent other requests in between.
    for body in [&invoke("0"), &(invoke("1") + send), &invoke("0"), &(invoke("1") + send)] {
        assert_eq!(client.ask("POST", "", body.as_bytes()).await.status, 200);
    }
    for body in [send, send, &invoke("2")] {
        assert_eq!(client.ask("POST", "", body.as_bytes()).await.status, 200);
    }
    eventually(|| fixture.app.events().iter().filter(|it| *it == "m").count() == 3).await;

    assert_eq!(fixture.app.events(), ["connected", "m", "m", "s", "s", "s", "m"]);
}
