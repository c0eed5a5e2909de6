//! Parser for a stream of unmasked WebSocket frames (RFC 6455 §5.2).

/// State of the parser.
#[derive(Debug, Default)]
pub(crate) struct FrameParser {
    header: [u8; 10],
    held: usize,
    /// Opcode of the current frame.
    opcode: u8,
    /// Opcode of the current message: the opcode of the last data frame that is not a continuation.
    message: u8,
    remaining: u64,
}

/// Part of the payload of one frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FramePart<'a> {
    pub(crate) opcode: u8,
    pub(crate) bytes: &'a [u8],
}

impl FramePart<'_> {
    pub(crate) fn is_ping(&self) -> bool {
        self.opcode == 9
    }

    pub(crate) fn is_close(&self) -> bool {
        self.opcode == 8
    }
}

impl FrameParser {
    /// Takes the next part from the front of `input`. Returns `None` if more input is needed.
    pub(crate) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<FramePart<'a>> {
        while self.remaining == 0 {
            if !self.read_header(input)? {
                continue;
            }
            if self.remaining == 0 {
                return Some(FramePart { opcode: self.opcode, bytes: &[] });
            }
        }
        if input.is_empty() {
            return None;
        }
        let length = usize::try_from(self.remaining).map_or(input.len(), |it| it.min(input.len()));
        let (bytes, rest) = input.split_at(length);
        *input = rest;
        self.remaining -= length as u64;
        Some(FramePart { opcode: self.opcode, bytes })
    }

    /// Takes one byte and returns whether the header is complete.
    fn read_header(&mut self, input: &mut &[u8]) -> Option<bool> {
        let (byte, rest) = input.split_first()?;
        *input = rest;
        if let Some(place) = self.header.get_mut(self.held) {
            *place = *byte;
        }
        self.held += 1;
        let [first, second, a, b, c, d, e, f, g, h] = self.header;
        let (needed, length) = match second & 0x7F {
            126 => (4, u64::from(u16::from_be_bytes([a, b]))),
            127 => (10, u64::from_be_bytes([a, b, c, d, e, f, g, h])),
            length => (2, u64::from(length)),
        };
        if self.held < 2 || self.held < needed {
            return Some(false);
        }
        (self.held, self.remaining) = (0, length);
        self.opcode = match first & 0x0F {
            // A continuation has the opcode of its message. Control frames may occur between the frames of a
            // message (RFC 6455 §5.4).
            0 => self.message,
            control @ 8.. => control,
            kind => {
                self.message = kind;
                kind
            }
        };
        Some(true)
    }
}

#[cfg(test)]
mod tests {
    use hub_core::protocol::Protocol;

    use super::*;
    use crate::messages::count::{Counter, Counts};

    const RECORDS: &[u8] = b"{\"type\":1,\"target\":\"m\",\"arguments\":[]}\x1e{\"type\":6}\x1e";

    fn stream() -> Vec<u8> {
        let completion = b"{\"type\":3,\"invocationId\":\"1\"}\x1e";
        // The length byte of this frame equals the record separator.
        assert_eq!(completion.len(), 0x1E);
        let long = [b"{\"type\":1,\"x\":\"", vec![b'x'; 300].as_slice(), b"\"}\x1e"].concat();
        let mut bytes = vec![0x81, RECORDS.len() as u8];
        bytes.extend(RECORDS);
        bytes.extend([0x89, 2, b'h', b'i', 0x81, 0x1E]);
        bytes.extend(completion);
        bytes.extend([0x81, 126]);
        bytes.extend((long.len() as u16).to_be_bytes());
        bytes.extend(long);
        bytes.extend([0x88, 0]);
        bytes
    }

    #[test]
    fn a_control_frame_does_not_change_the_message_around_it() {
        let mut input = &[0x01, 1, b'a', 0x89, 0, 0x00, 1, b'b', 0x8A, 0, 0x80, 1, b'c'][..];
        let mut frames = FrameParser::default();

        let kinds: Vec<_> =
            std::iter::from_fn(|| frames.next(&mut input).map(|part| part.opcode)).collect();

        assert_eq!(kinds, [1, 9, 1, 10, 1]);
    }

    #[test]
    fn records_are_counted_for_any_read_boundaries() {
        for piece in [1, 2, 3, 50, 1000] {
            let (mut frames, mut counter) = (FrameParser::default(), Counter::new(Protocol::Json));
            let (mut counts, mut pinged, mut closed) = (Counts::default(), Vec::new(), false);

            for mut read in stream().chunks(piece) {
                while let Some(part) = frames.next(&mut read) {
                    match part.opcode {
                        9 => pinged.extend_from_slice(part.bytes),
                        8 => closed = true,
                        _ => counter.count(part.bytes, &mut counts),
                    }
                }
            }

            let expected = Counts { invocations: 2, completions: 1, pings: 1, ..Counts::default() };
            assert_eq!((counts, closed), (expected, true), "pieces of {piece}");
            assert_eq!(pinged, b"hi");
        }
    }
}
