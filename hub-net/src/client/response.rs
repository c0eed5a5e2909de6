//! Parses a response (RFC 9112 §6.3) in the pieces in which it arrives.

use std::mem::{MaybeUninit, take};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use httparse::{Header, ParserConfig, Status};

use super::{
    calls,
    chunked::{ChunkError, Chunks},
};
use crate::BoxError;

const MAX_HEAD_BYTES: usize = 128 * 1024;
const MAX_HEADERS: usize = 100;
/// The memory that is reserved for a body because of its declared length only.
const MAX_RESERVED_BYTES: usize = 64 * 1024;

/// What the caller expects.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// Whether the method is `HEAD`, so that the response has no body.
    pub(super) is_head: bool,
    /// Whether the caller reads headers.
    pub(super) wants_headers: bool,
    /// The maximum size of the body.
    pub(super) max_bytes: usize,
}

/// Why a response cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ResponseError {
    /// The server speaks another protocol, or the head is invalid.
    #[error("the response is not HTTP/1.1")]
    Head(#[source] BoxError),
    /// The head has too many header lines.
    #[error("the response has more than {MAX_HEADERS} header lines")]
    Headers,
    /// The status is not a number from 100 to 999.
    #[error("the status of the response is not a number from 100 to 999")]
    Status,
    /// The head is too long.
    #[error("the head of the response has more than {MAX_HEAD_BYTES} bytes")]
    LongHead,
    /// The `content-length` is invalid, or there are several.
    #[error("the `content-length` of the response is not one number")]
    Length,
    /// The body is not in valid chunks.
    #[error("the body of the response is not in valid chunks")]
    Chunks(#[from] ChunkError),
    /// The body is larger than the caller expects.
    #[error("the body of the response is too large")]
    TooLarge,
    /// The server has closed the connection.
    #[error("the connection was closed before the end of the response")]
    Incomplete,
}

#[derive(Debug)]
enum State {
    /// The part of a head that has arrived.
    Head(Vec<u8>),
    /// The bytes of the body that have not arrived.
    Length(usize),
    Chunks(Chunks),
    UntilClose,
    Complete,
}

/// How a body ends.
enum Framing {
    Length(usize),
    Chunks,
    UntilClose,
}

/// A response that arrives.
#[derive(Debug)]
pub(super) struct Incoming {
    expected: Expected,
    state: State,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// A body that arrives in several pieces.
    joined: Vec<u8>,
    allows_next: bool,
    /// Whether the server offers to take several calls on one connection.
    pub(super) offers_calls: bool,
}

impl Incoming {
    pub(super) fn new(expected: Expected) -> Self {
        Self {
            expected,
            state: State::Head(Vec::new()),
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            joined: Vec::new(),
            allows_next: false,
            offers_calls: false,
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        matches!(self.state, State::Complete)
    }

    /// Whether the head was read.
    pub(super) fn has_head(&self) -> bool {
        !matches!(self.state, State::Head(_))
    }

    /// Whether the server keeps the connection for the next request.
    pub(super) fn allows_next(&self) -> bool {
        self.is_complete() && self.allows_next
    }

    /// Adds bytes that have arrived.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<(), ResponseError> {
        while !bytes.is_empty() {
            bytes = match &mut self.state {
                State::Head(begun) => {
                    let begun = take(begun);
                    self.read_head(begun, bytes)?
                }
                State::Length(left) => {
                    let (part, rest) = bytes.split_at((*left).min(bytes.len()));
                    *left -= part.len();
                    let is_complete = *left == 0;
                    if is_complete && self.joined.is_empty() {
                        self.body = Bytes::copy_from_slice(part);
                    } else {
                        self.joined.extend_from_slice(part);
                    }
                    if is_complete {
                        self.complete();
                    }
                    rest
                }
                State::Chunks(chunks) => {
                    let (part, rest) = chunks.read(bytes)?;
                    let is_complete = chunks.is_complete();
                    self.join(part)?;
                    if is_complete {
                        self.complete();
                    }
                    rest
                }
                State::UntilClose => {
                    self.join(bytes)?;
                    &[]
                }
                State::Complete => {
                    // The server writes without a request.
                    self.allows_next = false;
                    &[]
                }
            };
        }
        Ok(())
    }

    /// The server has closed the connection.
    pub(super) fn end(&mut self) -> Result<(), ResponseError> {
        self.allows_next = false;
        match self.state {
            State::UntilClose => self.complete(),
            State::Complete => {}
            _ => return Err(ResponseError::Incomplete),
        }
        Ok(())
    }

    fn join(&mut self, part: &[u8]) -> Result<(), ResponseError> {
        if part.len() > self.expected.max_bytes - self.joined.len() {
            return Err(ResponseError::TooLarge);
        }
        self.joined.extend_from_slice(part);
        Ok(())
    }

    fn complete(&mut self) {
        if !self.joined.is_empty() {
            self.body = take(&mut self.joined).into();
        }
        self.state = State::Complete;
    }

    /// Reads a head, which has begun with earlier bytes. Returns the bytes after it.
    fn read_head<'a>(
        &mut self,
        mut begun: Vec<u8>,
        bytes: &'a [u8],
    ) -> Result<&'a [u8], ResponseError> {
        if begun.is_empty() {
            // The parser skips empty lines, which would be the end of a head that arrives in pieces.
            if bytes.starts_with(b"\r") || bytes.starts_with(b"\n") {
                return Err(ResponseError::Head(httparse::Error::NewLine.into()));
            }
            return match self.parse_head(bytes)? {
                Some(length) => Ok(bytes.split_at(length).1),
                None => self.wait_for_head(bytes.to_vec()),
            };
        }
        let before = begun.len();
        begun.extend_from_slice(bytes);
        // Parsed once: a head may have a piece for every byte.
        let Some(length) = end_of_head(&begun, before) else {
            return self.wait_for_head(begun);
        };
        let (head, rest) = begun.split_at(length);
        if self.parse_head(head)? != Some(length) {
            return Err(ResponseError::Head(httparse::Error::NewLine.into()));
        }
        Ok(bytes.split_at(bytes.len() - rest.len()).1)
    }

    /// The rest of a head has not arrived.
    fn wait_for_head(&mut self, begun: Vec<u8>) -> Result<&'static [u8], ResponseError> {
        if begun.len() > MAX_HEAD_BYTES {
            return Err(ResponseError::LongHead);
        }
        self.state = State::Head(begun);
        Ok(&[])
    }

    /// Returns the length of the head, or `None` if it is not complete.
    fn parse_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, ResponseError> {
        let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut []);
        let parsed = ParserConfig::default()
            .parse_response_with_uninit_headers(&mut head, bytes, &mut lines);
        let parsed = parsed.map_err(|error| match error {
            httparse::Error::TooManyHeaders => ResponseError::Headers,
            error => ResponseError::Head(error.into()),
        })?;
        let Status::Complete(length) = parsed else { return Ok(None) };
        if length > MAX_HEAD_BYTES {
            return Err(ResponseError::LongHead);
        }
        self.status = StatusCode::from_u16(head.code.unwrap_or_default())
            .map_err(|_| ResponseError::Status)?;
        if self.status.is_informational() && self.status != StatusCode::SWITCHING_PROTOCOLS {
            // The response follows (RFC 9110 §15.2).
            self.state = State::Head(Vec::new());
            return Ok(Some(length));
        }
        if self.expected.wants_headers {
            self.headers = headers(head.headers);
        }
        let Read { framing, is_kept, offers_calls } = framing(head.headers)?;
        self.allows_next = is_kept && head.version == Some(1);
        self.offers_calls = offers_calls;
        match self.framing_of_status().unwrap_or(framing) {
            Framing::Length(length) if length > self.expected.max_bytes => {
                self.state = State::Length(length);
                return Err(ResponseError::TooLarge);
            }
            Framing::Length(0) => self.complete(),
            Framing::Length(length) => {
                if length > bytes.len() {
                    self.joined.reserve_exact(length.min(MAX_RESERVED_BYTES));
                }
                self.state = State::Length(length);
            }
            Framing::Chunks => self.state = State::Chunks(Chunks::new()),
            Framing::UntilClose => {
                self.allows_next = false;
                self.state = State::UntilClose;
            }
        }
        Ok(Some(length))
    }

    /// The framing of a response that has no body whatever its headers are.
    fn framing_of_status(&mut self) -> Option<Framing> {
        match self.status {
            // The client has not asked for another protocol.
            StatusCode::SWITCHING_PROTOCOLS => {
                self.allows_next = false;
                Some(Framing::Length(0))
            }
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Some(Framing::Length(0)),
            _ => self.expected.is_head.then_some(Framing::Length(0)),
        }
    }
}

