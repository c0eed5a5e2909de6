//! Cuts JSON hub messages out of a stream of bytes.

use bytes::{Buf, Bytes, BytesMut};

use super::ProtocolError;

/// The byte after every JSON hub message. It cannot occur inside one.
pub const RECORD_SEPARATOR: u8 = 0x1E;

/// Bytes as they arrive, and the messages in them.
///
/// ```
/// let mut frames = hub_core::protocol::frame::Frames::new(1024);
/// frames.push(b"{\"type\":6}\x1e{\"ty");
/// assert_eq!(frames.next_frame().unwrap().unwrap(), "{\"type\":6}");
/// assert!(frames.next_frame().unwrap().is_none());
/// ```
#[derive(Debug)]
pub struct Frames {
    buffer: BytesMut,
    /// How far the buffer is known to hold no separator.
    scanned: usize,
    limit: usize,
}

impl Frames {
    /// An empty buffer whose messages may have up to `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), scanned: 0, limit }
    }

    /// Appends what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, without its separator.
    ///
    /// # Errors
    /// When the next message is bigger than the limit, complete or not.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, ProtocolError> {
        let unseen = self.buffer.get(self.scanned..).unwrap_or_default();
        let Some(found) = unseen.iter().position(|byte| *byte == RECORD_SEPARATOR) else {
            self.scanned = self.buffer.len();
            self.check(self.scanned)?;
            return Ok(None);
        };
        let length = self.scanned + found;
        self.check(length)?;
        let frame = self.buffer.split_to(length).freeze();
        self.buffer.advance(1);
        self.scanned = 0;
        if self.buffer.is_empty() {
            // Connections are idle most of the time: keep no memory for the next message.
            self.buffer = BytesMut::new();
        }
        Ok(Some(frame))
    }

    /// Whether the stream stands between two messages.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    fn check(&self, length: usize) -> Result<(), ProtocolError> {
        let limit = self.limit;
        if length > limit { Err(ProtocolError::TooLarge { limit }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_may_be_split_and_joined() {
        let mut frames = Frames::new(100);

        for byte in b"ab\x1e\x1ec" {
            frames.push(&[*byte]);
        }

        assert_eq!(frames.next_frame().unwrap().unwrap(), "ab");
        assert_eq!(frames.next_frame().unwrap().unwrap(), "");
        assert!(frames.next_frame().unwrap().is_none());
        frames.push(b"d\x1e");
        assert_eq!(frames.next_frame().unwrap().unwrap(), "cd");
        assert!(frames.is_empty());
    }

    #[test]
    fn the_limit_counts_without_the_separator() {
        let mut frames = Frames::new(3);

        frames.push(b"abc\x1e");
        assert_eq!(frames.next_frame().unwrap().unwrap(), "abc");
        frames.push(b"abcd\x1e");
        assert!(matches!(frames.next_frame(), Err(ProtocolError::TooLarge { limit: 3 })));
    }

    #[test]
    fn an_endless_message_is_refused_before_it_ends() {
        let mut frames = Frames::new(3);

        frames.push(b"abc");
        assert!(frames.next_frame().unwrap().is_none());
        frames.push(b"d");
        assert!(frames.next_frame().is_err());
    }
}
