//! Malformed and unexpected input over every transport in every protocol: which input ends the connection,
//! with which error, and which input is ignored. The service keeps running.

pub(crate) mod peer;
mod table;

use hub_local::{Limits, LocalService};

use self::{
    peer::{Peer, Protocol, Transport, WAYS},
    table::{Outcome, inputs},
};
use crate::support::{App, Fixture, KEY, answer, eventually};

const GENERIC: &str = "Connection closed with an error.";
const NORMAL: u16 = 1000;
const PROTOCOL_ERROR: u16 = 1002;
const INVALID_PAYLOAD: u16 = 1007;

/// A service, with or without detailed errors for clients.
fn fixture(detailed: bool) -> Fixture {
    let app = App::new(|call| async move {
        let is_call = call.event == "m" || call.event == "alive";
        // The completion of invocation 8, in the frame of each protocol.
        match call.header("content-type") {
            Some("application/json") if is_call => {
                answer(200, "{\"type\":3,\"invocationId\":\"8\"}\x1e")
            }
            Some(_) if is_call => answer(200, &b"\x06\x94\x03\x80\xA18\x02"[..]),
            _ => answer(200, ""),
        }
    });
    let limits = Limits::default().max_message_bytes(1000);
    let builder = LocalService::builder().key(KEY).limits(limits).detailed_errors(detailed);
    Fixture { service: builder.upstream(app.clone()).build(), app }
}

/// The error of a close message that allows the client to reconnect.
fn close_error(protocol: Protocol, heard: &[u8]) -> Option<String> {
    match protocol {
        Protocol::Json => {
            let text = str::from_utf8(heard).ok()?.strip_suffix('\x1e')?;
            let close: serde_json::Value = serde_json::from_str(text).ok()?;
            let expected =
                serde_json::json!({ "type": 7, "error": close["error"], "allowReconnect": true });
            (close == expected).then(|| close["error"].as_str().unwrap().to_owned())
        }
        Protocol::MessagePack => {
            // The close message consists of a length, an array of three elements, a string, and `true`.
            let at = heard.windows(2).position(|it| it == b"\x93\x07")? + 2;
            let text = heard.get(at..)?.strip_suffix(b"\xC3")?;
            let ([0xD9, _, text @ ..] | [0xA0..=0xBF, text @ ..]) = text else { return None };
            String::from_utf8(text.to_vec()).ok()
        }
    }
}

/// Checks that the connection is open: the client calls a method and receives the completion.
async fn is_alive(peer: &mut Peer, protocol: Protocol) {
    let (call, completion) = match protocol {
        Protocol::Json => (
            &br#"{"type":1,"invocationId":"8","target":"alive","arguments":[]}"#[..],
            &b"{\"type\":3,\"invocationId\":\"8\"}\x1e"[..],
        ),
        Protocol::MessagePack => {
            (&b"\x96\x01\x80\xA18\xA5alive\x90\x90"[..], &b"\x06\x94\x03\x80\xA18\x02"[..])
        }
    };
    peer.send(&protocol.framed(call)).await;
    assert_eq!(peer.recv_text().await.as_deref(), Some(completion));
}

/// The error in the `disconnected` call for the client that connected after `calls` upstream calls.
async fn told_at_the_end(fixture: &Fixture, calls: usize) -> String {
    // The `disconnected` calls of earlier clients may still arrive.
    let told = || fixture.app.calls().into_iter().skip(calls);
    let came = told().find(|call| call.event == "connected").unwrap();
    let id = came.header("x-asrs-connection-id").unwrap();
    let left = || {
        told().find(|call| {
            call.event == "disconnected" && call.header("x-asrs-connection-id") == Some(id)
        })
    };
    eventually(|| left().is_some()).await;
    left().unwrap().json()["Error"].as_str().unwrap().to_owned()
}

