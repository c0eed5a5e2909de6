//! Upstreams: the receivers of client events.

pub(crate) mod call;
pub(crate) mod cancel;
pub(crate) mod explain;
pub(crate) mod facts;
mod guard;
pub(crate) mod http_upstream;
pub(crate) mod in_process;
pub(crate) mod permits;
pub(crate) mod template;

use std::{pin::Pin, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use hub_core::names::NameError;

use self::in_process::{Answer, ClientCall, ClientEvent};

/// The boxed future of an upstream call.
type Calling<'a, T> = Pin<Box<dyn Future<Output = Result<T, UpstreamError>> + Send + 'a>>;

/// The application that handles the events of clients.
///
/// A request has the headers and body that Azure SignalR Service sends; its URI is the path
/// `/runtime/webhooks/signalr`. Requests of one connection are in order and sequential, except while the client
/// is asked for a result: then its next requests do not wait for the one before. The future of a request is
/// polled to completion, also if the client cancels its call: the client then has its completion, and the response is
/// dropped. Only [`HttpUpstream`](crate::HttpUpstream) ends the request of a cancelled call.
#[async_trait]
pub trait Upstream: Send + Sync + 'static {
    /// Delivers one event and returns the response.
    ///
    /// # Errors
    /// When there is no usable response. The client of an `invoke` then receives an error completion.
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, UpstreamError>;

    /// Delivers a client's call of a hub method. Defaults to [`call`](Self::call) with the request of the call.
    #[doc(hidden)]
    fn message<'a>(&'a self, call: ClientCall<'a>) -> Calling<'a, Answer> {
        let answering = self.call(call.into_request());
        Box::pin(async move { Ok(Answer::Response(answering.await?)) })
    }

    /// Delivers the start or the end of a connection. Defaults to [`call`](Self::call) with the request of the event.
    #[doc(hidden)]
    fn event<'a>(&'a self, event: ClientEvent<'a>) -> Calling<'a, Response<Bytes>> {
        self.call(event.into_request())
    }

    /// The URL of an event without its query, for log lines about failed calls. Defaults to `None`.
    fn address(&self, hub: &str, category: &str, event: &str) -> Option<String> {
        let _ = (hub, category, event);
        None
    }

    /// Whether any event can be delivered: `false` if there are no templates. Defaults to `true`.
    #[doc(hidden)]
    fn is_configured(&self) -> bool {
        true
    }

    /// Whether the app is in this process. Defaults to `true`.
    #[doc(hidden)]
    fn is_in_process(&self) -> bool {
        true
    }
}

#[async_trait]
impl<T: Upstream + ?Sized> Upstream for Arc<T> {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, UpstreamError> {
        (**self).call(request).await
    }

    fn message<'a>(&'a self, call: ClientCall<'a>) -> Calling<'a, Answer> {
        (**self).message(call)
    }

    fn event<'a>(&'a self, event: ClientEvent<'a>) -> Calling<'a, Response<Bytes>> {
        (**self).event(event)
    }

    fn address(&self, hub: &str, category: &str, event: &str) -> Option<String> {
        (**self).address(hub, category, event)
    }

    fn is_configured(&self) -> bool {
        (**self).is_configured()
    }

    fn is_in_process(&self) -> bool {
        (**self).is_in_process()
    }
}

/// Response to an `invoke` without a matching upstream. Defaults to [`Refused`](Self::Refused).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unmatched {
    /// The client receives an error completion.
    #[default]
    Refused,
    /// The client receives no completion and waits without limit, as with Azure SignalR Service.
    Silent,
}

/// Why an upstream call has no usable response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// The connection failed or broke before a response arrived.
    #[error("the upstream cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No response within the timeout.
    #[error("the upstream did not respond in time")]
    TimedOut,
    /// The response is larger than the limit.
    #[error("the response of the upstream is too large")]
    TooLarge,
    /// The service cancelled the call or the read of its response.
    #[error("the call, or the read of its response, was cancelled")]
    Cancelled,
    /// The response body broke off.
    #[error("the response of the upstream cannot be read")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No template matches the event; no request was sent.
    #[error("no upstream template matches this event")]
    NoTemplate,
    /// A hub name or event name is not valid in a URL; no request was sent.
    #[error(transparent)]
    Name(#[from] NameError),
}
