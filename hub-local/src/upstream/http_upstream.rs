//! Upstreams over HTTP.

use std::{
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response, Uri};
use hub_core::{
    ConnectionHeaders as _, TraceContext, names,
    upstream::{CATEGORY, EVENT, HUB, MESSAGES, REQUEST_ID, add_trace, with_category},
};
use hub_net::{
    calls::caller::Block,
    client::{GaiResolver, HttpClient, RequestError, UpstreamCall, lines},
    standstill::timeout,
};
use parking_lot::RwLock;

use super::{
    Calling, Upstream, UpstreamError,
    guard::GuardedResolver,
    in_process::{Answer, ClientCall},
    template::{Event, Template, TemplateError},
};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(100);
/// Shorter than servers keep idle connections: gunicorn 2 s, Node.js and uvicorn 5 s.
const IDLE_TIMEOUT: Duration = Duration::from_millis(1500);
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;

/// Sends events over HTTP with pooled connections. Each event goes to the first template that matches it.
/// Redirects are not followed. Requests are not retried, because the first attempt may have run. Only if the
/// app certainly closed a kept connection before it read the request, the request is sent on another
/// connection. If the client cancels a call, its request is ended, which the app can notice. Link-local and metadata
/// addresses are refused, also as the result of a name lookup.
///
/// Clones share their templates, so any clone can replace the templates of a running service.
///
/// ```
/// use hub_local::{HttpUpstream, Template};
///
/// let upstream = HttpUpstream::new("http://127.0.0.1:7071/runtime/webhooks/signalr")?;
/// upstream.replace([
///     Template::new("http://127.0.0.1:7071/{hub}/{category}/{event}")?.hubs("chat"),
///     Template::new("http://127.0.0.1:3000/signalr")?,
/// ]);
/// assert_eq!(upstream.templates().len(), 2);
/// # Ok::<(), hub_local::TemplateError>(())
/// ```
#[derive(Clone)]
pub struct HttpUpstream {
    templates: Arc<RwLock<Arc<[Template]>>>,
    client: Arc<HttpClient<GuardedResolver<GaiResolver>>>,
    timeout: Duration,
    is_upgrading: bool,
}

impl fmt::Debug for HttpUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpUpstream({:?}, {:?})", self.templates(), self.timeout)
    }
}

impl HttpUpstream {
    /// Sends every event to one URL, which may contain `{hub}`, `{category}` and `{event}`.
    ///
    /// # Errors
    /// When [`Template::new`] refuses the URL.
    pub fn new(url_template: impl Into<String>) -> Result<Self, TemplateError> {
        Ok(Self::with_templates([Template::new(url_template)?]))
    }

    /// Uses several templates, which are tried in this order. An event without a matching template is not
    /// delivered.
    pub fn with_templates(templates: impl IntoIterator<Item = Template>) -> Self {
        Self {
            templates: Arc::new(RwLock::new(templates.into_iter().collect())),
            client: Arc::new(HttpClient::new(GuardedResolver(GaiResolver::new()), IDLE_TIMEOUT)),
            timeout: DEFAULT_TIMEOUT,
            is_upgrading: true,
        }
    }

    /// Sets the timeout of a call; defaults to 100 s.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sends each call as an HTTP/1.1 request of its own, also to an app that takes several calls on one connection: for example
    /// to read the calls in a packet capture.
    #[must_use]
    pub fn without_upgrade(self) -> Self {
        Self { is_upgrading: false, ..self }
    }

    /// Replaces all templates at once. Running calls are not affected.
    pub fn replace(&self, templates: impl IntoIterator<Item = Template>) {
        let templates = templates.into_iter().collect();
        *self.templates.write() = templates;
    }

    /// The current templates.
    #[must_use]
    pub fn templates(&self) -> Arc<[Template]> {
        Arc::clone(&self.templates.read())
    }

    /// The URL of an event. Literal addresses bypass the resolver, so the template has checked them.
    fn url(&self, event: Event<'_>) -> Result<Uri, UpstreamError> {
        names::check_event(event.hub)?;
        names::check_upstream_event(event.event)?;
        let templates = self.templates();
        let template = templates.iter().find(|template| template.matches(event));
        template.ok_or(UpstreamError::NoTemplate)?.uri(event).map_err(UpstreamError::Unreachable)
    }

    /// Limits the time of an exchange. The exchange is passed by reference: each move of a future is a copy.
    async fn limit<T, F>(&self, exchange: Pin<&mut F>) -> Result<T, UpstreamError>
    where
        F: Future<Output = Result<T, RequestError>>,
    {
        let timed = timeout(self.timeout, exchange).await.map_err(|_| UpstreamError::TimedOut)?;
        timed.map_err(|error| match error {
            RequestError::Incomplete(error) => UpstreamError::Body(error),
            RequestError::TooLarge => UpstreamError::TooLarge,
            error => UpstreamError::Unreachable(error.into()),
        })
    }
}

