//! Small inputs that expand to large ones: declared lengths, nesting, endless frames, compressed data.

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Full;
use hub_local::{Limits, Settings};

use super::{Served, slow_reader};
use crate::{
    malformed::peer::{Peer, Protocol, Transport, WAYS},
    rest_support::call,
    support::{App, Fixture, KEY, URL, client_token, eventually, segment, unix_now},
    wire::{Negotiated, UPGRADE, Wire},
};

const DEEP: usize = 10_000;

/// A JSON value with this many nested arrays.
fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

/// Checks that the service still serves other clients.
async fn serves(fixture: &Fixture) {
    let mut client = fixture.open("witness");
    client.handshake().await;
    client.call_with_id("1", "m").await;
    assert!(client.recv_text().await.contains("\"invocationId\":\"1\""));
}

#[tokio::test(start_paused = true)]
async fn a_declared_length_of_4_gib_is_refused_in_every_place() {
    const HUGE: &[u8] = b"\xFF\xFF\xFF\xFF";
    let fixture = Fixture::new(App::silent());
    let mut bombs: Vec<Vec<u8>> = Vec::new();
    // A string, a byte string, an array, a map and an extension that each declare 4 GiB. Each one stands in
    // for the whole message, and for each part of a message.
    for kind in [0xDB, 0xC6, 0xDD, 0xDF, 0xC9] {
        let huge = [&[kind][..], HUGE].concat();
        for before in [
            &b""[..],
            b"\x96",
            b"\x96\x01",
            b"\x96\x01\x81\xA1k",
            b"\x96\x01\x80",
            b"\x96\x01\x80\xA17",
            b"\x96\x01\x80\xA17\xA1m",
            b"\x96\x01\x80\xA17\xA1m\x91",
            b"\x96\x01\x80\xA17\xA1m\x90",
            b"\x95\x03\x80\xA17\x03",
            b"\x95\x03\x80\xA17\x01",
            b"\x93\x07",
        ] {
            bombs.push(Protocol::MessagePack.framed(&[before, &huge].concat()));
        }
    }
    // Length prefixes of a whole message: 2 GiB minus 1 byte, 4 GiB minus 1 byte, and a prefix that never
    // ends.
    bombs.push(b"\xFF\xFF\xFF\xFF\x07".to_vec());
    bombs.push(b"\xFF\xFF\xFF\xFF\x0F".to_vec());
    bombs.push(vec![0xFF; 64]);

    for bomb in &bombs {
        for transport in [Transport::WebSockets, Transport::LongPolling] {
            let mut peer = Peer::connected(&fixture, transport, Protocol::MessagePack).await;
            peer.send(bomb).await;
            let heard = peer.recv_text().await.unwrap();
            assert!(heard.windows(2).any(|it| it == b"\x93\x07"), "{bomb:x?}: {heard:x?}");
            assert_eq!(peer.recv_text().await, None, "{bomb:x?}");
        }
        // The same bytes in the body of a REST send.
        let octets = [(header::CONTENT_TYPE, "application/octet-stream")];
        for body in [&bomb[..], &bomb[1..], &[b"\x81\xABmessagepack\xC4\x20", &bomb[..]].concat()] {
            let answer = call(&fixture, "POST", "/api/hubs/chat/:send", &octets, body).await;
            assert_eq!(answer.outcome(), (400, Some("Error.Request.Invalid")), "{body:x?}");
        }
    }
    eventually(|| fixture.service.counters().connections == 0).await;
    serves(&fixture).await;
}

