//! Names of spans, fields and metrics.
//!
//! Spans go to the [`tracing`](https://docs.rs/tracing) subscriber of the app, metrics (feature `metrics`)
//! to the recorder of the [`metrics`](https://docs.rs/metrics) façade. The app installs both.
//! The example `opentelemetry` exports the spans.
//!
//! | Span | Level | Fields |
//! |---|---|---|
//! | [`CALL_SPAN`] `hub.call` | info | `hub`, `method`, `connection`, `outcome` |
//! | [`NEGOTIATE_SPAN`] `hub.negotiate` | info | `hub`, `outcome` |
//! | [`REFRESH_SPAN`] `hub.refresh` | info | `hub`, `outcome` |
//! | [`REST_SPAN`] `hub.rest` | info | `hub`, `operation`, `attempts`, `outcome`, `tracing_id` |
//! | [`REFUSAL_SPAN`] `hub.refusal`, in the span of its call or negotiate request | info | `filter` |
//!
//! | Event | Level | Fields |
//! |---|---|---|
//! | [`REFUSAL_EVENT`] `hub.refusal`, in the span of this name | info | `filter`, `cause` |
//!
//! | Metric | Kind | Labels |
//! |---|---|---|
//! | [`CALLS`] `hub_calls_total` | counter | `hub`, `method`, `outcome` |
//! | [`CALL_SECONDS`] `hub_call_seconds` | histogram | `hub`, `method` |
//! | [`REFUSALS`] `hub_refusals_total` | counter | `hub`, `method`, `filter` |
//! | [`ERRORS`] `hub_errors_total` | counter | `hub`, `method`, `outcome` |
//! | [`NEGOTIATES`] `hub_negotiates_total` | counter | `hub`, `outcome` |
//! | [`NEGOTIATE_SECONDS`] `hub_negotiate_seconds` | histogram | `hub` |
//! | [`REFRESHES`] `hub_refreshes_total` | counter | `hub`, `outcome` |
//! | [`SENDS`] `hub_sends_total` | counter | `hub`, `target`, `outcome` |
//! | [`REST_CALLS`] `hub_rest_calls_total` | counter | `hub`, `operation`, `outcome` |
//! | [`REST_SECONDS`] `hub_rest_seconds` | histogram | `hub`, `operation` |
//! | [`REST_RETRIES`] `hub_rest_retries_total` | counter | `hub`, `operation` |
//!
//! `method` is the name of a hub method, `connected`, `disconnected`, `refreshed`, or `unknown`. Clients cannot create
//! other values. `filter` is the type of the filter that refused the call, or `method` if the method refused
//! it. The values of `outcome` are:
//!
//! - for a call: `ok`, `rejected`, `denied`, `unauthenticated`, `throttled`, `failed`, `panicked`
//! - for a request to negotiate or to refresh: `ok`, `rejected`, `denied`, `unauthenticated`, `failed`, `throttled`,
//!   `not_found`, `too_large`
//! - for a call to the service: `ok`, a status such as `429`, `unreachable`, `interrupted`, `timed_out`,
//!   `failed`
//!
//! A client can send the trace context of its call (W3C Trace Context) in the headers of its message, as clients of .NET do:
//! [`Invocation::trace`](hub_core::Invocation::trace). With a [`TracePropagator`], `hub.call` is a child of the client's
//! span, and requests to the service carry the trace of `hub.rest`.
//!
//! Spans, and events at level `info` and above, contain no data of users: no user ids, claims, arguments,
//! queries or tokens.

use http::StatusCode;
pub use hub_core::TraceContext;
use hub_core::{ErrorKind, HubError, SendError};
use tracing::{Span, field::Empty};

pub use crate::trace_propagator::TracePropagator;

/// Span of an upstream call, from its filters to its response.
pub const CALL_SPAN: &str = "hub.call";
/// Span of a negotiate request.
pub const NEGOTIATE_SPAN: &str = "hub.negotiate";
/// Span of a request to refresh.
pub const REFRESH_SPAN: &str = "hub.refresh";
/// Span of a call to the service, with all attempts.
pub const REST_SPAN: &str = "hub.rest";
/// Span of a refusal by a filter or a method. It has no duration and is for exporters that ignore events.
pub const REFUSAL_SPAN: &str = "hub.refusal";
/// Log event of a refusal.
pub const REFUSAL_EVENT: &str = "hub.refusal";

