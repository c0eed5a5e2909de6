//! The bytes of frames. The format is described in [`calls`](super).

use std::fmt;

/// Length, kind and number.
const HEAD_BYTES: usize = 9;
const LENGTH_BYTES: usize = 4;
/// Block, length of the target, length of the lines.
const CALL_HEAD_BYTES: usize = 6;

const LINES: u8 = 1;
const CALL: u8 = 2;
const RESPONSE: u8 = 3;
const TOO_LARGE: u8 = 4;
const CANCEL: u8 = 5;
const STOP: u8 = 6;
const PING: u8 = 7;
const PONG: u8 = 8;

/// A frame.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "internal to this project")]
pub enum Frame<'a> {
    /// Header lines to which calls refer.
    Lines {
        /// The number of the block. It may be too large.
        block: u32,
        /// The lines, each with its line break.
        lines: &'a [u8],
    },
    /// A call.
    Call {
        /// The number of the call.
        id: u32,
        /// Its parts.
        call: Call<'a>,
    },
    /// The response to a call.
    Response {
        /// The number of the call.
        id: u32,
        /// The status of HTTP.
        status: u16,
        /// The body.
        body: &'a [u8],
    },
    /// The response to this call is too large.
    TooLarge(u32),
    /// The response to this call is not awaited.
    Cancel(u32),
    /// The app takes no further calls.
    Stop,
    /// Asks for a [`Pong`](Self::Pong).
    Ping,
    /// The response to a [`Ping`](Self::Ping).
    Pong,
}

/// The parts of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "internal to this project")]
pub struct Call<'a> {
    /// The block of header lines.
    pub block: u16,
    /// Path and query.
    pub target: &'a [u8],
    /// Header lines of this call only, each with its line break.
    pub lines: &'a [u8],
    /// The body of the request.
    pub body: &'a [u8],
}

/// Lines and body contain signatures, claims, arguments and results: only their lengths are written.
impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lines { block, lines } => write!(f, "Lines({block}, {} bytes)", lines.len()),
            Self::Call { id, call } => write!(f, "Call({id}, {call:?})"),
            Self::Response { id, status, body } => {
                write!(f, "Response({id}, {status}, {} bytes)", body.len())
            }
            Self::TooLarge(id) => write!(f, "TooLarge({id})"),
            Self::Cancel(id) => write!(f, "Cancel({id})"),
            Self::Stop => f.write_str("Stop"),
            Self::Ping => f.write_str("Ping"),
            Self::Pong => f.write_str("Pong"),
        }
    }
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { block, target, lines, body } = self;
        let lengths = [target, lines, body].map(|part| part.len());
        f.debug_struct("Call").field("block", block).field("lengths", &lengths).finish()
    }
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(clippy::exhaustive_enums, reason = "internal to this project")]
pub enum FrameError {
    /// The frame is longer than the reader accepts.
    #[error("a frame of {0} bytes is longer than allowed")]
    TooLong(u32),
    /// The frame has no kind and number.
    #[error("a frame of {0} bytes is too short")]
    TooShort(u32),
    /// No frame has this kind.
    #[error("no frame has the kind {0}")]
    Kind(u8),
    /// The content does not have the form of its kind.
    #[error("the content of a frame of the kind {0} is invalid")]
    Content(u8),
}

/// The first frame, and the number of its bytes. `None` if it is not complete. `max_content` is the largest content that
/// the reader accepts.
///
/// # Errors
/// When the bytes are no frame.
pub fn first(bytes: &[u8], max_content: usize) -> Result<Option<(Frame<'_>, usize)>, FrameError> {
    let Some((length, rest)) = bytes.split_first_chunk() else { return Ok(None) };
    let length = u32::from_be_bytes(*length);
    let size = length as usize;
    if size > max_content.saturating_add(HEAD_BYTES - LENGTH_BYTES) {
        return Err(FrameError::TooLong(length));
    }
    if size < HEAD_BYTES - LENGTH_BYTES {
        return Err(FrameError::TooShort(length));
    }
    let Some((kind, rest)) = rest.get(..size).and_then(<[u8]>::split_first) else {
        return Ok(None);
    };
    let (number, content) = split_u32(rest).ok_or(FrameError::TooShort(length))?;
    let frame = parse(*kind, number, content)?;
    Ok(Some((frame, LENGTH_BYTES + size)))
}

