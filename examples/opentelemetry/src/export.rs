//! Exports the spans of the runtime to OpenTelemetry. The hub needs no changes for it.

use std::collections::HashMap;

use hub_runtime::telemetry::{TraceContext, TracePropagator};
use opentelemetry::{propagation::TextMapPropagator, trace::TracerProvider};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{SdkTracerProvider, SpanExporter},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::LevelFilter, layer::SubscriberExt, registry::Registry};

/// Exports spans one by one. Use `with_batch_exporter` if the exporter sends over the network.
pub fn provider(exporter: impl SpanExporter + 'static) -> SdkTracerProvider {
    SdkTracerProvider::builder().with_simple_exporter(exporter).build()
}

/// Sends spans and events at info level and above to the provider.
pub fn subscriber(
    provider: &SdkTracerProvider,
) -> impl tracing_subscriber::util::SubscriberInitExt {
    let tracer = provider.tracer("bell");
    let layer = tracing_opentelemetry::layer().with_tracer(tracer);
    Registry::default().with(layer.with_filter(LevelFilter::INFO))
}

/// Continues the traces of clients, and passes the trace of each send on to the service.
#[derive(Default)]
pub struct W3c(TraceContextPropagator);

impl TracePropagator for W3c {
    fn extract(&self, span: &Span, trace: &TraceContext) {
        let state = trace.tracestate().unwrap_or_default();
        let headers = [("traceparent", trace.traceparent()), ("tracestate", state)];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        // An error means that spans of this level are not exported.
        let _ = span.set_parent(self.0.extract(&HashMap::from(headers)));
    }

    fn inject(&self, span: &Span) -> Option<TraceContext> {
        let mut headers = HashMap::new();
        self.0.inject_context(&span.context(), &mut headers);
        TraceContext::new(
            headers.get("traceparent")?,
            headers.get("tracestate").map(String::as_str),
        )
    }
}
