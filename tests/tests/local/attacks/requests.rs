//! Requests that are too big or too slow.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header};
use http_body_util::Full;
use hub_local::Limits;
use tokio::time::Instant;

use super::Served;
use crate::{
    rest_support::rest_token,
    support::{App, Client, Fixture, URL, client_token, settle},
    wire::{Ask, Negotiated, Wire},
};

const SEND: &str = "/api/hubs/chat/:send";

#[tokio::test]
async fn heads_that_are_too_big_or_have_too_many_lines_are_a_431() {
    let served = Served::new(Limits::default()).await;
    let bearer = format!("authorization: Bearer {}\r\n", client_token("ada"));
    for path in ["/api/health", "/client/negotiate?hub=chat", SEND] {
        let start = format!("POST {path} HTTP/1.1\r\nhost: x\r\n{bearer}");
        for head in [
            format!("{start}x: {}\r\n\r\n", "x".repeat(40_000)),
            format!("{start}{}\r\n", "x: y\r\n".repeat(10_000)),
            format!("{start}{}\r\n", "x: y\r\n".repeat(200)),
            format!("{start}{}: y\r\n\r\n", "x".repeat(40_000)),
        ] {
            let mut socket = served.connect().await;
            socket.write(head.as_bytes()).await;
            let answer = socket.rest().await;
            assert!(
                answer.starts_with("HTTP/1.1 431"),
                "{} {}: {answer}",
                head.len(),
                head.lines().count()
            );
        }
        let mut socket = served.connect().await;
        socket
            .write(format!("POST {path}{} HTTP/1.1\r\n\r\n", "x".repeat(70_000)).as_bytes())
            .await;
        let answer = socket.rest().await;
        assert!(
            answer.starts_with("HTTP/1.1 414") || answer.starts_with("HTTP/1.1 431"),
            "{answer}"
        );
    }
    for nonsense in
        [&b"\0\0\0\0\r\n\r\n"[..], b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\r\n\r\n"]
    {
        let mut socket = served.connect().await;
        socket.write(nonsense).await;
        let answer = socket.rest().await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    served.serves().await;
    served.is_calm().await;
}

#[tokio::test(start_paused = true)]
async fn many_header_values_and_query_parameters_are_accepted() {
    let fixture = Fixture::new(App::silent());
    // Another HTTP server in front of the service may accept longer heads than the service's own server.
    let mut request = Request::new(Full::<Bytes>::default());
    *request.method_mut() = Method::POST;
    let parameters = "&x=1".repeat(10_000);
    *request.uri_mut() = format!("/client/negotiate?hub=chat{parameters}").parse().unwrap();
    for number in 0..10_000 {
        let name = HeaderName::from_static(if number % 2 == 0 { "accept" } else { "x-y" });
        request.headers_mut().append(name, HeaderValue::from_static("a, b"));
    }
    let token = client_token("ada");
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert(header::AUTHORIZATION, bearer);
    assert_eq!(fixture.request(request).await.status, 200);

    // The upstream call contains the whole query in one header.
    let url = format!("{URL}/client/?hub=chat{parameters}");
    let mut client = Client::in_memory(fixture.service.connect_memory(&url, &token).unwrap());
    client.handshake().await;
    let query = fixture.app.called("connected").await;
    assert_eq!(query.header("x-asrs-client-query").unwrap().len(), "?hub=chat".len() + 40_000);

    // A repeated `hub` parameter is refused, however often it is repeated.
    let url = format!("{URL}/client/?{}", "hub=chat&".repeat(5000));
    assert_eq!(fixture.service.connect_memory(&url, &token).unwrap_err().status, 400);
    let tokens = format!("{URL}/client/?hub=chat{}", "&access_token=x".repeat(4000));
    assert!(fixture.service.connect_memory(&tokens, &token).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_stalled_body_is_a_408_after_the_timeout() {
    let limits = Limits::default().request_body_timeout(Duration::from_secs(7));
    let fixture = Fixture::with(App::silent(), limits);
    let rest = format!(
        "POST {SEND} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\n",
        rest_token(SEND)
    );
    for is_client in [false, true] {
        for (framing, begin, piece) in [
            ("content-length: 1000\r\n", "{\"target\":", " "),
            ("transfer-encoding: chunked\r\n", "2\r\n{ \r\n", "1\r\n \r\n"),
        ] {
            let client = Negotiated::new(&fixture).await;
            assert_eq!(client.poll().await.status, 200);
            let post = format!(
                "POST /client/?hub=chat&{} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n",
                client.query, client.token
            );
            let head = if is_client { &post } else { &rest };
            let began = Instant::now();
            let mut wire = Wire::pipe(&fixture.service);
            wire.write(format!("{head}{framing}\r\n{begin}").as_bytes()).await;
            // Sending one byte per second does not extend the timeout.
            for _ in 0..6 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                wire.write(piece.as_bytes()).await;
            }

            let answer = wire.answer().await;

            assert_eq!(answer.status, 408, "{}", answer.body);
            assert_eq!(began.elapsed().as_secs(), 7);
        }
    }
    fixture.send(":send", "x").await;
}

#[tokio::test(start_paused = true)]
async fn posts_before_the_first_get_are_limited_to_4_kib() {
    let fixture = Fixture::new(App::silent());
    let client = Negotiated::new(&fixture).await;
    let post = async |length: usize| client.ask("POST", "", &vec![b' '; length]).await;

    let refused = post(4097).await;
    let text = "the body has more than 4096 bytes, the limit before the first GET";
    assert_eq!(refused.plain(), (413, "text/plain", text));
    assert_eq!(post(4096).await.status, 200);

    // A further post waits until the client polls, and fails when the negotiated connection expires.
    let more = tokio::spawn({
        let client = client.clone();
        async move { client.ask("POST", "", b" ").await }
    });
    settle().await;
    assert!(!more.is_finished());
    let began = Instant::now();
    assert_eq!(more.await.unwrap().status, 404);
    assert_eq!(began.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn the_oldest_pending_negotiations_are_evicted() {
    let fixture = Fixture::with(App::silent(), Limits::default().max_pending_negotiations(100));
    let open = Negotiated::new(&fixture).await;
    assert_eq!(open.poll().await.status, 200);
    let forgotten = Negotiated::new(&fixture).await;
    let mut flood = Vec::new();
    for _ in 0..1000 {
        flood.push(Negotiated::new(&fixture).await);
    }
    let good = Negotiated::new(&fixture).await;

    assert_eq!(good.poll().await.status, 200);
    assert_eq!(forgotten.poll().await.status, 404);
    assert_eq!(flood[899].poll().await.status, 404);
    assert_eq!(flood[999].poll().await.status, 200);
    let ended = open.ask("DELETE", "", b"").await.status;
    assert_eq!(ended, 202, "who is connected stays connected");
}

#[tokio::test(start_paused = true)]
async fn ended_connections_count_toward_the_negotiation_limit() {
    let fixture = Fixture::with(App::silent(), Limits::default().max_pending_negotiations(10));
    let mut ended = Vec::new();
    for _ in 0..50 {
        let client = Negotiated::new(&fixture).await;
        assert_eq!(client.poll().await.status, 200);
        assert_eq!(client.ask("DELETE", "", b"").await.status, 202);
        settle().await;
        ended.push(client);
    }
    let good = Negotiated::new(&fixture).await;

    assert_eq!(good.poll().await.status, 200);
    assert_eq!(ended[0].poll().await.status, 404, "forgotten");
    assert_eq!(ended[49].poll().await.status, 204, "remembered");
}

#[tokio::test(start_paused = true)]
async fn an_expired_negotiation_leaves_no_task_and_no_memory() {
    let fixture = Fixture::new(App::silent());
    let before = super::tasks();
    for _ in 0..100 {
        Negotiated::new(&fixture).await;
    }

    // All negotiated connections share one task, which ends after they have expired.
    assert_eq!(super::tasks(), before + 1);
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert_eq!(super::tasks(), before);

    let late = Negotiated::new(&fixture).await;
    assert_eq!(super::tasks(), before + 1);
    assert_eq!(late.poll().await.status, 200);
    tokio::time::timeout(Duration::from_secs(60), fixture.service.shutdown()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_huge_declared_length_is_a_413_immediately() {
    let fixture = Fixture::new(App::silent());
    let client = Negotiated::new(&fixture).await;
    assert_eq!(client.poll().await.status, 200);
    let (query, token) = (client.query.as_str(), client.token.as_str());
    for length in ["1048577", "9223372036854775807"] {
        let mut wire = Wire::pipe(&fixture.service);
        let head = format!(
            "POST /client/?hub=chat&{query} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             content-length: {length}\r\n\r\n"
        );
        wire.write(head.as_bytes()).await;
        assert_eq!(wire.head().await.status, 413, "{length}");
    }
    let ask = Ask { method: "POST", query, token, body: b" ", ..Ask::default() };
    assert_eq!(Wire::pipe(&fixture.service).ask(ask).await.status, 200);
}
