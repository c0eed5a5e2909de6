//! Answers plain requests without hyper, which needs three polls of the task, a channel for the body and an allocation
//! for each custom header name.
//!
//! A request that is not plain ([`request::parse`]) or a response that is not ([`response::plain_length`]) is passed to
//! hyper with all bytes of the request, and hyper keeps the connection. So all rules for unusual, incomplete and invalid
//! messages are those of hyper.

mod date;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    mem::take,
    pin::{Pin, pin},
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, Request, Response, response::Parts};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{ServedBody, head_timeout::HeadTimeout};
use crate::{BoxError, standstill::timeout};

/// Bytes of one read. Larger requests are not plain.
const READ_BYTES: usize = 16 * 1024;
/// A larger write buffer is made smaller after it was used.
const MAX_KEPT_OUTPUT: usize = 32 * 1024;
/// How long a peer may read nothing of a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

thread_local! {
    /// Read buffer per thread, so that idle connections have none.
    static INPUT: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
    /// Write buffer per thread.
    static OUTPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Why no further request is read here.
#[derive(Debug)]
pub(super) enum Ended<B> {
    /// After the last response, or the peer has left.
    Closed,
    /// hyper reads these bytes, and then the stream. If there is a response, it is that of the first request.
    HandedOver { bytes: Bytes, response: Option<Response<B>> },
}

/// What the requests of a connection have in common.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) head_timeout: HeadTimeout,
    /// Whether the next response is the last one. Relaxed accesses suffice: it is shared between futures of one task.
    pub(super) is_last: AtomicBool,
}

/// Answers requests until one of them is not plain, or the connection ends. When the peer leaves, the future of `respond`
/// is dropped.
pub(super) async fn serve<I, F, B, E>(
    stream: &mut I,
    rules: &Rules,
    mut respond: impl FnMut(Request<ServedBody>) -> F,
) -> Result<Ended<B>, BoxError>
where
    I: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Error: Into<BoxError>>,
    E: Into<BoxError>,
{
    // The bytes after the current request, and an empty map.
    let (mut next, mut headers) = (Bytes::new(), HeaderMap::new());
    loop {
        if next.is_empty() {
            rules.head_timeout.wait();
            next = poll_fn(|context| poll_read(stream, context)).await?;
            if next.is_empty() {
                break;
            }
        }
        let bytes = take(&mut next);
        let Some(plain) = request::parse(&bytes, take(&mut headers)) else {
            return Ok(Ended::HandedOver { bytes, response: None });
        };
        rules.head_timeout.arrived();
        let (this, keeps_alive) = (bytes.slice(..plain.length), plain.keeps_alive);
        next = bytes.slice(plain.length..);
        let mut responding = pin!(respond(plain.request));
        let polling = |context: &mut Context<'_>| responding.as_mut().poll(context);
        let Some(response) = unless_left(stream, &mut next, polling).await else { break };
        let response = response.map_err(Into::into)?;
        let Some(length) = response::plain_length(&response) else {
            let bytes = if next.is_empty() { this } else { [this, next].concat().into() };
            return Ok(Ended::HandedOver { bytes, response: Some(response) });
        };
        let (head, body) = response.into_parts();
        let (mut body, mut missing) = (pin!(body), length);
        let is_last = !keeps_alive || rules.is_last.load(Ordering::Relaxed);
        // What is ready is written with the head. The peer does not wait for the rest of the body.
        let ready = poll_fn(|context| match poll_data(body.as_mut(), context, &mut missing) {
            Poll::Pending => Poll::Ready(Ok(Bytes::new())),
            ready => ready,
        });
        let ready = ready.await?;
        let begin = |context: &mut Context<'_>| {
            poll_begin(stream, context, &head, (length, &ready), is_last)
        };
        let rest = poll_fn(begin).await?;
        write_all(stream, rest).await?;
        while missing > 0 {
            let polling =
                |context: &mut Context<'_>| poll_data(body.as_mut(), context, &mut missing);
            let Some(data) = unless_left(stream, &mut next, polling).await else {
                return Ok(Ended::Closed);
            };
            write_all(stream, data?).await?;
        }
        if is_last || rules.is_last.load(Ordering::Relaxed) {
            break;
        }
        headers = head.headers;
        headers.clear();
    }
    // An error means that the peer has closed the socket.
    let _ = poll_fn(|context| Pin::new(&mut *stream).poll_shutdown(context)).await;
    Ok(Ended::Closed)
}

