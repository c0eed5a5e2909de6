//! Response bodies: complete bytes, or a stream of Server-Sent Events.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, WWW_AUTHENTICATE},
};
use http_body::{Frame, SizeHint};
use http_body_util::Full;
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;

/// Value of `Pragma` for responses that must not be cached.
pub(crate) const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// Body of a response of [`LocalService`](crate::LocalService).
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
    /// A body that ends when its stream of events ends. Dropping the body drops `gone`, which cancels the
    /// cancellation token.
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

/// Response without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    response
}

/// Response with plain text in UTF-8.
pub(crate) fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    with_type(status, "text/plain; charset=utf-8", text.into())
}

/// Response with plain text and no charset in the content type, as in ASP.NET Core's responses to clients.
pub(crate) fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    with_type(status, "text/plain", text.into())
}

/// Response with JSON.
pub(crate) fn json(status: StatusCode, json: impl Into<Bytes>) -> Response<Body> {
    with_type(status, "application/json", json.into())
}

/// Response with binary content.
pub(crate) fn octets(status: StatusCode, bytes: impl Into<Bytes>) -> Response<Body> {
    with_type(status, "application/octet-stream", bytes.into())
}

/// Adds the challenge that a response with status 401 needs (RFC 9110 §15.5.2).
pub(crate) fn challenged(mut response: Response<Body>) -> Response<Body> {
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn with_type(status: StatusCode, content_type: &'static str, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Body(Content::Whole(Full::new(bytes))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
