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
};

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, Request, Response, response::Parts};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{ServedBody, head_timeout::HeadTimeout};
use crate::BoxError;

/// Bytes of one read. Larger requests are not plain.
const READ_BYTES: usize = 16 * 1024;

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
        let Some(body) = read_body(stream, &mut next, body, length).await? else { break };
        let is_last = !keeps_alive || rules.is_last.load(Ordering::Relaxed);
        let mut rest =
            poll_fn(|context| poll_begin(stream, context, &head, &body, is_last)).await?;
        poll_fn(|context| poll_write_all(stream, context, &mut rest)).await?;
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

/// Reads a response body of `length` bytes; `None` if the peer leaves before.
async fn read_body<I, B>(
    stream: &mut I,
    next: &mut Bytes,
    body: B,
    length: usize,
) -> Result<Option<Bytes>, BoxError>
where
    I: AsyncRead + Unpin,
    B: Body<Error: Into<BoxError>>,
{
    let (mut body, mut first, mut joined) = (pin!(body), Bytes::new(), Vec::new());
    while first.len() + joined.len() < length {
        let polling = |context: &mut Context<'_>| body.as_mut().poll_frame(context);
        let Some(frame) = unless_left(stream, next, polling).await else { return Ok(None) };
        let frame = frame.ok_or("the body of the response is shorter than its length")?;
        // Trailers are skipped, as by hyper.
        let Ok(mut data) = frame.map_err(Into::into)?.into_data() else { continue };
        let data = data.copy_to_bytes(data.remaining());
        if first.is_empty() && joined.is_empty() {
            first = data;
        } else {
            joined.extend_from_slice(&take(&mut first));
            joined.extend_from_slice(&data);
        }
    }
    let body = if joined.is_empty() { first } else { joined.into() };
    if body.len() > length {
        return Err("the body of the response is longer than its length".into());
    }
    Ok(Some(body))
}

/// Writes a response as far as the stream accepts it at once. Returns the rest.
fn poll_begin<I: AsyncWrite + Unpin>(
    stream: &mut I,
    context: &mut Context<'_>,
    head: &Parts,
    body: &Bytes,
    is_last: bool,
) -> Poll<io::Result<Bytes>> {
    OUTPUT.with_borrow_mut(|out| {
        out.clear();
        response::write_head(out, head, body.len(), is_last);
        out.extend_from_slice(body);
        let written = match Pin::new(stream).poll_write(context, out)? {
            Poll::Ready(written) => written,
            Poll::Pending => 0,
        };
        let rest = out.get(written..).unwrap_or_default();
        Poll::Ready(Ok(Bytes::copy_from_slice(rest)))
    })
}

fn poll_write_all<I: AsyncWrite + Unpin>(
    stream: &mut I,
    context: &mut Context<'_>,
    rest: &mut Bytes,
) -> Poll<io::Result<()>> {
    let mut stream = Pin::new(stream);
    while !rest.is_empty() {
        match ready!(stream.as_mut().poll_write(context, rest))? {
            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            written => rest.advance(written),
        }
    }
    stream.poll_flush(context)
}
