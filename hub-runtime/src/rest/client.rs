//! Sends a call to the service, with retries.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use hub_core::{Payload, SendError, TraceContext, outbound::Recipients, upstream::add_trace};
use hub_net::clock::Clock;
use tracing::{Instrument, Span};

use super::{
    Retries,
    call::{Call, send_operation},
    endpoints, retry,
    tokens::{TokenCache, bearer},
    transport::{InProcess, Transport},
};
use crate::{
    auth::SignIn,
    telemetry::{self, Stopwatch},
    trace_propagator::Propagator,
};

/// The largest request head that the service accepts, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// The bytes of a head besides URL and token: method, version, host and the fixed headers.
const FIXED_HEAD_BYTES: usize = 512;
/// The timeout for the token of a health probe. The first token of Microsoft Entra needs a request. With the
/// timeout of the probe itself it is as long as a sign-in, since negotiates wait for the first probe.
const PROBE_TOKEN_TIMEOUT: Duration = Duration::from_secs(8);
/// Identifies this library in the service's logs, as the official SDK does.
const USER_AGENT: HeaderName = HeaderName::from_static("asrs-user-agent");
const PRODUCT: HeaderValue =
    HeaderValue::from_static(concat!("hub-runtime/", env!("CARGO_PKG_VERSION")));
/// Relates a message in the service's messaging log to the app's span.
const TRACING_ID: HeaderName = HeaderName::from_static("x-asrs-message-tracing-id");

/// Options of calls to the service.
#[derive(Clone, Debug)]
pub(crate) struct RestOptions {
    /// The timeout of one attempt, signing in included.
    pub(crate) timeout: Duration,
    pub(crate) retries: Retries,
    pub(crate) trace_messages: bool,
    pub(crate) propagator: Propagator,
}

impl Default for RestOptions {
    fn default() -> Self {
        let timeout = Duration::from_secs(100);
        let (retries, propagator) = (Retries::default(), Propagator::default());
        Self { timeout, retries, trace_messages: false, propagator }
    }
}

/// Calls the service.
pub(crate) struct RestClient {
    transport: Arc<dyn Transport>,
    /// Scheme, authority and path prefix, without a trailing slash.
    base: String,
    sign_in: SignIn,
    tokens: TokenCache,
    clock: Clock,
    options: RestOptions,
    /// The tracing id of the next call.
    next_id: AtomicU64,
}

