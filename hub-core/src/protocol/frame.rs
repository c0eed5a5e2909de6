//! Splits a stream of bytes into hub messages.
//!
//! JSON messages end with a separator. MessagePack messages are prefixed with their length, a `VarInt` of up
//! to five bytes (HubProtocol.md, JSON Encoding and MessagePack Encoding).

use bytes::{Buf, Bytes, BytesMut};

use super::{Protocol, ProtocolError};

/// The byte after every JSON hub message. JSON escapes this byte, so it cannot occur within a message.
pub const RECORD_SEPARATOR: u8 = 0x1E;

/// A buffer of received bytes that returns the messages in it. The first message is the handshake, which
/// ends with a separator in every protocol.
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
    /// Whether the buffer may be a part of a larger one, which it keeps in memory.
    is_part: bool,
    /// The number of buffered bytes that were already searched for a separator.
    scanned: usize,
    limit: usize,
    protocol: Protocol,
}

impl Frames {
    /// Creates an empty buffer. Messages can have up to `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            is_part: false,
            scanned: 0,
            limit,
            protocol: Protocol::Json,
        }
    }

    /// Sets the protocol after the handshake. Buffered bytes stay in the buffer.
    pub fn switch_to(&mut self, protocol: Protocol) {
        self.protocol = protocol;
        self.scanned = 0;
    }

    /// Appends received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Like [`Self::push`], without a copy if no part of a message is buffered. The messages then share the memory of
    /// `bytes`. An incomplete message is copied, because it may stay in the buffer for a long time.
    pub fn take(&mut self, bytes: BytesMut) {
        if self.buffer.is_empty() {
            (self.buffer, self.is_part) = (bytes, true);
        } else {
            self.push(&bytes);
        }
    }

    /// The next complete message, without its separator or length.
    ///
    /// # Errors
    /// When the next message exceeds the limit, even if it is incomplete, or when its length is malformed.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, ProtocolError> {
        match self.protocol {
            Protocol::Json => self.next_record(),
            #[cfg(feature = "msgpack")]
            Protocol::MessagePack => self.next_prefixed(),
        }
    }

    /// Whether no part of a message is buffered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    fn next_record(&mut self) -> Result<Option<Bytes>, ProtocolError> {
        let unseen = self.buffer.get(self.scanned..).unwrap_or_default();
        let Some(found) = find_separator(unseen) else {
            self.scanned = self.buffer.len();
            self.check(self.scanned)?;
            self.detach();
            return Ok(None);
        };
        let length = self.scanned + found;
        self.check(length)?;
        let frame = self.buffer.split_to(length).freeze();
        self.buffer.advance(1);
        (self.scanned, self.is_part) = (0, true);
        self.shrink();
        Ok(Some(frame))
    }

    #[cfg(feature = "msgpack")]
    fn next_prefixed(&mut self) -> Result<Option<Bytes>, ProtocolError> {
        let Some((length, prefix)) = length_prefix(&self.buffer)? else {
            self.detach();
            return Ok(None);
        };
        self.check(length)?;
        if self.buffer.len() - prefix < length {
            self.detach();
            return Ok(None);
        }
        self.buffer.advance(prefix);
        let frame = self.buffer.split_to(length).freeze();
        self.is_part = true;
        self.shrink();
        Ok(Some(frame))
    }

    /// Frees the memory of an empty buffer, because most connections are idle.
    fn shrink(&mut self) {
        if self.buffer.is_empty() {
            (self.buffer, self.is_part) = (BytesMut::new(), false);
        }
    }

    /// Copies an incomplete message out of a larger buffer.
    fn detach(&mut self) {
        if std::mem::take(&mut self.is_part) {
            self.buffer = BytesMut::from(&*self.buffer);
        }
    }

    fn check(&self, length: usize) -> Result<(), ProtocolError> {
        let limit = self.limit;
        if length > limit { Err(ProtocolError::TooLarge { limit }) } else { Ok(()) }
    }
}

/// The position of the first separator. Compares a block of bytes at a time, for which processors have instructions.
fn find_separator(bytes: &[u8]) -> Option<usize> {
    const BLOCK: usize = 32;
    let is_separator = |byte: &u8| *byte == RECORD_SEPARATOR;
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let has_separator =
        |block: &[u8; BLOCK]| block.iter().fold(false, |it, byte| it | is_separator(byte));
    let before = blocks.iter().take_while(|block| !has_separator(block)).count() * BLOCK;
    let rest = bytes.get(before..).unwrap_or_default();
    rest.iter().position(is_separator).map(|at| before + at)
}

/// Returns the length of the next message and the size of its prefix in bytes. Returns `None` if the prefix
/// is incomplete.
#[cfg(feature = "msgpack")]
fn length_prefix(bytes: &[u8]) -> Result<Option<(usize, usize)>, ProtocolError> {
    /// The maximum size of the prefix.
    const MAX_BYTES: usize = 5;
    /// The maximum value of the last byte. A larger value would make the length exceed 31 bits.
    const MAX_LAST: u8 = 0x07;
    let mut length = 0_usize;
    for (index, byte) in bytes.iter().take(MAX_BYTES).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * index);
        if index == MAX_BYTES - 1 && *byte > MAX_LAST {
            return Err(ProtocolError::Length);
        }
        if byte & 0x80 == 0 {
            return Ok(Some((length, index + 1)));
        }
    }
    Ok(None)
}