async fn check(fixture: &Fixture, way: (Transport, Protocol), input: &[u8], outcome: Outcome) {
    let (transport, protocol) = way;
    let shown = format!("{way:?} {:?}", String::from_utf8_lossy(input));
    let calls = fixture.app.calls().len();
    let mut peer = Peer::connected(fixture, transport, protocol).await;
    peer.send(input).await;
    match outcome {
        Outcome::Ignored => is_alive(&mut peer, protocol).await,
        Outcome::Refused(words) => {
            let heard = String::from_utf8_lossy(&peer.recv_text().await.unwrap()).into_owned();
            assert!(heard.contains('7') && heard.contains(words), "{shown}: {heard}");
            is_alive(&mut peer, protocol).await;
        }
        Outcome::Fatal(words) => {
            let heard = peer.recv_text().await.unwrap_or_default();
            let error =
                close_error(protocol, &heard).unwrap_or_else(|| panic!("{shown}: {heard:?}"));
            assert!(error.starts_with(&format!("{GENERIC} ProtocolError: ")), "{shown}: {error}");
            assert!(error.contains(words), "{shown}: {error}");
            assert_eq!(peer.recv_text().await, None, "{shown}");
            let status = (transport == Transport::WebSockets).then_some(NORMAL);
            assert_eq!(peer.status, status, "{shown}");
            let told = told_at_the_end(fixture, calls).await;
            assert!(told.contains(words), "{shown}: {told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_malformed_input_has_its_outcome_over_each_transport_and_protocol() {
    let fixture = fixture(true);
    for way in WAYS {
        for (input, outcome) in inputs(way.1) {
            check(&fixture, way, &input, outcome).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_detailed_errors_a_client_gets_no_cause() {
    let fixture = fixture(false);
    for (transport, protocol) in WAYS {
        for (input, _) in inputs(protocol).iter().filter(|it| matches!(it.1, Outcome::Fatal(_))) {
            let mut peer = Peer::connected(&fixture, transport, protocol).await;

            peer.send(input).await;

            let heard = peer.recv_text().await.unwrap();
            assert_eq!(close_error(protocol, &heard).as_deref(), Some(GENERIC), "{input:?}");
            assert_eq!(peer.recv_text().await, None);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_over_the_limit_is_an_error_and_closes_a_web_socket_with_1000() {
    let fixture = fixture(true);
    for (transport, protocol) in WAYS {
        let mut peer = Peer::connected(&fixture, transport, protocol).await;

        peer.send(&protocol.framed(&vec![b' '; 1001])).await;

        let error = close_error(protocol, &peer.recv_text().await.unwrap()).unwrap();
        assert!(error.ends_with("the maximum message size of 1000B was exceeded"), "{error}");
        assert_eq!(peer.recv_text().await, None);
        let status = (transport == Transport::WebSockets).then_some(NORMAL);
        assert_eq!(peer.status, status, "{transport:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_inside_a_message_is_an_error_for_the_app() {
    for (transport, protocol) in WAYS {
        let fixture = fixture(true);
        let mut peer = Peer::connected(&fixture, transport, protocol).await;
        fixture.app.called("connected").await;

        let whole = protocol.framed(&b"{\"type\":6}"[..]);
        peer.send(&whole[..5]).await;
        peer.leave().await;

        let told = fixture.app.called("disconnected").await.json();
        assert_eq!(
            told["Error"], "Connection terminated while reading a message.",
            "{transport:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn invalid_handshakes_are_refused_over_each_transport() {
    let unexpected = "An unexpected error occurred during connection handshake.";
    let fixture = fixture(false);
    for (transport, protocol) in WAYS {
        for (input, error, status) in [
            (b"nonsense\x1e".to_vec(), unexpected, NORMAL),
            (b"\x1e".to_vec(), unexpected, NORMAL),
            (b"\xFF\x1e".to_vec(), unexpected, NORMAL),
            (b"{\"type\":6}\x1e".to_vec(), unexpected, NORMAL),
            (b"{\"protocol\":7,\"version\":1}\x1e".to_vec(), unexpected, NORMAL),
            (b"{\"protocol\":\"json\",\"version\":\"1\"}\x1e".to_vec(), unexpected, NORMAL),
            (
                b"{\"protocol\":\"xml\",\"version\":1}\x1e".to_vec(),
                "The protocol 'xml' is not supported.",
                NORMAL,
            ),
            (vec![b' '; 1001], "Handshake was canceled.", NORMAL),
        ] {
            let mut peer = Peer::open(&fixture, transport, protocol).await;

            peer.send(&input).await;

            let heard = String::from_utf8(peer.recv_text().await.unwrap()).unwrap();
            assert_eq!(heard, format!("{{\"error\":\"{error}\"}}\x1e"), "{transport:?}");
            assert_eq!(peer.recv_text().await, None);
            let status = (transport == Transport::WebSockets).then_some(status);
            assert_eq!(peer.status, status);
        }
    }
    assert!(fixture.app.events().is_empty(), "no client was connected");
}

#[tokio::test(start_paused = true)]
async fn invalid_frames_get_only_a_close_frame_with_the_status_of_the_rfc() {
    let fixture = fixture(true);
    let masked = |first: u8, payload: &[u8]| {
        [&[first, 0x80 | payload.len() as u8, 0, 0, 0, 0][..], payload].concat()
    };
    for (bytes, status, words) in [
        (b"\x81\x02{}".to_vec(), PROTOCOL_ERROR, "client frames must be masked"),
        (masked(0xC1, b"x"), PROTOCOL_ERROR, "reserved bits"),
        (masked(0x83, b"x"), PROTOCOL_ERROR, "unknown opcode"),
        (masked(0x8B, b"x"), PROTOCOL_ERROR, "unknown opcode"),
        (masked(0x80, b"x"), PROTOCOL_ERROR, "without a message to continue"),
        (
            [masked(0x01, b" "), masked(0x81, b"x")].concat(),
            PROTOCOL_ERROR,
            "before the end of the previous",
        ),
        (masked(0x09, b"x"), PROTOCOL_ERROR, "must not be fragmented"),
        (b"\x89\xFE\x00\x7E\0\0\0\0".to_vec(), PROTOCOL_ERROR, "must not be fragmented"),
        (b"\x82\xFE\x00\x01\0\0\0\0x".to_vec(), PROTOCOL_ERROR, "shortest form"),
        (masked(0x88, &[3]), PROTOCOL_ERROR, "close frame has only one byte"),
        (masked(0x88, &[3, 237]), PROTOCOL_ERROR, "close frame is invalid"),
        (masked(0x81, b"\xFF"), INVALID_PAYLOAD, "not UTF-8"),
        (masked(0x88, &[3, 232, 0xFF]), INVALID_PAYLOAD, "not UTF-8"),
    ] {
        for protocol in [Protocol::Json, Protocol::MessagePack] {
            let calls = fixture.app.calls().len();
            let mut peer = Peer::connected(&fixture, Transport::WebSockets, protocol).await;

            peer.send_raw(&bytes).await;

            assert_eq!(peer.recv_text().await, None, "{words}");
            assert_eq!(peer.status, Some(status), "{words}");
            let error = told_at_the_end(&fixture, calls).await;
            assert!(error.contains("WebSocket protocol error") && error.contains(words), "{error}");
        }
    }
    let mut peer = Peer::connected(&fixture, Transport::WebSockets, Protocol::Json).await;
    is_alive(&mut peer, Protocol::Json).await;
}