/// The length of a head whose last line may end after `before` bytes.
fn end_of_head(bytes: &[u8], before: usize) -> Option<usize> {
    let from = before.saturating_sub(b"\n\r".len());
    let (_, new) = bytes.split_at_checked(from)?;
    let lines = new.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let mut ends = lines.filter_map(|(at, _)| match new.split_at(at + 1).1 {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    });
    ends.next().map(|end| from + end)
}

/// What the headers say about the connection.
struct Read {
    /// How the body ends.
    framing: Framing,
    /// Whether the server keeps the connection.
    is_kept: bool,
    /// Whether the server offers to take several calls on one connection.
    offers_calls: bool,
}

fn framing(headers: &[Header<'_>]) -> Result<Read, ResponseError> {
    let (mut length, mut coding, mut is_kept) = (None, None, true);
    // A proxy may remove only one of both headers.
    let (mut names_calls, mut upgrades) = (false, false);
    for Header { name, value } in headers {
        if name.eq_ignore_ascii_case(header::CONTENT_LENGTH.as_str()) {
            let declared = number(value).ok_or(ResponseError::Length)?;
            if length.replace(declared).is_some_and(|other| other != declared) {
                return Err(ResponseError::Length);
            }
        } else if name.eq_ignore_ascii_case(header::TRANSFER_ENCODING.as_str()) {
            coding = Some(*value);
        } else if name.eq_ignore_ascii_case(header::CONNECTION.as_str()) {
            for item in items(value) {
                is_kept &= !item.eq_ignore_ascii_case(b"close");
                upgrades |= item.eq_ignore_ascii_case(b"upgrade");
            }
        } else if name.eq_ignore_ascii_case(header::UPGRADE.as_str()) {
            names_calls |= calls::is_named(value);
        }
    }
    let (framing, is_kept) = match (coding, length) {
        (Some(coding), length) => {
            let is_chunked =
                items(coding).last().is_some_and(|it| it.eq_ignore_ascii_case(b"chunked"));
            // A length besides a coding is an error of the server (RFC 9112 §6.1).
            let is_kept = is_kept && length.is_none();
            (if is_chunked { Framing::Chunks } else { Framing::UntilClose }, is_kept)
        }
        (None, Some(length)) => (Framing::Length(length), is_kept),
        (None, None) => (Framing::UntilClose, is_kept),
    };
    Ok(Read { framing, is_kept, offers_calls: names_calls && upgrades })
}

fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

fn number(digits: &[u8]) -> Option<usize> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if is_number { str::from_utf8(digits).ok()?.parse().ok() } else { None }
}

fn headers(lines: &[Header<'_>]) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(lines.len());
    for Header { name, value } in lines {
        // The parser accepts only valid names and values.
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests;
