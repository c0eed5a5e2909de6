//! Upstream calls of MessagePack clients, as raw requests and responses.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hub_runtime::{HubApp, prelude::*};
use tower_service::Service;

use crate::support::{app, call};

struct Loop;

#[derive(serde::Deserialize)]
struct Plain {
    a: i32,
    b: String,
}

#[serverless_hub]
impl Loop {
    async fn add(&self, left: i64, right: i64) -> HubResult<i64> {
        Ok(left + right)
    }

    async fn send_message(&self, room: String, notify: Option<bool>) -> HubResult<String> {
        Ok(format!("{room} {notify:?}"))
    }

    async fn nothing(&self) {}

    async fn echo(&self, value: Plain) -> HubResult<String> {
        Ok(format!("{} {}", value.a, value.b))
    }
}

/// Sends a call with this body. Returns the status, content type and body of the response.
async fn answer_to(
    app: &HubApp,
    category: &str,
    event: &str,
    body: &'static [u8],
) -> (u16, String, Bytes) {
    let mut request = call(category, event, "").map(|_| Full::new(Bytes::from_static(body)));
    let packed = "application/x-msgpack".parse().unwrap();
    request.headers_mut().insert("content-type", packed);
    let Ok(answer) = app.service().call(request).await;
    let (parts, body) = answer.into_parts();
    let content_type = parts.headers.get("content-type");
    let content_type = content_type.map(|it| it.to_str().unwrap().to_owned()).unwrap_or_default();
    (parts.status.as_u16(), content_type, body.collect().await.unwrap().to_bytes())
}

/// The completion of a call whose client waits for a result.
async fn completion(event: &str, body: &'static [u8]) -> Bytes {
    let (status, content_type, body) = answer_to(&app(Loop), "messages", event, body).await;
    assert_eq!((status, &*content_type), (200, "application/x-msgpack"));
    body
}

/// The error text of a completion.
async fn error(event: &str, body: &'static [u8]) -> String {
    let completion = completion(event, body).await;
    let head = b"\x95\x03\x80\xa17\x01";
    let found = completion.windows(head.len()).position(|bytes| bytes == head).unwrap();
    // The text follows the head and the length, which takes one or two bytes.
    let text = &completion[found + head.len()..];
    let text = &text[if text[0] == 0xD9 { 2 } else { 1 }..];
    str::from_utf8(text).unwrap().to_owned()
}

#[tokio::test]
async fn the_documented_call_is_answered_with_a_framed_completion() {
    let documented = b"\x96\x01\x80\xa17\xa3Add\x92\x01\x02\x90";
    assert_eq!(completion("Add", documented).await, &b"\x07\x95\x03\x80\xa17\x03\x03"[..]);

    let without_streams = b"\x95\x01\x80\xa17\xa3Add\x92\x01\x02";
    assert_eq!(completion("Add", without_streams).await, &b"\x07\x95\x03\x80\xa17\x03\x03"[..]);

    let optional = b"\x95\x01\x80\xa17\xabsendMessage\x91\xa4rust";
    let answered = b"\x10\x95\x03\x80\xa17\x03\xa9rust None";
    assert_eq!(completion("sendMessage", optional).await, &answered[..]);

    let void = b"\x95\x01\x80\xa17\xa7nothing\x90";
    assert_eq!(completion("nothing", void).await, &b"\x06\x94\x03\x80\xa17\x02"[..]);
}

/// The bytes are those of Microsoft.AspNetCore.SignalR.Client 10.0 with its MessagePack protocol.
#[tokio::test]
async fn classes_of_dotnet_clients_bind_to_structs() {
    let class = b"\x96\x01\x80\xA1\x37\xA4\x65\x63\x68\x6F\x91\x82\xA1\x41\x01\xA1\x42\xA1\x78\x90";
    assert_eq!(completion("echo", class).await, &b"\x0a\x95\x03\x80\xa17\x03\xa31 x"[..]);

    let with_int_keys = b"\x96\x01\x80\xA1\x37\xA4\x65\x63\x68\x6F\x91\x92\x01\xA1\x78\x90";
    assert_eq!(completion("echo", with_int_keys).await, &b"\x0a\x95\x03\x80\xa17\x03\xa31 x"[..]);
}

#[tokio::test]
async fn a_send_gets_an_empty_response() {
    for id in [&b"\x95\x01\x80\xc0\xa7nothing\x90"[..], b"\x95\x01\x80\xa0\xa7nothing\x90"] {
        let (status, _, body) = answer_to(&app(Loop), "messages", "nothing", id).await;
        assert_eq!((status, body.len()), (200, 0));
    }
}

#[tokio::test]
async fn wrong_arguments_are_named_in_the_completion() {
    assert_eq!(
        error("add", b"\x95\x01\x80\xa17\xa3add\x92\x01\xa1x").await,
        "argument 2 (`right`): invalid type: string \"x\", expected i64"
    );
    assert_eq!(
        error("add", b"\x95\x01\x80\xa17\xa3add\x91\x01").await,
        "argument 2 (`right`) is missing"
    );
    assert_eq!(
        error("add", b"\x95\x01\x80\xa17\xa3add\x93\x01\x02\x03").await,
        "too many arguments: expected 2 arguments, got 3"
    );
    assert_eq!(error("odd", b"\x95\x01\x80\xa17\xa3odd\x90").await, "Unknown hub method 'odd'");
}

#[tokio::test]
async fn a_body_without_an_invocation_is_a_400() {
    let app = app(Loop);
    for (category, event, body) in [
        ("messages", "add", &b""[..]),
        ("messages", "add", b"{\"type\":1}"),
        ("messages", "add", b"\x91\x06"),
        ("messages", "add", b"\x95\x01\x80\xc0\xa3sub\x92\x01\x02"),
        ("messages", "add", b"\x95\x01\x80\xc0\xa3add\xdd\xff\xff\xff\xff"),
        ("connections", "connected", b"\x91\x0a"),
    ] {
        let (status, ..) = answer_to(&app, category, event, body).await;
        assert_eq!(status, 400, "{body:x?}");
    }
}
