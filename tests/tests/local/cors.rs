//! CORS headers on client routes.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;

use crate::support::{App, Fixture, RestResponse};

async fn from_page(
    fixture: &Fixture,
    method: Method,
    headers: &[(&'static str, &str)],
) -> RestResponse {
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.method_mut() = method;
    *request.uri_mut() = "/client/negotiate?hub=chat".parse().unwrap();
    request.headers_mut().insert("origin", "http://localhost:3000".parse().unwrap());
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    fixture.request(request).await
}

#[tokio::test(start_paused = true)]
async fn a_preflight_needs_no_token() {
    let fixture = Fixture::new(App::silent());
    let asked = [
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,x-signalr-user-agent"),
        ("access-control-request-private-network", "true"),
    ];

    let answer = from_page(&fixture, Method::OPTIONS, &asked).await;

    let header = |name| answer.headers[name].to_str().unwrap();
    assert_eq!(answer.status, 204);
    assert_eq!(header("access-control-allow-origin"), "http://localhost:3000");
    assert_eq!(header("access-control-allow-credentials"), "true");
    assert_eq!(header("access-control-allow-methods"), "GET, POST, DELETE, OPTIONS");
    assert_eq!(header("access-control-allow-headers"), "authorization,x-signalr-user-agent");
    assert_eq!(header("access-control-allow-private-network"), "true");
    assert_eq!(header("vary"), "Origin");
}

#[tokio::test(start_paused = true)]
async fn errors_have_cors_headers() {
    let fixture = Fixture::new(App::silent());

    let answer = from_page(&fixture, Method::POST, &[]).await;

    assert_eq!(answer.status, 401);
    assert_eq!(answer.headers["access-control-allow-origin"], "http://localhost:3000");
    assert_eq!(answer.headers["access-control-allow-credentials"], "true");
}
