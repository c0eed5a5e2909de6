//! Clients that do not read the messages sent to them.

use std::time::Duration;

use hub_local::Limits;
use tokio::io::AsyncReadExt as _;

use super::{Raw, Served};
use crate::{
    support::{client_token, eventually, settle},
    wire::{EVENTS, Negotiated, UPGRADE},
};

const HANDSHAKE: &[u8] = b"{\"protocol\":\"json\",\"version\":1}\x1e";

/// A masked text frame. The mask of zeros does not change the payload.
pub(super) fn text(payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0x81, 0x80 | length, 0, 0, 0, 0][..], payload].concat()
}

/// Opens a WebSocket on a new socket and reads only the head of the response.
pub(super) async fn web_socket(served: &Served) -> Raw {
    web_socket_with(served, &client_token("ada")).await
}

/// Opens a WebSocket like [`web_socket`], with this token.
pub(super) async fn web_socket_with(served: &Served, token: &str) -> Raw {
    opened(served, &format!("access_token={token}"), UPGRADE, "HTTP/1.1 101").await
}

/// Sends a `GET` request, reads only the head of the response and checks its status.
async fn opened(served: &Served, query: &str, headers: &str, status: &str) -> Raw {
    let mut socket = served.connect().await;
    let head =
        format!("GET /client/?hub=chat&{query} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
    socket.write(head.as_bytes()).await;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(socket.0.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(status.as_bytes()), "{}", String::from_utf8_lossy(&answer));
    socket
}

#[tokio::test]
async fn a_slow_reader_is_closed_with_a_reason_and_its_memory_is_bounded() {
    const OUTBOX: u64 = 200_000;
    let message = "x".repeat(50_000);
    let outbox_bytes = usize::try_from(OUTBOX).unwrap();
    let close = Duration::from_millis(100);
    let served =
        Served::new(Limits::default().max_outbox_bytes(outbox_bytes).close_timeout(close)).await;
    let fixture = &served.fixture;
    let mut slow = web_socket(&served).await;
    slow.write(&text(HANDSHAKE)).await;
    fixture.app.called("connected").await;

    let mut most = 0;
    for sent in 0.. {
        if fixture.service.counters().slow_clients > 0 {
            break;
        }
        // The buffers of a socket hold several megabytes. The writer task must also get time to fill them.
        assert!(sent < 20_000, "the client is never found to be slow");
        fixture.send(":send", &message).await;
        settle().await;
        most = most.max(fixture.service.counters().waiting_bytes);
    }

    // Bytes of a write in progress count, too: the writer takes a whole outbox at once.
    assert!(most > 0 && most <= 2 * OUTBOX + 2 * message.len() as u64, "{most} bytes waited");
    let told = fixture.app.called("disconnected").await.json();
    assert_eq!(told["Error"], "slow client");
    assert_eq!(fixture.service.counters().waiting_bytes, 0);
    served.serves().await;
    drop(slow);
    served.is_calm().await;
}

#[tokio::test]
async fn pings_do_not_keep_a_slow_reader_open() {
    let close = Duration::from_millis(100);
    let served = Served::new(Limits::default().max_outbox_bytes(10_000).close_timeout(close)).await;
    let mut client = web_socket(&served).await;
    client.write(&text(HANDSHAKE)).await;
    served.fixture.app.called("connected").await;
    let pings = [&[0x89, 0x80 | 125, 0, 0, 0, 0][..], &[b'p'; 125]].concat().repeat(1000);

    let pinging = async {
        use tokio::io::AsyncWriteExt as _;
        while client.0.write_all(&pings).await.is_ok() {}
    };
    tokio::time::timeout(super::PATIENCE, pinging).await.expect("the socket is closed");

    assert_eq!(served.fixture.service.counters().slow_clients, 1);
    assert_eq!(served.fixture.app.called("disconnected").await.json()["Error"], "slow client");
    served.is_calm().await;
}

#[tokio::test]
async fn a_peer_that_does_not_read_a_response_is_closed_after_the_timeout() {
    let answer_stall = Duration::from_millis(100);
    let served = Served::new(Limits::default().response_stall_timeout(answer_stall)).await;

    ask_without_end(served.connect().await).await;

    served.serves().await;
    served.is_calm().await;
}

#[tokio::test]
async fn the_response_timeout_also_applies_after_an_event_stream() {
    let answer_stall = Duration::from_millis(100);
    let served = Served::new(Limits::default().response_stall_timeout(answer_stall)).await;
    let events = Negotiated::new(&served.fixture).await;
    let query = format!("{}&access_token={}", events.query, events.token);
    let stream = opened(&served, &query, EVENTS, "HTTP/1.1 200").await;
    events.post(r#"{"protocol":"json","version":1}"#).await;
    served.fixture.app.called("connected").await;
    events.post(r#"{"type":7}"#).await;
    served.fixture.app.called("disconnected").await;

    ask_without_end(stream).await;

    served.serves().await;
    served.is_calm().await;
}

/// Sends requests without reading. The service must stop reading the requests and close the socket.
async fn ask_without_end(mut greedy: Raw) {
    let request = "GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
    let asking = async {
        use tokio::io::AsyncWriteExt as _;
        while greedy.0.write_all(request.as_bytes()).await.is_ok() {}
    };
    let closed = tokio::time::timeout(super::PATIENCE, asking).await;
    assert!(closed.is_ok(), "the socket is closed");
}

#[tokio::test]
async fn the_response_timeout_does_not_apply_to_connections_with_an_outbox() {
    const MESSAGES: usize = 30;
    let message = "x".repeat(500_000);
    let answer_stall = Duration::from_millis(50);
    let outbox_bytes = 64 * 1024 * 1024;
    let limits = Limits::default()
        .response_stall_timeout(answer_stall)
        .max_outbox_bytes(outbox_bytes)
        .max_resume_bytes(outbox_bytes);
    let served = Served::new(limits).await;
    let fixture = &served.fixture;

    let mut plain = web_socket(&served).await;
    plain.write(&text(HANDSHAKE)).await;
    let resumes = "&useStatefulReconnect=true";
    let resumable = Negotiated::with(fixture, client_token("ada"), resumes).await;
    let query = |client: &Negotiated| format!("{}&access_token={}", client.query, client.token);
    let mut resumable = opened(&served, &query(&resumable), UPGRADE, "HTTP/1.1 101").await;
    resumable.write(&text(b"{\"protocol\":\"json\",\"version\":2}\x1e")).await;
    let events = Negotiated::new(fixture).await;
    let stream = opened(&served, &query(&events), EVENTS, "HTTP/1.1 200").await;
    events.post(r#"{"protocol":"json","version":1}"#).await;
    eventually(|| fixture.service.counters().connections == 3).await;

    // The messages exceed the buffers of a socket, so that the writes of the service stall.
    for _ in 0..MESSAGES {
        fixture.send(":send", &message).await;
        settle().await;
    }
    eventually(|| fixture.service.counters().waiting_clients == 3).await;
    tokio::time::sleep(answer_stall * 4).await;

    // The clients then read everything.
    for mut socket in [plain, stream, resumable] {
        let mut bytes = vec![0; MESSAGES * message.len()];
        let reading = tokio::time::timeout(super::PATIENCE, socket.0.read_exact(&mut bytes));
        reading.await.unwrap().unwrap();
    }
    assert_eq!(fixture.service.counters().slow_clients, 0);
}