/// Number of upstream calls that reached a hub.
pub const CALLS: &str = "hub_calls_total";
/// Durations of upstream calls, in seconds.
pub const CALL_SECONDS: &str = "hub_call_seconds";
/// Number of calls whose caller was denied, not signed in or above a rate limit.
pub const REFUSALS: &str = "hub_refusals_total";
/// Number of calls that failed with an internal error or a panic.
pub const ERRORS: &str = "hub_errors_total";
/// Number of negotiate requests.
pub const NEGOTIATES: &str = "hub_negotiates_total";
/// Durations of negotiate requests, in seconds.
pub const NEGOTIATE_SECONDS: &str = "hub_negotiate_seconds";
/// Number of requests to refresh.
pub const REFRESHES: &str = "hub_refreshes_total";
/// Number of messages sent to the service, one for each target.
pub const SENDS: &str = "hub_sends_total";
/// Number of calls to the service, without retries.
pub const REST_CALLS: &str = "hub_rest_calls_total";
/// Durations of calls to the service with all attempts, in seconds.
pub const REST_SECONDS: &str = "hub_rest_seconds";
/// Number of retries of calls to the service.
pub const REST_RETRIES: &str = "hub_rest_retries_total";

/// The value of `method` for an event without a method.
pub(crate) const UNKNOWN: &str = "unknown";
/// The value of `filter` if the method refused.
const METHOD: &str = "method";

pub(crate) fn call_span(hub: &str, method: &'static str, connection: &str) -> Span {
    tracing::info_span!(CALL_SPAN, hub, method, connection, outcome = Empty)
}

/// `hub` is the name of a mounted hub, or [`UNKNOWN`].
pub(crate) fn negotiate_span(hub: &str) -> Span {
    tracing::info_span!(NEGOTIATE_SPAN, hub, outcome = Empty)
}

/// `hub` is the name of a mounted hub.
pub(crate) fn refresh_span(hub: &str) -> Span {
    tracing::info_span!(REFRESH_SPAN, hub, outcome = Empty)
}

pub(crate) fn rest_span(hub: &str, operation: &'static str, tracing_id: Option<u64>) -> Span {
    tracing::info_span!(REST_SPAN, hub, operation, tracing_id, attempts = Empty, outcome = Empty)
}

/// Logs a refusal. The surrounding span identifies the caller.
pub(crate) fn refused(error: &HubError, cause: &str, omitted: Option<u64>) {
    let filter = refusing(error);
    let text = match error.kind() {
        ErrorKind::Unauthenticated => "caller not signed in",
        ErrorKind::Throttled => "caller above a rate limit",
        _ => "call denied",
    };
    let _in_span = tracing::info_span!(REFUSAL_SPAN, filter).entered();
    tracing::info!(name: REFUSAL_EVENT, filter, cause, omitted, "{text}");
}

fn refusing(error: &HubError) -> &'static str {
    error.refused_by().unwrap_or(METHOD)
}

/// The outcome of a call or a negotiate request.
pub(crate) fn outcome<T>(result: &Result<T, HubError>) -> &'static str {
    match result.as_ref().map_err(HubError::kind) {
        Ok(_) => "ok",
        Err(ErrorKind::Rejected) => "rejected",
        Err(ErrorKind::Denied) => "denied",
        Err(ErrorKind::Unauthenticated) => "unauthenticated",
        Err(ErrorKind::Throttled) => "throttled",
        Err(ErrorKind::Panicked) => "panicked",
        Err(_) => "failed",
    }
}

/// The outcome of a request to negotiate or to refresh, by the status of its response.
pub(crate) fn negotiate_outcome(status: StatusCode) -> &'static str {
    match status {
        StatusCode::OK => "ok",
        StatusCode::BAD_REQUEST => "rejected",
        StatusCode::UNAUTHORIZED => "unauthenticated",
        StatusCode::FORBIDDEN => "denied",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        StatusCode::TOO_MANY_REQUESTS => "throttled",
        _ => "failed",
    }
}

