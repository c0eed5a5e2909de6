//! Reads frames from a socket.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

use super::frame::{self, Frame, FrameError};

/// Bytes of one read, unless a frame is larger.
const READ_BYTES: usize = 32 * 1024;
/// Room for the head of a frame.
const ROOM: usize = 64;

/// The bytes that have arrived, and are not read as frames.
pub(super) struct Reader {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    max_content: usize,
}

impl Reader {
    /// A reader whose first bytes have arrived before.
    pub(super) fn new(mut arrived: Vec<u8>, max_content: usize) -> Self {
        let end = arrived.len();
        arrived.resize(end.max(READ_BYTES), 0);
        Self { buffer: arrived, start: 0, end, max_content }
    }

    /// Reads once. The number of bytes; 0 if the peer has closed the connection.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        socket: Pin<&mut impl AsyncRead>,
    ) -> Poll<io::Result<usize>> {
        self.make_room();
        let space = self.buffer.get_mut(self.end..).unwrap_or_default();
        let mut buffer = ReadBuf::new(space);
        ready!(socket.poll_read(cx, &mut buffer))?;
        let read = buffer.filled().len();
        self.end += read;
        Poll::Ready(Ok(read))
    }

    /// The buffer grows with the bytes that arrive, not with the length that a frame declares.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == 0 && self.buffer.len() > READ_BYTES {
            self.buffer = vec![0; READ_BYTES];
        }
        if self.end == self.buffer.len() {
            let size = (2 * self.end).min(self.max_content.saturating_add(ROOM));
            self.buffer.resize(size.max(self.end + ROOM), 0);
        }
    }

    /// Whether a frame has arrived in part, after [`Self::next`] has returned all whole ones.
    #[cfg(feature = "server")]
    pub(super) fn is_partial(&self) -> bool {
        self.start < self.end
    }

    /// The next frame, if it has arrived.
    pub(super) fn next(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        let bytes = self.buffer.get(self.start..self.end).unwrap_or_default();
        let Some((frame, size)) = frame::first(bytes, self.max_content)? else { return Ok(None) };
        self.start += size;
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn read(reader: &mut Reader, mut bytes: &[u8]) -> usize {
        let mut context = Context::from_waker(Waker::noop());
        match reader.poll_read(&mut context, Pin::new(&mut bytes)) {
            Poll::Ready(read) => read.unwrap(),
            Poll::Pending => 0,
        }
    }

    #[test]
    fn frames_may_arrive_in_any_pieces() {
        let frames = [
            Frame::Response { id: 1, status: 200, body: &[7; 100] },
            Frame::Pong,
            Frame::Response { id: 2, status: 500, body: &[8; 3 * READ_BYTES] },
            Frame::Stop,
        ];
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut bytes));
        for size in [1, 7, 1000, READ_BYTES, bytes.len()] {
            let (mut reader, mut at, mut found) = (Reader::new(Vec::new(), 4 * READ_BYTES), 0, 0);
            while at < bytes.len() {
                let until = bytes.len().min(at + size);
                at += read(&mut reader, &bytes[at..until]);
                while let Some(frame) = reader.next().unwrap() {
                    assert_eq!(frame, frames[found], "{size}");
                    found += 1;
                }
            }
            assert_eq!(found, frames.len(), "{size}");
        }
    }

    #[test]
    fn a_declared_length_reserves_no_memory_and_a_large_frame_leaves_none() {
        let mut reader = Reader::new(Vec::new(), 1 << 24);
        let mut bytes = Vec::new();
        Frame::Response { id: 1, status: 200, body: &[0; 1 << 20] }.write(&mut bytes);

        read(&mut reader, &bytes[..100]);
        assert!(reader.next().unwrap().is_none() && reader.buffer.len() == READ_BYTES);
        let mut at = 100;
        while at < bytes.len() {
            at += read(&mut reader, &bytes[at..]);
        }
        assert!(reader.next().unwrap().is_some() && reader.buffer.len() > 1 << 20);
        read(&mut reader, b"");

        assert_eq!(reader.buffer.len(), READ_BYTES);
    }
}
