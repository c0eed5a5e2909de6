//! Clients that use MessagePack, byte by byte, and together with clients that use JSON.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{Method, Request, header};
use http_body_util::Full;
use hub_local::{Limits, MemoryConnection};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_tungstenite::{
    client_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use crate::support::{
    App, Fixture, RestResponse, URL, answer, client_token, message, signed, unix_now,
};

const HANDSHAKE: &str = "{\"protocol\":\"messagepack\",\"version\":1}\x1e";
const PING: &[u8] = b"\x02\x91\x06";
/// An invocation `m("x")` with its length prefix.
const MESSAGE: &[u8] = b"\x0a\x96\x01\x80\xc0\xa1m\x91\xa1x\x90";

/// Adds a length prefix to a message.
fn framed(body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).unwrap();
    assert!(length < 128, "one byte of length");
    [&[length], body].concat()
}

/// An in-memory client that uses MessagePack.
struct MsgpackClient(MemoryConnection);

impl MsgpackClient {
    async fn of(fixture: &Fixture, user: &str) -> Self {
        let mut client = Self(fixture.open(user).into_memory());
        client.send_text(HANDSHAKE).await;
        assert_eq!(client.recv_text().await, "{}\x1e");
        fixture.app.called("connected").await;
        client
    }

    async fn with_id(fixture: &Fixture, user: &str) -> (Self, String) {
        let client = Self::of(fixture, user).await;
        (client, fixture.last_id())
    }

    async fn send_text(&self, bytes: impl AsRef<[u8]>) {
        self.0.send(Bytes::copy_from_slice(bytes.as_ref())).await.unwrap();
    }

    /// Sends one message.
    async fn send(&self, body: &[u8]) {
        self.send_text(framed(body)).await;
    }

    /// Receives the next bytes other than pings. Returns no bytes at the end of the connection.
    async fn recv_text(&mut self) -> Bytes {
        loop {
            let bytes = self.0.recv().await.unwrap_or_default();
            if bytes != PING {
                return bytes;
            }
        }
    }
}

/// Sends invocation `7` of `m` with one argument. Returns the client's next bytes.
async fn answered(app: App) -> Bytes {
    let fixture = Fixture::new(app);
    let mut client = MsgpackClient::of(&fixture, "ada").await;
    client.send(b"\x95\x01\x80\xa17\xa1m\x91\x05").await;
    client.recv_text().await
}

/// Sends a REST call whose body maps protocols to frames.
async fn post_bundle(fixture: &Fixture, below: &str, entries: &[(&str, &[u8])]) -> RestResponse {
    let mut body = vec![0x80 | u8::try_from(entries.len()).unwrap()];
    for (name, framed) in entries {
        body.push(0xA0 | u8::try_from(name.len()).unwrap());
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&[0xC4, u8::try_from(framed.len()).unwrap()]);
        body.extend_from_slice(framed);
    }
    let path = format!("/api/hubs/chat/{below}");
    let token = signed(&json!({ "aud": format!("{URL}{path}"), "exp": unix_now() + 3600 }));
    let request = Request::post(path)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/octet-stream");
    fixture.request(request.body(Full::new(body.into())).unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_upstream_without_its_length_and_with_untouched_arguments() {
    let fixture = Fixture::new(App::silent());
    let client = MsgpackClient::of(&fixture, "ada").await;

    // An array of five elements, with a header, integers in longer forms than necessary, and an extension.
    client.send(b"\x95\x01\x81\xa1k\xa1v\xa17\xa1m\x93\xcd\x00\x01\xd4\x05\xff\xc4\x01\x00").await;

    let call = fixture.app.called("m").await;
    assert_eq!(call.header("content-type"), Some("application/x-msgpack"));
    assert_eq!(
        call.body,
        &b"\x96\x01\x80\xa17\xa1m\x93\xcd\x00\x01\xd4\x05\xff\xc4\x01\x00\x90"[..]
    );
    let connected = fixture.app.called("connected").await;
    assert_eq!(connected.header("content-type"), Some("application/json"));
    assert_eq!(connected.json(), json!({ "type": 10 }));
}

#[tokio::test(start_paused = true)]
async fn the_bytes_of_a_200_are_the_clients_and_other_answers_become_completions() {
    let with = |status, body: &'static [u8]| {
        answered(App::new(move |_| async move { answer(status, body) }))
    };

    assert_eq!(
        with(200, b"\x07\x95\x03\x80\xa17\x03\x2a").await,
        &b"\x07\x95\x03\x80\xa17\x03\x2a"[..]
    );
    let invalid = b"\x95\x03\x80\xa17\x01\xd9\x2dInvocation failed, response is no completion.";
    assert_eq!(with(200, b"any\x00bytes").await, framed(invalid));
    assert_eq!(with(200, b"").await, &b"\x06\x94\x03\x80\xa17\x02"[..]);
    assert_eq!(with(204, b"").await, &b"\x06\x94\x03\x80\xa17\x02"[..]);
    let error = b"\x95\x03\x80\xa17\x01\xd9\x22Invocation failed, status code 404";
    assert_eq!(with(404, b"secret").await, framed(error));
}

