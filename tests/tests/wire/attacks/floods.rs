//! Floods of requests without credentials. The log stays small and has the number of omitted lines.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Empty;
use hub_runtime::{HubApp, prelude::*};
use test_support::log_of;
use tracing_subscriber::{filter::LevelFilter, fmt::format::FmtSpan};

use crate::support::{answer, app};

struct Loop;

#[serverless_hub]
impl Loop {
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        let cookie = request.header("cookie").unwrap_or_default();
        Err(HubError::unauthenticated(format!("there is no session {cookie}")))
    }
}

/// One request of each kind that anyone can send, with the longest values that fit.
async fn send_all(app: &HubApp) {
    let long = "x".repeat(29_000);
    let request = |method: Method, path: &str, header: &str, value: &str| {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header, value)
            .body(Empty::<Bytes>::new())
            .unwrap()
    };
    let unknown = format!("/{long}/negotiate");
    let origin = format!("https://{long}");
    for (request, status) in [
        (request(Method::POST, &unknown, "accept", "*/*"), StatusCode::NOT_FOUND),
        (request(Method::OPTIONS, "/negotiate", "origin", &origin), StatusCode::NO_CONTENT),
        (request(Method::POST, "/negotiate", "cookie", &long), StatusCode::UNAUTHORIZED),
        (
            request(Method::POST, "/runtime/webhooks/signalr", "x-asrs-hub", &long),
            StatusCode::UNAUTHORIZED,
        ),
    ] {
        assert_eq!(answer(app, request).await.status, status);
    }
}

#[tokio::test(start_paused = true)]
async fn two_thousand_requests_without_credentials_write_a_few_short_lines_and_their_number() {
    let app = app(Loop);

    let log = log_of(LevelFilter::INFO, FmtSpan::NONE, async {
        for _ in 0..500 {
            send_all(&app).await;
        }
    })
    .await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let later = log_of(LevelFilter::INFO, FmtSpan::NONE, send_all(&app)).await;

    assert_eq!(log.lines().count(), 4 * 20, "{log}");
    assert!(log.lines().chain(later.lines()).all(|line| line.len() < 600), "{log}{later}");
    assert_eq!(later.lines().count(), 4);
    assert!(later.lines().all(|line| line.contains("omitted=480")), "{later}");
}