/// The number of bytes that [`write_length`] writes.
#[cfg(feature = "msgpack")]
pub(super) fn prefix_size(length: usize) -> usize {
    (length.checked_ilog2().unwrap_or_default() / 7 + 1) as usize
}

/// Writes the length prefix of a message, at most five bytes.
#[cfg(feature = "msgpack")]
pub(super) fn write_length(out: &mut Vec<u8>, mut length: usize) {
    loop {
        let group = u8::try_from(length & 0x7F).unwrap_or_default();
        length >>= 7;
        if length == 0 {
            out.push(group);
            return;
        }
        out.push(group | 0x80);
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
    fn messages_of_one_read_share_its_memory_and_an_incomplete_one_does_not() {
        let mut frames = Frames::new(100);
        let read = BytesMut::from(&b"ab\x1ec"[..]);
        let place = read.as_ptr();

        frames.take(read);
        let first = frames.next_frame().unwrap().unwrap();
        assert!(frames.next_frame().unwrap().is_none());
        frames.take(BytesMut::from(&b"d\x1ee\x1e"[..]));

        assert_eq!((&first[..], first.as_ptr()), (&b"ab"[..], place));
        assert!(first.is_unique());
        assert_eq!(frames.next_frame().unwrap().unwrap(), "cd");
        assert_eq!(frames.next_frame().unwrap().unwrap(), "e");
        assert!(frames.is_empty());
    }

    #[test]
    fn the_begin_of_a_message_does_not_hold_the_memory_of_the_messages_before_it() {
        let mut frames = Frames::new(1 << 20);
        frames.take(BytesMut::from(&[b'x'; 1 << 19][..]));
        assert!(frames.next_frame().unwrap().is_none());
        frames.take(BytesMut::from(&b"\x1ec"[..]));
        drop(frames.next_frame().unwrap().unwrap());

        assert!(frames.next_frame().unwrap().is_none());

        assert!(frames.buffer.capacity() < 1024, "{}", frames.buffer.capacity());
    }

    #[test]
    fn a_separator_is_found_at_any_position() {
        for length in 0..100 {
            let text = vec![b'x'; length];
            assert_eq!(find_separator(&text), None);
            let text = [&text, &b"\x1ex\x1e"[..]].concat();
            assert_eq!(find_separator(&text), Some(length));
        }
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

    #[cfg(feature = "msgpack")]
    mod with_length {
        use super::*;

        fn frames(limit: usize) -> Frames {
            let mut frames = Frames::new(limit);
            frames.switch_to(Protocol::MessagePack);
            frames
        }

        fn prefix(length: usize) -> Vec<u8> {
            let mut out = Vec::new();
            write_length(&mut out, length);
            assert_eq!(prefix_size(length), out.len());
            out
        }

        #[test]
        fn bytes_after_the_handshake_are_kept() {
            let mut frames = Frames::new(100);
            frames.push(b"{}\x1e\x02\x91\x06\x00\x01\x1e\x03ab");

            assert_eq!(frames.next_frame().unwrap().unwrap(), "{}");
            frames.switch_to(Protocol::MessagePack);

            assert_eq!(frames.next_frame().unwrap().unwrap(), &b"\x91\x06"[..]);
            assert_eq!(frames.next_frame().unwrap().unwrap(), "");
            assert_eq!(frames.next_frame().unwrap().unwrap(), &b"\x1e"[..]);
            assert!(frames.next_frame().unwrap().is_none());
            frames.push(b"c");
            assert_eq!(frames.next_frame().unwrap().unwrap(), "abc");
            assert!(frames.is_empty());
        }

        #[test]
        fn lengths_are_groups_of_seven_bits() {
            for (length, bytes) in [
                (0, &[0][..]),
                (127, &[0x7F]),
                (128, &[0x80, 0x01]),
                (16_383, &[0xFF, 0x7F]),
                (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
                (0x7FFF_FFFF, &[0xFF, 0xFF, 0xFF, 0xFF, 0x07]),
            ] {
                assert_eq!(prefix(length), bytes);
                assert_eq!(length_prefix(bytes).unwrap(), Some((length, bytes.len())));
                assert_eq!(length_prefix(&bytes[..bytes.len() - 1]).unwrap(), None);
            }
        }

        #[test]
        fn a_length_of_more_than_31_bits_is_malformed() {
            for bad in [&[0xFF, 0xFF, 0xFF, 0xFF, 0x08][..], &[0x80, 0x80, 0x80, 0x80, 0x80, 0]] {
                let mut frames = frames(usize::MAX);
                frames.push(bad);
                assert!(matches!(frames.next_frame(), Err(ProtocolError::Length)));
            }
        }

        #[test]
        fn a_message_over_the_limit_is_refused_by_its_length_prefix() {
            let mut frames = frames(3);

            frames.push(b"\x03abc\x04");

            assert_eq!(frames.next_frame().unwrap().unwrap(), "abc");
            assert!(matches!(frames.next_frame(), Err(ProtocolError::TooLarge { limit: 3 })));
        }
    }
}
