//! The trace context of a call, from the client to the spans of the app and to the requests of the app.

use std::sync::{Arc, Mutex};

use hub_runtime::{
    HubApp, SignalR,
    prelude::*,
    telemetry::{TraceContext, TracePropagator},
};
use serde_json::json;
use test_support::{Client, FakeService, World, response};
use tracing::Span;

use crate::support::builder_at;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OWN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-1111111111111111-01";

struct Traced;

#[serverless_hub]
impl Traced {
    async fn negotiate(&self, _request: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    /// The trace of the call, and what the headers of the request contain.
    async fn trace(&self, ctx: &Context<Self>) -> HubResult<Vec<Option<String>>> {
        let call = ctx.invocation();
        let header = |name| {
            call.headers().get(name).map(|value| value.to_str().unwrap_or_default().to_owned())
        };
        let trace = call.trace();
        Ok(vec![
            trace.map(|trace| trace.traceparent().to_owned()),
            trace.and_then(TraceContext::tracestate).map(str::to_owned),
            header("traceparent"),
            header("tracestate"),
        ])
    }
}

/// Records what it is called with.
#[derive(Clone, Default)]
struct Recording(Arc<Mutex<Vec<String>>>);

impl TracePropagator for Recording {
    fn extract(&self, span: &Span, trace: &TraceContext) {
        let name = span.metadata().map_or("disabled", |metadata| metadata.name());
        self.0.lock().unwrap().push(format!("{name} {}", trace.traceparent()));
    }

    fn inject(&self, _span: &Span) -> Option<TraceContext> {
        TraceContext::new(OWN, Some("app=1"))
    }
}

async fn invoke(client: &mut Client, headers: serde_json::Value) -> serde_json::Value {
    let call = json!({ "type": 1, "headers": headers, "invocationId": "7", "target": "trace", "arguments": [] });
    client.send(&call).await;
    client.recv().await["result"].clone()
}

async fn a_method_sees_the_trace_of_its_call(world: World) {
    let mut client = world.connect("ada").await;

    let traced = invoke(&mut client, json!({ "traceparent": PARENT, "tracestate": "a=1" })).await;
    let without = invoke(&mut client, json!({ "other": "x" })).await;
    let malformed = invoke(&mut client, json!({ "traceparent": "x", "tracestate": "a=1" })).await;

    assert_eq!(traced, json!([PARENT, "a=1", PARENT, "a=1"]));
    assert_eq!(without, json!([null, null, null, null]));
    assert_eq!(malformed, json!([null, null, null, null]));
}

#[tokio::test]
async fn a_method_sees_the_trace_of_its_call_in_one_process() {
    a_method_sees_the_trace_of_its_call(World::embedded(Traced)).await;
}

#[tokio::test]
async fn a_method_sees_the_trace_of_its_call_over_http() {
    a_method_sees_the_trace_of_its_call(World::apart(Traced).await).await;
}

#[tokio::test]
async fn the_propagator_gets_the_span_of_each_call_with_a_trace() {
    let recording = Recording::default();
    let builder = HubApp::builder().signalr(SignalR::local()).trace_propagator(recording.clone());
    let world = World::of(builder.hub(Traced).build().unwrap());
    let mut client = world.connect("ada").await;

    invoke(&mut client, json!({ "traceparent": PARENT })).await;
    invoke(&mut client, json!({})).await;

    let seen = recording.0.lock().unwrap().clone();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen[0].ends_with(PARENT), "{seen:?}");
}

#[tokio::test]
async fn requests_to_the_service_carry_the_trace_of_their_span() {
    let service = FakeService::start(|_| response(202, "", "")).await;
    let app = builder_at(&service.base, Traced).trace_propagator(Recording::default());
    let app = app.build().unwrap();
    let without = builder_at(&service.base, Traced).build().unwrap();

    app.context::<Traced>().clients().all().send("x", ()).await.unwrap();
    without.context::<Traced>().clients().all().send("x", ()).await.unwrap();

    let requests = service.requests();
    assert_eq!(requests[0].header("traceparent"), Some(OWN));
    assert_eq!(requests[0].header("tracestate"), Some("app=1"));
    assert_eq!(requests[1].header("traceparent"), None);
}
