//! WebSockets on the upgraded stream (RFC 6455). Outgoing messages are framed once for all receivers;
//! incoming frames are decoded as a stream of bytes.

mod coalesce;
pub(super) mod connect;
pub(crate) mod decode;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
pub(crate) mod resume;
pub(crate) mod upgrade;
mod utf8;

use std::{
    cell::RefCell,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::future::Either;
use hub_net::{connection::Rewound, stall_timeout::StallTimeout};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
};

use self::{
    coalesce::Coalescer,
    decode::{Decoder, Event},
};
use crate::{
    connection::{
        Connection, life,
        link::{Incoming, Source},
    },
    delivery::{batch::Batch, frame::Frame, outbox::PushOutcome, sink::Sink},
};

/// Bytes of one read.
const READ_BYTES: usize = 16 * 1024;
/// Slices of one vectored write; systems accept up to 1,024 (`IOV_MAX`).
const MAX_SLICES: usize = 512;
/// Frames up to this many bytes are copied into one buffer: the copy costs less than passing one more slice
/// to the system.
const MAX_COPIED_FRAME_BYTES: usize = 1024;
/// Number of frames that are checked to estimate the frame size of a batch.
const SAMPLE_FRAMES: usize = 4;

thread_local! {
    /// Read buffer per thread, so that idle connections hold no buffer.
    static INPUT: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
    /// Write buffer per thread for short frames.
    static OUTPUT: RefCell<Coalescer> = RefCell::default();
}

/// Serves one client until its connection ends.
fn run(connection: Arc<Connection>, upgraded: Upgraded) -> impl Future<Output = ()> + Send {
    match tcp(upgraded) {
        Ok((stream, early)) => {
            let (read, write) = stream.into_split();
            Either::Left(exchange(connection, read, write, early))
        }
        Err(upgraded) => {
            let (read, write) = tokio::io::split(TokioIo::new(upgraded));
            Either::Right(Box::pin(exchange(connection, read, write, Bytes::new())))
        }
    }
}

/// Unwraps the TCP stream below HTTP, and the bytes that were already read from it. The halves of a TCP
/// stream need no lock. The stream comes from our own server or from another hyper server.
fn tcp(upgraded: Upgraded) -> Result<(TcpStream, Bytes), Upgraded> {
    let upgraded = match upgraded.downcast::<TokioIo<Rewound<StallTimeout>>>() {
        Ok(parts) => {
            let (stream, unread) = parts.io.into_inner().into_parts();
            let early = match unread.is_empty() {
                true => parts.read_buf,
                false => [parts.read_buf, unread].concat().into(),
            };
            return Ok((stream.into_inner(), early));
        }
        Err(upgraded) => upgraded,
    };
    let parts = upgraded.downcast::<TokioIo<TcpStream>>()?;
    Ok((parts.io.into_inner(), parts.read_buf))
}

fn exchange(
    connection: Arc<Connection>,
    read: impl AsyncRead + Unpin + Send,
    write: impl AsyncWrite + Unpin + Send,
    early: Bytes,
) -> impl Future<Output = ()> + Send {
    let mut source = WebSocketSource::new(read, Arc::clone(&connection));
    let mut sink = WebSocketSink::new(write, Arc::clone(&connection));
    source.input.extend_from_slice(&early);
    drop(early);
    // Pass references: moving source and sink into `life::run` would store them twice in the future.
    async move { life::run(connection, &mut source, &mut sink).await }
}

/// The receiving half. Pongs are sent through the outbox like all frames.
pub(crate) struct WebSocketSource<R> {
    stream: R,
    input: BytesMut,
    decoder: Decoder,
    connection: Arc<Connection>,
}

impl<R: AsyncRead + Unpin + Send> WebSocketSource<R> {
    pub(crate) fn new(stream: R, connection: Arc<Connection>) -> Self {
        Self { stream, input: BytesMut::new(), decoder: Decoder::default(), connection }
    }

