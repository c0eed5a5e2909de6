//! Clients that connect to the app instead of negotiating with it.

use http::{Request, StatusCode};
use http_body_util::Full;
use hub_runtime::prelude::*;
use test_support::logged;
use tracing_subscriber::filter::LevelFilter;

use crate::support::{answer, app, builder_at};

struct Chat;

#[serverless_hub]
impl Chat {}

struct Other;

#[serverless_hub]
impl Other {}

const NEGOTIATE: &str = "must send `POST <this URL>/negotiate` first";

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Full<bytes::Bytes>> {
    let request = Request::builder().method(method).uri(path).header("host", "localhost");
    let add = |request: http::request::Builder, (name, value): &(&str, &str)| {
        request.header(*name, *value)
    };
    headers.iter().fold(request, add).body(Full::default()).unwrap()
}

#[tokio::test]
async fn a_client_that_did_not_negotiate_reads_what_to_do_and_the_log_names_it() {
    let app = app(Chat);
    let key = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let upgrade = [("connection", "Upgrade"), ("upgrade", "websocket"), key];

    let log = logged(LevelFilter::WARN, async {
        for (method, path, headers) in [
            ("GET", "/chat", &upgrade[..]),
            ("GET", "/chat?id=x", &[key][..]),
            ("GET", "/api/Chat/", &upgrade[..]),
            ("GET", "/", &upgrade[..]),
            ("GET", "/chat", &[("accept", "text/event-stream")][..]),
            ("GET", "/chat?id=abc", &[][..]),
            ("POST", "/chat?id=abc", &[][..]),
            ("DELETE", "/chat?id=abc", &[][..]),
            ("OPTIONS", "/chat", &[("origin", "https://app.example")][..]),
        ] {
            let answered = answer(&app, request(method, path, headers)).await;
            assert_eq!(answered.status, StatusCode::NOT_FOUND);
            assert!(answered.body.contains(NEGOTIATE), "{method} {path}: {}", answered.body);
        }
    });

    let log = log.await;
    assert!(log.contains("method=\"OPTIONS\"") && log.contains("path=\"/chat\""), "{log}");
    let flooding = async {
        for _ in 0..1000 {
            answer(&app, request("GET", "/chat", &upgrade)).await;
        }
    };
    assert!(logged(LevelFilter::WARN, flooding).await.matches(NEGOTIATE).count() <= 20);
}

#[tokio::test]
async fn a_client_of_the_classic_signalr_is_named() {
    let app = app(Chat);
    for path in [
        "/signalr/negotiate?clientProtocol=1.5&connectionData=%5B%5D",
        "/signalr/connect?transport=webSockets&clientProtocol=2.1",
        "/chat/negotiate?clientProtocol=1.5",
    ] {
        let answered = answer(&app, request("GET", path, &[])).await;
        assert_eq!(answered.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answered.body.contains("a client of ASP.NET SignalR"), "{}", answered.body);
    }
}

#[tokio::test]
async fn other_requests_have_their_usual_responses() {
    let two = builder_at("http://127.0.0.1:1", Chat).hub(Other).build().unwrap();
    for (method, path) in [
        ("GET", "/chat"),
        ("GET", "/"),
        ("POST", "/"),
        ("POST", "/rooms?id=1"),
        ("GET", "/favicon.ico"),
    ] {
        let answered = answer(&two, request(method, path, &[])).await;
        assert_eq!((answered.status.as_u16(), &answered.body[..]), (404, "not found"), "{path}");
    }
    let wrong = answer(&two, request("GET", "/chat/negotiate", &[])).await;
    assert_eq!(wrong.status, StatusCode::METHOD_NOT_ALLOWED);
}
