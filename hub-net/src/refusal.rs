//! Responses of the server itself, in place of those of a service.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// Why a server refuses a request before its service sees it.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The status of the response.
    pub status: StatusCode,
    /// The cause and the fix.
    pub text: String,
}

impl Refusal {
    pub(crate) fn response<B>(self) -> Response<ServerBody<B>> {
        let mut response =
            Response::new(ServerBody::Refusal { text: Some(Bytes::from(self.text)) });
        *response.status_mut() = self.status;
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
        response
    }
}

pin_project! {
    /// The body of a service's response, or the text of a refusal.
    #[project = ServerBodyProjection]
    pub(crate) enum ServerBody<B> {
        Service { #[pin] body: B },
        Refusal { text: Option<Bytes> },
    }
}

impl<B: Body> Body for ServerBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project() {
            ServerBodyProjection::Service { body } => body.poll_frame(cx).map_ok(|frame| {
                // Does not copy `Bytes`.
                frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
            }),
            ServerBodyProjection::Refusal { text } => {
                Poll::Ready(text.take().map(|text| Ok(Frame::data(text))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Service { body } => body.is_end_stream(),
            Self::Refusal { text } => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Service { body } => body.size_hint(),
            Self::Refusal { text } => {
                SizeHint::with_exact(text.as_ref().map_or(0, Bytes::len) as u64)
            }
        }
    }
}
