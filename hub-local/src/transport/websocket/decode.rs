//! Streaming decoder of client frames (RFC 6455 §5). Payload is returned as it arrives: hub messages are
//! delimited by the hub protocol, not by frames.

use bytes::{Buf as _, BytesMut};

use super::utf8::Utf8;
use crate::delivery::frame::Violation;

const OPCODE: u8 = 0x0F;
const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
/// Maximum payload of a control frame in bytes (RFC 6455 §5.5).
const MAX_CONTROL_BYTES: u64 = 125;
/// The most significant bit of a 64-bit length is zero (RFC 6455 §5.2).
const MAX_PAYLOAD_BYTES: u64 = u64::MAX >> 1;

/// A decoded event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Some payload of a message.
    Data(BytesMut),
    /// A ping with its payload.
    Ping(BytesMut),
    /// The client sent a close frame.
    Close,
}

/// The state of the decoder.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// The frame whose payload is being read.
    frame: Option<Frame>,
    /// A message has begun and not ended.
    in_message: bool,
    /// UTF-8 validation of the current message if it is a text message.
    text: Option<Utf8>,
    /// Set after a violation; further input is discarded.
    failed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    kind: Kind,
    remaining: u64,
    mask: [u8; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Data,
    Ping,
    Pong,
    Close,
}

impl Decoder {
    /// The next event in `input`, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the client violates the protocol. The error is returned once; further input is discarded.
    pub(crate) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Event>, Violation> {
        if self.failed {
            input.clear();
            return Ok(None);
        }
        self.read(input).inspect_err(|_| self.failed = true)
    }

    fn read(&mut self, input: &mut BytesMut) -> Result<Option<Event>, Violation> {
        loop {
            let frame = match self.frame {
                Some(frame) => frame,
                None => match self.header(input)? {
                    Some(frame) => *self.frame.insert(frame),
                    None => return Ok(None),
                },
            };
            let Some(payload) = self.payload(frame, input) else { return Ok(None) };
            match frame.kind {
                Kind::Data => {
                    self.check_text(&payload)?;
                    if !payload.is_empty() {
                        return Ok(Some(Event::Data(payload)));
                    }
                }
                Kind::Ping => return Ok(Some(Event::Ping(payload))),
                Kind::Pong => {}
                Kind::Close => {
                    check_close(&payload)?;
                    return Ok(Some(Event::Close));
                }
            }
        }
    }

    fn check_text(&mut self, payload: &[u8]) -> Result<(), Violation> {
        let Some(text) = &mut self.text else { return Ok(()) };
        let ends = self.frame.is_none() && !self.in_message;
        if text.push(payload) && (!ends || text.is_whole()) {
            return Ok(());
        }
        Err(Violation::not_text())
    }

    /// The available payload of a data frame, or the complete payload of a control frame.
    fn payload(&mut self, mut frame: Frame, input: &mut BytesMut) -> Option<BytesMut> {
        let available =
            usize::try_from(frame.remaining).map_or(input.len(), |it| it.min(input.len()));
        let whole = available as u64 == frame.remaining;
        if !whole && (frame.kind != Kind::Data || available == 0) {
            return None;
        }
        // The last payload of a read takes the buffer, so that no allocation counts the parts of the buffer.
        let mut payload = match available == input.len() {
            true => std::mem::take(input),
            false => input.split_to(available),
        };
        unmask(&mut payload, frame.mask);
        frame.mask.rotate_left(available % 4);
        frame.remaining -= available as u64;
        self.frame = (!whole).then_some(frame);
        Some(payload)
    }

    fn header(&mut self, input: &mut BytesMut) -> Result<Option<Frame>, Violation> {
        let [first, second, ..] = **input else { return Ok(None) };
        if first & RESERVED != 0 {
            return Err(Violation::new("reserved bits are set"));
        }
        if second & MASKED == 0 {
            return Err(Violation::new("client frames must be masked"));
        }
        let extended = match second & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let length = 2 + extended;
        if input.len() < length + 4 {
            return Ok(None);
        }
        input.advance(2);
        let remaining = match extended {
            2 => u64::from(input.get_u16()),
            8 => input.get_u64(),
            _ => u64::from(second & !MASKED),
        };
        let least = match extended {
            2 => 126,
            8 => 0x1_0000,
            _ => 0,
        };
        if remaining < least || remaining > MAX_PAYLOAD_BYTES {
            return Err(Violation::new("the payload length is not in its shortest form"));
        }
        let mask = input.get_u32().to_be_bytes();
        let kind = self.kind(first, remaining)?;
        Ok(Some(Frame { kind, remaining, mask }))
    }

    fn kind(&mut self, first: u8, length: u64) -> Result<Kind, Violation> {
        let is_final = first & FINAL != 0;
        let kind = match (first & OPCODE, self.in_message) {
            (0, true) | (1 | 2, false) => {
                self.in_message = !is_final;
                match first & OPCODE {
                    0 => {}
                    1 => self.text = Some(Utf8::default()),
                    _ => self.text = None,
                }
                return Ok(Kind::Data);
            }
            (0, false) => {
                return Err(Violation::new("a continuation frame without a message to continue"));
            }
            (1 | 2, true) => {
                return Err(Violation::new("a new message before the end of the previous message"));
            }
            (8, _) => Kind::Close,
            (9, _) => Kind::Ping,
            (10, _) => Kind::Pong,
            _ => return Err(Violation::new("unknown opcode")),
        };
        if !is_final || length > MAX_CONTROL_BYTES {
            return Err(Violation::new(
                "control frames must not be fragmented or longer than 125 bytes",
            ));
        }
        Ok(kind)
    }
}