#[async_trait]
impl Upstream for HttpUpstream {
    async fn call(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, UpstreamError> {
        let event = Event {
            hub: text(request.headers(), &HUB),
            category: text(request.headers(), &CATEGORY),
            event: text(request.headers(), &EVENT),
        };
        *request.uri_mut() = self.url(event)?;
        self.limit(pin!(self.client.request(request, MAX_RESPONSE_BYTES))).await
    }

    /// Encodes the headers of a connection once, and not for each call.
    fn message<'a>(&'a self, call: ClientCall<'a>) -> Calling<'a, Answer> {
        Box::pin(async move {
            let ClientCall { connection, protocol, request_id, target, trace, cancel, .. } = call;
            let hub = connection.hub();
            let url = self.url(Event { hub, category: MESSAGES, event: target })?;
            let shared = connection.derived::<Block>().unwrap_or_else(|| {
                let mut headers = with_category(connection.headers(), MESSAGES, protocol);
                for own in [EVENT, REQUEST_ID] {
                    headers.remove(own);
                }
                let shared = Arc::new(Block::new(lines(&headers)));
                connection.derive_with(|| (Arc::clone(&shared), shared.size()));
                shared
            });
            let own = [
                EVENT.as_str(),
                ": ",
                target,
                "\r\n",
                REQUEST_ID.as_str(),
                ": ",
                &request_id.to_string(),
                "\r\n",
            ]
            .concat();
            let traced = trace.map(trace_lines).unwrap_or_default();
            let (lines, body) = ([own.as_bytes(), &traced], call.into_body());
            let proof = || self.is_upgrading.then(|| self::lines(&connection.proof()));
            let upstream_call = UpstreamCall {
                uri: &url,
                block: &shared,
                lines: &lines,
                body: &body,
                max_bytes: MAX_RESPONSE_BYTES,
            };
            let posting = pin!(self.client.call(upstream_call, &proof));
            let mut exchange = pin!(self.limit(posting));
            let answering = poll_fn(|context| match cancel.ends_request() {
                true => Poll::Ready(Err(UpstreamError::Cancelled)),
                false => exchange.as_mut().poll(context),
            });
            let (status, body) = answering.await?;
            let mut response = Response::new(body);
            *response.status_mut() = status;
            Ok(Answer::Response(response))
        })
    }

    fn is_configured(&self) -> bool {
        !self.templates.read().is_empty()
    }

    fn is_in_process(&self) -> bool {
        false
    }

    fn address(&self, hub: &str, category: &str, event: &str) -> Option<String> {
        let event = Event { hub, category, event };
        let templates = self.templates();
        let url = templates.iter().find(|template| template.matches(event))?.fill(event);
        Some(url.split('?').next().unwrap_or_default().to_owned())
    }
}

/// The header lines of a trace.
fn trace_lines(trace: &TraceContext) -> Vec<u8> {
    let mut headers = HeaderMap::new();
    add_trace(&mut headers, trace);
    lines(&headers)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| str::from_utf8(value.as_bytes()).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(upstream: &HttpUpstream, hub: &str, event: &str) -> Result<String, UpstreamError> {
        upstream.url(Event { hub, category: MESSAGES, event }).map(|url| url.to_string())
    }

    #[tokio::test]
    async fn the_first_matching_template_receives_the_call() {
        let upstream = HttpUpstream::with_templates([
            Template::new("http://a/").unwrap().hubs("chat").events("x"),
            Template::new("http://b/").unwrap().hubs("chat"),
            Template::new("http://c/").unwrap().hubs("chat,news"),
        ]);

        assert_eq!(url(&upstream, "chat", "x").unwrap(), "http://a/");
        assert_eq!(url(&upstream, "chat", "y").unwrap(), "http://b/");
        assert_eq!(url(&upstream, "news", "x").unwrap(), "http://c/");
        assert!(matches!(url(&upstream, "other", "x"), Err(UpstreamError::NoTemplate)));
    }

    #[tokio::test]
    async fn clones_see_new_templates_at_once() {
        let upstream = HttpUpstream::new("http://a/").unwrap();
        let clone = upstream.clone();

        upstream.replace([Template::new("http://b/").unwrap()]);
        assert_eq!(url(&clone, "chat", "x").unwrap(), "http://b/");
        upstream.replace([]);
        assert!(matches!(url(&clone, "chat", "x"), Err(UpstreamError::NoTemplate)));
    }

    #[tokio::test]
    async fn dots_are_refused_before_any_call() {
        let upstream = HttpUpstream::new("http://h/{hub}/{category}/{event}").unwrap();

        assert!(matches!(url(&upstream, "chat", ".."), Err(UpstreamError::Name(_))));
        assert!(matches!(url(&upstream, "chat", "."), Err(UpstreamError::Name(_))));
        assert!(matches!(url(&upstream, "..", "x"), Err(UpstreamError::Name(_))));
    }

    #[tokio::test]
    async fn the_address_for_logs_has_no_query() {
        let upstream = HttpUpstream::new("http://h/{event}?code=secret").unwrap();

        let address = upstream.address("chat", "messages", "a b");

        assert_eq!(address.as_deref(), Some("http://h/a%20b"));
        assert!(!format!("{upstream:?}").contains("secret"));
    }
}