fn parse(kind: u8, number: u32, content: &[u8]) -> Result<Frame<'_>, FrameError> {
    let frame = match kind {
        LINES => return Ok(Frame::Lines { block: number, lines: content }),
        CALL => {
            let call = call(content).ok_or(FrameError::Content(kind))?;
            return Ok(Frame::Call { id: number, call });
        }
        RESPONSE => {
            let (status, body) = split_u16(content).ok_or(FrameError::Content(kind))?;
            return Ok(Frame::Response { id: number, status, body });
        }
        TOO_LARGE => Frame::TooLarge(number),
        CANCEL => Frame::Cancel(number),
        STOP => Frame::Stop,
        PING => Frame::Ping,
        PONG => Frame::Pong,
        kind => return Err(FrameError::Kind(kind)),
    };
    if content.is_empty() { Ok(frame) } else { Err(FrameError::Content(kind)) }
}

fn call(content: &[u8]) -> Option<Call<'_>> {
    let (block, rest) = split_u16(content)?;
    let (target, rest) = split_u16(rest)?;
    let (lines, rest) = split_u16(rest)?;
    let (target, rest) = rest.split_at_checked(usize::from(target))?;
    let (lines, body) = rest.split_at_checked(usize::from(lines))?;
    Some(Call { block, target, lines, body })
}

fn split_u16(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u16::from_be_bytes(*number), rest))
}

fn split_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), rest))
}

impl Frame<'_> {
    /// Appends the bytes of the frame. Its content must have less than 4 GiB, and target and lines of a call less than 64 KiB
    /// each.
    pub fn write(&self, to: &mut Vec<u8>) {
        match *self {
            Self::Lines { block, lines } => Self::write_lines(to, block, &[lines]),
            Self::Call { id, call } => Self::write_call(to, id, call, &[call.lines]),
            Self::Response { id, status, body } => {
                head(to, RESPONSE, id, size_of_val(&status) + body.len());
                to.extend_from_slice(&status.to_be_bytes());
                to.extend_from_slice(body);
            }
            Self::TooLarge(id) => head(to, TOO_LARGE, id, 0),
            Self::Cancel(id) => head(to, CANCEL, id, 0),
            Self::Stop => head(to, STOP, 0, 0),
            Self::Ping => head(to, PING, 0, 0),
            Self::Pong => head(to, PONG, 0, 0),
        }
    }

    /// Appends header lines that are in several parts.
    pub(super) fn write_lines(to: &mut Vec<u8>, block: u32, lines: &[&[u8]]) {
        head(to, LINES, block, lines.iter().map(|part| part.len()).sum());
        lines.iter().for_each(|part| to.extend_from_slice(part));
    }

    /// Appends a call whose lines are in several parts, which replace those of `call`.
    pub(super) fn write_call(to: &mut Vec<u8>, id: u32, call: Call<'_>, lines: &[&[u8]]) {
        let Call { block, target, body, .. } = call;
        let lines_length = lines.iter().map(|part| part.len()).sum::<usize>();
        let length = CALL_HEAD_BYTES + target.len() + lines_length + body.len();
        head(to, CALL, id, length);
        // The caller has checked both lengths.
        for number in [usize::from(block), target.len(), lines_length] {
            to.extend_from_slice(&u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes());
        }
        to.extend_from_slice(target);
        lines.iter().for_each(|part| to.extend_from_slice(part));
        to.extend_from_slice(body);
    }
}

