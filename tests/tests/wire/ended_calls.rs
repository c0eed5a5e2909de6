//! The app's code that runs after a method has returned: the text and the drop of an error, the drop of extensions,
//! metrics recorders and `tracing` subscribers. A panic in this code does not end the process, and the caller gets a
//! response.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{HeaderValue, Request};
use http_body_util::Full;
use hub_runtime::prelude::*;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use test_support::{FakeService, logged, within};
use tracing_subscriber::{Layer, filter::LevelFilter, layer::SubscriberExt as _};

use crate::support::{answer, builder_at, call, error_of, invoke, invoke_as, send};

const INTERNAL: &str = "Something went wrong on the server";

/// An error without a text.
#[derive(Debug)]
struct Unprintable;

impl fmt::Display for Unprintable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no text")
    }
}

impl std::error::Error for Unprintable {}

/// Runs a function when the last copy is dropped.
#[derive(Clone)]
struct OnDrop(#[expect(dead_code, reason = "only dropped")] Arc<Inner>);

struct Inner(fn(&AtomicBool), Arc<AtomicBool>);

impl Drop for Inner {
    fn drop(&mut self) {
        (self.0)(&self.1);
    }
}

#[derive(Default)]
struct Loop {
    is_dropped: Arc<AtomicBool>,
}

impl Loop {
    fn insert(&self, ctx: &Context<Self>, on_drop: fn(&AtomicBool)) {
        let inner = Inner(on_drop, Arc::clone(&self.is_dropped));
        ctx.invocation().extensions().insert(OnDrop(Arc::new(inner)));
    }
}

#[serverless_hub]
impl Loop {
    async fn on_connected(&self, ctx: &Context<Self>) -> HubResult {
        self.insert(ctx, |dropped| dropped.store(true, Ordering::SeqCst));
        Err(HubError::rejected("x").with_source(Unprintable))
    }

    async fn on_disconnected(&self) -> HubResult {
        Err(HubError::rejected("x").with_source(Unprintable))
    }

    async fn unprintable(&self) -> HubResult {
        Err(HubError::rejected("x").with_source(Unprintable))
    }

    async fn panics_in_drop(&self, ctx: &Context<Self>) {
        self.insert(ctx, |_| panic!("a panic in drop"));
    }

    async fn logs_in_drop(&self, ctx: &Context<Self>) {
        self.insert(ctx, |_| tracing::info!("the extension is dropped"));
    }

    async fn fails(&self) -> HubResult {
        Err(HubError::internal("down"))
    }

    async fn succeeds(&self) {}
}

/// An app whose shutdown waits longer than a test for a call that does not end.
fn app() -> HubApp {
    let builder = builder_at("http://127.0.0.1:1", Loop::default());
    builder.shutdown_wait(Duration::from_hours(1)).build().unwrap()
}

fn invoke_again(method: &str) -> Request<Full<bytes::Bytes>> {
    let mut request = invoke_as("0", method, "[]");
    request.headers_mut().insert("x-hub-request-id", HeaderValue::from_static("0"));
    request
}

#[tokio::test]
async fn an_error_whose_text_panics_has_a_response_and_its_call_ends() {
    let app = app();

    let first = answer(&app, invoke_again("unprintable")).await;
    let copy = within("the copy", answer(&app, invoke_again("unprintable"))).await;

    assert_eq!(first.body, "{\"type\":3,\"invocationId\":\"0\",\"error\":\"x\"}\u{1e}");
    assert_eq!(copy.body, first.body);
    assert_eq!(answer(&app, send("unprintable", "[]")).await.status, 200);
    let left = call("connections", "disconnected", r#"{"type":11}"#);
    assert_eq!(answer(&app, left).await.status, 200);
    within("the shutdown", app.shutdown()).await;
}

#[tokio::test]
async fn the_log_has_the_text_of_an_error_whose_source_panics() {
    let app = app();

    let log = logged(LevelFilter::DEBUG, answer(&app, invoke("unprintable", "[]"))).await;

    let line = log.lines().find(|line| line.contains("call rejected")).unwrap();
    assert!(line.contains("x: ") && line.contains("no text"), "{line}");
}

#[tokio::test]
async fn a_refused_connection_is_closed_after_its_extensions_are_dropped() {
    let hub = Loop::default();
    let is_dropped = Arc::clone(&hub.is_dropped);
    let at_close = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&at_close);
    let service = FakeService::start(move |_| {
        seen.store(is_dropped.load(Ordering::SeqCst), Ordering::SeqCst);
        test_support::response(202, "", "")
    })
    .await;
    let app = builder_at(&service.base, hub).build().unwrap();

    let status = answer(&app, call("connections", "connected", r#"{"type":10}"#)).await.status;

    assert_eq!(status, 403);
    let closes: Vec<_> = service.requests().iter().map(|request| request.line()).collect();
    assert!(closes.len() == 1 && closes[0].contains("reason=x"), "{closes:?}");
    assert!(at_close.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_panic_in_the_drop_of_an_extension_is_an_error_of_the_call() {
    let app = app();

    let shown = error_of(&app, invoke("panicsInDrop", "[]")).await;

    assert!(shown.starts_with(INTERNAL), "{shown}");
    within("the shutdown", app.shutdown()).await;
}

#[tokio::test]
async fn an_extension_is_dropped_in_the_span_of_its_call() {
    let app = app();

    let log = logged(LevelFilter::INFO, answer(&app, invoke("logsInDrop", "[]"))).await;

    let line = log.lines().find(|line| line.contains("the extension is dropped")).unwrap();
    assert!(line.contains(r#"hub.call{hub="loop" method="logsInDrop""#), "{line}");
}

/// Panics for each event.
struct PanickingLayer;

impl<S: tracing::Subscriber> Layer<S> for PanickingLayer {
    fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        panic!("the layer panics")
    }
}

#[tokio::test]
async fn a_panic_of_a_subscriber_does_not_prevent_the_response() {
    let app = app();
    let panicking = tracing_subscriber::registry().with(PanickingLayer);
    let listening = tracing::subscriber::set_default(panicking);

    let shown = error_of(&app, invoke("fails", "[]")).await;

    drop(listening);
    assert!(shown.starts_with(INTERNAL), "{shown}");
    within("the shutdown", app.shutdown()).await;
}

/// Panics for each counter.
struct PanickingRecorder;

impl Recorder for PanickingRecorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        panic!("the recorder panics")
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[tokio::test]
async fn a_panic_of_a_metrics_recorder_is_an_error_of_the_call() {
    let app = app();
    let recording = metrics::set_default_local_recorder(&PanickingRecorder);

    let shown = error_of(&app, invoke("succeeds", "[]")).await;

    drop(recording);
    assert!(shown.starts_with(INTERNAL), "{shown}");
    within("the shutdown", app.shutdown()).await;
}
