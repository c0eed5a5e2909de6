//! The upstream endpoint: order of checks, routing, binding, completions.

use std::{
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use http_body::{Body, Frame};
use http_body_util::Full;
use hub_runtime::{HubApp, prelude::*};
use test_support::serve;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{KEY, answer, app, builder_at, call, error_of, invoke, invoke_as, send};

#[derive(Default)]
struct Loop;

#[serverless_hub]
impl Loop {
    async fn add(&self, left: i64, right: i64) -> HubResult<i64> {
        Ok(left + right)
    }

    async fn send_message(&self, room: String, notify: Option<bool>) -> HubResult<String> {
        Ok(format!("{room} {notify:?}"))
    }

    async fn nothing(&self) {}

    async fn on_disconnected(&self, error: Option<String>) -> HubResult {
        assert_eq!(error.as_deref(), Some("Connection closed with an error."));
        Ok(())
    }
}

fn with(
    mut request: Request<Full<Bytes>>,
    name: &'static str,
    value: Option<&str>,
) -> Request<Full<Bytes>> {
    match value {
        Some(value) => {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            request.headers_mut().insert(name, value);
        }
        None => {
            request.headers_mut().remove(name);
        }
    }
    request
}

async fn status(app: &HubApp, request: Request<Full<Bytes>>) -> u16 {
    answer(app, request).await.status.as_u16()
}

#[tokio::test]
async fn the_documented_call_is_answered_with_a_framed_completion() {
    let app = app(Loop);

    let answered = answer(&app, invoke_as("7", "Add", "[1,2]")).await;

    assert_eq!(answered.status, StatusCode::OK);
    assert_eq!(answered.body, "{\"type\":3,\"invocationId\":\"7\",\"result\":3}\u{1e}");
}

#[tokio::test]
async fn names_match_ignoring_case_and_underscores() {
    let app = app(Loop);

    for name in ["sendMessage", "SendMessage", "send_message", "SENDMESSAGE"] {
        let answered = answer(&app, invoke(name, r#"["rust"]"#)).await;

        assert!(answered.body.contains("rust None"), "{name}: {}", answered.body);
    }
}

#[tokio::test]
async fn routing_headers_ignore_case() {
    let app = app(Loop);
    let request = with(invoke("add", "[1,2]"), "x-asrs-hub", Some("LOOP"));
    let request = with(request, "x-asrs-category", Some("MESSAGES"));

    assert_eq!(status(&app, request).await, 200);
}

#[tokio::test]
async fn a_method_without_a_result_completes_void() {
    let answered = answer(&app(Loop), invoke_as("7", "nothing", "[]")).await;

    assert_eq!(answered.body, "{\"type\":3,\"invocationId\":\"7\"}\u{1e}");
}

#[tokio::test]
async fn a_send_gets_an_empty_response() {
    let answered = answer(&app(Loop), send("nothing", "[]")).await;

    assert_eq!((answered.status, answered.body.as_str()), (StatusCode::OK, ""));
}

#[tokio::test]
async fn connection_events_are_answered_with_and_without_a_method() {
    let app = app(Loop);
    let error = r#"{"Type":11,"Error":"Connection closed with an error."}"#;

    assert_eq!(status(&app, call("connections", "connected", r#"{"type":10}"#)).await, 200);
    assert_eq!(status(&app, call("connections", "disconnected", error)).await, 200);
    // The assertion in the method fails, but the status is still 200.
    assert_eq!(status(&app, call("connections", "disconnected", r#"{"Type":11}"#)).await, 200);
}

#[tokio::test]
async fn each_refusal_has_its_status() {
    let app = app(Loop);
    let good = || invoke("add", "[1,2]");
    let cases = [
        (401, with(good(), "x-asrs-signature", None)),
        (401, with(good(), "x-asrs-signature", Some("sha256=00"))),
        (401, with(good(), "x-asrs-connection-id", None)),
        (401, with(good(), "x-asrs-connection-id", Some("conn-0002"))),
        (401, with(good(), "x-asrs-user-claims", Some("shub: 1.e30.AAAA"))),
        (415, with(good(), "content-type", Some("text/plain"))),
        (415, with(good(), "content-type", None)),
        (400, with(good(), "x-asrs-event", None)),
        (404, with(good(), "x-asrs-hub", Some("other"))),
        (404, with(good(), "x-asrs-category", Some("groups"))),
        (404, with(good(), "x-asrs-category", Some("connections"))),
        (400, with(good(), "x-asrs-event", Some("nothing"))),
        (400, call("messages", "add", r#"{"type":10}"#)),
        (400, call("messages", "add", "not json")),
        (400, call("connections", "connected", r#"{"type":1,"target":"m","arguments":[]}"#)),
        (404, send("unknown", "[]")),
    ];
    for (expected, request) in cases {
        let shown = format!("{:?} {:?}", request.headers(), request.body());

        assert_eq!(status(&app, request).await, expected, "{shown}");
    }
}

#[tokio::test]
async fn the_first_failing_check_determines_the_response() {
    let app = builder_at("http://127.0.0.1:1", Loop).max_body(100).build().unwrap();
    let long = || invoke("nothing", &format!(r#"["{}"]"#, "x".repeat(200)));
    let declared = |request| with(request, "content-length", Some("101"));
    let unsigned = |request| with(request, "x-asrs-signature", None);
    let untyped = |request| with(request, "content-type", Some("text/plain"));
    let elsewhere = |request| with(request, "x-asrs-hub", Some("other"));
    let broken = || call("messages", "nothing", "not json");
    let unknown = || call("messages", "unknown", "not json");
    let cases = [
        ("signature, length", 401, unsigned(declared(long()))),
        ("signature, type", 401, unsigned(untyped(broken()))),
        ("length, type", 413, declared(untyped(long()))),
        ("type, hub", 415, untyped(elsewhere(broken()))),
        ("hub, length while reading", 404, elsewhere(long())),
        ("hub, body", 404, elsewhere(broken())),
        ("body, method", 400, unknown()),
    ];
    for (faults, expected, request) in cases {
        assert_eq!(status(&app, request).await, expected, "{faults}");
    }
}

#[tokio::test]
async fn duplicate_identity_and_routing_headers_are_refused() {
    let app = app(Loop);
    let twice = |name: &'static str, value: &'static str| {
        let mut request = invoke("nothing", "[]");
        request.headers_mut().append(name, HeaderValue::from_static(value));
        request
    };
    let mut two_users = twice("x-asrs-user-id", "ada");
    two_users.headers_mut().append("x-asrs-user-id", HeaderValue::from_static("bob"));

    assert_eq!(status(&app, twice("x-asrs-connection-id", "conn-0001")).await, 401);
    assert_eq!(status(&app, two_users).await, 401);
    assert_eq!(status(&app, twice("x-asrs-event", "nothing")).await, 400);
    assert_eq!(status(&app, twice("x-asrs-hub", "loop")).await, 400);
}

#[tokio::test]
async fn a_405_contains_the_allowed_methods() {
    let request = Request::get("/runtime/webhooks/signalr").body(Full::<Bytes>::default()).unwrap();

    let answered = answer(&app(Loop), request).await;

    assert_eq!(answered.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answered.headers["allow"], "POST");
}

#[tokio::test]
async fn both_documented_signatures_in_one_header_are_accepted() {
    let app = app(Loop);
    let both = "sha256=04BE5150C28567D5F39FE8B326F43F49220DAED6EFFB73097C14EBEF24EE7097,sha256=B78B1B6698EF4C26ADACC16537E1940BF816254465275D2DC5CD8BAFEA0506E1";

    assert_eq!(
        status(&app, with(invoke("nothing", "[]"), "x-asrs-signature", Some(both))).await,
        200
    );
}

#[tokio::test]
async fn a_signature_of_the_previous_key_is_accepted_after_a_rotation() {
    let text = "Endpoint=http://127.0.0.1:1;AccessKey=the new key;Version=1.0;";
    let signalr = SignalR::from_connection_string(text).unwrap();
    let rotated = signalr.clone().previous_access_key(KEY);
    let knows = HubApp::builder().signalr(rotated).hub(Loop).build().unwrap();
    let forgot = HubApp::builder().signalr(signalr).hub(Loop).build().unwrap();

    assert_eq!(status(&knows, invoke("nothing", "[]")).await, 200);
    assert_eq!(status(&forgot, invoke("nothing", "[]")).await, 401);
}

#[tokio::test]
async fn wrong_arguments_are_named_in_the_completion() {
    let app = app(Loop);

    assert_eq!(
        error_of(&app, invoke("add", r#"[1,"x"]"#)).await,
        "argument 2 (`right`): invalid type: string \"x\", expected i64"
    );
    assert_eq!(error_of(&app, invoke("add", "[1]")).await, "argument 2 (`right`) is missing");
    assert_eq!(
        error_of(&app, invoke("add", "[1,2,3]")).await,
        "too many arguments: expected 2 arguments, got 3"
    );
}

#[tokio::test]
async fn without_detailed_errors_the_completion_has_only_the_position() {
    let text = format!("Endpoint=http://127.0.0.1:1;AccessKey={KEY};Version=1.0;");
    let settings =
        [("AzureSignalRConnectionString", text.as_str()), ("HUB_DETAILED_ERRORS", "False")];
    let signalr = SignalR::from_settings(settings.into_iter().collect()).unwrap();
    let by_setting = HubApp::builder().signalr(signalr).hub(Loop).build().unwrap();
    let by_builder = builder_at("http://127.0.0.1:1", Loop).detailed_errors(false).build().unwrap();

    for app in [by_setting, by_builder] {
        for arguments in [r#"[1,"x"]"#, "[1]", r#"[1,{"secret":null}]"#] {
            let error = error_of(&app, invoke("add", arguments)).await;
            assert_eq!(error, "argument 2 is missing or not valid", "{arguments}");
        }
        let error = error_of(&app, invoke("add", "[1,2,3]")).await;
        assert_eq!(error, "the arguments are not valid");
        let error = error_of(&app, invoke("ad", "[]")).await;
        assert_eq!(error, "Unknown hub method 'ad'");
    }
    let unclear = [("AzureSignalRConnectionString", text.as_str()), ("HUB_DETAILED_ERRORS", "no")];
    let refused = SignalR::from_settings(unclear.into_iter().collect()).unwrap_err();
    assert!(
        refused.to_string().contains("HUB_DETAILED_ERRORS is neither true nor false"),
        "{refused}"
    );
}

#[tokio::test]
async fn an_unknown_method_error_suggests_the_nearest_name() {
    let terse = app(Loop);
    let detailed = builder_at("http://127.0.0.1:1", Loop).detailed_errors(true).build().unwrap();

    assert_eq!(
        error_of(&terse, invoke("sendMesage", "[]")).await,
        "Unknown hub method 'sendMesage'"
    );
    assert_eq!(
        error_of(&detailed, invoke("sendMesage", "[]")).await,
        "Unknown hub method 'sendMesage'; did you mean 'sendMessage'?"
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_by_its_length_and_while_reading() {
    let app = builder_at("http://127.0.0.1:1", Loop).max_body(100).build().unwrap();
    let long = format!(r#"["{}"]"#, "x".repeat(200));
    let mut declared = invoke("nothing", "[]");
    declared.headers_mut().insert("content-length", HeaderValue::from_static("101"));

    assert_eq!(status(&app, invoke("nothing", &long)).await, 413);
    assert_eq!(status(&app, declared).await, 413);
}

/// A body that panics when it is read.
struct Untouchable;

impl Body for Untouchable {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        panic!("the body was read")
    }
}

#[tokio::test]
async fn without_a_genuine_signature_the_body_is_not_read() {
    let request = with(invoke("add", "[1,2]"), "x-asrs-signature", Some("sha256=00"));

    let answered = answer(&app(Loop), request.map(|_| Untouchable)).await;

    assert_eq!(answered.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_refusal_is_sent_before_the_body_arrives() {
    let (address, _serving) = serve(&app(Loop)).await;
    let mut stream = TcpStream::connect(address).await.unwrap();

    let head = "POST /runtime/webhooks/signalr HTTP/1.1\r\nHost: x\r\nX-ASRS-Connection-Id: conn-0001\r\nX-ASRS-Hub: loop\r\nX-ASRS-Category: messages\r\nX-ASRS-Event: add\r\nX-ASRS-Signature: sha256=00\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answered = vec![0; 12];
    stream.read_exact(&mut answered).await.unwrap();

    assert_eq!(answered, b"HTTP/1.1 401");
}

/// A client that sends its whole request in chunks before it reads, as .NET's `HttpClient` does.
#[tokio::test]
async fn each_refusal_is_read_by_a_client_that_writes_its_whole_request_first() {
    let (address, _serving) = serve(&app(Loop)).await;
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    for (target, status) in [
        ("POST /runtime/webhooks/signalr", 401),
        ("POST /loop/negotiate", 404),
        ("GET /runtime/webhooks/signalr", 405),
        ("POST /nothing", 404),
    ] {
        for chunks in [5, 500].repeat(10) {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head =
                format!("{target} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            for _ in 0..chunks {
                stream.write_all(chunk.as_bytes()).await.unwrap();
            }
            stream.write_all(b"0\r\n\r\n").await.unwrap();
            let mut response = vec![0; 12];
            stream.read_exact(&mut response).await.unwrap();
            assert_eq!(String::from_utf8(response).unwrap(), format!("HTTP/1.1 {status}"));
        }
    }
}

#[tokio::test]
async fn a_401_has_its_challenge() {
    let mut request = call("messages", "add", "{}");
    request.headers_mut().insert("X-ASRS-Signature", HeaderValue::from_static("sha256=00"));

    let answered = answer(&app(Loop), request).await;

    assert_eq!(answered.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answered.headers["www-authenticate"], "Bearer");
}

#[tokio::test(start_paused = true)]
async fn a_configured_code_is_required() {
    let app = builder_at("http://127.0.0.1:1", Loop).upstream_code("s3cret").build().unwrap();
    let mut coded = invoke("nothing", "[]");
    *coded.uri_mut() = "/runtime/webhooks/signalr?code=s3cret".parse().unwrap();

    let begun = tokio::time::Instant::now();

    assert_eq!(status(&app, invoke("nothing", "[]")).await, 401);
    // Wrong codes are counted and slow. The right code is not.
    assert_eq!((app.counters().wrong_codes, begun.elapsed().as_secs()), (1, 1));
    assert_eq!(status(&app, coded).await, 200);
    assert_eq!((app.counters().wrong_codes, begun.elapsed().as_secs()), (1, 1));
}
