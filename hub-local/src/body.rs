//! The body of every answer: bytes that are there already, or events that come.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body::{Frame, SizeHint};
use http_body_util::Full;
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;

/// The value of `Pragma` for answers that nobody may keep.
pub(crate) const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// The body of an answer of the service.
#[derive(Debug, Default)]
pub struct Body(Content);

#[derive(Debug)]
enum Content {
    Whole(Full<Bytes>),
    Events { events: mpsc::Receiver<Bytes>, _gone: DropGuard },
}

impl Default for Content {
    fn default() -> Self {
        Self::Whole(Full::default())
    }
}

impl Body {
    /// A body that ends when the events do. Whoever drops it has fired `gone`.
    pub(crate) fn events(events: mpsc::Receiver<Bytes>, gone: DropGuard) -> Self {
        Self(Content::Events { events, _gone: gone })
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Content::Whole(body) => Pin::new(body).poll_frame(context),
            Content::Events { events, .. } => {
                events.poll_recv(context).map(|event| event.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Whole(body) => body.is_end_stream(),
            Content::Events { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Whole(body) => body.size_hint(),
            Content::Events { .. } => SizeHint::default(),
        }
    }
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    response
}

/// An answer that a person may read.
pub(crate) fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    with_type(status, "text/plain; charset=utf-8", text.into())
}

/// An answer as the reference server words it: the content type has no parameters.
pub(crate) fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    with_type(status, "text/plain", text.into())
}

/// An answer in JSON.
pub(crate) fn json(status: StatusCode, json: impl Into<Bytes>) -> Response<Body> {
    with_type(status, "application/json", json.into())
}

/// An answer in bytes of some other format.
pub(crate) fn octets(status: StatusCode, bytes: impl Into<Bytes>) -> Response<Body> {
    with_type(status, "application/octet-stream", bytes.into())
}

fn with_type(status: StatusCode, content_type: &'static str, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Body(Content::Whole(Full::new(bytes))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