fn head(to: &mut Vec<u8>, kind: u8, number: u32, content: usize) {
    let length = u32::try_from(HEAD_BYTES - LENGTH_BYTES + content).unwrap_or(u32::MAX);
    let [a, b, c, d] = length.to_be_bytes();
    let [e, f, g, h] = number.to_be_bytes();
    to.extend_from_slice(&[a, b, c, d, kind, e, f, g, h]);
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Call<'_> = Call { block: 0x0102, target: b"/a?b", lines: b"c: d\r\n", body: b"{}" };

    const FRAMES: [(Frame<'_>, &[u8]); 8] = [
        (
            Frame::Lines { block: 3, lines: b"a: b\r\n" },
            b"\x00\x00\x00\x0b\x01\x00\x00\x00\x03a: b\r\n",
        ),
        (
            Frame::Call { id: 0x0a0b_0c0d, call: CALL },
            b"\x00\x00\x00\x17\x02\x0a\x0b\x0c\x0d\x01\x02\x00\x04\x00\x06/a?bc: d\r\n{}",
        ),
        (
            Frame::Response { id: 5, status: 200, body: b"{}\x1e" },
            b"\x00\x00\x00\x0a\x03\x00\x00\x00\x05\x00\xc8{}\x1e",
        ),
        (Frame::TooLarge(6), b"\x00\x00\x00\x05\x04\x00\x00\x00\x06"),
        (Frame::Cancel(7), b"\x00\x00\x00\x05\x05\x00\x00\x00\x07"),
        (Frame::Stop, b"\x00\x00\x00\x05\x06\x00\x00\x00\x00"),
        (Frame::Ping, b"\x00\x00\x00\x05\x07\x00\x00\x00\x00"),
        (Frame::Pong, b"\x00\x00\x00\x05\x08\x00\x00\x00\x00"),
    ];

    #[test]
    fn frames_have_these_bytes() {
        for (frame, bytes) in FRAMES {
            let mut written = Vec::new();
            frame.write(&mut written);

            assert_eq!(written, bytes, "{frame:?}");
            assert_eq!(first(bytes, bytes.len()), Ok(Some((frame, bytes.len()))));
        }
    }

    #[test]
    fn a_frame_is_read_when_its_last_byte_has_arrived() {
        for (frame, bytes) in FRAMES {
            for length in 0..bytes.len() {
                assert_eq!(first(&bytes[..length], 100), Ok(None), "{frame:?} {length}");
            }
            let followed = [bytes, b"more"].concat();
            assert_eq!(first(&followed, 100), Ok(Some((frame, bytes.len()))));
        }
    }

    #[test]
    fn a_frame_is_refused_by_its_first_bytes_if_its_length_is_not_allowed() {
        assert_eq!(first(&[0, 0, 0, 15], 9), Err(FrameError::TooLong(15)));
        assert_eq!(first(&[0, 0, 0, 14], 9), Ok(None));
        assert_eq!(first(&[255; 4], 9), Err(FrameError::TooLong(u32::MAX)));
        assert_eq!(first(&[0, 0, 0, 4], 9), Err(FrameError::TooShort(4)));
    }

    #[test]
    fn other_bytes_are_no_frames() {
        assert_eq!(first(b"\x00\x00\x00\x05\x00\x00\x00\x00\x00", 9), Err(FrameError::Kind(0)));
        assert_eq!(first(b"\x00\x00\x00\x05\x09\x00\x00\x00\x00", 9), Err(FrameError::Kind(9)));
        assert_eq!(first(b"GET / HTTP/1.1\r\n\r\n", 100), Err(FrameError::TooLong(0x4745_5420)));
        for (frame, bytes) in FRAMES {
            // One byte less than the lengths in the content say, or one byte more than none.
            let content = match frame {
                Frame::Lines { .. } => continue,
                Frame::Call { .. } => &b"\x00\x00\x00\x01\x00\x01a"[..],
                Frame::Response { .. } => b"\x00",
                _ => b"x",
            };
            let mut invalid = Vec::new();
            head(&mut invalid, bytes[4], 1, content.len());
            invalid.extend_from_slice(content);

            assert_eq!(first(&invalid, 100), Err(FrameError::Content(bytes[4])), "{frame:?}");
        }
    }
}