/// A close payload is empty, or a status and a reason in UTF-8 (RFC 6455 §5.5.1).
fn check_close(payload: &[u8]) -> Result<(), Violation> {
    let (status, reason) = match payload {
        [] => return Ok(()),
        [a, b, reason @ ..] => (u16::from_be_bytes([*a, *b]), reason),
        [_] => return Err(Violation::new("the payload of the close frame has only one byte")),
    };
    // All other codes are reserved or must not be sent in a frame (RFC 6455 §7.4).
    if !matches!(status, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::new("the status of the close frame is invalid"));
    }
    str::from_utf8(reason).map(|_| ()).map_err(|_| Violation::not_text())
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        if let Ok(bytes) = <[u8; 8]>::try_from(&*chunk) {
            chunk.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ wide).to_ne_bytes());
        }
    }
    for (byte, mask) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::frame::CloseStatus;

    const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            length @ 0..126 => bytes.push(0x80 | length as u8),
            length @ 126..65536 => {
                bytes.push(0x80 | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            length => {
                bytes.push(0x80 | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(MASK);
        bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    /// Feeds the bytes in pieces and returns all data joined, and the other events.
    fn decode(bytes: &[u8], piece: usize) -> Result<(Vec<u8>, Vec<Event>), Violation> {
        let mut decoder = Decoder::default();
        let mut input = BytesMut::new();
        let (mut data, mut others) = (Vec::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            input.extend_from_slice(piece);
            while let Some(event) = decoder.next(&mut input)? {
                match event {
                    Event::Data(bytes) => data.extend_from_slice(&bytes),
                    other => others.push(other),
                }
            }
        }
        Ok((data, others))
    }

    #[test]
    fn the_masked_hello_of_rfc_6455_is_read() {
        let hello = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];
        assert_eq!(decode(&hello, 100).unwrap().0, b"Hello");
    }

    #[test]
    fn the_payload_does_not_depend_on_frames_and_chunks() {
        let long: Vec<u8> = (0..70_000_u32).map(|number| number as u8).collect();
        let mut bytes = frame(0x01, b"ab");
        bytes.extend(frame(0x00, b""));
        bytes.extend(frame(0x89, b"ping"));
        bytes.extend(frame(0x80, b"c"));
        bytes.extend(frame(0x82, &long[..200]));
        bytes.extend(frame(0x8A, b"pong"));
        bytes.extend(frame(0x82, &long));
        bytes.extend(frame(0x88, &[3, 232]));
        let expected = [b"abc", &long[..200], &long[..]].concat();

        for piece in [1, 2, 3, 7, 64, 100_000] {
            let (data, others) = decode(&bytes, piece).unwrap();
            assert!(data == expected, "pieces of {piece}");
            assert_eq!(others, [Event::Ping(BytesMut::from(&b"ping"[..])), Event::Close]);
        }
    }

    #[test]
    fn protocol_violations_are_refused() {
        let violation = |bytes: &[u8]| {
            decode(bytes, 100).is_err_and(|it| it.status() == CloseStatus::ProtocolError)
        };

        assert!(violation(&[0x81, 0x05, b'H', b'e', b'l', b'l', b'o']));
        assert!(violation(&frame(0xC1, b"x")));
        assert!(violation(&frame(0x80, b"x")));
        assert!(violation(&[frame(0x01, b"x"), frame(0x81, b"x")].concat()));
        assert!(violation(&frame(0x83, b"x")));
        assert!(violation(&frame(0x8B, b"x")));
        assert!(violation(&frame(0x09, b"x")));
        assert!(violation(&frame(0x89, &[0; 126])));
        for (length, bytes) in [(126_u8, &[0, 125][..]), (127, &[0, 0, 0, 0, 0, 0, 0xFF, 0xFF])] {
            assert!(violation(&[&[0x82, 0x80 | length], bytes, &MASK].concat()));
        }
        assert!(violation(&[&[0x82, 0xFF], &[0x80, 0, 0, 0, 0, 0, 0, 0][..], &MASK].concat()));
        for status in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000_u16] {
            assert!(violation(&frame(0x88, &status.to_be_bytes())), "{status}");
        }
        assert!(violation(&frame(0x88, &[3])));
    }

    #[test]
    fn text_must_be_utf_8() {
        let refused = |bytes: &[u8], piece| {
            decode(bytes, piece).is_err_and(|it| it.status() == CloseStatus::InvalidPayload)
        };
        let split = [frame(0x01, "aü".as_bytes()), frame(0x80, "😀".as_bytes())].concat();
        let cut = [frame(0x01, &"ü".as_bytes()[..1]), frame(0x80, &"ü".as_bytes()[1..])].concat();

        for piece in [1, 2, 3, 100] {
            assert_eq!(decode(&split, piece).unwrap().0, "aü😀".as_bytes());
            assert_eq!(decode(&cut, piece).unwrap().0, "ü".as_bytes());
            assert_eq!(decode(&frame(0x82, b"\xff"), piece).unwrap().0, b"\xff");
            for bad in [&b"\xff"[..], b"a\xc3", b"\xed\xa0\x80", b"\xf0\x9f\x98"] {
                assert!(refused(&frame(0x81, bad), piece), "{bad:?} in pieces of {piece}");
            }
            assert!(refused(&[frame(0x01, b"\xc3"), frame(0x80, b"x")].concat(), piece));
            assert!(refused(&frame(0x88, b"\x03\xe8\xff"), piece));
        }
    }

    #[test]
    fn input_after_a_violation_is_ignored() {
        let (mut decoder, mut input) = (Decoder::default(), BytesMut::new());
        input.extend_from_slice(&[frame(0x83, b"x"), frame(0x88, &[3, 232])].concat());

        assert!(decoder.next(&mut input).is_err());

        assert_eq!(decoder.next(&mut input), Ok(None));
        assert!(input.is_empty());
    }
}
