//! Exports the spans of the runtime to OpenTelemetry. The hub needs no changes for it.

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanExporter};
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
