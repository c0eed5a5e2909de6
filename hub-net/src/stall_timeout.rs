//! Closes sockets whose peer does not read. Without this timeout, an HTTP server waits without limit until a
//! response is written, and keeps the response in memory.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use crate::standstill::poll_timeout;

/// A socket whose writes fail once nothing could be written for the timeout.
#[derive(Debug)]
pub struct StallTimeout {
    stream: TcpStream,
    timeout: Duration,
    is_suspended: Arc<AtomicBool>,
    /// Completes when the current stall has lasted for the timeout.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl StallTimeout {
    /// Adds the timeout to a socket. The timeout does not apply while `is_suspended` is set.
    #[must_use]
    pub fn new(stream: TcpStream, timeout: Duration, is_suspended: Arc<AtomicBool>) -> Self {
        Self { stream, timeout, is_suspended, stalled: None }
    }

    /// The socket without the timeout, for a protocol other than HTTP.
    #[must_use]
    pub fn into_inner(self) -> TcpStream {
        self.stream
    }

    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() || self.is_suspended.load(Ordering::Relaxed) {
            self.stalled = None;
            return written;
        }
        let timeout = self.timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(timeout)));
        poll_timeout(stalled.as_mut(), timeout, context)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for StallTimeout {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for StallTimeout {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