#[tokio::test(start_paused = true)]
async fn deeply_nested_json_is_refused_at_every_endpoint() {
    let fixture = Fixture::new(App::silent());
    let (deep, open) = (nested(DEEP), "[".repeat(DEEP));
    let objects = format!("{}1{}", "{\"a\":".repeat(DEEP), "}".repeat(DEEP));

    // Handshakes and messages of clients.
    for value in [&deep, &open, &objects] {
        for record in [
            format!(r#"{{"protocol":"json","version":1,"x":{value}}}"#),
            format!(r#"{{"protocol":{value},"version":1}}"#),
            value.clone(),
        ] {
            let mut client = fixture.open("ada");
            client.send_text(&record).await;
            let answer = client.recv_text().await;
            assert!(answer == "{}\x1e" || answer.starts_with("{\"error\":"), "{answer}");
        }
        for message in [
            format!(r#"{{"type":1,"target":"m","arguments":[{value}]}}"#),
            format!(r#"{{"type":1,"target":{value},"arguments":[]}}"#),
            format!(r#"{{"type":3,"invocationId":"7","result":{value}}}"#),
            format!(r#"{{"type":{value}}}"#),
            format!(r#"{{"novelty":{value},"type":6}}"#),
            value.clone(),
        ] {
            for (transport, protocol) in WAYS.into_iter().filter(|way| way.1 == Protocol::Json) {
                let mut peer = Peer::connected(&fixture, transport, protocol).await;
                peer.send(&protocol.framed(message.as_bytes())).await;
                let heard = String::from_utf8(peer.recv_text().await.unwrap()).unwrap();
                assert!(heard.starts_with("{\"type\":7,\"error\":"), "{heard}");
            }
        }
    }

    // Bodies of REST calls. The service forwards arguments and skips every other value.
    for (below, body) in [
        (":send", format!(r#"{{"target":"m","arguments":[],"x":{deep}}}"#)),
        (":send", format!(r#"{{"target":"m","arguments":{deep}}}"#)),
        (":send", format!(r#"{{"target":{deep}}}"#)),
        (":send", open.clone()),
        ("connections/c/:invoke", format!(r#"{{"target":"m","arguments":{deep}}}"#)),
        (":execute", deep.clone()),
        (":execute", format!(r#"[{{"type":"SendMessage","message":{deep}}}]"#)),
        (":execute", format!(r#"[{{"type":"JoinGroup","group":"g","x":{objects}}}]"#)),
        ("connections/c/streams/s/:send", deep.clone()),
    ] {
        let status = fixture.post(below, &body).await.status;
        assert!([202, 400, 404].contains(&status), "{below}: {status}");
    }
    for filter in ["(".repeat(DEEP / 4), "not ".repeat(DEEP / 8), "not(".repeat(DEEP / 8)] {
        let below = format!(":execute?filter={}", segment(&filter));
        let answer = fixture.post(&below, "[]").await;
        assert_eq!(answer.status, 400);
        assert!(answer.json()["message"].as_str().unwrap().contains("too many nesting levels"));
    }

    // Tokens with a valid and with an invalid signature. A token has at most 4,096 characters.
    let levels = 1400;
    let aud = format!("{URL}/client/?hub=chat");
    let claims = format!(r#"{{"aud":"{aud}","exp":{},"x":{}}}"#, unix_now() + 60, nested(levels));
    let claims: Box<serde_json::value::RawValue> = serde_json::from_str(&claims).unwrap();
    let token = hub_core::token::sign(&claims, &hub_core::Secret::from(KEY)).unwrap();
    assert!(token.len() <= 4096);
    assert_eq!(fixture.service.connect_memory(&aud, &token).unwrap_err().status, 401);

    // Settings files.
    for text in
        [deep.clone(), format!(r#"{{"x":{deep}}}"#), format!(r#"{{"UpstreamSettings":{deep}}}"#)]
    {
        let _ = Settings::parse("settings.json", &text);
    }
    serves(&fixture).await;
}

/// Opens a WebSocket. The test sends the handshake.
async fn web_socket(fixture: &Fixture) -> Wire {
    Negotiated::new(fixture).await.web_socket().await
}

#[tokio::test(start_paused = true)]
async fn bomb_frames_end_the_connection() {
    let fixture = Fixture::with(App::silent(), Limits::default().max_message_bytes(1000));
    let mask = [0; 4];
    // A length of 2^63 or more violates the WebSocket protocol, so the connection closes at once. For smaller
    // lengths, the service counts the bytes that it receives.
    for length in [1_u64 << 63, u64::MAX] {
        let mut wire = web_socket(&fixture).await;
        wire.write(&[&[0x82, 0xFF][..], &length.to_be_bytes(), &mask].concat()).await;
        wire.expect_close_with(1002).await;
    }
    for length in [(1_u64 << 63) - 1, 1 << 62, 1 << 32] {
        let mut wire = web_socket(&fixture).await;
        wire.write(&[&[0x82, 0xFF][..], &length.to_be_bytes(), &mask].concat()).await;
        wire.write(&[b' '; 1001]).await;
        assert_eq!(wire.recv_text().await, r#"{"error":"Handshake was canceled."}"#);
        wire.expect_close().await;
    }
    // A control frame has at most 125 bytes, so a longer declared length is a protocol error.
    for first in [0x88, 0x89, 0x8A] {
        let mut wire = web_socket(&fixture).await;
        wire.write(&[&[first, 0xFF][..], &(1_u64 << 40).to_be_bytes(), &mask].concat()).await;
        wire.expect_close_with(1002).await;
    }
    serves(&fixture).await;
}

#[tokio::test(start_paused = true)]
async fn an_endless_fragmented_message_ends_at_the_size_limit() {
    let fixture = Fixture::with(App::silent(), Limits::default().max_message_bytes(1000));
    for piece in [1, 7, 125] {
        let mut wire = web_socket(&fixture).await;
        wire.send_text(r#"{"protocol":"json","version":1}"#).await;
        assert_eq!(wire.recv_text().await, "{}");

        wire.frame(0x01, b" ").await;
        for _ in 0..=1000 / piece {
            wire.frame(0x00, &vec![b' '; piece]).await;
        }

        let close =
            r#"{"type":7,"error":"Connection closed with an error.","allowReconnect":true}"#;
        assert_eq!(wire.recv_text().await, close);
        wire.expect_close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn endless_empty_fragments_use_no_memory_and_do_not_extend_the_handshake() {
    let fixture = Fixture::new(App::silent());
    let mut wire = web_socket(&fixture).await;
    wire.frame(0x01, b"").await;
    let flooding = async {
        loop {
            for _ in 0..100 {
                wire.frame(0x00, b"").await;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };

    // Slightly longer than the handshake timeout of 15 s.
    let flooded = tokio::time::timeout(std::time::Duration::from_secs(16), flooding).await;

    assert!(flooded.is_err());
    assert_eq!(wire.recv_text().await, r#"{"error":"Handshake was canceled."}"#);
    wire.expect_close().await;
    assert!(fixture.app.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_extension_is_negotiated_and_compressed_frames_are_refused() {
    let fixture = Fixture::new(App::silent());
    let offers = format!(
        "{UPGRADE}sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n\
         sec-websocket-extensions: x-webkit-deflate-frame\r\n"
    );
    for (first, payload) in
        [(0xC1, &b"\xAA\x56\x2A\x00"[..]), (0xA1, b"x"), (0x91, b"x"), (0xC9, b"")]
    {
        let client = Negotiated::new(&fixture).await;
        let mut wire = client.send("GET", &offers, b"").await;
        let head = wire.head().await;
        assert_eq!(head.status, 101);
        assert_eq!(head.header("sec-websocket-extensions"), None);

        wire.frame(first, payload).await;

        wire.expect_close_with(1002).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_compressed_body_is_refused_before_reading() {
    let fixture = Fixture::new(App::silent());
    let send = async |below: &str, encoding: &str| {
        let path = format!("/api/hubs/chat/{below}");
        let headers =
            [(header::CONTENT_TYPE, "application/json"), (header::CONTENT_ENCODING, encoding)];
        call(&fixture, "POST", &path, &headers, br#"{"target":"m"}"#).await
    };
    for encoding in ["gzip", "br", "deflate", "zstd", "gzip, gzip", "identity, gzip", "x"] {
        for below in [":send", "groups/g/:send", ":execute", "connections/c/:invoke"] {
            let refused = send(below, encoding).await;
            let wanted = (415, Some("Error.Request.UnsupportedMediaType"));
            assert_eq!(refused.outcome(), wanted, "{below} {encoding}");
        }
    }
    assert_eq!(send(":send", "identity").await.status, 202);

    // The service never compresses responses, whatever the client accepts.
    let mut request = Request::new(Full::<Bytes>::default());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = "/client/negotiate?hub=chat".parse().unwrap();
    let bearer = format!("Bearer {}", client_token("ada"));
    request.headers_mut().insert(header::AUTHORIZATION, bearer.parse().unwrap());
    request.headers_mut().insert(header::ACCEPT_ENCODING, "gzip, br".parse().unwrap());
    let answer = fixture.request(request).await;
    assert_eq!(answer.status, 200);
    assert!(!answer.headers.contains_key(header::CONTENT_ENCODING));
}

#[tokio::test]
async fn a_bomb_over_a_socket_leaves_no_resources() {
    let served = Served::new(Limits::default()).await;
    for bytes in [
        &b"\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0"[..],
        b"\xC1\x84\0\0\0\0\xAA\x56\x2A\x00",
        b"\x80\x80\0\0\0\0",
    ] {
        let mut socket = slow_reader::web_socket(&served).await;
        socket.write(bytes).await;
        drop(socket);
    }
    served.serves().await;
    served.is_calm().await;
}
