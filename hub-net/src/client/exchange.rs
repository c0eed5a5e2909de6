//! A request and its response. The task of the call writes and reads the socket itself: no other task has to be
//! woken, and a request is written at once.

use std::{
    cell::RefCell,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use super::{
    RequestError, Unanswered,
    request::Encoded,
    response::{Incoming, ResponseError},
    socket::Socket,
};
use crate::BoxError;

/// Bytes of one read.
const READ_BYTES: usize = 16 * 1024;

thread_local! {
    /// Read buffer per thread: most responses are one read, so that connections need no buffer.
    static INPUT: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// A connection that a request or the pool owns.
pub(super) struct Connection<I> {
    socket: TokioIo<I>,
    /// Whether there was an exchange before.
    is_kept: bool,
}

/// A failed exchange.
pub(super) struct Failure {
    pub(super) error: RequestError,
    /// Whether the server certainly closed a kept connection before it read the request.
    pub(super) is_unread: bool,
}

impl<I: Socket> Connection<I> {
    pub(super) fn new(socket: I) -> Self {
        Self { socket: TokioIo::new(socket), is_kept: false }
    }

    pub(super) fn into_socket(self) -> I {
        self.socket.into_inner()
    }

    /// Whether a kept connection has ended, or its server has written without a request. Nothing of the next request
    /// was written.
    fn is_spent(&mut self, cx: &mut Context<'_>) -> bool {
        let mut byte = [0];
        let read = Pin::new(&mut self.socket).poll_read(cx, &mut ReadBuf::new(&mut byte));
        read.is_ready()
    }

    /// Writes as much of the request as possible. Ready at its end.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        request: &Encoded,
        written: &mut usize,
    ) -> Poll<io::Result<()>> {
        while *written < request.len() {
            let socket = Pin::new(&mut self.socket);
            let wrote = match request.parts(*written) {
                (part, []) | ([], part) => socket.poll_write(cx, part),
                (head, body) => {
                    socket.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)])
                }
            };
            match ready!(wrote)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                wrote => *written += wrote,
            }
        }
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    /// Reads until the response is complete.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        incoming: &mut Incoming,
    ) -> Poll<Result<(), Broken>> {
        INPUT.with_borrow_mut(|space| {
            while !incoming.is_complete() {
                let mut buffer = ReadBuf::new(space);
                ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer))?;
                match buffer.filled() {
                    [] => incoming.end()?,
                    arrived => incoming.push(arrived)?,
                }
            }
            Poll::Ready(Ok(()))
        })
    }
}

/// Why an exchange broke off.
enum Broken {
    Socket(io::Error),
    Response(ResponseError),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Socket(error)
    }
}

impl From<ResponseError> for Broken {
    fn from(error: ResponseError) -> Self {
        Self::Response(error)
    }
}

impl From<Broken> for BoxError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Socket(error) => error.into(),
            Broken::Response(error) => error.into(),
        }
    }
}

/// Sends a request and reads the response. Returns whether the connection can be used for another request.
///
/// When the future is dropped before its end, the connection must be closed: the server may have read the request.
pub(super) async fn exchange<I: Socket>(
    connection: &mut Connection<I>,
    request: &Encoded,
    incoming: &mut Incoming,
) -> Result<bool, Failure> {
    let (mut written, mut is_written) = (0, false);
    let ended = poll_fn(|cx| {
        if connection.is_kept && written == 0 && connection.is_spent(cx) {
            return Poll::Ready(Err(Broken::Socket(Unanswered::Unread.into_io())));
        }
        if !is_written && let Poll::Ready(wrote) = connection.poll_write(cx, request, &mut written)
        {
            wrote?;
            is_written = true;
        }
        // A response may arrive before the end of the request.
        connection.poll_read(cx, incoming)
    })
    .await;
    match ended {
        Ok(()) => {
            connection.is_kept = true;
            let is_whole = is_written && !connection.socket.inner().is_write_broken();
            Ok(is_whole && incoming.allows_next())
        }
        Err(Broken::Response(ResponseError::TooLarge)) => {
            Err(Failure { error: RequestError::TooLarge, is_unread: false })
        }
        Err(broken) => {
            let error = BoxError::from(broken);
            let is_unread = Unanswered::find(&*error) == Some(Unanswered::Unread);
            let error = match incoming.has_head() {
                true => RequestError::Incomplete(error),
                false => RequestError::Interrupted(error),
            };
            Err(Failure { error, is_unread })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use bytes::Bytes;
    use http::{HeaderMap, Method, Uri};
    use hyper::rt::{Read, ReadBufCursor, Write};

    use super::{
        super::{request::Plain, response::Expected},
        *,
    };

    const RESPONSE: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

    /// A socket with the results of its next reads and writes.
    #[derive(Default)]
    struct Script {
        reads: VecDeque<Poll<&'static [u8]>>,
        /// Whether the writes before all others have to wait.
        waits: VecDeque<bool>,
        is_write_broken: bool,
    }

    impl Read for Script {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            mut buffer: ReadBufCursor<'_>,
        ) -> Poll<io::Result<()>> {
            cx.waker().wake_by_ref();
            let arrived = ready!(self.reads.pop_front().unwrap_or(Poll::Pending));
            buffer.put_slice(arrived);
            Poll::Ready(Ok(()))
        }
    }

    impl Write for Script {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            cx.waker().wake_by_ref();
            match self.waits.pop_front() {
                Some(true) => Poll::Pending,
                _ => Poll::Ready(Ok(bytes.len())),
            }
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl Socket for Script {
        fn is_write_broken(&self) -> bool {
            self.is_write_broken
        }

        fn into_tcp(self) -> Option<tokio::net::TcpStream> {
            None
        }
    }

    /// Whether the connection can be used again, or whether the request is certainly unread.
    async fn result(socket: Script, is_kept: bool) -> Result<bool, bool> {
        let mut connection = Connection::new(socket);
        connection.is_kept = is_kept;
        let (uri, headers, body) = (Uri::from_static("http://a/"), HeaderMap::new(), Bytes::new());
        let method = &Method::POST;
        let request = Plain { method, uri: &uri, headers: &headers, lines: &[], body: &body };
        let expected = Expected { is_head: false, wants_headers: false, max_bytes: 0 };
        exchange(&mut connection, &request.encode(""), &mut Incoming::new(expected))
            .await
            .map_err(|failure| failure.is_unread)
    }

    #[tokio::test]
    async fn a_connection_whose_write_failed_is_not_used_again() {
        for is_write_broken in [false, true] {
            let reads = VecDeque::from([Poll::Ready(RESPONSE)]);
            let socket = Script { reads, is_write_broken, ..Script::default() };

            assert_eq!(result(socket, false).await, Ok(!is_write_broken));
        }
    }

    #[tokio::test]
    async fn a_kept_connection_is_checked_until_some_of_the_request_was_written() {
        // In each poll the connection is checked, and the response is read.
        let reads = [Poll::Pending, Poll::Pending, Poll::Ready(&b""[..])];
        for (waits, is_unread) in [(true, true), (false, false)] {
            let socket = Script { reads: reads.into(), waits: [waits].into(), ..Script::default() };

            assert_eq!(result(socket, true).await, Err(is_unread), "{waits}");
        }
    }
}
