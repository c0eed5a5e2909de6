//! Reading a request body of any type, up to a limit.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body;
use tokio::time::{Sleep, sleep};

/// How long a body may take as a whole, from where it is first waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A body that has not been read.
pub(crate) trait ReadBody: Send {
    /// The next piece of it.
    fn poll_piece(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, ReadError>>>;
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadError {
    TooLarge,
    TooSlow,
    Broken,
}

impl dyn ReadBody {
    /// Reads it whole. Nothing beyond `limit` bytes is kept. A body in one piece is not copied.
    pub(crate) async fn read(self: Box<Self>, limit: usize) -> Result<Bytes, ReadError> {
        let mut body = Box::into_pin(self);
        let mut first = Bytes::new();
        let mut joined = BytesMut::new();
        // Most bodies are there at once, and then there is no timer.
        let mut patience: Option<Pin<Box<Sleep>>> = None;
        while let Some(piece) = poll_fn(|cx| {
            let piece = body.as_mut().poll_piece(cx);
            if piece.is_pending() {
                let patience = patience.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
                ready!(patience.as_mut().poll(cx));
                return Poll::Ready(Some(Err(ReadError::TooSlow)));
            }
            piece
        })
        .await
        {
            let piece = piece?;
            if first.len() + joined.len() + piece.len() > limit {
                return Err(ReadError::TooLarge);
            }
            if first.is_empty() && joined.is_empty() {
                first = piece;
                continue;
            }
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&piece);
        }
        Ok(if joined.is_empty() { first } else { joined.freeze() })
    }
}

impl<B> ReadBody for B
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn poll_piece(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, ReadError>>> {
        loop {
            let Some(frame) = ready!(self.as_mut().poll_frame(cx)) else {
                return Poll::Ready(None);
            };
            let Ok(frame) = frame else { return Poll::Ready(Some(Err(ReadError::Broken))) };
            // What is no data are trailers, which nobody asked for.
            if let Ok(mut data) = frame.into_data() {
                return Poll::Ready(Some(Ok(data.copy_to_bytes(data.remaining()))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};

    use super::*;

    fn in_pieces(pieces: &[&'static str]) -> Box<dyn ReadBody> {
        let data = pieces.iter().map(|piece| Frame::data(Bytes::from_static(piece.as_bytes())));
        let frames = data.chain([Frame::trailers(http::HeaderMap::new())]);
        Box::new(StreamBody::new(stream::iter(frames.map(Ok::<_, Infallible>).collect::<Vec<_>>())))
    }

    #[tokio::test]
    async fn a_body_comes_whole_in_however_many_pieces() {
        for pieces in [&["abcdef"][..], &["abc", "def"], &["", "a", "", "bcde", "f"]] {
            assert_eq!(in_pieces(pieces).read(6).await.unwrap(), "abcdef", "{pieces:?}");
        }
        assert_eq!(in_pieces(&[]).read(0).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_body_in_one_piece_is_not_copied() {
        let bytes = Bytes::from(vec![b'x'; 100]);
        let body: Box<dyn ReadBody> = Box::new(Full::new(bytes.clone()));

        let read = body.read(100).await.unwrap();

        assert_eq!(read.as_ptr(), bytes.as_ptr());
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_at_the_first_byte_too_many() {
        for pieces in [&["abcdef"][..], &["abc", "def"]] {
            assert_eq!(in_pieces(pieces).read(5).await, Err(ReadError::TooLarge), "{pieces:?}");
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_broken() {
        let frames = [Ok(Frame::data(Bytes::from_static(b"ab"))), Err("gone")];
        let body: Box<dyn ReadBody> = Box::new(StreamBody::new(stream::iter(frames)));

        assert_eq!(body.read(10).await, Err(ReadError::Broken));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up_in_time_however_slowly_it_drips() {
        let drip = stream::unfold((), |()| async {
            sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x"))), ()))
        });
        let dripping: Box<dyn ReadBody> = Box::new(StreamBody::new(Box::pin(drip)));
        let silent = stream::pending::<Result<Frame<Bytes>, Infallible>>();
        let silent: Box<dyn ReadBody> = Box::new(StreamBody::new(silent));
        let begun = tokio::time::Instant::now();

        assert_eq!(dripping.read(1000).await, Err(ReadError::TooSlow));
        assert_eq!(begun.elapsed(), PATIENCE);
        assert_eq!(silent.read(1000).await, Err(ReadError::TooSlow));
    }
}
