//! WebSockets straight over the upgraded stream: we frame what we send, once for all receivers,
//! and decode what we get as a stream of bytes.

mod decode;
pub(crate) mod frame;
pub(crate) mod upgrade;

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    sync::Arc,
};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use self::{
    decode::{Decoder, Event},
    frame::{close_frame, pong_frame},
};
use super::{Incoming, Sink, Source};
use crate::connection::{
    Connection,
    outbox::{Frame, Pushed},
};

/// How much is read at once; also what an idle connection keeps.
const READ: usize = 4096;
/// Slices of one write; systems take 1,024.
const SLICES: usize = 512;

/// The receiving half. Pings are answered through the outbox, as everything that is written.
pub(crate) struct WebSocketSource<R> {
    stream: R,
    input: BytesMut,
    decoder: Decoder,
    connection: Arc<Connection>,
}

impl<R: AsyncRead + Unpin + Send> WebSocketSource<R> {
    pub(crate) fn new(stream: R, connection: Arc<Connection>) -> Self {
        let input = BytesMut::with_capacity(READ);
        Self { stream, input, decoder: Decoder::default(), connection }
    }
}

impl<R: AsyncRead + Unpin + Send> Source for WebSocketSource<R> {
    const LINGERS: bool = true;

    async fn receive(&mut self) -> io::Result<Incoming> {
        loop {
            match self.decoder.next(&mut self.input).map_err(io::Error::other)? {
                Some(Event::Data(bytes)) => return Ok(Incoming::Data(bytes)),
                Some(Event::Close) => return Ok(Incoming::Closed),
                Some(Event::Ping(payload)) => match self.connection.send(pong_frame(&payload)) {
                    Pushed::Queued | Pushed::Closed => {}
                    Pushed::Full => return Err(io::ErrorKind::OutOfMemory.into()),
                },
                None => {
                    self.input.reserve(READ);
                    if self.stream.read_buf(&mut self.input).await? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
            }
        }
    }
}

/// The sending half: many frames leave in one vectored write.
pub(crate) struct WebSocketSink<W> {
    stream: W,
}

impl<W: AsyncWrite + Unpin + Send> WebSocketSink<W> {
    pub(crate) fn new(stream: W) -> Self {
        Self { stream }
    }

    async fn write_some(&mut self, batch: &VecDeque<Frame>, skip: usize) -> io::Result<usize> {
        let mut slices: Vec<IoSlice<'_>> = Vec::with_capacity(batch.len().min(SLICES));
        slices.extend(batch.iter().take(SLICES).map(|frame| IoSlice::new(frame.bytes())));
        let mut rest = slices.as_mut_slice();
        IoSlice::advance_slices(&mut rest, skip);
        match self.stream.write_vectored(rest).await? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            written => Ok(written),
        }
    }
}

impl<W: AsyncWrite + Unpin + Send> Sink for WebSocketSink<W> {
    async fn write(&mut self, batch: &mut VecDeque<Frame>) -> io::Result<()> {
        let mut written = 0;
        while !batch.is_empty() {
            written += self.write_some(batch, written).await?;
            while let Some(length) =
                batch.front().map(|frame| frame.bytes().len()).filter(|length| *length <= written)
            {
                written -= length;
                batch.pop_front();
            }
        }
        self.stream.flush().await
    }

    async fn finish(&mut self) -> io::Result<()> {
        let mut bytes = close_frame().bytes().clone();
        while bytes.has_remaining() {
            self.stream.write_buf(&mut bytes).await?;
        }
        self.stream.flush().await
    }

    async fn shut(&mut self) {
        // An error means that the stream is closed already.
        let _ = self.stream.shutdown().await;
    }
}
