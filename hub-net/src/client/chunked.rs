//! Bodies in chunks (RFC 9112 §7.1). Extensions and trailers are skipped.

/// The most bytes that the leading zeros and extensions of all chunks, and the trailers, may have.
const MAX_SKIPPED: usize = 16 * 1024;

/// A body that is not valid chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// The length is no number, or too large.
    #[error("the length of a chunk is not a hexadecimal number")]
    Length,
    /// The data or a line ends at another place.
    #[error("a chunk does not end with a line break")]
    End,
    /// Too many bytes besides the data.
    #[error(
        "the leading zeros, extensions and trailers of the chunks have more than {MAX_SKIPPED} bytes"
    )]
    Skipped,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The first digit of a length.
    Length,
    /// More digits, an extension, or the end of the line.
    MoreLength,
    /// An extension, or the end of the line.
    Blank,
    Extension,
    /// `\n` after the length.
    Line,
    Data,
    /// `\r` and `\n` after the data.
    DataEnd,
    DataLine,
    /// The begin of a trailer, or the last line.
    Trailer,
    InTrailer,
    /// `\n` of the last line.
    LastLine,
    End,
}

/// The state of a body.
#[derive(Debug)]
pub(super) struct Chunks {
    next: Next,
    /// The bytes of the current chunk that have not arrived.
    left: u64,
    skipped: usize,
}

impl Chunks {
    pub(super) fn new() -> Self {
        Self { next: Next::Length, left: 0, skipped: 0 }
    }

    /// Whether the last chunk and the trailers were read.
    pub(super) fn is_complete(&self) -> bool {
        self.next == Next::End
    }

    /// Reads the bytes up to the end of the next part of the data. Returns this part and the other bytes. The
    /// part is empty only if all bytes were read, or at the end of the body.
    pub(super) fn read<'a>(
        &mut self,
        mut bytes: &'a [u8],
    ) -> Result<(&'a [u8], &'a [u8]), ChunkError> {
        loop {
            if self.next == Next::Data {
                let length = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                let (data, rest) = bytes.split_at(length);
                self.left -= length as u64;
                if self.left == 0 {
                    self.next = Next::DataEnd;
                }
                return Ok((data, rest));
            }
            match bytes {
                [byte, rest @ ..] if self.next != Next::End => {
                    self.next = self.after(*byte)?;
                    bytes = rest;
                }
                _ => return Ok((&[], bytes)),
            }
        }
    }

    fn after(&mut self, byte: u8) -> Result<Next, ChunkError> {
        match (self.next, byte) {
            (Next::Length | Next::MoreLength, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                let longer = self.left.checked_mul(16).and_then(|left| left.checked_add(digit));
                let is_after_zero = self.next == Next::MoreLength && self.left == 0;
                self.left = longer.ok_or(ChunkError::Length)?;
                if is_after_zero { self.skip(Next::MoreLength) } else { Ok(Next::MoreLength) }
            }
            (Next::MoreLength | Next::Blank | Next::Extension, b'\r') => Ok(Next::Line),
            (Next::MoreLength | Next::Blank, b' ' | b'\t') => self.skip(Next::Blank),
            (Next::MoreLength | Next::Blank, b';') => self.skip(Next::Extension),
            (Next::Extension, byte) if byte != b'\n' => self.skip(Next::Extension),
            (Next::Length | Next::MoreLength | Next::Blank | Next::Extension, _) => {
                Err(ChunkError::Length)
            }
            (Next::Line, b'\n') => Ok(if self.left == 0 { Next::Trailer } else { Next::Data }),
            (Next::DataEnd, b'\r') => Ok(Next::DataLine),
            (Next::DataLine, b'\n') => Ok(Next::Length),
            (Next::Trailer, b'\r') => Ok(Next::LastLine),
            (Next::InTrailer, b'\n') => self.skip(Next::Trailer),
            (Next::Trailer | Next::InTrailer, _) => self.skip(Next::InTrailer),
            (Next::LastLine, b'\n') => Ok(Next::End),
            (Next::Line | Next::DataEnd | Next::DataLine | Next::LastLine, _) => {
                Err(ChunkError::End)
            }
            // Handled by the caller.
            (next @ (Next::Data | Next::End), _) => Ok(next),
        }
    }

    fn skip(&mut self, next: Next) -> Result<Next, ChunkError> {
        self.skipped += 1;
        if self.skipped > MAX_SKIPPED { Err(ChunkError::Skipped) } else { Ok(next) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data, and the bytes after the body, when `size` bytes arrive at once.
    fn read(bytes: &[u8], size: usize) -> Result<(Vec<u8>, Vec<u8>), Option<ChunkError>> {
        let (mut chunks, mut data, mut after) = (Chunks::new(), Vec::new(), Vec::new());
        for mut arrived in bytes.chunks(size) {
            while !arrived.is_empty() && !chunks.is_complete() {
                let (part, rest) = chunks.read(arrived).map_err(Some)?;
                data.extend_from_slice(part);
                arrived = rest;
            }
            after.extend_from_slice(arrived);
        }
        if chunks.is_complete() { Ok((data, after)) } else { Err(None) }
    }

    #[test]
    fn chunks_are_joined_however_they_arrive() {
        let body =
            b"3 \r\nabc\r\n00B\t ;x=\"y\" \t\r\n\r\ndefghi\r\n\r\r\n0\r\na: b\r\nc:\r\n\r\nmore";

        for size in 1..=body.len() {
            let (data, after) = read(body, size).unwrap();
            assert_eq!(
                (&data[..], &after[..]),
                (&b"abc\r\ndefghi\r\n\r"[..], &b"more"[..]),
                "{size}"
            );
        }
        assert_eq!(read(b"0\r\n\r\n", 9), Ok((Vec::new(), Vec::new())));
    }

    #[test]
    fn a_body_without_its_end_is_incomplete() {
        let body = b"3\r\nabc\r\n0\r\na: b\r\n\r\n";

        for end in 0..body.len() {
            assert_eq!(read(&body[..end], 99), Err(None), "{end}");
        }
    }

    #[test]
    fn other_bytes_are_an_error() {
        for body in [
            "\r\n",
            "x",
            "-1\r\n",
            "+1\r\n",
            " 1\r\n",
            "1\n",
            "1\rx",
            "1 ;\n",
            "1 2\r\n",
            "1\t\n",
            "1 x=y\r\n",
            "1;x\n",
            "FFFFFFFFFFFFFFFFFF\r\nx",
            "1\r\nab",
            "1\r\na\n",
            "1\r\na\rx",
            "0\r\n\rx",
        ] {
            assert!(matches!(read(body.as_bytes(), 99), Err(Some(_))), "{body:?}");
        }
    }

    #[test]
    fn leading_zeros_extensions_and_trailers_are_limited() {
        let many = |begin: &str, one: &str| {
            read(format!("{begin}{}", one.repeat(MAX_SKIPPED + 1)).as_bytes(), 4096)
        };

        for (begin, one) in [
            ("1;", "x"),
            ("1", " "),
            ("0", "0"),
            ("", "01\r\na\r\n"),
            ("", "1;x\r\na\r\n"),
            ("0\r\n", "x"),
            ("0\r\n", "x\r\n"),
        ] {
            assert_eq!(many(begin, one), Err(Some(ChunkError::Skipped)), "{begin}{one}");
        }
    }
}
