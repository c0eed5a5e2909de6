//! Where the events of clients go.

pub(crate) mod call;
pub(crate) mod explain;
mod guard;
pub(crate) mod http_upstream;
pub(crate) mod request;
pub(crate) mod template;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use hub_core::names::NameError;

/// The application that answers the events of clients.
///
/// A request is what the cloud would send, with every header of it; its URI is the path
/// `/runtime/webhooks/signalr`. Requests of one connection come one at a time and in order, and
/// the future of a request is never dropped before it is done.
#[async_trait]
pub trait Upstream: Send + Sync + 'static {
    /// Delivers one event and returns the answer.
    ///
    /// # Errors
    /// When there is no answer. The client of an `invoke` gets an error completion then.
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, UpstreamError>;

    /// Where an event goes, for the log: a URL without its query. It is asked about failed calls.
    fn address(&self, hub: &str, category: &str, event: &str) -> Option<String> {
        let _ = (hub, category, event);
        None
    }
}

#[async_trait]
impl<T: Upstream + ?Sized> Upstream for Arc<T> {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, UpstreamError> {
        (**self).call(request).await
    }

    fn address(&self, hub: &str, category: &str, event: &str) -> Option<String> {
        (**self).address(hub, category, event)
    }
}

/// What becomes of an `invoke` for which there is no upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unmatched {
    /// The client gets an error completion.
    #[default]
    Refused,
    /// The client gets nothing, as in the cloud, and waits for ever.
    Silent,
}

/// Why an upstream call got no usable answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// No connection, or it broke before an answer came.
    #[error("the upstream cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer in time.
    #[error("the upstream did not answer in time")]
    TimedOut,
    /// The answer is bigger than the limit.
    #[error("the answer of the upstream is too large")]
    TooLarge,
    /// The answer was cut off by us.
    #[error("reading the answer of the upstream was cancelled")]
    Cancelled,
    /// The answer began and broke off.
    #[error("the answer of the upstream cannot be read")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No template takes such an event; nothing was called.
    #[error("no upstream template takes this event")]
    NoTemplate,
    /// A hub or event that no URL can carry; nothing was called.
    #[error(transparent)]
    Name(#[from] NameError),
}
