//! The request body, one type for all hosts.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hub_net::connection::ServedBody;
use hyper::body::Incoming;

/// The body of a request that [`HubApp::run_with`](crate::HubApp::run_with) passes to a service.
#[derive(Debug)]
pub struct RequestBody(BodyKind);

#[derive(Debug)]
enum BodyKind {
    /// Streamed from a connection.
    Streamed(ServedBody),
    /// In memory, from an event.
    #[cfg(feature = "lambda")]
    Whole(http_body_util::Full<Bytes>),
}

impl From<Incoming> for RequestBody {
    fn from(body: Incoming) -> Self {
        Self::served(body.into())
    }
}

impl RequestBody {
    /// The body of a connection of [`HubApp::serve`](crate::HubApp::serve).
    pub(super) fn served(body: ServedBody) -> Self {
        Self(BodyKind::Streamed(body))
    }
}

#[cfg(feature = "lambda")]
impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        Self(BodyKind::Whole(bytes.into()))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.0 {
            BodyKind::Streamed(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            #[cfg(feature = "lambda")]
            BodyKind::Whole(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            BodyKind::Streamed(body) => body.is_end_stream(),
            #[cfg(feature = "lambda")]
            BodyKind::Whole(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            BodyKind::Streamed(body) => body.size_hint(),
            #[cfg(feature = "lambda")]
            BodyKind::Whole(body) => body.size_hint(),
        }
    }
}
