//! The sockets of the pool. They read what the server has written before it closed, and detect that a kept
//! connection was closed before the server read a request.

use std::{
    error::Error,
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll},
};

use http::Uri;
use hyper::rt::{Read, Write};
#[cfg(feature = "tls")]
use hyper_rustls::MaybeHttpsStream;
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
    /// A kept connection, and the server has read no byte of the request: it had closed the connection, or written
    /// without a request.
    #[error("the server closed a kept connection before it read the request")]
    Unread,
    /// A kept connection. The server may have read the request.
    #[error("the server closed a kept connection; nothing was answered")]
    Kept,
    /// A new connection, or a kept one over TLS: the server may have read the request.
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

    pub(crate) fn into_io(self) -> io::Error {
        io::Error::new(io::ErrorKind::ConnectionReset, self)
    }
}

/// The most bytes that certainly are one segment: below the usual MTU of 1,280 and more. Loopback interfaces have
/// an MTU of 16 KiB and more.
const SEGMENT: usize = 1200;
const LOOPBACK_SEGMENT: usize = 16_000;

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

/// A stream of the pool.
pub(super) trait Socket: Read + Write + Unpin {
    /// Whether a write has failed, and the rest of the request was dropped.
    fn is_write_broken(&self) -> bool;

    /// The TCP stream, unless TLS runs over it.
    fn into_tcp(self) -> Option<TcpStream>;
}

impl Socket for TokioIo<PooledSocket> {
    fn is_write_broken(&self) -> bool {
        self.inner().is_write_broken
    }

    fn into_tcp(self) -> Option<TcpStream> {
        Some(self.into_inner().stream)
    }
}

#[cfg(feature = "tls")]
impl Socket for MaybeHttpsStream<TokioIo<PooledSocket>> {
    fn is_write_broken(&self) -> bool {
        match self {
            Self::Http(socket) => socket.is_write_broken(),
            Self::Https(tls) => tls.inner().get_ref().0.inner().is_write_broken(),
        }
    }

    fn into_tcp(self) -> Option<TcpStream> {
        match self {
            Self::Http(socket) => socket.into_tcp(),
            Self::Https(_) => None,
        }
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
    /// The most bytes that certainly are one segment.
    segment: usize,
    /// Whether the request so far is one segment, which the server has read as a whole or not at all.
    is_one_segment: bool,
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
        let is_local = stream.peer_addr().is_ok_and(|address| address.ip().is_loopback());
        Self {
            segment: if is_local { LOOPBACK_SEGMENT } else { SEGMENT },
            is_one_segment: false,
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

    /// Whether the server has closed the connection before the request arrived.
    ///
    /// If the server closes first, it sends FIN, and a reset for the request, which Linux reports as a broken pipe.
    /// If the request arrives first, the server sends FIN after it has read the request, and otherwise a reset
    /// without FIN, which is a reset connection.
    fn is_unread(&self, read: &Poll<io::Result<()>>) -> bool {
        let error = match read {
            Poll::Ready(Err(error)) => Some(error.kind()),
            _ => self.stream.take_error().ok().flatten().map(|error| error.kind()),
        };
        self.is_one_segment && error == Some(io::ErrorKind::BrokenPipe)
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
        if reports_unsent && is_spent(&self.stream) {
            return Poll::Ready(Err(Unanswered::Unread.into_io()));
        }
        match write(Pin::new(&mut self.stream)) {
            Poll::Ready(Ok(written)) => {
                let begins = begins_again || self.exchange == Exchange::None;
                if begins {
                    self.exchange = Exchange::Sent;
                    self.is_kept = begins_again;
                }
                self.is_one_segment = begins && length <= self.segment;
                self.is_unfinished = written < length;
                Poll::Ready(Ok(written))
            }
            Poll::Ready(Err(error)) if is_end(&error) => {
                if reports_unsent {
                    return Poll::Ready(Err(Unanswered::Unread.into_io()));
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
            let unanswered = match self.is_kept && !self.is_tls {
                true if self.is_unread(&read) => Unanswered::Unread,
                true => Unanswered::Kept,
                false => Unanswered::New,
            };
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

/// Whether the peer has closed or reset the connection, or has written without a request: the next response would be
/// wrong. Asks the system, because the runtime may not have noticed it yet.
fn is_spent(stream: &TcpStream) -> bool {
    match SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]) {
        Ok(_) => true,
        Err(error) => is_end(&error),
    }
}

fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};

    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// The error of a request that is written before or after the server closes the kept connection.
    async fn read_after(server_closes_first: bool) -> Option<Unanswered> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let mut socket = PooledSocket::new(stream, false);
        (socket.exchange, socket.is_kept, socket.is_one_segment) = (Exchange::Sent, true, true);
        if server_closes_first {
            drop(server);
            socket.stream.write_all(b"POST").await.unwrap();
        } else {
            socket.stream.write_all(b"POST").await.unwrap();
            drop(server);
        }
        Unanswered::find(&socket.read_u8().await.unwrap_err())
    }

    #[tokio::test]
    async fn a_write_after_a_reset_is_dropped_and_noted() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let mut socket = TokioIo::new(PooledSocket::new(stream, false));
        socket.inner_mut().write_all(b"POST").await.unwrap();
        assert!(!socket.is_write_broken());

        // Unread data: a reset.
        drop(server);
        for _ in 0..100 {
            socket.inner_mut().write_all(&[0; 1024]).await.unwrap();
        }

        assert!(socket.is_write_broken());
    }

    #[tokio::test]
    async fn a_request_is_unread_if_it_arrived_after_the_server_had_closed() {
        assert_eq!(read_after(true).await, Some(Unanswered::Unread));
        assert_eq!(read_after(false).await, Some(Unanswered::Kept));
    }
}