impl RestClient {
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        base: String,
        sign_in: SignIn,
        clock: Clock,
        options: RestOptions,
    ) -> Self {
        // Counting up from a random number is as unique as random ids, and cheaper.
        let next_id = AtomicU64::new(getrandom::u64().unwrap_or_default());
        let tokens = TokenCache::default();
        Self { transport, base, sign_in, tokens, clock, options, next_id }
    }

    /// Seconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.clock.unix_seconds()
    }

    /// Makes a call, and retries it if a retry is safe.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Response<Bytes>, SendError> {
        self.within(call, self.options.timeout).await
    }

    /// Whether the service responds to a probe within `timeout`. The time for the token does not count, since
    /// the service can be healthy while the identity provider is slow.
    pub(crate) async fn is_healthy(&self, timeout: Duration) -> bool {
        self.probed(timeout).await.unwrap_or(false)
    }

    async fn probed(&self, timeout: Duration) -> Option<bool> {
        let endpoint = endpoints::health();
        let url = format!("{}{}", self.base, endpoint.path);
        let authorization =
            tokio::time::timeout(PROBE_TOKEN_TIMEOUT, self.authorization(&url)).await;
        let authorization = authorization.ok()?.ok()?;
        let request = Request::builder()
            .method(endpoint.method)
            .uri(with_query(&url, &endpoint.query))
            .header(header::AUTHORIZATION, authorization)
            .header(USER_AGENT, PRODUCT);
        let asking = self.transport.call(request.body(Bytes::new()).ok()?);
        let answer = tokio::time::timeout(timeout, asking).await.ok()?.ok()?;
        Some(answer.status().is_success())
    }

    /// [`Self::call`] with this timeout for each attempt.
    pub(super) async fn within(
        &self,
        call: &Call<'_>,
        timeout: Duration,
    ) -> Result<Response<Bytes>, SendError> {
        let record = CallRecord::begin(self, call.hub, call.operation);
        let mut attempts = 0;
        let propagator = self.options.propagator.0.as_ref();
        let tracing = Tracing {
            id: record.tracing_id,
            trace: propagator.and_then(|propagator| propagator.inject(&record.span)),
        };
        let trying = self.attempts(call, timeout, &tracing, &mut attempts);
        let outcome = trying.instrument(record.span.clone()).await;
        record.end(attempts, outcome.as_ref().map(Response::status));
        outcome
    }

    /// The service in this process, if it takes this message without a request. An unusual message is sent as a
    /// request, and the service checks its limits.
    pub(super) fn in_process(&self, message: &Payload) -> Option<&dyn InProcess> {
        self.transport.in_process().filter(|_| message.is_plain())
    }

    /// Sends a message to the service in this process.
    pub(super) async fn send_in_process(
        &self,
        service: &dyn InProcess,
        hub: &str,
        to: Recipients<'_>,
        message: &Payload,
    ) -> Result<(), SendError> {
        let record = CallRecord::begin(self, hub, send_operation(&to));
        let mut sending = pin!(service.send(hub, to, message).instrument(record.span.clone()));
        // Only a sender that is slowed down needs a timer.
        let first = poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx))).await;
        let outcome = match first {
            Poll::Ready(()) => Ok(()),
            Poll::Pending => {
                let timeout = self.options.timeout;
                let sent = tokio::time::timeout(timeout, sending).await;
                sent.map_err(|_| SendError::TimedOut(timeout))
            }
        };
        record.end(1, outcome.as_ref().map(|()| StatusCode::ACCEPTED));
        outcome
    }

    async fn attempts(
        &self,
        call: &Call<'_>,
        timeout: Duration,
        tracing: &Tracing,
        attempts: &mut u32,
    ) -> Result<Response<Bytes>, SendError> {
        loop {
            let mut is_signed_in = false;
            let attempt = async {
                let request = self.request(call, tracing).await?;
                is_signed_in = true;
                self.transport.call(request).await
            };
            let outcome = tokio::time::timeout(timeout, attempt).await;
            let outcome = outcome.unwrap_or_else(|_| {
                Err(match is_signed_in {
                    true => SendError::TimedOut(timeout),
                    false => SendError::Token(format!("no token within {timeout:?}").into()),
                })
            });
            *attempts += 1;
            let (retries, now) = (self.options.retries, self.clock.unix_seconds());
            let wait = retries.wait(*attempts, &outcome, call.idempotency, retry::random, now);
            let Some(wait) = wait else { return outcome };
            tracing::debug!(attempts, ?wait, "retrying a call to the service");
            telemetry::rest_repeated(call.hub, call.operation);
            tokio::time::sleep(wait).await;
        }
    }

    /// A token signed with the access key, or the current token of Microsoft Entra.
    async fn authorization(&self, url: &str) -> Result<HeaderValue, SendError> {
        let now = self.clock.unix_seconds();
        match &self.sign_in {
            SignIn::Key(key) => self.tokens.authorization(url, key, now),
            SignIn::Entra(_) => bearer(&self.sign_in.rest_token(url, now).await?),
        }
        .map_err(|error| SendError::Token(Box::new(error)))
    }

    /// Builds the request of one attempt. Each attempt gets its own token, since the previous token may have
    /// expired.
    async fn request(
        &self,
        call: &Call<'_>,
        tracing: &Tracing,
    ) -> Result<Request<Bytes>, SendError> {
        let endpoint = &call.endpoint;
        let url = format!("{}{}", self.base, endpoint.path);
        let authorization = self.authorization(&url).await?;
        let traced = tracing.trace.as_ref().map_or(0, TraceContext::size);
        let size =
            url.len() + endpoint.query.len() + authorization.len() + traced + FIXED_HEAD_BYTES;
        if size > MAX_HEAD_BYTES {
            return Err(SendError::HeadTooLarge { size, limit: MAX_HEAD_BYTES });
        }
        let mut request = Request::builder()
            .method(endpoint.method.clone())
            .uri(with_query(&url, &endpoint.query))
            .header(header::AUTHORIZATION, authorization)
            .header(USER_AGENT, PRODUCT);
        if let Some(id) = tracing.id {
            request = request.header(TRACING_ID, id);
        }
        if let (Some(trace), Some(headers)) = (&tracing.trace, request.headers_mut()) {
            add_trace(headers, trace);
        }
        let mut bytes = Bytes::new();
        if let Some(body) = &call.body {
            request = request.header(header::CONTENT_TYPE, body.content_type);
            bytes = body.bytes.clone();
        }
        request.body(bytes).map_err(|error| SendError::Unreachable(Box::new(error)))
    }
}

/// What relates a request to the spans of the app.
struct Tracing {
    /// The id in the service's messaging log.
    id: Option<u64>,
    trace: Option<TraceContext>,
}

/// The span and the metrics of a call.
struct CallRecord<'a> {
    hub: &'a str,
    operation: &'static str,
    tracing_id: Option<u64>,
    span: Span,
    watch: Stopwatch,
}

impl<'a> CallRecord<'a> {
    fn begin(client: &RestClient, hub: &'a str, operation: &'static str) -> Self {
        let trace = client.options.trace_messages;
        let tracing_id = trace.then(|| client.next_id.fetch_add(1, Ordering::Relaxed));
        let watch = Stopwatch::start();
        let span = telemetry::rest_span(hub, operation, tracing_id);
        Self { hub, operation, tracing_id, span, watch }
    }

    fn end(self, attempts: u32, outcome: Result<StatusCode, &SendError>) {
        let how = match &outcome {
            Ok(status) if status.is_success() => "ok",
            Ok(status) => status.as_str(),
            Err(error) => telemetry::failure(error),
        };
        self.span.record("attempts", attempts).record("outcome", how);
        telemetry::rest_ended(self.hub, self.operation, how, self.watch);
    }
}

fn with_query(url: &str, query: &str) -> String {
    if query.is_empty() { url.to_owned() } else { format!("{url}?{query}") }
}