/// The outcome of a call to the service that failed without a response status.
pub(crate) fn failure(error: &SendError) -> &'static str {
    match error {
        SendError::Unreachable(_) => "unreachable",
        SendError::Interrupted(_) => "interrupted",
        SendError::TimedOut(_) => "timed_out",
        SendError::Offline => "offline",
        SendError::Targets { failures, .. } => {
            failures.first().map_or("failed", |first| failure(&first.error))
        }
        _ => "failed",
    }
}

pub(crate) use self::recording::*;

#[cfg(feature = "metrics")]
mod recording {
    use std::sync::Arc;

    use metrics::{counter, histogram};
    use tokio::time::Instant;

    use super::*;

    /// Measures one call.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Stopwatch(Instant);

    impl Stopwatch {
        pub(crate) fn start() -> Self {
            Self(Instant::now())
        }

        fn seconds(self) -> f64 {
            self.0.elapsed().as_secs_f64()
        }
    }

    pub(crate) fn call_ended<T>(
        hub: &Arc<str>,
        method: &'static str,
        result: &Result<T, HubError>,
        watch: Stopwatch,
    ) {
        let (hub, outcome) = (Arc::clone(hub), outcome(result));
        counter!(CALLS, "hub" => hub.clone(), "method" => method, "outcome" => outcome)
            .increment(1);
        histogram!(CALL_SECONDS, "hub" => hub.clone(), "method" => method).record(watch.seconds());
        let Err(error) = result else { return };
        if error.is_internal() {
            counter!(ERRORS, "hub" => hub, "method" => method, "outcome" => outcome).increment(1);
        } else if error.is_refusal() {
            counter!(REFUSALS, "hub" => hub, "method" => method, "filter" => refusing(error))
                .increment(1);
        }
    }

    /// `hub` is the name of a mounted hub, or [`UNKNOWN`].
    pub(crate) fn negotiate_ended(hub: &Arc<str>, outcome: &'static str, watch: Stopwatch) {
        let hub = Arc::clone(hub);
        counter!(NEGOTIATES, "hub" => hub.clone(), "outcome" => outcome).increment(1);
        histogram!(NEGOTIATE_SECONDS, "hub" => hub).record(watch.seconds());
    }

    pub(crate) fn refresh_ended(hub: &Arc<str>, outcome: &'static str) {
        counter!(REFRESHES, "hub" => Arc::clone(hub), "outcome" => outcome).increment(1);
    }

    pub(crate) fn sent(hub: &str, target: &'static str, result: &Result<(), SendError>) {
        let outcome = match result {
            Ok(()) => "ok",
            Err(error) => failure(error),
        };
        counter!(SENDS, "hub" => hub.to_owned(), "target" => target, "outcome" => outcome)
            .increment(1);
    }

    pub(crate) fn rest_ended(hub: &str, operation: &'static str, outcome: &str, watch: Stopwatch) {
        let hub = || hub.to_owned();
        let outcome = outcome.to_owned();
        counter!(REST_CALLS, "hub" => hub(), "operation" => operation, "outcome" => outcome)
            .increment(1);
        histogram!(REST_SECONDS, "hub" => hub(), "operation" => operation).record(watch.seconds());
    }

    pub(crate) fn rest_repeated(hub: &str, operation: &'static str) {
        counter!(REST_RETRIES, "hub" => hub.to_owned(), "operation" => operation).increment(1);
    }
}

/// Without the feature `metrics` these functions do nothing, and the compiler removes them.
#[cfg(not(feature = "metrics"))]
mod recording {
    use std::sync::Arc;

    use super::{HubError, SendError};

    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Stopwatch;

    impl Stopwatch {
        pub(crate) fn start() -> Self {
            Self
        }
    }

    pub(crate) fn call_ended<T>(
        _: &Arc<str>,
        _: &'static str,
        _: &Result<T, HubError>,
        _: Stopwatch,
    ) {
    }

    pub(crate) fn negotiate_ended(_: &Arc<str>, _: &'static str, _: Stopwatch) {}

    pub(crate) fn refresh_ended(_: &Arc<str>, _: &'static str) {}

    pub(crate) fn sent(_: &str, _: &'static str, _: &Result<(), SendError>) {}

    pub(crate) fn rest_ended(_: &str, _: &'static str, _: &str, _: Stopwatch) {}

    pub(crate) fn rest_repeated(_: &str, _: &'static str) {}
}
