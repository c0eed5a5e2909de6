//! From the runtime's spans to OpenTelemetry: all that an app needs, and nothing of it in the hub.

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanExporter};
use tracing_subscriber::{Layer, filter::LevelFilter, layer::SubscriberExt, registry::Registry};

/// Spans go to this exporter one by one. An exporter over the network wants `with_batch_exporter`.
pub fn provider(exporter: impl SpanExporter + 'static) -> SdkTracerProvider {
    SdkTracerProvider::builder().with_simple_exporter(exporter).build()
}

/// Hands spans and their events at info and above to the provider.
pub fn subscriber(
    provider: &SdkTracerProvider,
) -> impl tracing_subscriber::util::SubscriberInitExt {
    let tracer = provider.tracer("bell");
    let layer = tracing_opentelemetry::layer().with_tracer(tracer);
    Registry::default().with(layer.with_filter(LevelFilter::INFO))
}
