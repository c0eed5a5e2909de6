//! A call and its sends belong to one trace.

use std::sync::{Arc, Mutex};

use hub_runtime::{HubApp, SignalR, telemetry::TracePropagator, testing::TestHub};
use opentelemetry::SpanId;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};
use serde_json::json;
use test_support::World;
use tracing_subscriber::util::SubscriberInitExt;

use crate::{export, hub::Bell};

/// Stores exported spans.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

fn attribute(span: &SpanData, name: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
    found.map(|attribute| attribute.value.to_string()).unwrap_or_default()
}

#[tokio::test]
async fn a_call_and_its_sends_are_one_trace() {
    let kept = Kept::default();
    let provider = export::provider(kept.clone());
    let _guard = export::subscriber(&provider).set_default();
    let hub = TestHub::new(Bell);
    let ada = hub.anonymous().connect().await.unwrap();

    ada.call().ring("Ada").await.unwrap();

    let spans = kept.0.lock().unwrap().clone();
    let named = |name: &str, attribute_name: &str, value: &str| {
        let mut fitting = spans.iter().filter(|span| span.name == name);
        fitting.find(|span| attribute(span, attribute_name) == value).cloned().unwrap()
    };
    let call = named("hub.call", "method", "ring");
    let sent = named("hub.rest", "operation", "send_to_all");
    assert_eq!(attribute(&call, "outcome"), "ok");
    assert_eq!(call.parent_span_id, SpanId::INVALID);
    assert_eq!(attribute(&sent, "attempts"), "1");
    assert_eq!(sent.parent_span_id, call.span_context.span_id());
    assert_eq!(sent.span_context.trace_id(), call.span_context.trace_id());
    // Arguments are not exported.
    assert!(!format!("{spans:?}").contains("Ada"));
}

/// The client has a span of its own, and sends its context in the headers of its message, as clients of .NET do.
#[tokio::test]
async fn the_span_of_the_client_a_call_and_its_sends_are_one_trace() {
    let kept = Kept::default();
    let provider = export::provider(kept.clone());
    let _guard = export::subscriber(&provider).set_default();
    let builder = HubApp::builder().signalr(SignalR::local());
    let app = builder.trace_propagator(export::W3c::default()).hub(Bell).build().unwrap();
    let world = World::of(app);
    let mut ada = world.connect("ada").await;

    let span = tracing::info_span!("client");
    let context = export::W3c::default().inject(&span).unwrap();
    let headers = json!({ "traceparent": context.traceparent(), "authorization": "secret" });
    let call = json!({
        "type": 1, "headers": headers, "invocationId": "7", "target": "ring", "arguments": ["Ada"],
    });
    ada.send(&call).await;
    assert_eq!(ada.recv().await["target"], "rang");
    assert_eq!(ada.recv().await["invocationId"], "7");
    drop(span);

    let spans = kept.0.lock().unwrap().clone();
    let named = |name: &str, operation: &str| {
        let mut fitting = spans.iter().filter(|span| span.name == name);
        fitting.find(|span| attribute(span, "operation") == operation).cloned().unwrap()
    };
    let client = named("client", "");
    let calls = spans.iter().filter(|span| span.name == "hub.call");
    let call = calls.into_iter().find(|span| attribute(span, "method") == "ring").unwrap();
    let sent = named("hub.rest", "send_to_all");
    let trace = |span: &SpanData| span.span_context.trace_id();
    assert_eq!([trace(call), trace(&sent)], [trace(&client); 2]);
    assert_eq!(call.parent_span_id, client.span_context.span_id());
    assert_eq!(sent.parent_span_id, call.span_context.span_id());
    assert!(!format!("{spans:?}").contains("secret"));
}
