//! Traces across the client, the app and the service.

use std::{fmt, sync::Arc};

use hub_core::TraceContext;
use tracing::Span;

/// Connects the spans of the app with the traces of clients and of the service. The runtime depends on no tracing system,
/// so the app implements this trait with the library that exports its spans. The example `opentelemetry` does so in
/// a few lines.
///
/// The methods are called for spans of [`telemetry`](crate::telemetry). They must not block.
pub trait TracePropagator: Send + Sync + 'static {
    /// Makes the trace of a client's call the parent of the span `hub.call`. The span was not entered yet.
    fn extract(&self, span: &Span, trace: &TraceContext);

    /// The trace of a span `hub.rest`, for the headers `traceparent` and `tracestate` of its request. `None` sends none.
    fn inject(&self, span: &Span) -> Option<TraceContext>;
}

/// The propagator of an app, if it has one.
#[derive(Clone, Default)]
pub(crate) struct Propagator(pub(crate) Option<Arc<dyn TracePropagator>>);

impl fmt::Debug for Propagator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Propagator({})", self.0.is_some())
    }
}
