//! Encoded frames: a WebSocket header and the payload. Other transports send only the payload.
//!
//! A server does not mask its frames (RFC 6455 §5.1). This service does not fragment them either.

use bytes::Bytes;
use hub_core::protocol::Protocol;

/// First byte of an unfragmented text message: FIN and opcode 1 (RFC 6455 §5.2).
const TEXT: u8 = 0x81;
/// First byte of an unfragmented binary message: FIN and opcode 2.
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PONG: u8 = 0x8A;
/// Bit of the opcode that marks control frames (RFC 6455 §5.5).
const CONTROL: u8 = 0x08;
/// Maximum size of the reason in a close frame in bytes: a control frame has at most 125, and 2 are its status.
const MAX_REASON: usize = 123;
/// Maximum header size of an unmasked frame in bytes (RFC 6455 §5.2).
const MAX_HEADER: u8 = 10;

/// Status code of a WebSocket close frame (RFC 6455 §7.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CloseStatus {
    /// Normal closure, also after an error that a SignalR close message or a refused handshake reported.
    /// Official .NET clients report another status instead of the message.
    #[default]
    Normal = 1000,
    /// The client violated the framing.
    ProtocolError = 1002,
    /// Text is not UTF-8.
    InvalidPayload = 1007,
}

/// A violation of the WebSocket protocol by the client.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("WebSocket protocol error: {text}")]
pub(crate) struct Violation {
    text: &'static str,
    status: CloseStatus,
}

impl Violation {
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text, status: CloseStatus::ProtocolError }
    }

    pub(crate) fn not_text() -> Self {
        Self { text: "text is not UTF-8", status: CloseStatus::InvalidPayload }
    }

    /// Status of the close frame in response.
    pub(crate) fn status(&self) -> CloseStatus {
        self.status
    }
}

/// One or more encoded messages, or a control frame. All receivers share the bytes.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(super) bytes: Bytes,
    header: u8,
}

impl Frame {
    /// `bytes` starts with a WebSocket header of `header` bytes.
    pub(crate) fn new(bytes: Bytes, header: u8) -> Self {
        Self { bytes, header }
    }

    /// One or more complete hub messages in JSON, as a text frame.
    pub(crate) fn text(payload: &[u8]) -> Self {
        Self::with_header(TEXT, payload)
    }

    /// Data in a protocol other than the hub protocols, as a binary frame.
    pub(crate) fn binary(payload: &[u8]) -> Self {
        Self::with_header(BINARY, payload)
    }

    /// One or more complete hub messages: JSON as a text frame, MessagePack as a binary frame
    /// (HubProtocol.md, Overview).
    pub(crate) fn message(protocol: Protocol, payload: &[u8]) -> Self {
        Self::with_header(if protocol.is_binary() { BINARY } else { TEXT }, payload)
    }

    /// Response to a WebSocket ping (RFC 6455 §5.5.3).
    pub(crate) fn pong(payload: &[u8]) -> Self {
        Self::with_header(PONG, payload)
    }

    /// A close frame. The reason is cut at a character boundary to the length that a control frame has room for
    /// (RFC 6455 §5.5, §5.5.1).
    pub(crate) fn close(status: CloseStatus, reason: &str) -> Self {
        let reason = &reason[..reason.floor_char_boundary(MAX_REASON)];
        Self::with_header(CLOSE, &[&(status as u16).to_be_bytes(), reason.as_bytes()].concat())
    }

    fn with_header(first: u8, payload: &[u8]) -> Self {
        let header = match payload.len() {
            0..126 => 2,
            126..65536 => 4,
            _ => MAX_HEADER,
        };
        // The exact size: `Bytes` allocates once more for a buffer with room to spare.
        let mut bytes = Vec::with_capacity(usize::from(header) + payload.len());
        bytes.push(first);
        match payload.len() {
            // The mask bit stays 0.
            length @ 0..126 => bytes.push(u8::try_from(length).unwrap_or_default()),
            length @ 126..65536 => {
                bytes.push(126);
                bytes.extend_from_slice(&u16::try_from(length).unwrap_or_default().to_be_bytes());
            }
            length => {
                bytes.push(127);
                bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(payload);
        Self::new(bytes.into(), header)
    }

    /// Header and payload.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whether this frame contains hub messages; `false` for a control frame.
    pub(crate) fn is_message(&self) -> bool {
        self.bytes.first().is_some_and(|first| first & CONTROL == 0)
    }

    /// The payload without the header, for other transports.
    pub(crate) fn into_payload(self) -> Bytes {
        self.bytes.slice(usize::from(self.header).min(self.bytes.len())..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(length: usize) -> (Vec<u8>, usize) {
        let frame = Frame::text(&vec![b'x'; length]);
        let bytes = frame.bytes().clone();
        let payload = frame.into_payload();
        assert_eq!(payload.len(), length);
        let header = bytes.slice(..bytes.len() - length);
        (header.to_vec(), bytes.len())
    }

    #[test]
    fn lengths_take_the_shortest_header() {
        assert_eq!(start(0).0, [0x81, 0]);
        assert_eq!(start(125).0, [0x81, 125]);
        assert_eq!(start(126).0, [0x81, 126, 0, 126]);
        assert_eq!(start(65535).0, [0x81, 126, 0xFF, 0xFF]);
        assert_eq!(start(65536).0, [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn only_json_messages_are_text() {
        let first = |protocol| Frame::message(protocol, b"x").bytes()[0];

        for protocol in Protocol::ALL.iter().copied() {
            assert_eq!(first(protocol), if protocol == Protocol::Json { 0x81 } else { 0x82 });
        }
    }

    #[test]
    fn control_frames_have_their_bytes() {
        assert_eq!(&Frame::pong(b"hi").bytes()[..], b"\x8a\x02hi");
        let close = |status, reason| Frame::close(status, reason).bytes().clone();
        assert_eq!(&close(CloseStatus::Normal, "")[..], b"\x88\x02\x03\xe8");
        assert_eq!(&close(CloseStatus::ProtocolError, "")[..], b"\x88\x02\x03\xea");
        assert_eq!(&close(CloseStatus::Normal, "bye")[..], b"\x88\x05\x03\xe8bye");
    }

    #[test]
    fn a_reason_is_cut_to_123_bytes_at_a_character_boundary() {
        let reason = |text: &str| Frame::close(CloseStatus::Normal, text).into_payload().slice(2..);

        assert_eq!(reason(&"x".repeat(123)), "x".repeat(123));
        assert_eq!(reason(&"x".repeat(124)), "x".repeat(123));
        assert_eq!(reason(&format!("{}ö", "x".repeat(122))), "x".repeat(122));
        assert_eq!(reason(&"😀".repeat(31)), "😀".repeat(30));
    }
}