#[tokio::test(start_paused = true)]
async fn messages_may_be_split_and_joined_anywhere_after_the_handshake_too() {
    let fixture = Fixture::new(App::silent());
    let mut client = MsgpackClient(fixture.open("ada").into_memory());
    let calls =
        [b"\x95\x01\x80\xc0\xa1a\x91\x05", b"\x95\x01\x80\xc0\xa1b\x91\x05"].map(|it| framed(it));
    let stream = [HANDSHAKE.as_bytes(), PING, &calls[0], &calls[1]];

    for byte in stream.concat() {
        client.send_text([byte]).await;
    }

    assert_eq!(client.recv_text().await, "{}\x1e");
    fixture.app.called("b").await;
    assert_eq!(fixture.app.events(), ["connected", "a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn pings_refusals_and_the_close_are_in_the_clients_protocol() {
    let fixture = Fixture::new(App::silent());
    let mut client = MsgpackClient::of(&fixture, "ada").await;

    assert_eq!(client.0.recv().await.unwrap(), PING);
    client.send(b"\x95\x04\x80\xa17\xa1m\x91\x02").await;
    let refused = client.recv_text().await;
    assert_eq!(refused[1..8], *b"\x95\x03\x80\xa17\x01\xd9");
    fixture.service.shutdown().await;
    assert_eq!(client.recv_text().await, &b"\x04\x93\x07\xc0\xc3"[..]);
    assert_eq!(client.recv_text().await, "");
}

#[tokio::test(start_paused = true)]
async fn malformed_messages_and_lengths_end_the_connection() {
    let text = b"Connection closed with an error.";
    let close = [&b"\x25\x93\x07\xd9\x20"[..], text, b"\xc3"].concat();
    for bad in [
        &b"\x00"[..],
        b"\x01\xc1",
        b"\x01\x90",
        b"\x09\x95\x01\x80\xc0\xa0\x91\x05\x00\x00",
        b"\xff\xff\xff\xff\x08",
        b"\x80\x80\x80\x80\x80\x01",
        // A message longer than the limit.
        b"\xe9\x07",
    ] {
        let limits = Limits::default().max_message_bytes(1000);
        let fixture = Fixture::with(App::silent(), limits);
        let mut client = MsgpackClient::of(&fixture, "ada").await;

        client.send_text(bad).await;

        assert_eq!(client.recv_text().await, close, "{bad:x?}");
        assert_eq!(client.recv_text().await, "");
    }
}

#[tokio::test(start_paused = true)]
async fn json_from_the_app_is_converted_for_messagepack_clients() {
    let fixture = Fixture::new(App::silent());
    let mut text = fixture.client("ada").await;
    let mut packed = MsgpackClient::of(&fixture, "bob").await;

    fixture.send(":send", "x").await;
    assert_eq!(text.recv_text().await, message("x"));
    assert_eq!(packed.recv_text().await, MESSAGE);

    let body = r#"{"target":"m","arguments":[ 18446744073709551615, -1, 1.50, {"a":null}]}"#;
    assert_eq!(fixture.post("users/bob/:send", body).await.status, 202);
    let converted =
        b"\x94\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xcb\x3f\xf8\0\0\0\0\0\0\x81\xa1a\xc0";
    assert_eq!(packed.recv_text().await[7..31], *converted);
}

#[tokio::test(start_paused = true)]
async fn values_that_cannot_be_converted_are_refused_only_if_a_client_needs_it() {
    let fixture = Fixture::new(App::silent());
    let mut text = fixture.client("ada").await;
    let deep = format!("{{\"target\":\"m\",\"arguments\":{}{}}}", "[".repeat(65), "]".repeat(65));

    assert_eq!(fixture.post(":send", &deep).await.status, 202);
    assert!(text.recv_text().await.starts_with("{\"type\":1"));
    let packed = MsgpackClient::of(&fixture, "bob").await;
    let refused = fixture.post(":send", &deep).await;
    assert_eq!(refused.outcome(), (400, Some("Error.Request.Invalid")));
    drop(packed);
    fixture.app.called("disconnected").await;
    assert_eq!(fixture.post(":send", &deep).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn each_client_gets_the_entry_of_its_protocol() {
    let fixture = Fixture::new(App::silent());
    let mut text = fixture.client("ada").await;
    let mut packed = MsgpackClient::of(&fixture, "bob").await;
    let json: &[u8] = b"{\"type\":1,\"target\":\"m\",\"arguments\":[ \"x\"]}\x1e";
    let own: &[u8] = b"\x0c\x96\x01\x80\xc0\xa1m\x91\xc4\x02\x01\x02\x90";

    for (entries, heard, bytes) in [
        (&[("json", json), ("messagepack", own)][..], json, own),
        (&[("json", json)], json, MESSAGE),
        (&[("messagepack", MESSAGE)], message("x").as_bytes(), MESSAGE),
        (
            &[("messagepack", own), ("other", b"!")],
            b"{\"type\":1,\"target\":\"m\",\"arguments\":[\"AQI=\"]}\x1e",
            own,
        ),
    ] {
        assert_eq!(post_bundle(&fixture, ":send", entries).await.status, 202);
        assert_eq!(text.recv_text().await.as_bytes(), heard);
        assert_eq!(packed.recv_text().await, bytes);
    }
}

#[tokio::test(start_paused = true)]
async fn a_bundle_that_is_no_message_is_refused() {
    let fixture = Fixture::new(App::silent());

    for entries in [
        &[][..],
        &[("other", PING)],
        &[("messagepack", PING)],
        &[("json", b"{}\x1e")],
        &[("json", b"{\"type\":1,\"target\":\"m\",\"arguments\":[]}")],
        &[
            ("json", b"{\"type\":1,\"target\":\"n\",\"arguments\":[]}\x1e"),
            ("messagepack", MESSAGE),
        ],
    ] {
        let refused = post_bundle(&fixture, ":send", entries).await;
        assert_eq!(refused.outcome(), (400, Some("Error.Request.Invalid")));
    }
}

/// Invokes a client that responds with `completion`. The invocation id is `s0`.
async fn asked(accept: &'static str, completion: &[u8]) -> RestResponse {
    let fixture = Fixture::new(App::silent());
    let (mut client, id) = MsgpackClient::with_id(&fixture, "ada").await;
    let asking: JoinHandle<RestResponse> = tokio::spawn(async move {
        let path = format!("/api/hubs/chat/connections/{id}/:invoke");
        let token = signed(&json!({ "aud": format!("{URL}{path}"), "exp": unix_now() + 3600 }));
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::ACCEPT, accept)
            .header(header::CONTENT_TYPE, "application/json");
        let body = Full::from(r#"{"target":"m","arguments":["x"]}"#);
        fixture.request(request.body(body).unwrap()).await
    });
    assert_eq!(client.recv_text().await, &b"\x0c\x96\x01\x80\xa2s0\xa1m\x91\xa1x\x90"[..]);
    client.send(completion).await;
    asking.await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_answer_of_a_client_becomes_json() {
    let result =
        async |completion| asked("application/json", completion).await.json()["result"].clone();

    assert_eq!(result(b"\x95\x03\x80\xa2s0\x03\x2a").await, 42);
    assert_eq!(result(b"\x95\x03\x80\xa2s0\x03\xc4\x02\x01\x02").await, "AQI=");
    let time = result(b"\x95\x03\x80\xa2s0\x03\xd6\xff\x65\x53\xf1\x00").await;
    assert_eq!(time, "2023-11-14T22:13:20Z");
    assert_eq!(result(b"\x95\x03\x80\xa2s0\x03\xc0").await, Value::Null);
    let void = asked("application/json", b"\x94\x03\x80\xa2s0\x02").await;
    assert_eq!(void.json(), json!({}));
}

#[tokio::test(start_paused = true)]
async fn errors_of_a_client_and_answers_without_a_form_in_json_are_400() {
    let failed = asked("*/*", b"\x95\x03\x80\xa2s0\x01\xa2no").await;
    assert_eq!(failed.outcome(), (400, Some("Error.Connection.ClientError")));
    assert_eq!(failed.json()["message"], "no");

    let strange = asked("*/*", b"\x95\x03\x80\xa2s0\x03\x81\x90\xc0").await;
    assert_eq!(strange.outcome(), (400, Some("Error.Connection.ClientError")));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_accepts_frames_gets_the_completion_unchanged() {
    let framed = asked("application/octet-stream", b"\x95\x03\x80\xa2s0\x03\x2a").await;

    assert_eq!(framed.status, 200);
    assert_eq!(framed.body, &b"\x08\x95\x03\x80\xa2s0\x03\x2a"[..]);
    assert_eq!(framed.headers["x-asrs-client-invocation-protocol"], "messagepack");
}

#[tokio::test(start_paused = true)]
async fn stream_items_get_202_and_a_messagepack_client_receives_nothing() {
    let fixture = Fixture::new(App::silent());
    let (mut client, id) = MsgpackClient::with_id(&fixture, "ada").await;
    let below = format!("connections/{id}/streams/9/:send");

    assert_eq!(fixture.post(&below, "[1.0]").await.status, 202);
    let item: &[u8] = b"\x06\x94\x02\x80\xa19\x05";
    assert_eq!(post_bundle(&fixture, &below, &[("messagepack", item)]).await.status, 202);
    assert_eq!(post_bundle(&fixture, &below, &[("messagepack", PING)]).await.status, 400);
    assert_eq!(fixture.post(&below.replace(":send", ":complete"), "").await.status, 202);

    fixture.send(":send", "x").await;
    assert_eq!(client.recv_text().await, MESSAGE);
}

#[tokio::test]
async fn frames_are_binary_after_an_accepted_handshake_and_text_for_a_refusal() {
    let fixture = Fixture::new(App::silent());
    let address = test_support::serve_on_loopback(&fixture.service).await;
    let open = async || {
        let url = format!("ws://{address}/client/?hub=chat");
        let mut request = url.into_client_request().unwrap();
        let token = format!("Bearer {}", client_token("ada")).parse().unwrap();
        request.headers_mut().insert("authorization", token);
        let stream = TcpStream::connect(address).await.unwrap();
        client_async(request, stream).await.unwrap().0
    };

    let mut socket = open().await;
    socket.send(Message::text(HANDSHAKE.to_owned())).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::binary(&b"{}\x1e"[..]));
    fixture.app.called("connected").await;
    fixture.send(":send", "x").await;
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::binary(MESSAGE));

    let mut refused = open().await;
    let newer = "{\"protocol\":\"MessagePack\",\"version\":3}\x1e";
    refused.send(Message::binary(newer.as_bytes())).await.unwrap();
    let text =
        "{\"error\":\"The server does not support version 3 of the 'MessagePack' protocol.\"}\x1e";
    assert_eq!(refused.next().await.unwrap().unwrap(), Message::text(text));
}

/// `m({"a": 1})` with its length prefix.
const CLEAN: &[u8] = b"\x0c\x96\x01\x80\xc0\xa1m\x91\x81\xa1a\x01\x90";

#[tokio::test(start_paused = true)]
async fn an_object_with_a_proto_key_reaches_messagepack_clients_without_it() {
    let fixture = Fixture::new(App::new(|_| async { answer(200, "") }));
    let mut packed = MsgpackClient::of(&fixture, "ada").await;
    let mut json = fixture.client("bob").await;
    let body = r#"{"target":"m","arguments":[{"__proto__":{"x":1},"a":1}]}"#;

    assert_eq!(fixture.post(":send", body).await.status, 202);
    assert_eq!(packed.recv_text().await, CLEAN);
    assert!(json.recv_text().await.contains("__proto__"));
    let bad = b"\x17\x96\x01\x80\xc0\xa1m\x91\x82\xa9__proto__\x80\xa1a\x01\x90";
    let bundle = [("messagepack", &bad[..])];
    assert_eq!(post_bundle(&fixture, ":send", &bundle).await.status, 202);
    assert_eq!(packed.recv_text().await, CLEAN);
}

#[tokio::test(start_paused = true)]
async fn a_completion_with_a_proto_key_reaches_its_client_without_it() {
    let body = &b"\x15\x95\x03\x80\xa17\x03\x82\xa9__proto__\x80\xa1a\x01"[..];
    let app = App::new(move |call| async move {
        if call.event == "m" { answer(200, body) } else { answer(200, "") }
    });

    assert_eq!(answered(app).await, b"\x0a\x95\x03\x80\xa17\x03\x81\xa1a\x01"[..]);
}
