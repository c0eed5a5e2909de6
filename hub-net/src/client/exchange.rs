//! A request and its response. The task of the call writes and reads the socket itself: no other task has to be
//! woken, and a request is written at once.

use std::{
    cell::RefCell,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use super::{
    RequestError, Unanswered,
    request::Encoded,
    response::{Incoming, ResponseError},
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

impl<I: Read + Write + Unpin> Connection<I> {
    pub(super) fn new(socket: I) -> Self {
        Self { socket: TokioIo::new(socket), is_kept: false }
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
pub(super) async fn exchange<I: Read + Write + Unpin>(
    connection: &mut Connection<I>,
    request: &Encoded,
    incoming: &mut Incoming,
) -> Result<bool, Failure> {
    let (mut written, mut is_begun, mut is_written) = (0, !connection.is_kept, false);
    let ended = poll_fn(|cx| {
        if !is_begun {
            if connection.is_spent(cx) {
                return Poll::Ready(Err(Broken::Socket(Unanswered::Unread.into_io())));
            }
            is_begun = true;
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
            Ok(is_written && incoming.allows_next())
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
