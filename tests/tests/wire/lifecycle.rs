//! Start and end of an app.

use std::{sync::Arc, time::Duration};

use http::{Request, StatusCode};
use http_body_util::Empty;
use hub_runtime::{HubApp, SignalR, prelude::*};
use tokio::sync::Notify;

use crate::support::{answer, app, builder_at, sealed::invoke};

#[derive(Default)]
struct Loop {
    begun: Arc<Notify>,
    go_on: Arc<Notify>,
    ended: Arc<Notify>,
}

#[serverless_hub]
impl Loop {
    async fn negotiate(&self, _request: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    async fn slow(&self) {
        self.begun.notify_one();
        self.go_on.notified().await;
        self.ended.notify_one();
    }
}

async fn status(app: &HubApp, request: Request<Empty<bytes::Bytes>>) -> StatusCode {
    answer(app, request).await.status
}

#[tokio::test]
async fn during_shutdown_negotiate_is_refused_and_health_fails() {
    let app = app(Loop::default());
    let negotiate = || Request::post("/loop/negotiate").body(Empty::new()).unwrap();
    let health = || Request::get("/health").body(Empty::new()).unwrap();
    assert_eq!(status(&app, negotiate()).await, StatusCode::OK);
    assert_eq!(status(&app, health()).await, StatusCode::OK);

    app.shutdown().await;

    assert_eq!(status(&app, negotiate()).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(status(&app, health()).await, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn shutdown_waits_for_running_calls() {
    let hub = Loop::default();
    let (begun, go_on, ended) = (hub.begun.clone(), hub.go_on.clone(), hub.ended.clone());
    let app = app(hub);
    let called = app.clone();
    let call = tokio::spawn(async move { answer(&called, invoke("slow", "[]")).await.status });
    begun.notified().await;
    let closing = app.clone();
    let mut shutdown = tokio::spawn(async move { closing.shutdown().await });
    tokio::task::yield_now().await;
    assert!(!shutdown.is_finished());

    go_on.notify_one();

    (&mut shutdown).await.unwrap();
    ended.notified().await;
    assert_eq!(call.await.unwrap(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn shutdown_has_a_timeout() {
    let app = builder_at("http://127.0.0.1:1", Loop::default())
        .shutdown_wait(Duration::from_secs(3))
        .build()
        .unwrap();
    let called = app.clone();
    let call = tokio::spawn(async move { answer(&called, invoke("slow", "[]")).await });
    tokio::task::yield_now().await;
    let before = tokio::time::Instant::now();

    app.shutdown().await;

    assert_eq!(before.elapsed(), Duration::from_secs(3));
    call.abort();
}

#[tokio::test]
async fn a_port_in_use_is_an_error_with_advice() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();

    let error = app(Loop::default()).serve(address).await.unwrap_err();

    let port = address.port();
    let text = format!(
        "port {port} is in use: pass another address to `serve`, or stop the process that listens there"
    );
    assert_eq!(error.to_string(), text);
}

#[tokio::test]
async fn with_the_well_known_key_the_app_listens_on_loopback_only() {
    let text = "Endpoint=http://localhost;Port=8888;AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH;Version=1.0;";
    let signalr = SignalR::from_connection_string(text).unwrap();
    let app = HubApp::builder().signalr(signalr).hub(Loop::default()).build().unwrap();

    let error = app.serve("0.0.0.0:0").await.unwrap_err();

    assert!(error.to_string().contains("well-known key of the emulator"), "{error}");
}
