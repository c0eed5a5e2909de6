//! The sockets of the pool. They read what the server has written before it closed, and tell whether a kept
//! connection was closed before a request was sent on it.

use std::{
    error::Error,
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll},
};

use http::Uri;
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector},
    rt::TokioIo,
};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tower_service::Service;

use super::Resolver;
use crate::BoxError;

/// A connection was closed before any byte of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// A kept connection, and no byte of the request was sent.
    #[error("the server closed a kept connection before a request was sent on it")]
    NotSent,
    /// A kept connection. The server may have read the request.
    #[error("the server closed a kept connection; nothing was answered")]
    Kept,
    /// A new connection, or one over TLS.
    #[error("the server closed the connection without a response")]
    New,
}

impl Unanswered {
    /// Looks for it in an error and its sources.
    #[must_use]
    pub fn find(error: &(dyn Error + 'static)) -> Option<Self> {
        let found = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let found = found.and_then(|inner| inner.downcast_ref::<Self>());
        found.copied().or_else(|| Self::find(error.source()?))
    }

    fn into_io(self) -> io::Error {
        io::Error::new(io::ErrorKind::ConnectionReset, self)
    }
}

/// Opens sockets for the pool.
#[derive(Clone, Debug)]
pub(super) struct Connector<R> {
    pub(super) tcp: HttpConnector<R>,
    /// Whether TLS runs over the sockets. Its handshake looks like an earlier exchange.
    pub(super) is_tls: bool,
}

impl<R: Resolver> Service<Uri> for Connector<R> {
    type Response = TokioIo<PooledSocket>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, is_tls) = (self.tcp.call(uri), self.is_tls);
        Box::pin(async move {
            let stream = connecting.await?.into_inner();
            Ok(TokioIo::new(PooledSocket::new(stream, is_tls)))
        })
    }
}

/// A socket of the pool.
#[derive(Debug)]
pub(super) struct PooledSocket {
    stream: TcpStream,
    is_tls: bool,
    exchange: Exchange,
    /// Whether there was an exchange before the current one.
    is_kept: bool,
    /// Whether the last write was partial, so that a request is still being written.
    is_unfinished: bool,
    /// Set when a write has failed. The rest of the request is dropped: the server may have written a
    /// response, such as status 413, before it closed.
    is_write_broken: bool,
}

/// The state of the current request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exchange {
    None,
    /// Some of the request was written.
    Sent,
    /// Some of the response was read.
    Answered,
}

impl PooledSocket {
    fn new(stream: TcpStream, is_tls: bool) -> Self {
        Self {
            stream,
            is_tls,
            exchange: Exchange::None,
            is_kept: false,
            is_unfinished: false,
            is_write_broken: false,
        }
    }

    /// Whether a write begins a request on a kept connection.
    fn begins_again(&self) -> bool {
        self.exchange == Exchange::Answered && !self.is_unfinished
    }

    /// Writes, unless the server has closed a kept connection.
    fn write(
        &mut self,
        length: usize,
        write: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if self.is_write_broken {
            return Poll::Ready(Ok(length));
        }
        let begins_again = self.begins_again();
        let reports_unsent = begins_again && !self.is_tls;
        if reports_unsent && is_closed(&self.stream) {
            return Poll::Ready(Err(Unanswered::NotSent.into_io()));
        }
        match write(Pin::new(&mut self.stream)) {
            Poll::Ready(Ok(written)) => {
                if begins_again || self.exchange == Exchange::None {
                    self.exchange = Exchange::Sent;
                    self.is_kept = begins_again;
                }
                self.is_unfinished = written < length;
                Poll::Ready(Ok(written))
            }
            Poll::Ready(Err(error)) if is_end(&error) => {
                if reports_unsent {
                    return Poll::Ready(Err(Unanswered::NotSent.into_io()));
                }
                self.is_write_broken = true;
                Poll::Ready(Ok(length))
            }
            other => other,
        }
    }
}

impl AsyncRead for PooledSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let ended = match &read {
            Poll::Pending => return read,
            Poll::Ready(Ok(())) => buffer.filled().len() == before && buffer.remaining() > 0,
            Poll::Ready(Err(error)) => is_end(error),
        };
        if ended && self.exchange == Exchange::Sent {
            let is_kept = self.is_kept && !self.is_tls;
            let unanswered = if is_kept { Unanswered::Kept } else { Unanswered::New };
            return Poll::Ready(Err(unanswered.into_io()));
        }
        if !ended && self.exchange == Exchange::Sent {
            self.exchange = Exchange::Answered;
        }
        read
    }
}

impl AsyncWrite for PooledSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(bytes.len(), |stream| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        self.write(length, |stream| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Connection for PooledSocket {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

/// Whether the peer has closed or reset the connection. Asks the system, because the runtime may not have
/// noticed it yet.
fn is_closed(stream: &TcpStream) -> bool {
    match SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]) {
        Ok(length) => length == 0,
        Err(error) => is_end(&error),
    }
}

fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};

    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected)
}
