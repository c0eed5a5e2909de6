//! Reads bodies up to a size limit and a timeout.

use std::{
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body;
use tokio::time::{Sleep, sleep};

use crate::{BoxError, standstill::poll_timeout};

/// Limits of a request body.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// The maximum size.
    pub max_bytes: usize,
    /// The maximum time from the start of reading to the last byte.
    pub timeout: Duration,
}

/// Why a body was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The body is larger than the limit.
    #[error("the body is too large")]
    TooLarge,
    /// The body did not arrive in time.
    #[error("the body did not arrive in time")]
    TimedOut,
    /// The connection failed before the end of the body.
    #[error("the body is incomplete")]
    Aborted(#[source] BoxError),
}

/// A request body of any type that has not been read.
pub struct UnreadBody(Pin<Box<dyn Chunks>>);

impl fmt::Debug for UnreadBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnreadBody")
    }
}

impl UnreadBody {
    /// Erases the type of a body.
    pub fn new<B>(body: B) -> Self
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        Self(Box::pin(body))
    }

    /// Reads the body. A body in one chunk is not copied, so it may share a larger buffer.
    ///
    /// # Errors
    /// When the body exceeds the limits or is incomplete. If its declared length exceeds the limit, nothing
    /// is read.
    pub async fn read(mut self, limits: BodyLimits) -> Result<Bytes, ReadError> {
        read_chunks(self.0.as_mut(), limits.max_bytes, Some(limits.timeout)).await
    }
}

/// Reads a request body, like [`UnreadBody::read`].
///
/// # Errors
/// When the body exceeds the limits or is incomplete. If its declared length exceeds the limit, nothing
/// is read.
pub async fn read_request<B>(body: B, limits: BodyLimits) -> Result<Bytes, ReadError>
where
    B: Body + Send,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    read_chunks(pin!(body), limits.max_bytes, Some(limits.timeout)).await
}

/// Reads a response body. The caller applies the timeout, which covers the whole call.
///
/// # Errors
/// When the body is larger than `max_bytes` or incomplete.
pub async fn read_response<B>(body: B, max_bytes: usize) -> Result<Bytes, ReadError>
where
    B: Body + Send,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    read_chunks(pin!(body), max_bytes, None).await
}

/// A body as an object.
trait Chunks: Send {
    fn poll_chunk(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BoxError>>>;

    /// The declared length, or a lower bound if the length is not declared.
    fn min_length(&self) -> u64;
}

impl<B> Chunks for B
where
    B: Body + Send,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    fn poll_chunk(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BoxError>>> {
        loop {
            let Some(frame) = ready!(self.as_mut().poll_frame(cx)) else {
                return Poll::Ready(None);
            };
            // Trailers are skipped.
            match frame.map(http_body::Frame::into_data) {
                Ok(Ok(mut data)) => {
                    return Poll::Ready(Some(Ok(data.copy_to_bytes(data.remaining()))));
                }
                Ok(Err(_)) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }

    fn min_length(&self) -> u64 {
        self.size_hint().lower()
    }
}

async fn read_chunks(
    mut body: Pin<&mut dyn Chunks>,
    max_bytes: usize,
    timeout: Option<Duration>,
) -> Result<Bytes, ReadError> {
    if body.min_length() > max_bytes as u64 {
        return Err(ReadError::TooLarge);
    }
    let mut first = Bytes::new();
    // A body may have a chunk for every byte, so the chunks are joined as they arrive.
    let mut joined = BytesMut::new();
    // Most bodies arrive together with the head of the message and need no timer.
    let mut deadline: Option<Pin<Box<Sleep>>> = None;
    while let Some(chunk) = poll_fn(|cx| {
        let chunk = body.as_mut().poll_chunk(cx);
        if chunk.is_pending()
            && let Some(timeout) = timeout
        {
            let deadline = deadline.get_or_insert_with(|| Box::pin(sleep(timeout)));
            ready!(poll_timeout(deadline.as_mut(), timeout, cx));
            return Poll::Ready(Some(Err(ReadError::TimedOut)));
        }
        chunk.map_err(ReadError::Aborted)
    })
    .await
    {
        let chunk = chunk?;
        if first.len() + joined.len() + chunk.len() > max_bytes {
            return Err(ReadError::TooLarge);
        }
        if first.is_empty() && joined.is_empty() {
            first = chunk;
            continue;
        }
        joined.extend_from_slice(&std::mem::take(&mut first));
        joined.extend_from_slice(&chunk);
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};

    use super::*;

    fn limits(max_bytes: usize) -> BodyLimits {
        BodyLimits { max_bytes, timeout: Duration::from_secs(30) }
    }

    fn in_chunks(chunks: &[&'static str]) -> UnreadBody {
        let data = chunks.iter().map(|chunk| Frame::data(Bytes::from_static(chunk.as_bytes())));
        let frames = data.chain([Frame::trailers(http::HeaderMap::new())]);
        let frames: Vec<_> = frames.map(Ok::<_, Infallible>).collect();
        UnreadBody::new(StreamBody::new(stream::iter(frames)))
    }

    #[tokio::test]
    async fn a_body_in_several_chunks_is_complete() {
        for chunks in [&["abcdef"][..], &["abc", "def"], &["", "a", "", "bcde", "f"]] {
            assert_eq!(in_chunks(chunks).read(limits(6)).await.unwrap(), "abcdef", "{chunks:?}");
        }
        assert_eq!(in_chunks(&[]).read(limits(0)).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_body_in_one_piece_is_not_copied() {
        let bytes = Bytes::from(vec![b'x'; 100]);
        let body = UnreadBody::new(Full::new(bytes.clone()));

        let read = body.read(limits(100)).await.unwrap();

        assert_eq!(read.as_ptr(), bytes.as_ptr());
    }

    #[tokio::test]
    async fn a_body_is_refused_at_the_first_byte_over_the_limit() {
        for chunks in [&["abcdef"][..], &["abc", "def"]] {
            let read = in_chunks(chunks).read(limits(5)).await;
            assert!(matches!(read, Err(ReadError::TooLarge)), "{chunks:?}");
        }
    }

    #[tokio::test]
    async fn a_truncated_body_is_aborted() {
        let frames = [Ok(Frame::data(Bytes::from_static(b"ab"))), Err("gone")];
        let body = UnreadBody::new(StreamBody::new(stream::iter(frames)));

        let read = body.read(limits(10)).await;

        assert!(matches!(read, Err(ReadError::Aborted(error)) if error.to_string() == "gone"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_body_times_out() {
        let drip = stream::unfold((), |()| async {
            sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x"))), ()))
        });
        let dripping = UnreadBody::new(StreamBody::new(Box::pin(drip)));
        let silent = stream::pending::<Result<Frame<Bytes>, Infallible>>();
        let silent = UnreadBody::new(StreamBody::new(silent));
        let begun = tokio::time::Instant::now();

        assert!(matches!(dripping.read(limits(1000)).await, Err(ReadError::TimedOut)));
        assert_eq!(begun.elapsed(), limits(0).timeout);
        assert!(matches!(silent.read(limits(1000)).await, Err(ReadError::TimedOut)));
    }
}
