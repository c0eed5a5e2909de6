//! An upstream behind a URL.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response, Uri, header::CONTENT_LENGTH};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hub_core::names;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::time::timeout;

use super::{
    Upstream, UpstreamError,
    request::{CATEGORY, EVENT, HUB},
};

const TIME_OUT: Duration = Duration::from_secs(100);
/// Shorter than servers keep idle connections, so that none is used while it is being closed.
const IDLE: Duration = Duration::from_secs(20);
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

/// Delivers events over HTTP, over kept connections. Redirects are not followed and nothing is
/// retried, because the call may have run.
///
/// ```
/// use hub_local::HttpUpstream;
/// assert!(HttpUpstream::new("http://127.0.0.1:7071/runtime/webhooks/signalr").is_ok());
/// assert!(HttpUpstream::new("http://127.0.0.1:7071/{hub}/{category}/{event}").is_ok());
/// assert!(HttpUpstream::new("127.0.0.1:7071").is_err());
/// ```
#[derive(Clone, Debug)]
pub struct HttpUpstream {
    template: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// Why a URL template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// Not an absolute URL.
    #[error("the upstream must be an absolute URL such as http://127.0.0.1:7071/api/signalr")]
    NotAbsolute,
    /// Another scheme than `http`.
    #[error("the upstream must be an http URL: https is not there yet")]
    Scheme,
    /// Braces around something else than hub, category or event.
    #[error("the upstream URL may name {{hub}}, {{category}} and {{event}}, nothing else")]
    Parameter,
}

impl HttpUpstream {
    /// An upstream at a URL, which may contain `{hub}`, `{category}` and `{event}`.
    ///
    /// # Errors
    /// When it is not an absolute `http` URL once the three are filled in.
    pub fn new(url_template: impl Into<String>) -> Result<Self, TemplateError> {
        let template = url_template.into();
        let example = fill(&template, "hub", "category", "event");
        if example.contains(['{', '}']) {
            return Err(TemplateError::Parameter);
        }
        let uri: Uri = example.parse().map_err(|_| TemplateError::NotAbsolute)?;
        let scheme = uri.scheme_str().ok_or(TemplateError::NotAbsolute)?;
        if scheme != "http" {
            return Err(TemplateError::Scheme);
        }
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Self { template, client })
    }

    fn url(&self, headers: &HeaderMap) -> Result<Uri, UpstreamError> {
        let (hub, event) = (text(headers, &HUB), text(headers, &EVENT));
        let category = text(headers, &CATEGORY);
        names::check_event(hub)?;
        names::check_event(event)?;
        fill(&self.template, hub, category, event)
            .parse()
            .map_err(|error: http::uri::InvalidUri| UpstreamError::Unreachable(Box::new(error)))
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, UpstreamError> {
        let response = self
            .client
            .request(request.map(Full::new))
            .await
            .map_err(|error| UpstreamError::Unreachable(Box::new(error)))?;
        let (parts, body) = response.into_parts();
        let body = read(&parts.headers, body).await?;
        Ok(Response::from_parts(parts, body))
    }
}

#[async_trait]
impl Upstream for HttpUpstream {
    async fn call(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, UpstreamError> {
        *request.uri_mut() = self.url(request.headers())?;
        timeout(TIME_OUT, self.exchange(request)).await.map_err(|_| UpstreamError::TimedOut)?
    }
}

fn fill(template: &str, hub: &str, category: &str, event: &str) -> String {
    template
        .replace("{hub}", &names::encode_segment(hub))
        .replace("{category}", &names::encode_segment(category))
        .replace("{event}", &names::encode_segment(event))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| str::from_utf8(value.as_bytes()).ok()).unwrap_or_default()
}

async fn read(headers: &HeaderMap, body: Incoming) -> Result<Bytes, UpstreamError> {
    let declared =
        headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > ANSWER_LIMIT as u64) {
        return Err(UpstreamError::TooLarge);
    }
    match Limited::new(body, ANSWER_LIMIT).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(UpstreamError::TooLarge),
        Err(error) => Err(UpstreamError::Body(error)),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn url(template: &str, hub: &str, event: &str) -> Result<String, UpstreamError> {
        let mut headers = HeaderMap::new();
        headers.insert(HUB, HeaderValue::from_bytes(hub.as_bytes()).unwrap());
        headers.insert(CATEGORY, HeaderValue::from_static("messages"));
        headers.insert(EVENT, HeaderValue::from_bytes(event.as_bytes()).unwrap());
        HttpUpstream::new(template).unwrap().url(&headers).map(|url| url.to_string())
    }

    #[tokio::test]
    async fn names_are_percent_encoded_into_the_template() {
        let template = "http://h:1/{hub}/{category}/{event}?code=x";

        let url = url(template, "chat", "a/b größe").unwrap();

        assert_eq!(url, "http://h:1/chat/messages/a%2Fb%20gr%C3%B6%C3%9Fe?code=x");
    }

    #[tokio::test]
    async fn dots_are_refused_before_any_call() {
        let template = "http://h/{hub}/{category}/{event}";

        assert!(matches!(url(template, "chat", ".."), Err(UpstreamError::Name(_))));
        assert!(matches!(url(template, "chat", "."), Err(UpstreamError::Name(_))));
        assert!(matches!(url(template, "..", "x"), Err(UpstreamError::Name(_))));
    }

    #[test]
    fn templates_are_checked_at_once() {
        let error = |template: &str| HttpUpstream::new(template).unwrap_err();

        assert_eq!(error("/api"), TemplateError::NotAbsolute);
        assert_eq!(error("https://h/"), TemplateError::Scheme);
        assert_eq!(error("http://h/{user}"), TemplateError::Parameter);
    }
}