/// Reads what has arrived; no bytes at the end of the stream.
fn poll_read<I: AsyncRead + Unpin>(
    stream: &mut I,
    context: &mut Context<'_>,
) -> Poll<io::Result<Bytes>> {
    INPUT.with_borrow_mut(|input| {
        let mut buffer = ReadBuf::new(input);
        ready!(Pin::new(stream).poll_read(context, &mut buffer))?;
        Poll::Ready(Ok(Bytes::copy_from_slice(buffer.filled())))
    })
}

/// The result of `work`; `None` if the peer leaves before. The peer is not watched after it has sent bytes of its next
/// request, which are in `next` then.
async fn unless_left<I: AsyncRead + Unpin, T>(
    stream: &mut I,
    next: &mut Bytes,
    mut work: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    poll_fn(|context| {
        if let Poll::Ready(output) = work(context) {
            return Poll::Ready(Some(output));
        }
        if next.is_empty() {
            match ready!(poll_read(stream, context)) {
                Ok(bytes) if !bytes.is_empty() => *next = bytes,
                _ => return Poll::Ready(None),
            }
        }
        Poll::Pending
    })
    .await
}

/// Reads what is ready of a response body, of which `missing` bytes are still to be read. Bytes above its length are cut
/// off, as by hyper.
fn poll_data<B: Body<Error: Into<BoxError>>>(
    mut body: Pin<&mut B>,
    context: &mut Context<'_>,
    missing: &mut usize,
) -> Poll<Result<Bytes, BoxError>> {
    let (mut first, mut joined) = (Bytes::new(), Vec::new());
    while *missing > 0 {
        let frame = match body.as_mut().poll_frame(context) {
            Poll::Pending if first.is_empty() && joined.is_empty() => return Poll::Pending,
            Poll::Pending => break,
            Poll::Ready(frame) => {
                frame.ok_or("the body of a response is shorter than its length")?
            }
        };
        // Trailers are skipped, as by hyper.
        let Ok(mut data) = frame.map_err(Into::into)?.into_data() else { continue };
        let data = data.copy_to_bytes(data.remaining().min(*missing));
        *missing -= data.len();
        if first.is_empty() && joined.is_empty() {
            first = data;
        } else {
            joined.extend_from_slice(&take(&mut first));
            joined.extend_from_slice(&data);
        }
    }
    Poll::Ready(Ok(if joined.is_empty() { first } else { joined.into() }))
}

/// Writes the head of a response with a body of `length` bytes, and the ready part of the body, as far as the stream accepts
/// it at once. Returns the rest.
fn poll_begin<I: AsyncWrite + Unpin>(
    stream: &mut I,
    context: &mut Context<'_>,
    head: &Parts,
    (length, ready): (usize, &Bytes),
    is_last: bool,
) -> Poll<io::Result<Bytes>> {
    OUTPUT.with_borrow_mut(|out| {
        response::write_head(out, head, length, is_last);
        out.extend_from_slice(ready);
        let written = match Pin::new(stream).poll_write(context, out) {
            Poll::Ready(written) => written,
            Poll::Pending => Ok(0),
        };
        let rest =
            written.map(|written| Bytes::copy_from_slice(out.get(written..).unwrap_or_default()));
        out.clear();
        out.shrink_to(MAX_KEPT_OUTPUT);
        Poll::Ready(rest)
    })
}

/// Writes the rest of a response, and ends with an error if the peer reads none of it for some time.
async fn write_all<I: AsyncWrite + Unpin>(stream: &mut I, mut rest: Bytes) -> io::Result<()> {
    while !rest.is_empty() {
        let writing = poll_fn(|context| Pin::new(&mut *stream).poll_write(context, &rest));
        match timeout(WRITE_TIMEOUT, writing).await {
            Ok(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => rest.advance(written?),
            Err(_) => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the peer reads nothing"));
            }
        }
    }
    poll_fn(|context| Pin::new(&mut *stream).poll_flush(context)).await
}
