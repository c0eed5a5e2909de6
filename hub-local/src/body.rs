//! The body of every answer: bytes that are there already, or events that come.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::DropGuard;

/// An error of whoever sends a request body.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// A request body, whatever the host's type was.
pub(crate) type RequestBody = UnsyncBoxBody<Bytes, BoxError>;

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

/// Why a request body was not read.
#[derive(Debug)]
pub(crate) enum ReadError {
    TooLarge,
    TooSlow,
    Aborted,
}

/// What a request body may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// How many bytes it may have.
    pub(crate) size: usize,
    /// How long it may take to arrive.
    pub(crate) time: Duration,
}

/// Reads a request body. What is declared to be too big is not read.
pub(crate) async fn read(body: RequestBody, bounds: Bounds) -> Result<Bytes, ReadError> {
    let Bounds { size, time } = bounds;
    timeout(time, read_all(body, size)).await.unwrap_or(Err(ReadError::TooSlow))
}

async fn read_all(mut body: RequestBody, limit: usize) -> Result<Bytes, ReadError> {
    if http_body::Body::size_hint(&body).lower() > limit as u64 {
        return Err(ReadError::TooLarge);
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| ReadError::Aborted)?.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            return Err(ReadError::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
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
