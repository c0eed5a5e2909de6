//! The trace context of calls: headers of a client's message that become headers of the upstream request.

use hub_local::HttpUpstream;
use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    http_upstream::{client, head},
    support::{App, Call, Fixture},
};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The upstream call of a message with these headers.
async fn called(headers: serde_json::Value) -> Call {
    let fixture = Fixture::new(App::silent());
    let client = fixture.client("ada").await;
    let message = json!({ "type": 1, "headers": headers, "target": "m", "arguments": [] });
    client.send(&message).await;
    let call = fixture.app.called("m").await;
    assert_eq!(fixture.app.calls()[0].header("traceparent"), None, "of `connected`");
    call
}

#[tokio::test(start_paused = true)]
async fn the_trace_of_a_message_reaches_the_app_and_no_other_header_does() {
    let call = called(json!({
        "traceparent": PARENT,
        "tracestate": "vendor=1, other=2",
        "Authorization": "Bearer secret",
        "X-ASRS-User-Id": "root",
        "baggage": "a=b",
    }))
    .await;

    assert_eq!(call.header("traceparent"), Some(PARENT));
    assert_eq!(call.header("tracestate"), Some("vendor=1, other=2"));
    assert_eq!(call.header("x-asrs-user-id"), Some("ada"));
    for name in ["authorization", "baggage"] {
        assert_eq!(call.header(name), None, "{name}");
    }
    assert_eq!(call.body, "{\"type\":1,\"target\":\"m\",\"arguments\":[]}");
}

#[tokio::test(start_paused = true)]
async fn a_trace_that_is_not_valid_is_dropped() {
    let long = format!("a={}", "x".repeat(511));
    for (headers, parent, state) in [
        (json!({}), None, None),
        (json!({ "tracestate": "a=1" }), None, None),
        (json!({ "traceparent": "", "tracestate": "a=1" }), None, None),
        (json!({ "traceparent": format!("{PARENT}\r\nX-ASRS-User-Id: root") }), None, None),
        (json!({ "traceparent": PARENT.to_uppercase() }), None, None),
        (json!({ "traceparent": PARENT, "tracestate": long }), Some(PARENT), None),
        (json!({ "traceparent": PARENT, "tracestate": "a=1\r\nx: y" }), Some(PARENT), None),
        (json!({ "TraceParent": PARENT, "TRACESTATE": "a=1" }), Some(PARENT), Some("a=1")),
    ] {
        let call = called(headers.clone()).await;

        let found = (call.header("traceparent"), call.header("tracestate"));
        assert_eq!(found, (parent, state), "{headers}");
        assert_eq!(call.headers.get_all("x-asrs-user-id").iter().count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_messagepack_message_has_the_same_headers() {
    let fixture = Fixture::new(App::silent());
    let mut client = fixture.open("ada");
    client.handshake_as("messagepack").await;
    let mut message = b"\x96\x01\x83\xabtraceparent\xd9\x37".to_vec();
    message.extend_from_slice(PARENT.as_bytes());
    message.extend_from_slice(b"\xaatracestate\xa3a=1\xadauthorization\xa1x\xc0\xa1m\x90\x90");
    let length = u8::try_from(message.len()).unwrap();
    assert!(length < 128);
    message.insert(0, length);

    client.memory().send(message).await.unwrap();

    let call = fixture.app.called("m").await;
    assert_eq!(call.header("traceparent"), Some(PARENT));
    assert_eq!(call.header("tracestate"), Some("a=1"));
    assert_eq!(call.header("authorization"), None);
    assert_eq!(&call.body[..], b"\x96\x01\x80\xc0\xa1m\x90\x90");
}

/// Over HTTP, headers that all calls of a connection have are encoded once.
#[tokio::test]
async fn over_http_each_call_has_its_own_trace() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (tells, mut heads) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let tells = tells.clone();
            tokio::spawn(async move {
                while let Some(head) = head(&mut stream).await {
                    tells.send(head).unwrap();
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await.unwrap();
                }
            });
        }
    });
    let (_service, client) = client(HttpUpstream::new(url).unwrap()).await;
    assert!(heads.recv().await.unwrap().contains("x-asrs-event: connected"));
    let other = PARENT.replace("00f0", "11f0");

    for headers in [
        json!({ "traceparent": PARENT, "tracestate": "a=1" }),
        json!({}),
        json!({ "traceparent": other }),
    ] {
        client
            .send(&json!({ "type": 1, "headers": headers, "target": "m", "arguments": [] }))
            .await;
    }

    let traces = |head: &str| {
        let lines = head.split("\r\n").filter(|line| line.starts_with("trace"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let [first, second, third] =
        [heads.recv().await, heads.recv().await, heads.recv().await].map(|it| traces(&it.unwrap()));
    assert_eq!(first, [format!("traceparent: {PARENT}"), "tracestate: a=1".to_owned()]);
    assert!(second.is_empty(), "{second:?}");
    assert_eq!(third, [format!("traceparent: {other}")]);
}
