//! Limits of REST calls: body size, content type and method. Also forms of responses, and the health route.

use http::{
    HeaderName, Method, Request, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use http_body_util::Full;

use crate::{
    rest_support::{Server, call, post, rest_token},
    support::{App, Fixture},
};

const SEND: &str = "/api/hubs/chat/:send";
const BODY: &str = r#"{"target":"m"}"#;

#[tokio::test(start_paused = true)]
async fn a_body_of_exactly_1_mib_is_accepted() {
    let fixture = Fixture::new(App::silent());
    let around = r#"{"target":"m","arguments":[""]}"#.len();
    let of =
        |size: usize| format!(r#"{{"target":"m","arguments":["{}"]}}"#, "x".repeat(size - around));

    assert_eq!(post(&fixture, SEND, &of(1024 * 1024)).await.status, 202);
    let over = post(&fixture, SEND, &of(1024 * 1024 + 1)).await;

    assert_eq!(over.outcome(), (413, Some("Error.Request.TooLarge")));
    let old = post(&fixture, "/api/v1/hubs/chat", &of(1024 * 1024 + 1)).await;
    assert_eq!((old.status, old.body), (413, "the body has more than 1048576 bytes".into()));
}

#[tokio::test]
async fn a_chunked_body_is_limited_while_reading() {
    let fixture = Fixture::new(App::silent());
    let server = Server::start(&fixture).await;
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000)).repeat(17);

    let answer = server
        .exchange(&format!(
            "POST {SEND} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n",
            rest_token(SEND)
        ))
        .await;

    assert!(answer.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn request_headers_over_16_kib_are_a_431() {
    let fixture = Fixture::new(App::silent());
    let filler = HeaderName::from_static("x-filler");
    let sent = async |size: usize| {
        let value = "x".repeat(size);
        let headers = [(CONTENT_TYPE, "application/json"), (filler.clone(), value.as_str())];
        call(&fixture, "POST", SEND, &headers, BODY.as_bytes()).await
    };

    assert_eq!(sent(15 * 1024).await.status, 202);
    assert_eq!(sent(16 * 1024).await.outcome(), (431, Some("Error.Request.HeadersTooLarge")));
}

#[tokio::test(start_paused = true)]
async fn only_json_bodies_are_accepted() {
    let fixture = Fixture::new(App::silent());
    for path in [
        SEND,
        "/api/hubs/chat/groups/g",
        "/api/hubs/chat/:execute",
        "/api/hubs/chat/connections/c/:invoke",
        "/api/hubs/chat/connections/c/streams/s/:send",
    ] {
        for content_type in ["text/plain", "application/xml", "application/jsonx", ""] {
            let headers = [(CONTENT_TYPE, content_type)];
            let answer = call(&fixture, "POST", path, &headers, BODY.as_bytes()).await;
            let wanted = (415, Some("Error.Request.UnsupportedMediaType"));
            assert_eq!(answer.outcome(), wanted, "{path} {content_type}");
        }
    }
    let charset = [(CONTENT_TYPE, "Application/JSON; charset=utf-8")];
    assert_eq!(call(&fixture, "POST", SEND, &charset, BODY.as_bytes()).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_405_lists_the_allowed_methods() {
    let fixture = Fixture::new(App::silent());
    for (method, below, allow) in [
        ("GET", "/:send", "POST"),
        ("PUT", "", "POST"),
        ("GET", "/:execute", "POST"),
        ("GET", "/:generateToken", "POST"),
        ("PATCH", "/groups/g", "GET, HEAD, POST"),
        ("DELETE", "/users/u", "GET, HEAD, POST"),
        ("PUT", "/connections/c", "DELETE, GET, HEAD, POST"),
        ("POST", "/groups/g/connections/c", "DELETE, PUT"),
        ("POST", "/users/u/groups/g", "DELETE, GET, HEAD, PUT"),
        ("GET", "/connections/c/groups", "DELETE"),
        ("HEAD", "/groups/g/connections", "GET"),
        ("DELETE", "/connections/c/streams/s/:send", "POST"),
    ] {
        let answer = call(&fixture, method, &format!("/api/hubs/chat{below}"), &[], b"").await;
        let wanted = (405, Some("Error.Request.MethodNotAllowed"));
        assert_eq!(answer.outcome(), wanted, "{method} {below}");
        assert_eq!(answer.headers["allow"], allow, "{method} {below}");
    }
    let unknown = call(&fixture, "POST", "/api/hubs/chat/:dance", &[], b"").await;
    assert_eq!(unknown.outcome(), (404, Some("Error.Request.NotExisted")));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_accepts_octet_streams_gets_the_framed_completion() {
    for (answered, status, body, content_type) in [
        (r#","result":{"b":1.50}"#, 200, None, "application/octet-stream"),
        ("", 200, None, "application/octet-stream"),
        (r#","error":"Error: boom""#, 400, Some("Error: boom"), "text/plain; charset=utf-8"),
    ] {
        let fixture = Fixture::new(App::silent());
        let (mut client, id) = fixture.client_and_id("ada").await;
        let asking = tokio::spawn(async move {
            let path = format!("/api/hubs/chat/connections/{id}/:invoke?api-version=2024-12-01");
            let headers =
                [(CONTENT_TYPE, "application/json"), (ACCEPT, "application/octet-stream")];
            call(&fixture, "POST", &path, &headers, BODY.as_bytes()).await
        });
        assert!(client.recv_text().await.contains("\"invocationId\":\"s0\""));

        client.send_text(&format!(r#"{{"type":3,"invocationId":"s0"{answered}}}"#)).await;

        let answer = asking.await.unwrap();
        assert_eq!(answer.status, status);
        let frame = format!("{{\"type\":3,\"invocationId\":\"s0\"{answered}}}\x1e");
        assert_eq!(answer.body, body.unwrap_or(&frame));
        assert_eq!(answer.headers["content-type"], content_type);
        if status == 200 {
            assert_eq!(answer.headers["x-asrs-client-invocation-protocol"], "json");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_stops_is_not_healthy() {
    let fixture = Fixture::new(App::silent());
    let health = async |method: Method, path: &str| {
        let request = Request::builder().method(method).uri(path).body(Full::default());
        fixture.request(request.unwrap()).await
    };
    let paths = ["/api/health", "/api/v1/health", "/health"];
    for path in paths {
        for method in [Method::HEAD, Method::GET] {
            let answer = health(method, path).await;
            assert_eq!((answer.status, answer.body.len()), (200, 0));
        }
        let answer = health(Method::POST, path).await;
        assert_eq!((answer.status, &answer.headers["allow"]), (405, &"GET, HEAD".parse().unwrap()));
    }

    fixture.service.shutdown().await;

    for path in paths {
        let status = StatusCode::SERVICE_UNAVAILABLE.as_u16();
        assert_eq!(health(Method::HEAD, path).await.status, status);
    }
}
