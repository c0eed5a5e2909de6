//! Bodies of events: complete up to a size, otherwise their start.

use bytes::Bytes;
use hub_core::protocol::Protocol;

/// The largest body that is kept completely.
pub(super) const MAX_BYTES: usize = 32 * 1024;
/// The same while events are recorded: the largest message of a client by default.
pub(super) const MAX_RECORDED_BYTES: usize = 1024 * 1024;
/// How much is kept of a larger one.
const START_BYTES: usize = 4 * 1024;

/// What is kept of a body.
#[derive(Debug)]
pub(crate) struct Body {
    pub(super) protocol: Protocol,
    pub(super) kept: Kept,
    /// The size of the whole body.
    pub(super) bytes: usize,
}

#[derive(Debug)]
pub(super) enum Kept {
    Whole(Bytes),
    Start(Bytes),
    /// Only the type of the value.
    Type(&'static str),
}

impl Body {
    /// Copies the bytes: they are part of a larger buffer. `longest` is the largest body that is kept completely.
    pub(super) fn copied(protocol: Protocol, bytes: &[u8], longest: usize) -> Self {
        let kept = match bytes.len() {
            0 => Kept::Whole(Bytes::new()),
            length if length <= longest => Kept::Whole(Bytes::copy_from_slice(bytes)),
            _ => Kept::Start(Bytes::copy_from_slice(&bytes[..START_BYTES])),
        };
        Self { protocol, kept, bytes: bytes.len() }
    }

    /// Refers to bytes that are a buffer of their own.
    pub(super) fn shared(protocol: Protocol, bytes: &Bytes, longest: usize) -> Self {
        if bytes.len() > longest {
            return Self::copied(protocol, bytes, longest);
        }
        Self { protocol, kept: Kept::Whole(bytes.clone()), bytes: bytes.len() }
    }

    /// Keeps size and type only.
    pub(super) fn hidden(protocol: Protocol, bytes: &[u8]) -> Self {
        let name = match protocol {
            Protocol::Json => json_type(bytes),
            _ => messagepack_type(bytes),
        };
        Self { protocol, kept: Kept::Type(name), bytes: bytes.len() }
    }

    /// The complete bytes, unless only a part of them was kept.
    pub(crate) fn whole(&self) -> Option<&Bytes> {
        match &self.kept {
            Kept::Whole(bytes) => Some(bytes),
            Kept::Start(_) | Kept::Type(_) => None,
        }
    }

    /// The memory that the body uses.
    pub(super) fn size(&self) -> usize {
        match &self.kept {
            Kept::Whole(bytes) | Kept::Start(bytes) => bytes.len(),
            Kept::Type(_) => 0,
        }
    }
}

fn json_type(bytes: &[u8]) -> &'static str {
    match bytes.trim_ascii_start().first() {
        None => "empty",
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        Some(b'-' | b'0'..=b'9') => "number",
        Some(_) => "text",
    }
}

fn messagepack_type(bytes: &[u8]) -> &'static str {
    match bytes.first() {
        None => "empty",
        Some(0x80..=0x8F | 0xDE | 0xDF) => "object",
        Some(0x90..=0x9F | 0xDC | 0xDD) => "array",
        Some(0xA0..=0xBF | 0xD9..=0xDB) => "string",
        Some(0xC0) => "null",
        Some(0xC2 | 0xC3) => "boolean",
        Some(0xC4..=0xC6) => "binary",
        Some(0xC7..=0xC9 | 0xD4..=0xD8) => "extension",
        Some(_) => "number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_kept_up_to_32_kib_and_its_start_above() {
        let body = |length: usize| Body::copied(Protocol::Json, &vec![b'1'; length], MAX_BYTES);

        assert_eq!(body(MAX_BYTES).whole().unwrap().len(), MAX_BYTES);
        let long = body(MAX_BYTES + 1);
        assert!(long.whole().is_none());
        assert_eq!((long.size(), long.bytes), (START_BYTES, MAX_BYTES + 1));
        let shared = Body::shared(Protocol::Json, &vec![b'1'; MAX_BYTES + 1].into(), MAX_BYTES);
        assert_eq!(shared.size(), START_BYTES);
    }

    #[test]
    fn a_hidden_body_has_its_type_and_size() {
        for (bytes, name) in [
            (&b"{}"[..], "object"),
            (b" [1]", "array"),
            (b"\"x\"", "string"),
            (b"true", "boolean"),
            (b"null", "null"),
            (b"-1", "number"),
            (b"<html>", "text"),
            (b"", "empty"),
        ] {
            let body = Body::hidden(Protocol::Json, bytes);
            assert!(matches!(body.kept, Kept::Type(it) if it == name), "{name}");
            assert_eq!((body.size(), body.bytes), (0, bytes.len()));
        }
    }
}