    /// Reads into the shared buffer; ready with the number of bytes.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        INPUT.with_borrow_mut(|shared| {
            let mut buffer = ReadBuf::new(shared);
            let read = Pin::new(&mut self.stream).poll_read(context, &mut buffer)?;
            self.input.extend_from_slice(buffer.filled());
            read.map(|()| Ok(buffer.filled().len()))
        })
    }
}

impl<R: AsyncRead + Unpin + Send> Source for WebSocketSource<R> {
    const LINGERS: bool = true;

    async fn receive(&mut self) -> io::Result<Incoming> {
        loop {
            match self.decoder.next(&mut self.input).map_err(io::Error::other)? {
                Some(Event::Data(bytes)) => return Ok(Incoming::Data(bytes)),
                Some(Event::Close) => return Ok(Incoming::Closed),
                Some(Event::Ping(payload)) => match self.connection.send(Frame::pong(&payload)) {
                    PushOutcome::Queued | PushOutcome::Closed => {}
                    PushOutcome::Full => return Err(io::ErrorKind::OutOfMemory.into()),
                },
                None => {
                    // A part of the head of a frame must not hold the memory of the frames before it.
                    self.input = BytesMut::from(&*self.input);
                    if poll_fn(|context| self.poll_read(context)).await? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
            }
        }
    }
}

/// The sending half: writes many frames with one call.
pub(crate) struct WebSocketSink<W> {
    stream: W,
    connection: Arc<Connection>,
}

impl<W: AsyncWrite + Unpin + Send> WebSocketSink<W> {
    pub(crate) fn new(stream: W, connection: Arc<Connection>) -> Self {
        Self { stream, connection }
    }

    fn poll_write_some(
        &mut self,
        context: &mut Context<'_>,
        batch: &Batch,
        skip: usize,
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        let written = if let (1, Some(frame)) = (batch.len(), batch.iter().next()) {
            stream.poll_write(context, frame.bytes().get(skip..).unwrap_or_default())
        } else if are_short(batch) {
            OUTPUT.with_borrow_mut(|coalescer| {
                let rest = coalescer.coalesce(batch).get(skip..).unwrap_or_default();
                stream.poll_write(context, rest)
            })
        } else {
            let mut slices: Vec<IoSlice<'_>> = Vec::with_capacity(batch.len().min(MAX_SLICES));
            slices.extend(batch.iter().take(MAX_SLICES).map(|frame| IoSlice::new(frame.bytes())));
            let mut rest = slices.as_mut_slice();
            IoSlice::advance_slices(&mut rest, skip);
            stream.poll_write_vectored(context, rest)
        };
        written.map(|written| match written {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            written => written,
        })
    }
}

/// Whether the first frames are short. The first frame must be short, because it must fit in the write
/// buffer.
fn are_short(batch: &Batch) -> bool {
    batch.iter().take(SAMPLE_FRAMES).all(|frame| frame.bytes().len() <= MAX_COPIED_FRAME_BYTES)
}

impl<W: AsyncWrite + Unpin + Send> Sink for WebSocketSink<W> {
    async fn write(&mut self, batch: &mut Batch) -> io::Result<()> {
        let mut written = 0;
        while !batch.is_empty() {
            written += poll_fn(|context| self.poll_write_some(context, batch, written)).await?;
            if written == batch.bytes() {
                batch.clear();
                break;
            }
            while let Some(length) = batch.first_length().filter(|length| *length <= written) {
                written -= length;
                batch.pop_front();
            }
        }
        self.stream.flush().await
    }

    async fn finish(&mut self) -> io::Result<()> {
        let mut bytes = self.connection.close_frame().bytes().clone();
        while bytes.has_remaining() {
            self.stream.write_buf(&mut bytes).await?;
        }
        self.stream.flush().await
    }

    async fn shut(&mut self) {
        // An error means that the stream is already closed.
        let _ = self.stream.shutdown().await;
    }
}
